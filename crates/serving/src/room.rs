//! The memory of one message while it arrives.

use std::io;

use memmap2::MmapMut;

/// Larger rooms are pages of their own. The allocator keeps what is freed for a while, so that a
/// server that receives large messages would take nearly twice its budget; the system has such
/// pages back at once.
const MOST_ON_HEAP: usize = 1 << 20;

/// A buffer of a capacity that is chosen once.
#[derive(Debug)]
pub(crate) struct Room {
    memory: Memory,
    length: usize,
}

#[derive(Debug)]
enum Memory {
    Heap(Box<[u8]>),
    Pages(MmapMut),
}

impl Room {
    /// Room for `capacity` bytes, all of them free.
    ///
    /// # Errors
    /// The system has no such memory.
    pub(crate) fn new(capacity: usize) -> io::Result<Self> {
        let memory = match capacity > MOST_ON_HEAP {
            true => Memory::Pages(MmapMut::map_anon(capacity)?),
            false => Memory::Heap(vec![0; capacity].into()),
        };
        Ok(Self { memory, length: 0 })
    }

    pub(crate) fn capacity(&self) -> usize {
        self.all().len()
    }

    /// The free bytes.
    pub(crate) fn free(&mut self) -> &mut [u8] {
        let free = self.length..;
        match &mut self.memory {
            Memory::Heap(bytes) => &mut bytes[free],
            Memory::Pages(bytes) => &mut bytes[free],
        }
    }

    /// Takes the first `length` free bytes as filled.
    ///
    /// # Panics
    /// When fewer are free.
    pub(crate) fn fill(&mut self, length: usize) {
        let free = self.capacity() - self.length;
        assert!(length <= free, "{length} bytes do not fit into {free}");
        self.length += length;
    }

    /// Appends `bytes`.
    ///
    /// # Panics
    /// When fewer are free.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.free()[..bytes.len()].copy_from_slice(bytes);
        self.fill(bytes.len());
    }

    fn all(&self) -> &[u8] {
        match &self.memory {
            Memory::Heap(bytes) => bytes,
            Memory::Pages(bytes) => bytes,
        }
    }
}

/// The filled bytes.
impl AsRef<[u8]> for Room {
    fn as_ref(&self) -> &[u8] {
        &self.all()[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_holds_what_was_pushed_on_the_heap_and_in_pages() {
        for capacity in [0, 1, MOST_ON_HEAP, MOST_ON_HEAP + 1] {
            let mut room = Room::new(capacity).unwrap();
            assert_eq!((room.capacity(), room.as_ref().len()), (capacity, 0));
            let bytes: Vec<u8> = (0..capacity).map(|at| (at % 251) as u8).collect();
            let (first, rest) = bytes.split_at(capacity / 3);
            room.push(first);
            assert_eq!(room.as_ref(), first);
            assert_eq!(room.free().len(), rest.len());
            room.free().copy_from_slice(rest);
            room.fill(rest.len());
            assert!(room.as_ref() == bytes, "{capacity}");
            assert!(room.free().is_empty());
        }
    }
}
