//! Bitmaps: strings as runs of bits, of which bit 0 is the highest of the first byte.
//!
//! A string is grown by zeros where a bit beyond its end is written, and reads as zeros there.

mod combine;
mod count;
mod field;
mod position;
mod single;
mod span;

use keyspace::{Db, Key};
use protocol::number::parse_i64;
use values::{Entry, Value};

use crate::context::Budget;
use crate::failure::{Failure, Outcome};
use crate::spec::arguments::{Argument, block, integer, key, oneof, string, token};
use crate::spec::{Access, Find, Flags, Group, KeySpec};
use crate::{Command, Handler};

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = READ.union(Flags::FAST);
const WRITE: Flags = Flags::WRITE.union(Flags::DENYOOM);

const READ_ONE: &[KeySpec] = &[KeySpec::one(Access::READ)];

const BAD_OFFSET: Failure = Failure::text("ERR bit offset is not an integer or out of range");

const ENCODING_AND_OFFSET: &[Argument] = &[string("encoding"), integer("offset")];
const UNIT: Argument = oneof("unit").opt().since("7.0.0").of(&[token("BYTE"), token("BIT")]);
const END_AND_UNIT: Argument = block("end-unit-block").opt().of(&[integer("end"), UNIT]);

/// One operation of BITFIELD.
const OPERATION: &[Argument] = &[
    block("get-block").after("GET").of(ENCODING_AND_OFFSET),
    block("write").of(&[
        oneof("overflow-block").after("OVERFLOW").opt().of(&[
            token("WRAP"),
            token("SAT"),
            token("FAIL"),
        ]),
        oneof("write-operation").of(&[
            block("set-block").after("SET").of(&[
                string("encoding"),
                integer("offset"),
                integer("value"),
            ]),
            block("incrby-block").after("INCRBY").of(&[
                string("encoding"),
                integer("offset"),
                integer("increment"),
            ]),
        ]),
    ]),
];

/// The rows of this family.
pub static COMMANDS: &[Command<Handler>] = &[
    Command::<Handler>::new("bitcount", -2, count::bitcount)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::Bitmap, "2.6.0", "Counts the bits that are set in a string.")
        .complexity("O(N) with N the length of the part")
        .history(&[("7.0.0", "`BYTE` and `BIT`."), ("8.0.0", "`end` may be left out.")])
        .args(&[key("key"), block("range").opt().of(&[integer("start"), END_AND_UNIT])]),
    Command::<Handler>::new("bitfield", -2, field::bitfield)
        .flags(WRITE)
        .keys(&[KeySpec::one(Access::BITFIELD_VARIABLE).notes("It only reads with `GET` alone.")])
        .docs(Group::Bitmap, "3.2.0", "Reads and changes integers of any width in a string.")
        .complexity("O(1) for each operation")
        .args(&[key("key"), oneof("operation").opt().many().of(OPERATION)]),
    Command::<Handler>::new("bitfield_ro", -2, field::bitfield_ro)
        .flags(READ_FAST)
        .keys(READ_ONE)
        .docs(Group::Bitmap, "6.0.0", "Reads integers of any width in a string.")
        .complexity("O(1) for each operation")
        .args(&[
            key("key"),
            block("get-block").after("GET").opt().many_with_token().of(ENCODING_AND_OFFSET),
        ]),
    Command::<Handler>::new("bitop", -4, combine::bitop)
        .flags(WRITE)
        .keys(&[
            KeySpec::at(2, Access::OVERWRITE),
            KeySpec::new(3, Find::Range { last: -1, step: 1 }, Access::READ),
        ])
        .docs(Group::Bitmap, "2.6.0", "Combines strings bit by bit and stores the result.")
        .complexity("O(N) with N the length of all strings")
        .args(&[
            oneof("operation").of(&[
                token("AND"),
                token("OR"),
                token("XOR"),
                token("NOT"),
                token("DIFF"),
                token("DIFF1"),
                token("ANDOR"),
                token("ONE"),
            ]),
            key("destkey"),
            key("key").in_spec(1).many(),
        ]),
    Command::<Handler>::new("bitpos", -3, position::bitpos)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::Bitmap, "2.8.7", "Finds the first bit that is set, or that is not.")
        .complexity("O(N) with N the length of the part")
        .history(&[("7.0.0", "`BYTE` and `BIT`.")])
        .args(&[
            key("key"),
            integer("bit"),
            block("range").opt().of(&[integer("start"), END_AND_UNIT]),
        ]),
    Command::<Handler>::new("getbit", 3, single::getbit)
        .flags(READ_FAST)
        .keys(READ_ONE)
        .docs(Group::Bitmap, "2.2.0", "Reads a bit of a string.")
        .complexity("O(1)")
        .args(&[key("key"), integer("offset")]),
    Command::<Handler>::new("setbit", 4, single::setbit)
        .flags(WRITE.union(Flags::SHORT))
        .keys(&[KeySpec::one(Access::EXCHANGE)])
        .docs(Group::Bitmap, "2.2.0", "Sets or clears a bit of a string.")
        .complexity("O(1) in place, O(N) with N the length of the value where it grows")
        .args(&[key("key"), integer("offset"), integer("value")]),
];

/// The number of a bit, of which the longest string must have the byte. `#3` is three times
/// `width`, if there is one.
#[inline]
fn offset(word: &[u8], width: Option<u32>, len_max: usize) -> Result<u64, Failure> {
    let (word, width) = match (word, width) {
        ([b'#', number @ ..], Some(width)) => (number, width),
        _ => (word, 1),
    };
    let number = parse_i64(word).and_then(|number| number.checked_mul(i64::from(width)));
    let offset = number.and_then(|offset| u64::try_from(offset).ok()).ok_or(BAD_OFFSET)?;
    if offset / 8 < len_max as u64 { Ok(offset) } else { Err(BAD_OFFSET) }
}

/// The length of a string that has this bit.
fn len_with(bit: u64) -> usize {
    usize::try_from(bit / 8).unwrap_or(usize::MAX).saturating_add(1)
}

/// Leaves it to the worker pool to edit a string where much is to be copied or filled with zeros.
#[inline]
fn allow_edit(entry: &Entry, old_len: usize, len: usize, budget: Budget) -> Outcome {
    if len == old_len && !entry.is_shared() {
        return Ok(());
    }
    let zeros = len.saturating_sub(old_len);
    budget.allow_copy(entry.cost_of_edit(len).saturating_add(zeros))
}

/// Makes a string of zeros that has a bit, and edits it.
fn create<R>(
    db: &mut Db,
    key: &Key<'_>,
    bit: u64,
    budget: Budget,
    with: impl FnOnce(&mut [u8]) -> R,
) -> Result<R, Failure> {
    let len = len_with(bit);
    budget.allow_copy(len)?;
    let mut entry = Entry::new(key.bytes, Value::Bytes(&[]), None);
    let result = with(entry.edit(len));
    db.insert(key, entry);
    Ok(result)
}

/// The bit with this number; zero beyond the end.
#[inline]
fn bit_of(bytes: &[u8], number: u64) -> bool {
    let byte = usize::try_from(number / 8).ok().and_then(|at| bytes.get(at));
    byte.is_some_and(|byte| byte & mask_of(number) != 0)
}

/// Where in its byte a bit is.
fn mask_of(number: u64) -> u8 {
    0x80 >> (number % 8)
}
