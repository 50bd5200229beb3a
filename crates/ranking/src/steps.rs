//! Sums that change in steps along one axis: collected request by request, in any order and on any
//! thread, then merged exactly.
//!
//! Everything is added as integers in fixed point, so that no order of additions, and no number of
//! threads, changes a bit.

use rayon::prelude::*;

use crate::order::ascending;

/// The steps of some requests. Each request starts with a row of sums; its steps change the first
/// `moving` of them.
#[derive(Debug, Clone)]
pub(crate) struct Block<D> {
    moving: usize,
    /// Where each step is.
    x: Vec<f64>,
    /// `moving` differences per step.
    deltas: Vec<D>,
    /// A whole row per request.
    starts: Vec<D>,
    origins: Vec<Origin>,
}

/// One request of a block.
#[derive(Debug, Clone, Copy)]
struct Origin {
    unit: u64,
    /// Its steps end before this one.
    end: usize,
}

/// What one request has put into a block.
pub(crate) struct Track<'a, D> {
    pub(crate) unit: u64,
    pub(crate) start: &'a [D],
    pub(crate) x: &'a [f64],
    pub(crate) deltas: &'a [D],
}

impl<D: Copy + Default + PartialEq> Block<D> {
    pub(crate) fn new(moving: usize) -> Self {
        Self {
            moving,
            x: Vec::new(),
            deltas: Vec::new(),
            starts: Vec::new(),
            origins: Vec::new(),
        }
    }

    pub(crate) fn steps(&self) -> usize {
        self.x.len()
    }

    /// Adds a step to the request that is under way, unless it changes nothing.
    pub(crate) fn step(&mut self, x: f64, deltas: &[D]) {
        if deltas.iter().any(|&delta| delta != D::default()) {
            self.x.push(x);
            self.deltas.extend_from_slice(deltas);
        }
    }

    /// Ends the request whose steps have just been added.
    pub(crate) fn end(&mut self, unit: u64, start: &[D]) {
        self.starts.extend_from_slice(start);
        self.origins.push(Origin {
            unit,
            end: self.x.len(),
        });
    }

    /// The requests of the block.
    pub(crate) fn tracks(&self) -> impl Iterator<Item = Track<'_, D>> {
        let row = self.starts.len() / self.origins.len().max(1);
        let mut begin = 0;
        self.origins
            .iter()
            .enumerate()
            .map(move |(request, origin)| {
                let steps = begin..origin.end;
                begin = origin.end;
                Track {
                    unit: origin.unit,
                    start: &self.starts[request * row..(request + 1) * row],
                    x: &self.x[steps.clone()],
                    deltas: &self.deltas[steps.start * self.moving..steps.end * self.moving],
                }
            })
    }

    fn delta(&self, step: u32) -> &[D] {
        let at = step as usize * self.moving;
        &self.deltas[at..at + self.moving]
    }
}

/// A step function: `values[c][0]` holds at `breakpoints[0]` itself, `values[c][i]` between
/// `breakpoints[i - 1]` and the next one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Merged {
    pub(crate) breakpoints: Vec<f64>,
    pub(crate) values: Vec<Vec<f64>>,
}

/// Where a step stands among all of a merge.
#[derive(Debug, Clone, Copy)]
struct Key {
    x: u64,
    block: u32,
    step: u32,
}

/// The block of the mark that stands at the start of the axis and changes nothing.
const START: u32 = u32::MAX;

/// Adds up the steps of all requests from `start` on. `row` is the number of sums, `outputs` the
/// number of values that `finish` makes of them for each step of the result.
pub(crate) fn merge<D, F>(
    blocks: &[Block<D>],
    start: f64,
    row: usize,
    outputs: usize,
    finish: F,
) -> Merged
where
    D: Copy + Default + PartialEq + Into<i128> + Sync,
    F: Fn(&[i128], &mut [f64]) + Sync,
{
    let mut keys = keys(blocks, start);
    // Unstable is enough: steps at one place are added up before anything is read, and integers add
    // in any order.
    keys.par_sort_unstable_by_key(|key| key.x);
    let chunks = chunks(&keys);
    // What each chunk adds, and how many breakpoints it has: so every chunk knows with which sums,
    // and where, it begins.
    let totals: Vec<(Vec<i128>, usize)> = chunks
        .par_iter()
        .map(|keys| total(blocks, keys, row))
        .collect();
    let mut sums = starts(blocks, row);
    let mut merged = Merged::zeros(totals.iter().map(|total| total.1).sum(), outputs);
    let mut first = vec![0.0; outputs];
    finish(&sums, &mut first);
    for (column, first) in merged.values.iter_mut().zip(first) {
        column[0] = first;
    }

    // The result is cut into one piece per chunk, so that threads write to their own places
    // without a lock.
    let mut rest = merged.rest();
    let mut tasks = Vec::with_capacity(chunks.len());
    for (keys, (delta, size)) in chunks.into_iter().zip(totals) {
        tasks.push((keys, sums.clone(), rest.split_off(size)));
        add(&mut sums, &delta);
    }
    tasks
        .into_par_iter()
        .for_each(|(keys, mut sums, mut piece)| {
            let mut out = vec![0.0; outputs];
            for (at, group) in keys.chunk_by(|a, b| a.x == b.x).enumerate() {
                for &key in group {
                    apply(&mut sums, blocks, key);
                }
                finish(&sums, &mut out);
                piece.write(at, position(blocks, group[0], start), &out);
            }
        });
    merged
}

