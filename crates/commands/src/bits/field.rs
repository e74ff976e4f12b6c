//! BITFIELD and BITFIELD_RO: integers of 1 to 64 bits at any bit of a string.
//!
//! Operations are read twice: first all of them, so that an error in the last keeps the first from
//! being done, then one after the other as they are carried out. Neither pass allocates.

use keyspace::Key;
use protocol::number::parse_i64;
use protocol::reply::Reply;

use super::{allow_edit, create, len_with, offset};
use crate::context::{Args, Context, string_of};
use crate::failure::{Failure, Outcome};

const BAD_TYPE: Failure = Failure::text(
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but \
     i64 is.",
);
const BAD_OVERFLOW: Failure = Failure::text("ERR Invalid OVERFLOW type specified");
const ONLY_GET: Failure = Failure::text("ERR BITFIELD_RO only supports the GET subcommand");

/// What becomes of a result that the field cannot hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Overflow {
    /// Its lowest bits are kept.
    Wrap,
    /// The nearest integer is.
    Saturate,
    /// Nothing is written.
    Fail,
}

/// What is done with a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    Get,
    Set(i64),
    Add(i64),
}

/// An integer in a string.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Field {
    is_signed: bool,
    /// 1 to 64, or 63 without a sign.
    width: u32,
    /// The number of its first bit, which is its highest.
    offset: u64,
}

/// Bytes that a field can touch: 64 bits that begin within a byte.
const WINDOW: usize = 9;

impl Field {
    fn parse(encoding: &[u8], place: &[u8], len_max: usize) -> Result<Self, Failure> {
        let (is_signed, digits, max) = match encoding {
            [b'i', digits @ ..] => (true, digits, 64),
            [b'u', digits @ ..] => (false, digits, 63),
            _ => return Err(BAD_TYPE),
        };
        let width = parse_i64(digits).and_then(|width| u32::try_from(width).ok());
        let width = width.filter(|width| (1..=max).contains(width)).ok_or(BAD_TYPE)?;
        let offset = offset(place, Some(width), len_max)?;
        Ok(Self { is_signed, width, offset })
    }

    /// The number of its last bit.
    fn last_bit(self) -> u64 {
        self.offset.saturating_add(u64::from(self.width)).saturating_sub(1)
    }

    /// The least and the greatest integer that it can hold.
    fn limits(self) -> (i128, i128) {
        let bits = if self.is_signed { self.width.saturating_sub(1) } else { self.width };
        let beyond = 1_i128 << bits;
        let least = if self.is_signed { beyond.wrapping_neg() } else { 0 };
        (least, beyond.wrapping_sub(1))
    }

    /// The integer in the lowest bits, which are as many as the field has.
    fn of_bits(self, bits: u64) -> i128 {
        let spare = 64_u32.saturating_sub(self.width);
        let top = bits << spare;
        if self.is_signed {
            i128::from(top.cast_signed() >> spare)
        } else {
            i128::from(top >> spare)
        }
    }

    /// The bytes around it, zeros beyond the end of the string, and how far from their end it is.
    fn window(self, bytes: &[u8]) -> ([u8; 16], u32) {
        let mut window = [0; 16];
        for (to, from) in window.iter_mut().take(WINDOW).zip(self.part(bytes)) {
            *to = *from;
        }
        let before = u32::try_from(self.offset % 8).unwrap_or(0);
        (window, u128::BITS.saturating_sub(before).saturating_sub(self.width))
    }

    fn part(self, bytes: &[u8]) -> &[u8] {
        let at = usize::try_from(self.offset / 8).unwrap_or(usize::MAX);
        bytes.get(at..).unwrap_or_default()
    }

    #[expect(clippy::cast_possible_truncation, reason = "what is cut off belongs to others")]
    fn get(self, bytes: &[u8]) -> i128 {
        let (window, shift) = self.window(bytes);
        self.of_bits((u128::from_be_bytes(window) >> shift) as u64)
    }

    /// Writes the lowest bits of an integer. The string is long enough.
    fn set(self, bytes: &mut [u8], integer: i128) {
        let (window, shift) = self.window(bytes);
        let mask = (u128::MAX >> u128::BITS.saturating_sub(self.width)) << shift;
        let others = u128::from_be_bytes(window) & !mask;
        let new = others | (integer.cast_unsigned() << shift & mask);
        let at = usize::try_from(self.offset / 8).unwrap_or(usize::MAX);
        let part = bytes.get_mut(at..).unwrap_or_default();
        for (to, from) in part.iter_mut().take(WINDOW).zip(new.to_be_bytes()) {
            *to = from;
        }
    }

