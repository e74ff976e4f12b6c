//! HyperLogLog: about how many different elements were added, in strings of Redis's own formats.
//!
//! ```text
//!  0       4          5          8                    16
//!  | HYLL  | encoding | reserved | cached cardinality | registers …
//! ```
//!
//! An element is hashed; 14 bits of the hash choose one of 16384 registers, and the register keeps
//! the longest run of zeros (and the one behind it) that the other bits ever began with. The
//! cardinality is estimated from how many registers have which value (`estimate`).
//!
//! Encoding 0 is dense: six bits a register, the first in the lowest bits (`registers`). Encoding 1
//! is sparse: runs of equal registers (`sparse`), which becomes dense when it outgrows a limit or a
//! register outgrows what a run can say, and never goes back. The highest bit of the cached
//! cardinality says that it no longer holds.
//!
//! Strings come from anywhere, so nothing here trusts them: [`parse`] refuses what is no such
//! value, and all that reads registers stops where runs do not add up.

#![forbid(unsafe_code)]

pub mod estimate;
mod murmur;
pub mod registers;
mod self_test;
pub mod sparse;

use estimate::Histogram;
use registers::{Dense, Planes};
use sparse::{Cursor, Step};

pub use self_test::self_test;

use crate::entry::Entry;
use crate::value::Value;

/// Registers of a value.
pub const REGISTERS: usize = 1 << INDEX_BITS;
/// Bytes of a dense value.
pub const DENSE_LEN: usize = HEADER + registers::BYTES;

const INDEX_BITS: u32 = 14;
/// Bits of a hash behind those of the index.
const RUN_BITS: u32 = u64::BITS - INDEX_BITS;
const HEADER: usize = 16;
const MAGIC: &[u8; 4] = b"HYLL";
const ENCODING_AT: usize = 4;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
const CACHED_AT: usize = 8;
/// In the last byte of the cached cardinality: it no longer holds.
const STALE: u8 = 0x80;
const STALE_AT: usize = HEADER - 1;
/// A new value: sparse, all registers zero, nothing cached.
const EMPTY: &[u8; HEADER + 2] = b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff";
const HASH_SEED: u64 = 0xadc8_3b19;

/// A value's registers.
#[derive(Clone, Copy, Debug)]
pub enum Form<'b> {
    /// Six bits each.
    Dense(&'b Dense),
    /// As runs, which may be corrupt.
    Sparse(&'b [u8]),
}

/// A sparse value whose runs are not those of 16384 registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// A string that is edited in place.
pub trait Buffer {
    /// Its bytes.
    fn bytes(&self) -> &[u8];
    /// Its bytes to edit, made `len` long: cut, or filled up with zeros.
    fn edit(&mut self, len: usize) -> &mut [u8];
}

impl Buffer for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn edit(&mut self, len: usize) -> &mut [u8] {
        self.resize(len, 0);
        self
    }
}

impl Buffer for Entry {
    #[inline]
    fn bytes(&self) -> &[u8] {
        match self.string() {
            Some(Value::Bytes(bytes)) => bytes,
            _ => &[],
        }
    }

    fn edit(&mut self, len: usize) -> &mut [u8] {
        Entry::edit(self, len)
    }
}

/// What an element does to a value: a register that must be at least so large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Of which register.
    pub index: u16,
    /// Its least value, from 1 to 63.
    pub value: u8,
}

impl Mark {
    /// The mark of an element.
    #[inline]
    pub fn of(element: &[u8]) -> Self {
        let hash = murmur::hash(element, HASH_SEED);
        // The bit behind the last one ends the run in any case.
        let zeros = (hash >> INDEX_BITS | 1 << RUN_BITS).trailing_zeros();
        Self { index: hash as u16 & (REGISTERS as u16 - 1), value: zeros as u8 + 1 }
    }
}

/// A new value without elements.
pub fn empty() -> &'static [u8] {
    EMPTY
}

/// The registers of a string, if it is a value at all.
#[inline]
pub fn parse(bytes: &[u8]) -> Option<Form<'_>> {
    let (header, body) = bytes.split_first_chunk::<HEADER>()?;
    if !header.starts_with(MAGIC) {
        return None;
    }
    match header[ENCODING_AT] {
        DENSE => registers::of_bytes(body).map(Form::Dense),
        SPARSE => Some(Form::Sparse(body)),
        _ => None,
    }
}

/// The cached cardinality, if it still holds.
#[inline]
pub fn cached(bytes: &[u8]) -> Option<u64> {
    let (_, cached) = bytes.get(..HEADER)?.split_last_chunk::<8>()?;
    Some(u64::from_le_bytes(*cached)).filter(|_| cached[7] & STALE == 0)
}

/// Caches the cardinality of a value.
pub fn cache(buffer: &mut impl Buffer, cardinality: u64) {
    let len = buffer.bytes().len();
    if let Some(cached) = buffer.edit(len).get_mut(CACHED_AT..HEADER) {
        cached.copy_from_slice(&cardinality.to_le_bytes());
    }
}

/// Notes that the cached cardinality no longer holds.
fn spoil(bytes: &mut [u8]) {
    if let Some(byte) = bytes.get_mut(STALE_AT) {
        *byte |= STALE;
    }
}

/// Adds elements to a value, which is touched only where a register changes. Returns how many
/// elements changed one, and whether all could be added; those before a failure have been.
#[inline]
pub fn add<'w>(
    buffer: &mut impl Buffer,
    elements: impl Iterator<Item = &'w [u8]>,
    sparse_max: usize,
) -> (u64, Result<(), Corrupt>) {
    let mut changes = 0;
    for element in elements {
        match raise(buffer, Mark::of(element), sparse_max, &mut Cursor::default()) {
            Ok(changed) => changes += u64::from(changed),
            Err(corrupt) => return (changes, Err(corrupt)),
        }
    }
    (changes, Ok(()))
}

