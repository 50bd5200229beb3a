//! A queue in which connections take turns, so that one that sends much does not hold up the others.

use std::{
    cmp::Reverse,
    collections::{HashMap, VecDeque},
};

/// Items that wait, by the connection on which they came.
#[derive(Debug)]
pub(crate) struct FairQueue<T> {
    /// Never holds an empty queue.
    by_connection: HashMap<u64, VecDeque<T>>,
    /// The connections with items, in the order of their turns.
    turns: VecDeque<u64>,
    len: usize,
}

impl<T> FairQueue<T> {
    pub(crate) fn new() -> Self {
        Self {
            by_connection: HashMap::new(),
            turns: VecDeque::new(),
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The number of items of one connection.
    pub(crate) fn len_of(&self, connection: u64) -> usize {
        self.by_connection.get(&connection).map_or(0, VecDeque::len)
    }

    /// How many items would leave before an item that this connection added now, if the items that
    /// are `announced` by connection had been added before.
    pub(crate) fn ahead_of(&self, connection: u64, announced: &HashMap<u64, usize>) -> usize {
        let total = |connection: u64| {
            self.len_of(connection) + announced.get(&connection).copied().unwrap_or(0)
        };
        let own = total(connection);
        let waiting = self.by_connection.keys();
        let only_announced = announced
            .keys()
            .filter(|other| !self.by_connection.contains_key(other));
        let others = waiting
            .chain(only_announced)
            .filter(|&&other| other != connection);
        own + others
            .map(|&other| total(other).min(own + 1))
            .sum::<usize>()
    }

    pub(crate) fn push(&mut self, connection: u64, item: T) {
        let items = self.by_connection.entry(connection).or_default();
        if items.is_empty() {
            self.turns.push_back(connection);
        }
        items.push_back(item);
        self.len += 1;
    }

    /// Removes an item of the connection whose turn it is: its newest if `newest` says so of its
    /// oldest, and otherwise its oldest.
    pub(crate) fn pop(&mut self, newest: impl FnOnce(&T) -> bool) -> Option<T> {
        let connection = self.turns.pop_front()?;
        let items = self.by_connection.get_mut(&connection)?;
        let item = match newest(items.front()?) {
            true => items.pop_back(),
            false => items.pop_front(),
        };
        self.len -= 1;
        match items.is_empty() {
            true => drop(self.by_connection.remove(&connection)),
            false => self.turns.push_back(connection),
        }
        item
    }

    /// The connection with the most items.
    pub(crate) fn busiest(&self) -> Option<u64> {
        let lengths = self.by_connection.iter();
        // Among equals the choice is the same each time, whatever the order of the map.
        let busiest =
            lengths.max_by_key(|(connection, items)| (items.len(), Reverse(**connection)));
        busiest.map(|(connection, _)| *connection)
    }

    /// Removes the newest item of a connection.
    pub(crate) fn pop_newest(&mut self, connection: u64) -> Option<T> {
        let at = self.len_of(connection).checked_sub(1)?;
        self.take(connection, at)
    }

    /// Removes the first item of a connection that matches.
    pub(crate) fn remove(&mut self, connection: u64, matches: impl Fn(&T) -> bool) -> Option<T> {
        let items = self.by_connection.get(&connection)?;
        let at = items.iter().position(matches)?;
        self.take(connection, at)
    }

    fn take(&mut self, connection: u64, at: usize) -> Option<T> {
        let items = self.by_connection.get_mut(&connection)?;
        let item = items.remove(at)?;
        self.len -= 1;
        if items.is_empty() {
            self.by_connection.remove(&connection);
            self.turns.retain(|other| *other != connection);
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(items: &[(u64, u32)]) -> FairQueue<u32> {
        let mut queue = FairQueue::new();
        for (connection, item) in items {
            queue.push(*connection, *item);
        }
        queue
    }

    fn drain(mut queue: FairQueue<u32>, newest: bool) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop(|_| newest)).collect()
    }

    #[test]
    fn connections_take_turns_and_the_oldest_or_newest_leaves_first() {
        let items = [(7, 1), (7, 2), (7, 3), (8, 4), (8, 5), (9, 6)];
        assert_eq!(drain(queue(&items), false), [1, 4, 6, 2, 5, 3]);
        assert_eq!(drain(queue(&items), true), [3, 5, 6, 2, 4, 1]);
    }

    #[test]
    fn what_is_ahead_is_what_leaves_before() {
        let items = [(7, 1), (7, 2), (7, 3), (8, 4)];
        for connection in [7, 8, 9] {
            let mut queue = queue(&items);
            let ahead = queue.ahead_of(connection, &HashMap::new());
            queue.push(connection, 100);
            let left = drain(queue, false);
            assert_eq!(left.iter().position(|item| *item == 100), Some(ahead));
        }
    }

    #[test]
    fn what_is_announced_counts_as_if_it_were_there() {
        let announced = HashMap::from([(7, 1), (8, 2), (10, 4)]);
        let before = [(7, 1), (7, 2), (7, 3), (8, 4)];
        let with = [(7, 5), (8, 6), (8, 7), (10, 8), (10, 9), (10, 10), (10, 11)];
        let (without, with) = (queue(&before), queue(&[&before[..], &with].concat()));
        for connection in 7..=10 {
            let ahead = with.ahead_of(connection, &HashMap::new());
            assert_eq!(without.ahead_of(connection, &announced), ahead);
        }
    }

    #[test]
    fn items_are_removed_wherever_they_are() {
        let mut queue = queue(&[(7, 1), (7, 2), (8, 3), (8, 4), (8, 5)]);
        assert_eq!(queue.busiest(), Some(8));
        assert_eq!(queue.pop_newest(8), Some(5));
        assert_eq!(queue.busiest(), Some(7));
        assert_eq!(queue.remove(7, |item| *item == 1), Some(1));
        assert_eq!(queue.remove(7, |item| *item == 1), None);
        assert_eq!(queue.remove(7, |item| *item == 2), Some(2));
        assert_eq!((queue.len(), queue.len_of(7), queue.len_of(8)), (2, 0, 2));
        assert_eq!(queue.pop_newest(7), None);
        assert_eq!(drain(queue, false), [3, 4]);
    }
}
