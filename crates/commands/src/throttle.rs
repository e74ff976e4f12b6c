//! CL.THROTTLE, the rate limiter of redis-cell and Dragonfly: the generic cell rate algorithm.
//!
//! A key holds one time, the theoretical arrival time (TAT): when the next request would come if
//! all that were let through had kept the rate. Each moves it on by `emission` nanoseconds; one is
//! refused when the TAT would be more than `tolerance` ahead of now.
//!
//! ```text
//!   now            TAT          TAT of this request
//!    |--------------|--------------------|
//!    |<------- tolerance ------->|          too far ahead: refused
//! ```
//!
//! Times in the store are nanoseconds of Unix time, as Dragonfly has them; the clock ticks in
//! milliseconds.

use values::{Entry, Value};

use crate::context::{Context, string_of};
use crate::failure::{Failure, Outcome};
use crate::spec::{Access, Flags, Group, KeySpec, arguments};
use crate::strings::counters::integer;
use crate::{Command, Handler};

const SECOND_NS: u64 = 1_000_000_000;
const MILLI_NS: i64 = 1_000_000;
const SECOND_MS: i64 = 1000;
const ZERO_RATE: Failure = Failure::text("ERR zero rates are not supported");

/// The rows of this family.
pub static COMMANDS: &[Command<Handler>] = &[Command::<Handler>::new("cl.throttle", -5, throttle)
    .flags(Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST))
    .keys(&[KeySpec::one(Access::EXCHANGE)])
    .docs(Group::String, "dragonfly", "Limits the rate of what is done in the name of a key.")
    .complexity("O(1)")
    .args(&[
        arguments::key("key"),
        arguments::integer("max-burst"),
        arguments::integer("count"),
        arguments::integer("period"),
        arguments::integer("quantity").opt(),
    ])];

/// A rate and how much of it is asked for. Times are nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    /// Requests that may come at once.
    limit: i64,
    /// Time between requests that come evenly.
    emission: i64,
    /// How far the TAT may be ahead.
    tolerance: i64,
    /// How far this request moves the TAT.
    increment: i64,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Verdict {
    /// The TAT to store, unless the request is refused.
    new_tat: Option<i64>,
    remaining: i64,
    /// When the request may come again; none if it was let through or never will be.
    retry_after_ms: Option<i64>,
    /// When the limit will be as if no request had come.
    reset_after_ms: i64,
}

fn throttle(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let word = |index: usize| natural(ctx.args.get(index));
    let quantity = if ctx.args.len() > 5 { word(5)? } else { 1 };
    let rate = Rate::new(word(2)?, word(3)?, word(4)?, quantity)?;
    let now_ns = i64::try_from(now_ms).ok().and_then(|now| now.checked_mul(MILLI_NS));
    let now_ns = now_ns.ok_or(Failure::NotInteger)?;
    let (db, reply) = ctx.open(&key);
    let verdict;
    if let Some(mut entry) = db.get_mut(&key, now_ms) {
        verdict = rate.judge(integer(string_of(&entry)?)?, now_ns).ok_or(Failure::NotInteger)?;
        if let Some((tat, at)) = verdict.to_store() {
            if at > now_ms {
                entry.set(Value::Int(tat), Some(at));
            } else {
                entry.remove();
            }
        }
    } else {
        verdict = rate.judge(now_ns, now_ns).ok_or(Failure::NotInteger)?;
        if let Some((tat, at)) = verdict.to_store().filter(|(_, at)| *at > now_ms) {
            db.insert(&key, Entry::new(key.bytes, Value::Int(tat), Some(at)));
        }
    }
    reply.array(5);
    reply.integer(i64::from(verdict.new_tat.is_none()));
    reply.integer(rate.limit);
    reply.integer(verdict.remaining);
    reply.integer(verdict.retry_after_ms.map_or(-1, seconds));
    reply.integer(seconds(verdict.reset_after_ms));
    Ok(())
}

fn natural(word: &[u8]) -> Result<u64, Failure> {
    let text = std::str::from_utf8(word).map_err(|_| Failure::NotInteger)?;
    text.parse().map_err(|_| Failure::NotInteger)
}

/// Milliseconds as seconds; Dragonfly's way to round up, which makes two of a thousand.
fn seconds(ms: i64) -> i64 {
    if ms > 0 { (ms / SECOND_MS).saturating_add(1) } else { ms / SECOND_MS }
}

/// Nanoseconds as milliseconds, rounded up.
fn millis(ns: i64) -> i64 {
    let whole = ns.div_euclid(MILLI_NS);
    if ns.rem_euclid(MILLI_NS) == 0 { whole } else { whole.saturating_add(1) }
}

impl Rate {
    /// `count` requests in `period` seconds, `max_burst` more at once; `quantity` are asked for.
    fn new(max_burst: u64, count: u64, period: u64, quantity: u64) -> Result<Self, Failure> {
        let out_of_range = || Failure::NotInteger;
        let limit = i64::try_from(max_burst).ok().and_then(|burst| burst.checked_add(1));
        let limit = limit.ok_or_else(out_of_range)?;
        let period_ns = period.checked_mul(SECOND_NS).ok_or_else(out_of_range)?;
        let emission = period_ns.checked_div(count).ok_or_else(out_of_range)?;
        let emission = i64::try_from(emission).map_err(|_| Failure::NotInteger)?;
        if emission == 0 {
            return Err(ZERO_RATE);
        }
        let tolerance = emission.checked_mul(limit).ok_or_else(out_of_range)?;
        let quantity = i64::try_from(quantity).map_err(|_| Failure::NotInteger)?;
        let increment = emission.checked_mul(quantity).ok_or_else(out_of_range)?;
        Ok(Self { limit, emission, tolerance, increment })
    }