    /// What is to be written for a result; `None` if nothing is.
    #[expect(clippy::cast_possible_truncation, reason = "wrapping keeps the lowest bits")]
    fn fit(self, result: i128, overflow: Overflow) -> Option<i128> {
        let (least, greatest) = self.limits();
        if (least..=greatest).contains(&result) {
            return Some(result);
        }
        match overflow {
            Overflow::Wrap => Some(self.of_bits(result as u64)),
            Overflow::Saturate => Some(result.clamp(least, greatest)),
            Overflow::Fail => None,
        }
    }
}

/// An operation as the words say it.
#[derive(Clone, Copy)]
struct Operation {
    field: Field,
    action: Action,
    overflow: Overflow,
}

impl Operation {
    /// Does it, replies, and returns whether a bit has changed.
    fn run(self, bytes: &mut [u8], reply: &mut Reply<'_>) -> bool {
        let old = self.field.get(bytes);
        let result = match self.action {
            Action::Get => {
                reply_integer(reply, old);
                return false;
            }
            Action::Add(by) => old.wrapping_add(i128::from(by)),
            Action::Set(to) if self.field.is_signed => i128::from(to),
            // A negative integer is a very large one here, as in Redis.
            Action::Set(to) => i128::from(to.cast_unsigned()),
        };
        let Some(new) = self.field.fit(result, self.overflow) else {
            reply.null();
            return false;
        };
        self.field.set(bytes, new);
        reply_integer(reply, if matches!(self.action, Action::Add(_)) { new } else { old });
        new != old
    }
}

fn reply_integer(reply: &mut Reply<'_>, integer: i128) {
    reply.integer(i64::try_from(integer).unwrap_or(i64::MAX));
}

/// The operations among the words of a command.
#[derive(Clone, Copy)]
struct Operations<'a> {
    args: Args<'a>,
    at: usize,
    overflow: Overflow,
    len_max: usize,
}

impl<'a> Operations<'a> {
    fn of(ctx: &Context<'a>) -> Self {
        let len_max = ctx.settings.string_len_max();
        Self { args: ctx.args, at: 2, overflow: Overflow::Wrap, len_max }
    }

    /// The next one; `None` behind the last.
    fn step(&mut self) -> Result<Option<Operation>, Failure> {
        loop {
            let at = self.at;
            if at >= self.args.len() {
                return Ok(None);
            }
            let word = |index: usize| self.args.get(at.saturating_add(index));
            let left = self.args.len().saturating_sub(at);
            let is =
                |name: &[u8], words: usize| left >= words && word(0).eq_ignore_ascii_case(name);
            if is(b"overflow", 2) {
                self.overflow = overflow(word(1))?;
                self.at = at.saturating_add(2);
                continue;
            }
            let (words, is_get) = match () {
                () if is(b"get", 3) => (3, true),
                () if is(b"set", 4) || is(b"incrby", 4) => (4, false),
                () => return Err(Failure::Syntax),
            };
            let field = Field::parse(word(1), word(2), self.len_max)?;
            let action = if is_get {
                Action::Get
            } else {
                let operand = parse_i64(word(3)).ok_or(Failure::NotInteger)?;
                if is(b"set", 4) { Action::Set(operand) } else { Action::Add(operand) }
            };
            self.at = at.saturating_add(words);
            return Ok(Some(Operation { field, action, overflow: self.overflow }));
        }
    }

    /// Looks at all: how many there are, and the last bit that one of them writes.
    fn check(mut self) -> Result<(usize, Option<u64>), Failure> {
        let (mut count, mut last_written) = (0_usize, None);
        while let Some(operation) = self.step()? {
            count = count.saturating_add(1);
            if operation.action != Action::Get {
                last_written = last_written.max(Some(operation.field.last_bit()));
            }
        }
        Ok((count, last_written))
    }

    /// Does all, with a header for so many before. Returns how many have changed something.
    fn run(mut self, count: usize, bytes: &mut [u8], reply: &mut Reply<'_>) -> u64 {
        let mut changes = 0_u64;
        reply.array(count);
        while let Ok(Some(operation)) = self.step() {
            changes = changes.saturating_add(u64::from(operation.run(bytes, reply)));
        }
        changes
    }
}

fn overflow(word: &[u8]) -> Result<Overflow, Failure> {
    match word {
        word if word.eq_ignore_ascii_case(b"wrap") => Ok(Overflow::Wrap),
        word if word.eq_ignore_ascii_case(b"sat") => Ok(Overflow::Saturate),
        word if word.eq_ignore_ascii_case(b"fail") => Ok(Overflow::Fail),
        _ => Err(BAD_OVERFLOW),
    }
}

