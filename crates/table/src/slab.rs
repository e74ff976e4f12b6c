//! Memory for segments: runs of 512-byte units in slabs of 111.
//!
//! Tables grow in waves, and each wave leaves blocks of a size that nobody wants any more. An
//! allocator with a page per size keeps such pages half empty; measured, that cost as much again as
//! a quarter of the tables. Here sizes share slabs: a slab is a bitmap of its units, the first run
//! that is long enough is taken, and neighbours that are free are one run without further ado.
//!
//! One lock guards all slabs. It is taken once in some fifty insertions, for tens of nanoseconds.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

/// Bytes of a unit.
pub(crate) const UNIT: usize = 512;
/// The longest run, a whole slab.
pub(crate) const UNITS_MAX: usize = 111;
/// Runs are aligned to a cache line.
const ALIGN: usize = 64;

/// Bytes of a slab's block. Nine fill one of the allocator's pages of 512 KiB, where blocks of 64
/// KiB or with an alignment of their own would be seven; so the slab begins at the block's first
/// line.
const BLOCK: usize = 56 * 1024;
const _: () = assert!(UNITS_MAX * UNIT + ALIGN <= BLOCK);
/// Runs of more units than this share a hint.
const HINTS: usize = 16;

/// A run of units.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) start: NonNull<u8>,
    pub(crate) units: usize,
    /// The slab it lies in.
    pub(crate) slab: u32,
}

struct Slab {
    block: NonNull<u8>,
    /// The first unit.
    start: NonNull<u8>,
    /// A bit for each unit in use, the first one lowest.
    used: u128,
}

// SAFETY: the address is only handed on; the slabs are behind a lock.
unsafe impl Send for Slab {}

struct Slabs {
    /// Places whose slab was given back are `None`.
    slabs: Vec<Option<Slab>>,
    /// `hints[n]`: no slab before this one has n free units in a row.
    hints: [usize; HINTS + 1],
    /// A slab without runs that is kept for the next one.
    empty: Option<usize>,
}

static SLABS: Mutex<Slabs> =
    Mutex::new(Slabs { slabs: Vec::new(), hints: [0; HINTS + 1], empty: None });

/// Takes a run of so many units, at most [`UNITS_MAX`], aligned to a cache line.
pub(crate) fn allocate(units: usize) -> Run {
    assert!((1..=UNITS_MAX).contains(&units), "a run of {units} units");
    SLABS.lock().unwrap_or_else(PoisonError::into_inner).allocate(units)
}

/// Gives a run back.
///
/// # Safety
/// The run came from `allocate` and nobody uses it any more.
pub(crate) unsafe fn free(run: Run) {
    SLABS.lock().unwrap_or_else(PoisonError::into_inner).free(run);
}

/// The bits of a run.
fn mask(first: u32, units: usize) -> u128 {
    (u128::MAX >> (u128::BITS as usize - units)) << first
}

/// Where the first run of so many free units begins.
fn first_fit(used: u128, units: usize) -> Option<u32> {
    let mut starts = !used & mask(0, UNITS_MAX);
    // A bit stays while the bits behind it, one more in each step, are free too.
    for _ in 1..units {
        starts &= starts >> 1;
    }
    (starts != 0).then(|| starts.trailing_zeros())
}

impl Slabs {
    fn allocate(&mut self, units: usize) -> Run {
        let hint = units.min(HINTS);
        let mut index = self.hints[hint];
        let first = loop {
            match self.slabs.get(index) {
                Some(Some(slab)) => {
                    if let Some(first) = first_fit(slab.used, units) {
                        break first;
                    }
                    index += 1;
                }
                Some(None) => index += 1,
                None => {
                    index = self.add();
                    break 0;
                }
            }
        };
        // Long runs share a hint, which must hold for the shortest of them.
        if units <= HINTS {
            self.hints[hint] = index;
        }
        let Some(Some(slab)) = self.slabs.get_mut(index) else { unreachable!("just found") };
        slab.used |= mask(first, units);
        if self.empty == Some(index) {
            self.empty = None;
        }
        // SAFETY: the units lie within the slab.
        let start = unsafe { slab.start.add(first as usize * UNIT) };
        Run { start, units, slab: index as u32 }
    }

