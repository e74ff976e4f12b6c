//! When keys expire: setting, asking and taking back.
//!
//! A deadline is Unix time in milliseconds. EXPIRE and its kin take one that is past, and then
//! delete the key; so theirs is computed with a sign, other than that of SET (see `deadline.rs`).

use protocol::number::parse_i64;

use crate::deadline::Unit;
use crate::spec::arguments::{Argument, integer, key, oneof, token, unix_time};
use crate::spec::{Access, Flags, Group, KeySpec, tips};
use crate::{Command, Context, Failure, Handler, Outcome};

/// What TTL answers for a key that is not there.
pub(crate) const NO_KEY: i64 = -2;
/// What TTL answers for a key that never expires.
pub(crate) const NO_EXPIRY: i64 = -1;

const WRITE: Flags = Flags::WRITE.union(Flags::FAST);
const READ: Flags = Flags::READONLY.union(Flags::FAST);
const UPDATED: &[KeySpec] = &[KeySpec::one(Access::UPDATE)];
const ASKED: &[KeySpec] = &[KeySpec::one(Access::READ)];

/// The word that sets a condition.
const CONDITION: Argument = oneof("condition").opt().since("7.0.0").of(&[
    token("NX"),
    token("XX"),
    token("GT"),
    token("LT"),
]);

/// The rows of this family.
pub static COMMANDS: &[Command<Handler>] = &[
    Command::<Handler>::new("expire", -3, expire)
        .flags(WRITE)
        .keys(UPDATED)
        .docs(Group::Generic, "1.0.0", "Lets a key expire after so many seconds.")
        .complexity("O(1)")
        .history(&[("7.0.0", "`NX`, `XX`, `GT` and `LT`.")])
        .args(&[key("key"), integer("seconds"), CONDITION]),
    Command::<Handler>::new("expireat", -3, expireat)
        .flags(WRITE)
        .keys(UPDATED)
        .docs(Group::Generic, "1.2.0", "Lets a key expire at a Unix time in seconds.")
        .complexity("O(1)")
        .history(&[("7.0.0", "`NX`, `XX`, `GT` and `LT`.")])
        .args(&[key("key"), unix_time("unix-time-seconds"), CONDITION]),
    Command::<Handler>::new("expiretime", 2, expiretime)
        .flags(READ)
        .keys(ASKED)
        .docs(Group::Generic, "7.0.0", "Tells the Unix time in seconds at which a key expires.")
        .complexity("O(1)")
        .args(&[key("key")]),
    Command::<Handler>::new("persist", 2, persist)
        .flags(WRITE)
        .keys(UPDATED)
        .docs(Group::Generic, "2.2.0", "Lets a key never expire.")
        .complexity("O(1)")
        .args(&[key("key")]),
    Command::<Handler>::new("pexpire", -3, pexpire)
        .flags(WRITE)
        .keys(UPDATED)
        .docs(Group::Generic, "2.6.0", "Lets a key expire after so many milliseconds.")
        .complexity("O(1)")
        .history(&[("7.0.0", "`NX`, `XX`, `GT` and `LT`.")])
        .args(&[key("key"), integer("milliseconds"), CONDITION]),
    Command::<Handler>::new("pexpireat", -3, pexpireat)
        .flags(WRITE)
        .keys(UPDATED)
        .docs(Group::Generic, "2.6.0", "Lets a key expire at a Unix time in milliseconds.")
        .complexity("O(1)")
        .history(&[("7.0.0", "`NX`, `XX`, `GT` and `LT`.")])
        .args(&[key("key"), unix_time("unix-time-milliseconds"), CONDITION]),
    Command::<Handler>::new("pexpiretime", 2, pexpiretime)
        .flags(READ)
        .keys(ASKED)
        .docs(
            Group::Generic,
            "7.0.0",
            "Tells the Unix time in milliseconds at which a key expires.",
        )
        .complexity("O(1)")
        .args(&[key("key")]),
    Command::<Handler>::new("pttl", 2, pttl)
        .flags(READ)
        .keys(ASKED)
        .docs(Group::Generic, "2.6.0", "Tells in how many milliseconds a key expires.")
        .complexity("O(1)")
        .history(&[("2.8.0", "-2 for a key that is not there.")])
        .tips(&[tips::NONDETERMINISTIC])
        .args(&[key("key")]),
    Command::<Handler>::new("ttl", 2, ttl)
        .flags(READ)
        .keys(ASKED)
        .docs(Group::Generic, "1.0.0", "Tells in how many seconds a key expires.")
        .complexity("O(1)")
        .history(&[("2.8.0", "-2 for a key that is not there.")])
        .tips(&[tips::NONDETERMINISTIC])
        .args(&[key("key")]),
];

fn expire(ctx: &mut Context<'_>) -> Outcome {
    set_expiry(ctx, Unit::Seconds, false)
}

fn pexpire(ctx: &mut Context<'_>) -> Outcome {
    set_expiry(ctx, Unit::Millis, false)
}

