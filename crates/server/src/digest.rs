//! A hash of data that is the same in any server, ours or Redis's, that has the same data.
//!
//! Redis defines it over SHA-1: what has an order is mixed in, which hashes again each time; what
//! has none is combined by exclusive or. Expiry counts as being there or not.

use std::fmt;

use keyspace::{DATABASES, Keyspace, SHARDS};
use sha1::{Digest as _, Sha1};
use values::stream::Id;
use values::typed::{Hashes, Lists, Sets, SortedSets, Streams};
use values::{Entry, Form, Type};

const HAS_EXPIRY: &[u8] = b"!!expire!!";
const FIELD_HAS_EXPIRY: &[u8] = b"!!hexpire!!";
/// Significant digits of a score.
const SCORE_DIGITS: usize = 17;

/// A hash of data.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Digest([u8; 20]);

impl Digest {
    /// Combines with bytes that have no order among others.
    fn add(&mut self, bytes: &[u8]) {
        let hash: [u8; 20] = Sha1::digest(bytes).into();
        self.0.iter_mut().zip(hash).for_each(|(own, other)| *own ^= other);
    }

    /// Combines with bytes whose place in the order counts.
    fn mix(&mut self, bytes: &[u8]) {
        self.add(bytes);
        self.0 = Sha1::digest(self.0).into();
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

fn mix_value(digest: &mut Digest, entry: &Entry, now_ms: u64) {
    let form = entry.form();
    digest.mix(&type_number(&form).to_be_bytes());
    if let Form::String(value) = form {
        value.with_bytes(|bytes| digest.mix(bytes));
    } else if let Some(list) = Lists::of(form, now_ms) {
        list.for_each(|element| element.with_bytes(|bytes| digest.mix(bytes)));
    } else if let Some(set) = Sets::of(form, now_ms) {
        set.for_each(|member| member.with_bytes(|bytes| digest.add(bytes)));
    } else if let Some(hash) = Hashes::of(form, now_ms) {
        hash.for_each(|field| {
            let mut pair = Digest::default();
            field.name.with_bytes(|bytes| pair.mix(bytes));
            field.value.with_bytes(|bytes| pair.mix(bytes));
            if field.expires_at.is_some() {
                pair.add(FIELD_HAS_EXPIRY);
            }
            digest.add(&pair.0);
        });
    } else if let Some(set) = SortedSets::of(form, now_ms) {
        set.for_each(0..set.len(), false, |member, score| {
            let mut pair = Digest::default();
            pair.mix(member);
            pair.mix(score_text(score.get()).as_bytes());
            digest.add(&pair.0);
        });
    } else if let Some(stream) = Streams::of(form, now_ms) {
        for entry in stream.range(Id::MIN, Id::MAX) {
            digest.mix(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
            for (name, value) in entry.fields() {
                digest.mix(name);
                digest.mix(value);
            }
        }
    }
    if entry.expires_at().is_some() {
        digest.add(HAS_EXPIRY);
    }
}

/// The number by which Redis knows a value's type.
fn type_number(form: &Form<'_>) -> u32 {
    match form.type_name() {
        "list" => 1,
        "set" => 2,
        "zset" => 3,
        "hash" => 4,
        "stream" => 6,
        _ => 0,
    }
}

/// A score as C's `%.17g` writes it.
fn score_text(score: f64) -> String {
    if score.is_infinite() {
        return if score > 0.0 { "inf".to_owned() } else { "-inf".to_owned() };
    }
    let text = format!("{score:.*e}", SCORE_DIGITS - 1);
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..SCORE_DIGITS as i32).contains(&exponent) {
        let places = usize::try_from(SCORE_DIGITS as i32 - 1 - exponent).unwrap_or(0);
        return trimmed(&format!("{score:.places$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(digits), exponent.unsigned_abs())
}

/// The hash of a key's value and whether it expires.
pub fn of_value(entry: &Entry, now_ms: u64) -> Digest {
    let mut digest = Digest::default();
    mix_value(&mut digest, entry, now_ms);
    digest
}

/// The hash of all keys and values, shard after shard.
pub fn of_all(keyspace: &'static Keyspace, now_ms: u64) -> Digest {
    let mut sum = Digest::default();
    for number in 0..DATABASES as u32 {
        let (mut keys, mut found) = (Digest::default(), false);
        for shard in 0..SHARDS {
            let mut shard = keyspace.borrow_blocking(shard as u16);
            let db = shard.db(number as u16);
            let mut next = (!db.is_empty()).then_some(0);
            while let Some(from) = next {
                next = db.scan(from, now_ms, |entry| {
                    let mut digest = Digest::default();
                    digest.mix(entry.key());
                    mix_value(&mut digest, entry, now_ms);
                    keys.add(&digest.0);
                    found = true;
                });
            }
        }
        if found {
            sum.mix(&number.to_be_bytes());
            sum.0.iter_mut().zip(keys.0).for_each(|(own, other)| *own ^= other);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use values::Value;

    use super::*;

    #[test]
    fn hashes_are_those_of_redis() {
        let digest =
            |value, expires_at| of_value(&Entry::new(b"k", value, expires_at), 0).to_string();
        assert_eq!(digest(Value::Int(1), None), "b4fc66738120fba0b5aa500ab5c2bf89cea1c5da");
        let hello = Value::Bytes(b"hello");
        assert_eq!(digest(hello, Some(1)), "d037c4eb8a8b36b602fbced4000daeab0714c1e3");
        assert_eq!(Digest::default().to_string(), "0".repeat(40));
    }

    #[test]
    fn scores_are_written_as_c_does() {
        for (score, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (0.1, "0.10000000000000001"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (123456789.0, "123456789"),
            (0.0001, "0.0001"),
            (0.00001, "1.0000000000000001e-05"),
            (-2.5e-300, "-2.5e-300"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(score_text(score), text);
        }
    }
}