    /// What becomes of a request now; nothing when a time is out of range.
    fn judge(self, tat: i64, now: i64) -> Option<Verdict> {
        let new_tat = tat.max(now).checked_add(self.increment)?;
        let allow_at = new_tat.checked_sub(self.tolerance)?;
        let early = allow_at.checked_sub(now)?;
        let is_limited = early > 0;
        let can_retry = is_limited && self.increment <= self.tolerance;
        let ahead = if is_limited { tat } else { new_tat }.checked_sub(now)?;
        let left = self.tolerance.checked_sub(ahead)?;
        let remaining =
            if left > self.emission.checked_neg()? { left.checked_div(self.emission)? } else { 0 };
        Some(Verdict {
            new_tat: (!is_limited).then_some(new_tat),
            remaining,
            retry_after_ms: can_retry.then(|| millis(early)),
            reset_after_ms: millis(ahead),
        })
    }
}

impl Verdict {
    /// The TAT to store, and when it expires in milliseconds of Unix time.
    fn to_store(self) -> Option<(i64, u64)> {
        let tat = self.new_tat?;
        Some((tat, u64::try_from(millis(tat)).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_790_000_000_000_000_000;
    const SECOND: i64 = SECOND_NS as i64;

    #[test]
    fn rates() {
        let rate = Rate { limit: 16, emission: 2 * SECOND, tolerance: 32 * SECOND, increment: 0 };
        assert_eq!(Rate::new(15, 30, 60, 0), Ok(rate));
        assert_eq!(Rate::new(15, 30, 60, 3).unwrap().increment, 6 * SECOND);
        assert_eq!(Rate::new(15, 30, 0, 1), Err(ZERO_RATE));
        assert_eq!(Rate::new(15, u64::MAX, 1, 1), Err(ZERO_RATE));
        let out_of_range = [
            (u64::MAX, 1, 1, 1),
            (i64::MAX as u64, 1, 1, 1),
            (1, 0, 1, 1),
            (1, 1, u64::MAX / SECOND_NS + 1, 1),
            (1, 1, u64::MAX / SECOND_NS, 1),
            (u64::MAX >> 2, 1, 1, 1),
            (1, 1, 1, u64::MAX),
            (1, 1, 1, i64::MAX as u64),
        ];
        for (burst, count, period, quantity) in out_of_range {
            let got = Rate::new(burst, count, period, quantity);
            assert_eq!(got, Err(Failure::NotInteger), "{burst} {count} {period} {quantity}");
        }
    }

    #[test]
    fn a_burst_then_a_refusal() {
        let rate = Rate::new(2, 1, 10, 1).unwrap();
        let mut tat = NOW;
        for (remaining, reset_ms) in [(2, 10_000), (1, 20_000), (0, 30_000)] {
            let verdict = rate.judge(tat, NOW).unwrap();
            assert_eq!((verdict.remaining, verdict.reset_after_ms), (remaining, reset_ms));
            assert_eq!(verdict.retry_after_ms, None);
            tat = verdict.new_tat.unwrap();
        }
        let refused = Verdict {
            new_tat: None,
            remaining: 0,
            retry_after_ms: Some(10_000),
            reset_after_ms: 30_000,
        };
        assert_eq!(rate.judge(tat, NOW), Some(refused));
        let later = rate.judge(tat, NOW + 10 * SECOND).unwrap();
        assert_eq!((later.new_tat, later.remaining), (Some(tat + 10 * SECOND), 0));
    }

    #[test]
    fn more_than_the_limit_never_passes() {
        let verdict = Rate::new(2, 1, 10, 4).unwrap().judge(NOW, NOW).unwrap();
        assert_eq!((verdict.new_tat, verdict.retry_after_ms), (None, None));
        assert_eq!((verdict.remaining, verdict.reset_after_ms), (3, 0));
    }

    #[test]
    fn nothing_asked_for_changes_nothing() {
        let rate = Rate::new(2, 1, 10, 0).unwrap();
        let verdict = rate.judge(NOW + 5 * SECOND, NOW).unwrap();
        assert_eq!(verdict.new_tat, Some(NOW + 5 * SECOND));
        assert_eq!(rate.judge(i64::MIN, NOW).unwrap().new_tat, Some(NOW));
    }

    #[test]
    fn times_out_of_range() {
        let rate = Rate::new(2, 1, 10, 1).unwrap();
        assert_eq!(rate.judge(i64::MAX, NOW), None);
        assert_eq!(rate.judge(NOW, i64::MAX), None);
    }

    #[test]
    fn roundings() {
        assert_eq!([-1000, 0, 1, 999, 1000, 1001].map(seconds), [-1, 0, 1, 1, 2, 2]);
        assert_eq!([-1, 0, 1, 1_000_000, 1_000_001].map(millis), [0, 0, 1, 1, 2]);
    }
}