fn expireat(ctx: &mut Context<'_>) -> Outcome {
    set_expiry(ctx, Unit::Seconds, true)
}

fn pexpireat(ctx: &mut Context<'_>) -> Outcome {
    set_expiry(ctx, Unit::Millis, true)
}

/// Sets a key's expiry where the conditions allow it; one that is past deletes the key.
fn set_expiry(ctx: &mut Context<'_>, unit: Unit, absolute: bool) -> Outcome {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let condition = Condition::of(ctx.args.from(3))?;
    let count = parse_i64(ctx.args.get(2)).ok_or(Failure::NotInteger)?;
    let from = if absolute { 0 } else { signed(now_ms) };
    let at = deadline(count, unit, from).ok_or(Failure::InvalidExpire(ctx.name))?;
    let (db, reply) = ctx.open(&key);
    let entry = db.get_mut(&key, now_ms);
    let entry = entry.filter(|entry| condition.allows(entry.expires_at().map(signed), at));
    reply.integer(i64::from(entry.is_some()));
    if let Some(mut entry) = entry {
        match u64::try_from(at) {
            Ok(at) if at > now_ms => entry.set_expiry(Some(at)),
            _ => entry.remove(),
        }
    }
    Ok(())
}

/// The time `count` units after `from`, which may lie before 1970.
fn deadline(count: i64, unit: Unit, from: i64) -> Option<i64> {
    unit.millis(count)?.checked_add(from)
}

/// A time as Redis has it, in 63 bits.
pub(crate) fn signed(unix_ms: u64) -> i64 {
    i64::try_from(unix_ms).unwrap_or(i64::MAX)
}

/// On what expiry a key may have so far its new one depends.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Condition {
    /// None.
    pub(crate) nx: bool,
    /// Any.
    pub(crate) xx: bool,
    /// An earlier one.
    pub(crate) gt: bool,
    /// A later one, or none.
    pub(crate) lt: bool,
}

impl Condition {
    /// The condition that the words behind the time state.
    fn of<'w>(words: impl Iterator<Item = &'w [u8]>) -> Result<Self, Failure> {
        let mut condition = Self::default();
        for word in words {
            let option = match word.to_ascii_lowercase().as_slice() {
                b"nx" => &mut condition.nx,
                b"xx" => &mut condition.xx,
                b"gt" => &mut condition.gt,
                b"lt" => &mut condition.lt,
                _ => return Err(unsupported(word)),
            };
            *option = true;
        }
        let Self { nx, xx, gt, lt } = condition;
        if nx && (xx || gt || lt) {
            return Err(Failure::text(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if gt && lt {
            return Err(Failure::text("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(condition)
    }

    /// Whether what expires at `current` may expire at `new` instead. No expiry counts as one
    /// in the infinite future.
    pub(crate) fn allows(self, current: Option<i64>, new: i64) -> bool {
        let Self { nx, xx, gt, lt } = self;
        !(nx && current.is_some()
            || xx && current.is_none()
            || gt && current.is_none_or(|current| new <= current)
            || lt && current.is_some_and(|current| new >= current))
    }
}

/// As Redis says it, which takes the word for a C string.
#[cold]
fn unsupported(word: &[u8]) -> Failure {
    let word = word.split(|&byte| byte == 0).next().unwrap_or_default();
    Failure::quoting("ERR Unsupported option ", word, "")
}

fn ttl(ctx: &mut Context<'_>) -> Outcome {
    tell(ctx, |at, now_ms| rounded_seconds(at.saturating_sub(now_ms)))
}

fn pttl(ctx: &mut Context<'_>) -> Outcome {
    tell(ctx, u64::saturating_sub)
}

fn expiretime(ctx: &mut Context<'_>) -> Outcome {
    tell(ctx, |at, _| rounded_seconds(at))
}

fn pexpiretime(ctx: &mut Context<'_>) -> Outcome {
    tell(ctx, |at, _| at)
}

/// Answers with what `answer` makes of a key's expiry and the time.
fn tell(ctx: &mut Context<'_>, answer: impl Fn(u64, u64) -> u64) -> Outcome {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let (db, reply) = ctx.open(&key);
    reply.integer(match db.read(&key, now_ms).map(|entry| entry.expires_at()) {
        None => NO_KEY,
        Some(None) => NO_EXPIRY,
        Some(Some(at)) => signed(answer(at, now_ms)),
    });
    Ok(())
}

/// Milliseconds in seconds, rounded to the nearest.
fn rounded_seconds(ms: u64) -> u64 {
    ms.saturating_add(500) / 1000
}

fn persist(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let (db, reply) = ctx.open(&key);
    let entry = db.get_mut(&key, now_ms).filter(|entry| entry.expires_at().is_some());
    reply.integer(i64::from(entry.is_some()));
    if let Some(mut entry) = entry {
        entry.set_expiry(None);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
