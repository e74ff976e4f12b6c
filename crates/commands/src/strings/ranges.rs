//! Parts of a string: APPEND, PREPEND, SETRANGE, GETRANGE.
//!
//! Redis keeps a string below `proto-max-bulk-len`; what would grow beyond is refused before
//! anything changes.

use std::ops::Range;

use protocol::output::BY_REFERENCE_MIN;
use protocol::request::Limits;
use values::{Entry, Value};

use crate::context::{Context, string_of};
use crate::failure::{Failure, Outcome};

/// Bytes of the longest string.
pub(super) const STRING_LEN_MAX: usize = Limits::LOGGED_IN.bulk_len_max;
const NEGATIVE_OFFSET: Failure = Failure::text("ERR offset is out of range");

#[derive(Clone, Copy)]
enum End {
    Front,
    Back,
}

pub(super) fn append(ctx: &mut Context<'_>) -> Outcome {
    extend(ctx, End::Back)
}

pub(super) fn prepend(ctx: &mut Context<'_>) -> Outcome {
    extend(ctx, End::Front)
}

#[expect(clippy::indexing_slicing, reason = "`edit` gives `len` bytes, the sum of both")]
fn extend(ctx: &mut Context<'_>, end: End) -> Outcome {
    let (key, now_ms, word) = (ctx.key(0), ctx.now_ms, ctx.args.get(2));
    let len_max = ctx.settings.string_len_max();
    let Some(old) = ctx.db(&key).get(&key, now_ms) else {
        let value = ctx.value(2)?;
        ctx.db(&key).insert(&key, Entry::new(key.bytes, value, None));
        ctx.reply.count(word.len());
        return Ok(());
    };
    let old_len = string_of(&old)?.len();
    let len = joined_len(old_len, word.len(), len_max)?;
    let moved = match end {
        End::Back => old.cost_of_edit(len),
        End::Front => old_len,
    };
    ctx.allow_copy(moved.saturating_add(word.len()))?;
    let (db, reply) = ctx.open(&key);
    if let Some(mut entry) = db.get_mut(&key, now_ms) {
        let bytes = entry.edit(len);
        match end {
            End::Back => bytes[old_len..].copy_from_slice(word),
            End::Front => {
                bytes.copy_within(..old_len, word.len());
                bytes[..word.len()].copy_from_slice(word);
            }
        }
    }
    reply.count(len);
    Ok(())
}

fn joined_len(first: usize, second: usize, max: usize) -> Result<usize, Failure> {
    let len = first.checked_add(second).filter(|&len| len <= max);
    len.ok_or(Failure::TooLong)
}

#[expect(clippy::indexing_slicing, reason = "`edit` gives `len` bytes, at least `end`")]
pub(super) fn setrange(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let offset = ctx.int(2)?;
    let word = ctx.args.get(3);
    let offset = usize::try_from(offset).map_err(|_| NEGATIVE_OFFSET)?;
    let len_max = ctx.settings.string_len_max();
    let old = ctx.db(&key).get(&key, now_ms);
    let old_len =
        old.as_deref().map_or(Ok(0), |entry| string_of(entry).map(|value| value.len()))?;
    if word.is_empty() {
        ctx.reply.count(old_len);
        return Ok(());
    }
    let end = joined_len(offset, word.len(), len_max)?;
    let len = end.max(old_len);
    let zeros = offset.saturating_sub(old_len);
    let moved = old.map_or(0, |entry| entry.cost_of_edit(len));
    ctx.allow_copy(moved.saturating_add(zeros).saturating_add(word.len()))?;
    let (db, reply) = ctx.open(&key);
    if let Some(mut entry) = db.get_mut(&key, now_ms) {
        entry.edit(len)[offset..end].copy_from_slice(word);
    } else {
        let mut entry = Entry::new(key.bytes, Value::Bytes(&[]), None);
        entry.edit(len)[offset..end].copy_from_slice(word);
        db.insert(&key, entry);
    }
    reply.count(len);
    Ok(())
}

pub(super) fn getrange(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let (first, last) = (ctx.int(2)?, ctx.int(3)?);
    let (db, reply) = ctx.open(&key);
    match db.read(&key, now_ms) {
        Some(entry) => {
            let value = string_of(&entry)?;
            let range = part(value.len(), first, last);
            match entry.blob().filter(|_| range.len() >= BY_REFERENCE_MIN) {
                Some(blob) => reply.bulk_blob(blob.slice(range)),
                None => value.with_bytes(|bytes| {
                    reply.bulk(bytes.get(range).unwrap_or_default());
                }),
            }
        }
        None => reply.bulk(b""),
    }
    Ok(())
}

/// The range from `first` to `last` of so many bytes or elements; negative ones count from the end.
pub(crate) fn part(len: usize, first: i64, last: i64) -> Range<usize> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let from_start = |index: i64| if index < 0 { index.saturating_add(len) } else { index };
    let (first, last) = (from_start(first).max(0), from_start(last).min(len.saturating_sub(1)));
    let Ok(end) = usize::try_from(last.saturating_add(1)) else { return 0..0 };
    let Ok(start) = usize::try_from(first) else { return 0..0 };
    if start < end { start..end } else { 0..0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let cases: &[(&str, i64, i64, &str)] = &[
            ("foobar", 0, -1, "foobar"),
            ("foobar", 1, 3, "oob"),
            ("foobar", -3, -1, "bar"),
            ("foobar", -3, -2, "ba"),
            ("foobar", -1, -3, ""),
            ("foobar", 5, 3, ""),
            ("foobar", 6, 9, ""),
            ("foobar", 0, 100, "foobar"),
            ("foobar", -100, 1, "fo"),
            ("foobar", -100, -100, ""),
            ("foobar", i64::MIN, i64::MAX, "foobar"),
            ("foobar", i64::MAX, i64::MIN, ""),
            ("foobar", 0, i64::MIN, ""),
            ("", 0, -1, ""),
            ("", 0, 0, ""),
        ];
        for (text, first, last, expected) in cases {
            let got = &text.as_bytes()[part(text.len(), *first, *last)];
            assert_eq!(got, expected.as_bytes(), "{text} {first} {last}");
        }
    }

    #[test]
    fn lengths() {
        assert_eq!(joined_len(STRING_LEN_MAX, 0, STRING_LEN_MAX), Ok(STRING_LEN_MAX));
        assert_eq!(joined_len(STRING_LEN_MAX, 1, STRING_LEN_MAX), Err(Failure::TooLong));
        assert_eq!(joined_len(usize::MAX, 1, STRING_LEN_MAX), Err(Failure::TooLong));
        assert_eq!(STRING_LEN_MAX, 536_870_912);
    }
}