pub(super) fn bitfield(ctx: &mut Context<'_>) -> Outcome {
    let operations = Operations::of(ctx);
    let key = ctx.key(0);
    match operations.check()? {
        (count, Some(last_written)) => write(ctx, &key, operations, count, last_written),
        (count, None) => read(ctx, &key, operations, count),
    }
}

pub(super) fn bitfield_ro(ctx: &mut Context<'_>) -> Outcome {
    let operations = Operations::of(ctx);
    let key = ctx.key(0);
    match operations.check()? {
        (_, Some(_)) => Err(ONLY_GET),
        (count, None) => read(ctx, &key, operations, count),
    }
}

fn read(
    ctx: &mut Context<'_>,
    key: &Key<'_>,
    mut operations: Operations<'_>,
    count: usize,
) -> Outcome {
    let now_ms = ctx.now_ms;
    let (db, reply) = ctx.open(key);
    let entry = db.read(key, now_ms);
    let value = entry.as_deref().map(string_of).transpose()?;
    let mut get_all = |bytes: &[u8]| {
        reply.array(count);
        while let Ok(Some(operation)) = operations.step() {
            reply_integer(reply, operation.field.get(bytes));
        }
    };
    match value {
        Some(value) => value.with_bytes(get_all),
        None => get_all(&[]),
    }
    Ok(())
}

fn write(
    ctx: &mut Context<'_>,
    key: &Key<'_>,
    operations: Operations<'_>,
    count: usize,
    last_written: u64,
) -> Outcome {
    let (now_ms, budget) = (ctx.now_ms, ctx.budget());
    let (db, reply) = ctx.open(key);
    let Some(mut entry) = db.get_mut(key, now_ms) else {
        create(db, key, last_written, budget, |bytes| operations.run(count, bytes, reply))?;
        return Ok(());
    };
    let old_len = string_of(&entry)?.len();
    let len = old_len.max(len_with(last_written));
    allow_edit(&entry, old_len, len, budget)?;
    entry.edit_by(len, |bytes, changes| {
        let changed = operations.run(count, bytes, reply);
        *changes = changes.saturating_add(changed.max(u64::from(len > old_len)));
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(is_signed: bool, width: u32, offset: u64) -> Field {
        Field { is_signed, width, offset }
    }

    #[test]
    fn fields_are_read_as_they_were_written_and_touch_nothing_else() {
        for is_signed in [false, true] {
            for width in 1..=if is_signed { 64 } else { 63 } {
                for offset in 0..17 {
                    let field = field(is_signed, width, offset);
                    let (least, greatest) = field.limits();
                    for (fill, integer) in [(0, greatest), (0xff, least), (0x55, least / 3)] {
                        let mut bytes = [fill; 11];
                        field.set(&mut bytes, integer);
                        assert_eq!(field.get(&bytes), integer, "{field:?}");
                        field.set(&mut bytes, if fill == 0 { 0 } else { -1 });
                        if fill != 0x55 {
                            assert_eq!(bytes, [fill; 11], "{field:?}");
                        }
                    }
                }
            }
        }
        assert_eq!(field(true, 64, 60).get(&[0; 3]), 0);
        assert_eq!(field(false, 8, 12).get(&[0, 0x0f]), 0xf0);
    }

    #[test]
    fn results_that_do_not_fit() {
        use Overflow::{Fail, Saturate, Wrap};
        let (i8, u8, i64) = (field(true, 8, 0), field(false, 8, 0), field(true, 64, 0));
        let (max, min) = (i128::from(i64::MAX), i128::from(i64::MIN));
        let cases = [
            (i8, 127, Wrap, Some(127)),
            (i8, 128, Wrap, Some(-128)),
            (i8, 128, Saturate, Some(127)),
            (i8, -129, Saturate, Some(-128)),
            (i8, -129, Wrap, Some(127)),
            (i8, 128, Fail, None),
            (u8, -1, Wrap, Some(255)),
            (u8, -1, Saturate, Some(0)),
            (u8, 300, Wrap, Some(44)),
            (u8, 300, Saturate, Some(255)),
            (i64, max + max, Wrap, Some(-2)),
            (i64, max + 1, Saturate, Some(max)),
            (i64, min + min, Wrap, Some(0)),
            (i64, min - 1, Saturate, Some(min)),
            (i64, max + 1, Fail, None),
        ];
        for (field, result, overflow, expected) in cases {
            assert_eq!(field.fit(result, overflow), expected, "{field:?} {result} {overflow:?}");
        }
    }
}
