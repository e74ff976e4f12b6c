//! Registers of six bits each, and the same taken apart so that they can be merged many at a time.
//!
//! ```text
//!  byte 0    byte 1    byte 2         four registers: a in the lowest bits of byte 0, then b, c, d
//!  bbaaaaaa  ccccbbbb  ddddddcc
//! ```
//!
//! [`Planes`] have a byte for each register: all `a` in a row, then all `b`, and so on.
//!
//! The loops do the same to many neighbours, and the compiler turns them into instructions that do
//! (if no group is handed to a function, as it would take that for one number). `multiversion`
//! compiles them once more for processors with AVX2, which has what it takes to sort bytes by
//! threes, and some for AVX-512: a PFMERGE of two dense values took 2.4 µs in place of 4.1 when it
//! was done with planes, and without AVX-512.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use multiversion::multiversion;

use super::estimate::Histogram;
use super::sparse::each_run;
use super::{Corrupt, Form, Mark, REGISTERS};

/// Bytes of all registers.
pub const BYTES: usize = GROUPS * size_of::<Group>();
/// Registers, six bits each.
pub type Dense = [Group; GROUPS];
/// Four registers.
pub type Group = [u8; 3];
/// Registers that are all zero.
pub const ZERO: Dense = [[0; 3]; GROUPS];

const GROUPS: usize = REGISTERS / PLANES;

const BITS: u32 = 6;
const MASK: u8 = (1 << BITS) - 1;
const PLANES: usize = 4;
/// Registers that are counted in bytes before these could overflow.
const COUNTED: usize = 128;

/// Whether the loops may use what not every processor has; for tests of both ways.
static WIDE: AtomicBool = AtomicBool::new(true);

/// Allows the loops to use what not every processor has, or not.
pub fn allow_wide(allowed: bool) {
    WIDE.store(allowed, Relaxed);
}

/// Whether the loops use what not every processor has.
pub fn is_wide() -> bool {
    #[cfg(target_arch = "x86_64")]
    let able = std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    let able = false;
    able && WIDE.load(Relaxed)
}

/// The registers of so many bytes.
#[inline]
pub fn of_bytes(bytes: &[u8]) -> Option<&Dense> {
    let (groups, []) = bytes.as_chunks() else { return None };
    groups.try_into().ok()
}

/// The same to change.
pub fn of_bytes_mut(bytes: &mut [u8]) -> Option<&mut Dense> {
    let (groups, []) = bytes.as_chunks_mut() else { return None };
    groups.try_into().ok()
}

#[inline]
fn word_of([low, middle, high]: Group) -> u32 {
    u32::from_le_bytes([low, middle, high, 0])
}

/// Where a register lies: its group, and its lowest bit in there.
#[inline]
fn place(index: u16) -> (usize, u32) {
    (usize::from(index / 4) % GROUPS, u32::from(index % 4) * BITS)
}

/// One register.
#[inline]
pub fn get(dense: &Dense, index: u16) -> u8 {
    let (at, bit) = place(index);
    (word_of(dense[at]) >> bit) as u8 & MASK
}

/// Sets one register.
#[inline]
pub fn set(dense: &mut Dense, Mark { index, value }: Mark) {
    let (at, bit) = place(index);
    let cleared = word_of(dense[at]) & !(u32::from(MASK) << bit);
    let [low, middle, high, _] = (cleared | u32::from(value & MASK) << bit).to_le_bytes();
    dense[at] = [low, middle, high];
}

/// Registers of a byte each: register `4 * i + plane` is `planes[plane][i]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planes([[u8; GROUPS]; PLANES]);

impl Planes {
    /// Registers that are all zero.
    #[expect(clippy::new_without_default, reason = "16 KiB are not made by chance")]
    pub fn new() -> Self {
        Self([[0; GROUPS]; PLANES])
    }

    /// One register.
    #[inline]
    pub fn get(&self, index: usize) -> u8 {
        self.0[index % PLANES][index / PLANES % GROUPS]
    }

    /// Makes each register the larger one of both.
    pub fn merge(&mut self, dense: &Dense) {
        if WIDE.load(Relaxed) {
            merge_wide(&mut self.0, dense);
        } else {
            merge(&mut self.0, dense);
        }
    }

    /// The same with the runs of a sparse value.
    pub fn merge_sparse(&mut self, body: &[u8]) -> Result<(), Corrupt> {
        each_run(body, |first, run| {
            if run.value > 0 {
                for index in first..first.wrapping_add(run.len) {
                    let register = &mut self.0[index % PLANES][index / PLANES % GROUPS];
                    *register = run.value.max(*register);
                }
            }
        })
    }

    /// The registers of any value.
    pub fn of(form: Form<'_>) -> Result<Self, Corrupt> {
        let mut planes = Self::new();
        match form {
            Form::Dense(dense) => planes.merge(dense),
            Form::Sparse(body) => planes.merge_sparse(body)?,
        }
        Ok(planes)
    }

    /// Packs the registers.
    pub fn pack(&self, dense: &mut Dense) {
        if WIDE.load(Relaxed) {
            pack_wide(&self.0, dense);
        } else {
            pack(&self.0, dense);
        }
    }

    /// How many registers have which value.
    pub fn histogram(&self) -> Histogram {
        if WIDE.load(Relaxed) { histogram_wide(&self.0) } else { histogram(&self.0) }
    }
}