    fn free(&mut self, run: Run) {
        let index = run.slab as usize;
        let Some(Some(slab)) = self.slabs.get_mut(index) else { unreachable!("a run in no slab") };
        let first = (run.start.addr().get() - slab.start.addr().get()) / UNIT;
        let bits = mask(first as u32, run.units);
        assert!(slab.used & bits == bits, "a run that is given back twice");
        slab.used &= !bits;
        let is_empty = slab.used == 0;
        for hint in &mut self.hints {
            *hint = (*hint).min(index);
        }
        if is_empty {
            if self.empty.is_some() {
                self.remove(index);
            } else {
                self.empty = Some(index);
            }
        }
    }

    /// Adds a slab and returns its place.
    fn add(&mut self) -> usize {
        let layout = layout();
        // SAFETY: the layout is not empty.
        let Some(block) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        // SAFETY: the block is longer than a slab by a whole line.
        let start = unsafe { block.add(block.align_offset(ALIGN)) };
        let slab = Some(Slab { block, start, used: 0 });
        match self.slabs.iter().position(Option::is_none) {
            Some(index) => {
                self.slabs[index] = slab;
                index
            }
            None => {
                self.slabs.push(slab);
                self.slabs.len() - 1
            }
        }
    }

    /// Gives an empty slab back.
    fn remove(&mut self, index: usize) {
        if let Some(slab) = self.slabs[index].take() {
            // SAFETY: allocated with this layout, and no run of it is in use.
            unsafe { dealloc(slab.block.as_ptr(), layout()) };
        }
    }
}

fn layout() -> Layout {
    match Layout::from_size_align(BLOCK, align_of::<u64>()) {
        Ok(layout) => layout,
        Err(_) => unreachable!("a slab has a layout"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_do_not_overlap_and_slabs_come_and_go() {
        let mut slabs = Slabs { slabs: Vec::new(), hints: [0; HINTS + 1], empty: None };
        let mut runs: Vec<Run> = Vec::new();
        let mut random: u64 = 1;
        for step in 0..22_000 {
            random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            let roll = (random >> 33) as usize;
            // The number of runs swells and shrinks.
            if roll % 100 < if (step / 2000) % 2 == 0 { 70 } else { 30 } || runs.is_empty() {
                runs.push(slabs.allocate(1 + roll / 100 % 20));
            } else {
                slabs.free(runs.swap_remove(roll / 100 % runs.len()));
            }
        }
        let mut spans: Vec<(usize, usize)> = runs
            .iter()
            .map(|run| (run.start.addr().get(), run.start.addr().get() + run.units * UNIT))
            .collect();
        spans.sort_unstable();
        assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        let used: usize = runs.iter().map(|run| run.units).sum();
        let held = slabs.slabs.iter().flatten().count() * UNITS_MAX;
        assert!(used * 10 > held * 8, "{used} units in use of {held}");
        runs.into_iter().for_each(|run| slabs.free(run));
        assert!(slabs.slabs.iter().flatten().count() <= 1);
        if let Some(index) = slabs.empty.take() {
            slabs.remove(index);
        }
    }

    #[test]
    fn the_first_fit_is_the_first() {
        assert_eq!(first_fit(0, UNITS_MAX), Some(0));
        assert_eq!(first_fit(1, UNITS_MAX), None);
        assert_eq!(first_fit(0b1011, 2), Some(4));
        assert_eq!(first_fit(0b1011, 1), Some(2));
        assert_eq!(first_fit(mask(0, UNITS_MAX - 1), 1), Some(UNITS_MAX as u32 - 1));
        assert_eq!(first_fit(mask(0, UNITS_MAX - 1), 2), None);
        assert_eq!(first_fit(u128::MAX, 1), None);
    }
}
