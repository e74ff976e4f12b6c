//! Registers as runs of equal ones.
//!
//! ```text
//!  00nnnnnn           n + 1 registers that are zero
//!  01nnnnnn nnnnnnnn  the same, for longer runs
//!  1vvvvvnn           n + 1 registers that are v + 1
//! ```
//!
//! Runs need not be as long as they could be, and which ones are joined is a part of the format: so
//! an edit does what Redis's does, byte for byte. The run that has the register is parted in up to
//! three, then equal neighbours are joined, beginning one run before, over at most five.

use super::{Buffer, Corrupt, HEADER, Mark, REGISTERS, spoil};

const WIDE: u8 = 0x40;
const VALUE: u8 = 0x80;
const KIND: u8 = 0xc0;
/// The largest value of a run.
const VALUE_MAX: u8 = 32;
const VALUE_LEN_MAX: usize = 4;
const ZEROS_MAX: usize = 64;
/// Runs that are looked at to join equal neighbours.
const JOINED: usize = 5;
/// Runs that are skipped at a time.
const BLOCK: usize = 16;

/// Equal registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Their value.
    pub value: u8,
    /// How many they are.
    pub len: usize,
    /// Bytes that say so.
    pub bytes: usize,
}

impl Run {
    /// The run at a place of a value's body. Where its second byte is cut off, that is zero, as in
    /// Redis.
    #[inline(always)]
    fn at(body: &[u8], at: usize) -> Option<Self> {
        let byte = *body.get(at)?;
        Some(if byte & VALUE != 0 {
            Self { value: (byte >> 2 & 31) + 1, len: narrow_len(byte), bytes: 1 }
        } else if byte & WIDE == 0 {
            Self { value: 0, len: narrow_len(byte), bytes: 1 }
        } else {
            let low = body.get(at.wrapping_add(1)).map_or(0, |low| usize::from(*low));
            Self { value: 0, len: (usize::from(byte & !KIND) << 8 | low) + 1, bytes: 2 }
        })
    }
}

/// The registers of a run of one byte.
#[inline(always)]
fn narrow_len(byte: u8) -> usize {
    usize::from(byte & if byte & VALUE == 0 { 63 } else { 3 }) + 1
}

/// All runs of a body, whether they make sense or not.
pub fn runs(body: &[u8]) -> impl Iterator<Item = Run> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let run = Run::at(body, at)?;
        at += run.bytes;
        Some(run)
    })
}

/// Calls `with` with each run and its first register.
#[inline(always)]
pub fn each_run(body: &[u8], mut with: impl FnMut(usize, Run)) -> Result<(), Corrupt> {
    let (mut at, mut first) = (0_usize, 0_usize);
    while let Some(run) = Run::at(body, at) {
        // Neither can overflow: a run has at most 16384 registers, and there are no more before it.
        let next = first.wrapping_add(run.len);
        if next > REGISTERS {
            return Err(Corrupt);
        }
        with(first, run);
        (at, first) = (at.wrapping_add(run.bytes), next);
    }
    if first == REGISTERS { Ok(()) } else { Err(Corrupt) }
}

/// Where to begin to look for a register: a run, and its first register. What is looked for may not
/// lie before it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    at: usize,
    first: usize,
}

/// What raising a register came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It was large enough.
    Kept,
    /// It was raised.
    Changed,
    /// The value must become dense first.
    Full,
}

/// A run, and the one before it.
struct Place {
    run: Run,
    at: usize,
    first: usize,
    before: Option<usize>,
}

/// The registers of a block of runs, if all of them have one byte.
#[inline]
fn block_len(block: &[u8; BLOCK]) -> Option<usize> {
    let wide = block.iter().fold(false, |wide, byte| wide | (byte & KIND == WIDE));
    let len = block.iter().fold(0_u32, |len, byte| len.wrapping_add(narrow_len(*byte) as u32));
    (!wide).then_some(len as usize)
}