/// Makes registers the largest of their like in all the others.
pub fn join(into: &mut Dense, others: &[&Dense]) {
    let [a, b, c, rest @ ..] = others else {
        match *others {
            [] => {}
            [only] => *into = *only,
            [a, b, ..] => join_2(into, a, b),
        }
        return;
    };
    join_3(into, a, b, c);
    for pair in rest.chunks(2) {
        let joined = *into;
        match *pair {
            [a, b] => join_3(into, &joined, a, b),
            [a, ..] => join_2(into, &joined, a),
            [] => {}
        }
    }
}

fn join_2(into: &mut Dense, a: &Dense, b: &Dense) {
    if WIDE.load(Relaxed) { join_2_wide(into, a, b) } else { join_2_plain(into, a, b) }
}

fn join_3(into: &mut Dense, a: &Dense, b: &Dense, c: &Dense) {
    if WIDE.load(Relaxed) { join_3_wide(into, a, b, c) } else { join_3_plain(into, a, b, c) }
}

type Rows = [[u8; GROUPS]; PLANES];

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn join_2_wide(into: &mut Dense, a: &Dense, b: &Dense) {
    join_2_plain(into, a, b);
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn join_3_wide(into: &mut Dense, a: &Dense, b: &Dense, c: &Dense) {
    join_3_plain(into, a, b, c);
}

#[multiversion(targets("x86_64+avx2"))]
fn merge_wide(planes: &mut Rows, dense: &Dense) {
    merge(planes, dense);
}

#[multiversion(targets("x86_64+avx2"))]
fn pack_wide(planes: &Rows, dense: &mut Dense) {
    pack(planes, dense);
}

#[multiversion(targets("x86_64+avx2"))]
fn histogram_wide(planes: &Rows) -> Histogram {
    histogram(planes)
}

// Keys of the registers of a group: the larger register of two has the larger key, as behind it are
// only some bits of its neighbour. They cost less than the registers themselves.

#[inline(always)]
fn key_0(low: u8) -> u8 {
    low & MASK
}

#[inline(always)]
fn key_1(low: u8, middle: u8) -> u8 {
    low >> 4 | middle << 4
}

#[inline(always)]
fn key_2(middle: u8, high: u8) -> u8 {
    middle >> 2 | high << 6
}

#[inline(always)]
fn join_2_plain(into: &mut Dense, a: &Dense, b: &Dense) {
    for at in 0..GROUPS {
        let ([a0, a1, a2], [b0, b1, b2]) = (a[at], b[at]);
        let first = key_0(a0).max(key_0(b0));
        let second = key_1(a0, a1).max(key_1(b0, b1));
        let third = key_2(a1, a2).max(key_2(b1, b2));
        let fourth = a2.max(b2);
        into[at] = [
            first | second << 4 & 0xc0,
            second >> 4 | third << 2 & 0xf0,
            third >> 6 | fourth & 0xfc,
        ];
    }
}

#[inline(always)]
fn join_3_plain(into: &mut Dense, a: &Dense, b: &Dense, c: &Dense) {
    for at in 0..GROUPS {
        let ([a0, a1, a2], [b0, b1, b2], [c0, c1, c2]) = (a[at], b[at], c[at]);
        let first = key_0(a0).max(key_0(b0)).max(key_0(c0));
        let second = key_1(a0, a1).max(key_1(b0, b1)).max(key_1(c0, c1));
        let third = key_2(a1, a2).max(key_2(b1, b2)).max(key_2(c1, c2));
        let fourth = a2.max(b2).max(c2);
        into[at] = [
            first | second << 4 & 0xc0,
            second >> 4 | third << 2 & 0xf0,
            third >> 6 | fourth & 0xfc,
        ];
    }
}

#[inline(always)]
fn merge([a, b, c, d]: &mut Rows, dense: &Dense) {
    for at in 0..GROUPS {
        let [low, middle, high] = dense[at];
        a[at] = a[at].max(low & MASK);
        b[at] = b[at].max(low >> 6 | middle << 2 & MASK);
        c[at] = c[at].max(middle >> 4 | high << 4 & MASK);
        d[at] = d[at].max(high >> 2);
    }
}

#[inline(always)]
fn pack([a, b, c, d]: &Rows, dense: &mut Dense) {
    for at in 0..GROUPS {
        dense[at] = [a[at] | b[at] << 6, b[at] >> 2 | c[at] << 4, c[at] >> 4 | d[at] << 2];
    }
}

/// Values of registers mostly lie close together: a pass over all of them for each is quicker than
/// one over all of them that counts each where it belongs.
#[inline(always)]
fn histogram(planes: &Rows) -> Histogram {
    let registers = planes.as_flattened();
    let least = registers.iter().fold(u8::MAX, |least, value| least.min(*value));
    let most = registers.iter().fold(0, |most, value| most.max(*value));
    let mut histogram = Histogram::new();
    let blocks = registers.as_chunks::<COUNTED>().0;
    for value in least..=most {
        let count = blocks.iter().fold(0, |count, block| {
            let same = block
                .iter()
                .fold(0, |same: u8, register| same.wrapping_add(u8::from(*register == value)));
            usize::from(same).wrapping_add(count)
        });
        histogram.add(value, count);
    }
    histogram
}