/// Raises a register of a value; whether that changed it. A sparse value that becomes longer than
/// `sparse_max` bytes by that becomes dense.
#[inline]
fn raise(
    buffer: &mut impl Buffer,
    mark: Mark,
    sparse_max: usize,
    cursor: &mut Cursor,
) -> Result<bool, Corrupt> {
    match parse(buffer.bytes()) {
        Some(Form::Dense(dense)) => {
            if registers::get(dense, mark.index) >= mark.value {
                return Ok(false);
            }
        }
        Some(Form::Sparse(_)) => match sparse::raise(buffer, mark, sparse_max, cursor)? {
            Step::Kept => return Ok(false),
            Step::Changed => return Ok(true),
            Step::Full => {
                to_dense(buffer)?;
            }
        },
        None => return Err(Corrupt),
    }
    let bytes = buffer.edit(DENSE_LEN);
    spoil(bytes);
    if let Some(dense) = bytes.get_mut(HEADER..).and_then(registers::of_bytes_mut) {
        registers::set(dense, mark);
    }
    Ok(true)
}

/// The cardinality of a value, looked at afresh.
pub fn count(form: Form<'_>) -> Result<u64, Corrupt> {
    let histogram = match form {
        Form::Dense(_) => Planes::of(form)?.histogram(),
        Form::Sparse(body) => {
            let mut histogram = Histogram::new();
            sparse::each_run(body, |_, run| histogram.add(run.value, run.len))?;
            histogram
        }
    };
    Ok(histogram.cardinality())
}

/// Makes a sparse value dense; whether it was sparse.
pub fn to_dense(buffer: &mut impl Buffer) -> Result<bool, Corrupt> {
    let Some(form @ Form::Sparse(_)) = parse(buffer.bytes()) else { return Ok(false) };
    let planes = Planes::of(form)?;
    if let Some(dense) = as_dense(buffer) {
        planes.pack(dense);
    }
    Ok(true)
}

/// Gives a value the length and the mark of a dense one; the rest of its header stays. Returns its
/// registers, which are to be written.
fn as_dense(buffer: &mut impl Buffer) -> Option<&mut Dense> {
    let (header, body) = buffer.edit(DENSE_LEN).split_first_chunk_mut::<HEADER>()?;
    header[ENCODING_AT] = DENSE;
    registers::of_bytes_mut(body)
}

/// All registers of a value.
pub fn all_registers(form: Form<'_>) -> Result<impl Iterator<Item = u8> + use<>, Corrupt> {
    let planes = Planes::of(form)?;
    Ok((0..REGISTERS).map(move |index| planes.get(index)))
}

/// Values whose union is wanted.
#[derive(Default)]
pub struct Union<'b> {
    dense: Vec<&'b Dense>,
    /// The union of the sparse ones.
    sparse: Option<Box<Planes>>,
}

/// The registers of a union.
pub enum Joined {
    /// They were written where they were wanted, as some of the values are dense.
    Dense,
    /// They are these, as all values are sparse.
    Sparse(Box<Planes>),
}

impl<'b> Union<'b> {
    /// Adds a value.
    pub fn add(&mut self, form: Form<'b>) -> Result<(), Corrupt> {
        match form {
            Form::Dense(dense) => self.dense.push(dense),
            Form::Sparse(body) => {
                let planes = self.sparse.get_or_insert_with(|| Box::new(Planes::new()));
                planes.merge_sparse(body)?;
            }
        }
        Ok(())
    }

    /// Takes the largest registers, which are written to `dense` if some value is dense.
    pub fn join(self, dense: &mut Dense) -> Joined {
        if self.dense.is_empty() {
            return Joined::Sparse(self.sparse.unwrap_or_else(|| Box::new(Planes::new())));
        }
        let mut packed;
        let mut all: Vec<&Dense> = self.dense;
        if let Some(planes) = self.sparse {
            packed = registers::ZERO;
            planes.pack(&mut packed);
            all.push(&packed);
        }
        registers::join(dense, &all);
        Joined::Dense
    }

    /// The cardinality of the union.
    pub fn count(self) -> u64 {
        let mut dense = registers::ZERO;
        let histogram = match self.join(&mut dense) {
            Joined::Sparse(planes) => planes.histogram(),
            Joined::Dense => {
                let mut planes = Planes::new();
                planes.merge(&dense);
                planes.histogram()
            }
        };
        histogram.cardinality()
    }
}

/// Puts a union into a value that is one of those in it, or empty. It becomes dense if one of them
/// was, or when it outgrows the limit; what a sparse value already has stays as it is, so that its
/// bytes are those Redis would have.
pub fn store(
    buffer: &mut impl Buffer,
    joined: &Joined,
    dense: &Dense,
    sparse_max: usize,
) -> Result<(), Corrupt> {
    match joined {
        Joined::Dense => {
            if let Some(registers) = as_dense(buffer) {
                registers.copy_from_slice(dense);
            }
        }
        Joined::Sparse(planes) => {
            let mut cursor = Cursor::default();
            for index in 0..REGISTERS {
                let mark = Mark { index: index as u16, value: planes.get(index) };
                if mark.value > 0 {
                    raise(buffer, mark, sparse_max, &mut cursor)?;
                }
            }
        }
    }
    let len = buffer.bytes().len();
    spoil(buffer.edit(len));
    Ok(())
}

#[cfg(test)]
mod tests;