/// The same one step after the other, on this thread: `visit` gets the ends of each, of which the
/// first is the point `start`, and its sums.
pub(crate) fn scan<D>(
    blocks: &[Block<D>],
    start: f64,
    row: usize,
    mut visit: impl FnMut((f64, f64), &[i128]),
) where
    D: Copy + Default + PartialEq + Into<i128>,
{
    let mut keys = keys(blocks, start);
    keys.sort_unstable_by_key(|key| key.x);
    let mut sums = starts(blocks, row);
    visit((start, start), &sums);
    let mut groups = keys.chunk_by(|a, b| a.x == b.x).peekable();
    while let Some(group) = groups.next() {
        for &key in group {
            apply(&mut sums, blocks, key);
        }
        let end = groups
            .peek()
            .map_or(f64::INFINITY, |next| position(blocks, next[0], start));
        visit((position(blocks, group[0], start), end), &sums);
    }
}

impl Merged {
    fn zeros(breakpoints: usize, outputs: usize) -> Self {
        Self {
            breakpoints: vec![0.0; breakpoints],
            values: vec![vec![0.0; breakpoints + 1]; outputs],
        }
    }

    /// All breakpoints, with the values of the steps after them.
    fn rest(&mut self) -> Piece<'_> {
        Piece {
            x: &mut self.breakpoints,
            columns: self
                .values
                .iter_mut()
                .map(|column| &mut column[1..])
                .collect(),
        }
    }
}

/// A run of breakpoints to be written, with the values of the steps after them.
struct Piece<'a> {
    x: &'a mut [f64],
    columns: Vec<&'a mut [f64]>,
}

impl<'a> Piece<'a> {
    /// Takes the first `size` breakpoints away.
    fn split_off(&mut self, size: usize) -> Self {
        let take = |slice: &mut &'a mut [f64]| {
            let (head, tail) = std::mem::take(slice).split_at_mut(size);
            *slice = tail;
            head
        };
        Self {
            x: take(&mut self.x),
            columns: self.columns.iter_mut().map(take).collect(),
        }
    }

    fn write(&mut self, at: usize, x: f64, values: &[f64]) {
        self.x[at] = x;
        for (column, &value) in self.columns.iter_mut().zip(values) {
            column[at] = value;
        }
    }
}

/// What all requests start with.
fn starts<D: Copy + Into<i128>>(blocks: &[Block<D>], row: usize) -> Vec<i128> {
    let mut sums = vec![0_i128; row];
    for block in blocks {
        let starts = block.starts.chunks_exact(row.max(1));
        starts.for_each(|start| add(&mut sums, start));
    }
    sums
}

/// All steps, and the mark at the start.
fn keys<D>(blocks: &[Block<D>], start: f64) -> Vec<Key> {
    let mut keys: Vec<Key> =
        Vec::with_capacity(1 + blocks.iter().map(|block| block.x.len()).sum::<usize>());
    keys.push(Key {
        x: ascending(start),
        block: START,
        step: 0,
    });
    for (block, number) in blocks.iter().zip(0..) {
        let key = |(&x, step)| Key {
            x: ascending(x),
            block: number,
            step,
        };
        keys.extend(block.x.iter().zip(0..).map(key));
    }
    keys
}

/// Cuts the keys into chunks of some ten thousand, never between equal places.
fn chunks(mut keys: &[Key]) -> Vec<&[Key]> {
    const SIZE: usize = 1 << 14;
    let mut chunks = Vec::new();
    while !keys.is_empty() {
        let mut end = SIZE.min(keys.len());
        // A place in two chunks would become two breakpoints, the first with half of its change.
        while end < keys.len() && keys[end].x == keys[end - 1].x {
            end += 1;
        }
        let (chunk, rest) = keys.split_at(end);
        chunks.push(chunk);
        keys = rest;
    }
    chunks
}

fn total<D>(blocks: &[Block<D>], keys: &[Key], row: usize) -> (Vec<i128>, usize)
where
    D: Copy + Default + PartialEq + Into<i128>,
{
    let mut sums = vec![0; row];
    for key in keys {
        apply(&mut sums, blocks, *key);
    }
    (sums, keys.chunk_by(|a, b| a.x == b.x).count())
}

fn apply<D>(sums: &mut [i128], blocks: &[Block<D>], key: Key)
where
    D: Copy + Default + PartialEq + Into<i128>,
{
    if key.block != START {
        add(sums, blocks[key.block as usize].delta(key.step));
    }
}

fn add<D: Copy + Into<i128>>(sums: &mut [i128], deltas: &[D]) {
    for (sum, &delta) in sums.iter_mut().zip(deltas) {
        *sum += delta.into();
    }
}

fn position<D>(blocks: &[Block<D>], key: Key, start: f64) -> f64 {
    if key.block == START {
        start
    } else {
        blocks[key.block as usize].x[key.step as usize]
    }
}