/// Finds the run that has a register.
fn find(body: &[u8], index: usize, Cursor { mut at, mut first }: Cursor) -> Option<Place> {
    let mut before = None;
    let mut next_block = at;
    loop {
        if at >= next_block {
            while let Some(block) = body.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>())
                && let Some(len) = block_len(block)
                && first + len <= index
            {
                before = Some(at + BLOCK - 1);
                at += BLOCK;
                first += len;
            }
            next_block = at + BLOCK;
        }
        let run = Run::at(body, at)?;
        if index < first + run.len {
            return Some(Place { run, at, first, before });
        }
        before = Some(at);
        at += run.bytes;
        first += run.len;
    }
}

/// Up to three runs in the place of one.
#[derive(Default)]
struct Parts {
    bytes: [u8; 5],
    len: usize,
}

impl Parts {
    fn push(&mut self, value: u8, len: usize) {
        let Some(last) = len.checked_sub(1) else { return };
        if value > 0 {
            self.byte(VALUE | (value - 1) << 2 | last as u8);
        } else if len > ZEROS_MAX {
            self.byte(WIDE | (last >> 8) as u8);
            self.byte(last as u8);
        } else {
            self.byte(last as u8);
        }
    }

    fn byte(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }
}

/// Raises a register of a sparse value, which may not grow beyond `sparse_max` bytes by that.
/// Afterwards the cursor stands so that it will do for any register behind this one.
pub(super) fn raise(
    buffer: &mut impl Buffer,
    Mark { index, value }: Mark,
    sparse_max: usize,
    cursor: &mut Cursor,
) -> Result<Step, Corrupt> {
    if value > VALUE_MAX {
        return Ok(Step::Full);
    }
    let body = buffer.bytes().get(HEADER..).ok_or(Corrupt)?;
    let index = usize::from(index);
    let mut place = find(body, index, *cursor).ok_or(Corrupt)?;
    if place.before.is_none() && cursor.at > 0 {
        place = find(body, index, Cursor::default()).ok_or(Corrupt)?;
    }
    let Place { run, at, first, before } = place;
    let end = at + run.bytes;
    if end > body.len() {
        return Err(Corrupt);
    }
    let start = before.unwrap_or(0);
    let before_len = before.and_then(|before| Run::at(body, before)).map_or(0, |run| run.len);
    *cursor = Cursor { at: start, first: first - before_len };
    if run.value >= value {
        return Ok(Step::Kept);
    }
    let mut parts = Parts::default();
    parts.push(run.value, index - first);
    parts.push(value, 1);
    parts.push(run.value, first + run.len - 1 - index);
    let (old_len, rest) = (buffer.bytes().len(), HEADER + end);
    let len = old_len - run.bytes + parts.len;
    if len > old_len && len > sparse_max {
        return Ok(Step::Full);
    }
    let bytes = buffer.edit(len.max(old_len));
    if len != old_len {
        bytes.copy_within(rest..old_len, HEADER + at + parts.len);
    }
    bytes[HEADER + at..][..parts.len].copy_from_slice(&parts.bytes[..parts.len]);
    spoil(bytes);
    let (has, wants) = (bytes.len(), len - join(&mut bytes[HEADER..len], start));
    if wants != has {
        buffer.edit(wants);
    }
    Ok(Step::Changed)
}

/// Joins equal neighbours among the runs from `at` on. Returns the bytes that this saved, which are
/// left over at the end.
fn join(body: &mut [u8], mut at: usize) -> usize {
    let mut len = body.len();
    for _ in 0..JOINED {
        if at >= len {
            break;
        }
        let byte = body[at];
        if byte & KIND == WIDE {
            at += 2;
            continue;
        }
        if byte & VALUE != 0 && at + 1 < len {
            let next = body[at + 1];
            let joined = narrow_len(byte) + narrow_len(next);
            // Equal but for their lengths, so the next one is a run of a value too.
            if byte & !3 == next & !3 && joined <= VALUE_LEN_MAX {
                body[at] = byte & !3 | (joined - 1) as u8;
                body.copy_within(at + 2..len, at + 1);
                len -= 1;
                continue;
            }
        }
        at += 1;
    }
    body.len() - len
}
