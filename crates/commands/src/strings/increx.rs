//! INCREX: an increment with bounds and an expiry, in integers or in floats.
//!
//! What would leave the bounds is refused, which is no error: the reply shows the value as it is
//! and that nothing was added. With SATURATE the value goes to the bound instead. The two kinds of
//! number differ in how they are read, added and shown; the rules are the same, so they are written
//! once, over [`Number`].

use protocol::number::parse_i64;
use protocol::reply::Reply;
use values::{Entry, Value};

use super::conditions::Condition;
use super::counters::{float, integer};
use super::set_options::{Capitals, Expiry, Written};
use crate::context::{Context, string_of};
use crate::failure::{Failure, Outcome};
use crate::long_double::LongDouble;

const ENX_ALONE: Failure = Failure::text("ERR ENX flag requires an expiration");
const CROSSED_BOUNDS: Failure = Failure::text("ERR LBOUND can't be greater than UBOUND");
const INFINITE_INCREMENT: Failure = Failure::text("ERR BYFLOAT increment cannot be Infinity");
const INFINITE_VALUE: Failure = Failure::text("ERR value cannot be Infinity");
const APPLIED_OVERFLOW: Failure = Failure::text("ERR applied increment would overflow");
const APPLIED_INFINITE: Failure = Failure::text("ERR applied increment would be Infinity");

/// A call as it was written.
#[derive(Default)]
struct Request<'a> {
    by: Option<&'a [u8]>,
    is_float: bool,
    lower: Option<&'a [u8]>,
    upper: Option<&'a [u8]>,
    saturate: Option<()>,
    expiry: Option<Expiry<Written<'a>>>,
    /// ENX: a deadline is set only where there is none.
    keep_deadline: Option<()>,
    /// NX and XX, of Valkey.
    condition: Option<Condition<'a>>,
}

/// The numbers of a call.
#[derive(Clone, Copy)]
struct Step<N> {
    by: N,
    lower: N,
    upper: N,
    saturate: bool,
}

/// A kind of number to count in.
trait Number: Copy + Ord {
    const ZERO: Self;
    const MIN: Self;
    const MAX: Self;
    /// What is said of a word that is no such number.
    const REFUSAL: &'static str;
    const APPLIED_RANGE: Failure;

    fn parse(text: &[u8]) -> Option<Self>;
    /// Refuses what can be read but not be counted with.
    fn check(self, failure: Failure) -> Result<Self, Failure>;
    fn stored(value: Value<'_>) -> Result<Self, Failure>;
    fn plus(self, other: Self) -> Option<Self>;
    fn minus(self, other: Self) -> Option<Self>;
    fn with_value<R>(self, with: impl FnOnce(Value<'_>) -> R) -> R;
    fn show(self, reply: &mut Reply<'_>);
}

impl Number for i64 {
    const ZERO: Self = 0;
    const MIN: Self = i64::MIN;
    const MAX: Self = i64::MAX;
    const REFUSAL: &'static str = "is not an integer or out of range";
    const APPLIED_RANGE: Failure = APPLIED_OVERFLOW;

    fn parse(text: &[u8]) -> Option<Self> {
        parse_i64(text)
    }

    fn check(self, _: Failure) -> Result<Self, Failure> {
        Ok(self)
    }

    fn stored(value: Value<'_>) -> Result<Self, Failure> {
        integer(value)
    }

    fn plus(self, other: Self) -> Option<Self> {
        self.checked_add(other)
    }

    fn minus(self, other: Self) -> Option<Self> {
        self.checked_sub(other)
    }

    fn with_value<R>(self, with: impl FnOnce(Value<'_>) -> R) -> R {
        with(Value::Int(self))
    }

    fn show(self, reply: &mut Reply<'_>) {
        reply.integer(self);
    }
}

impl Number for LongDouble {
    const ZERO: Self = LongDouble::ZERO;
    const MIN: Self = LongDouble::MIN;
    const MAX: Self = LongDouble::MAX;
    const REFUSAL: &'static str = "is not a valid float";
    const APPLIED_RANGE: Failure = APPLIED_INFINITE;

    fn parse(text: &[u8]) -> Option<Self> {
        LongDouble::parse(text)
    }

    fn check(self, failure: Failure) -> Result<Self, Failure> {
        if self.is_infinite() { Err(failure) } else { Ok(self) }
    }

    fn stored(value: Value<'_>) -> Result<Self, Failure> {
        float(value)
    }

    fn plus(self, other: Self) -> Option<Self> {
        self.checked_add(other)
    }

    fn minus(self, other: Self) -> Option<Self> {
        self.checked_sub(other)
    }

    fn with_value<R>(self, with: impl FnOnce(Value<'_>) -> R) -> R {
        with(Value::Bytes(&self.to_text()))
    }

    fn show(self, reply: &mut Reply<'_>) {
        reply.double_text(&self.to_text());
    }
}

pub(super) fn increx(ctx: &mut Context<'_>) -> Outcome {
    let request = Request::parse(ctx.args.from(2))?;
    if request.is_float { run::<LongDouble>(ctx, &request) } else { run::<i64>(ctx, &request) }
}

fn run<N: Number>(ctx: &mut Context<'_>, request: &Request<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let step = Step::<N>::parse(request)?;
    let expiry = request.expiry.unwrap_or_default().resolve(now_ms, ctx.name)?;
    let condition = request.condition.unwrap_or_default();
    let (db, reply) = ctx.open(&key);
    let (old, done);
    if let Some(mut entry) = db.get_mut(&key, now_ms) {
        old = N::stored(string_of(&entry)?)?.check(INFINITE_VALUE)?;
        let allowed = condition.holds(Some(&entry))?;
        done = if allowed { step.of(old)? } else { None };
        if let Some((new, _)) = done {
            let old_deadline = entry.expires_at();
            let expires_at = match expiry {
                Expiry::Unsaid | Expiry::Keep => old_deadline,
                Expiry::Persist => None,
                Expiry::At(at) if request.keep_deadline.is_some() => old_deadline.or(Some(at)),
                Expiry::At(at) => Some(at),
            };
            if expires_at.is_some_and(|at| at <= now_ms) {
                entry.remove();
            } else {
                new.with_value(|value| entry.set(value, expires_at));
            }
        }
    } else {
        old = N::ZERO;
        done = if condition.holds(None)? { step.of(old)? } else { None };
        let expires_at = if let Expiry::At(at) = expiry { Some(at) } else { None };
        if let Some((new, _)) = done.filter(|_| expires_at.is_none_or(|at| at > now_ms)) {
            let entry = new.with_value(|value| Entry::new(key.bytes, value, expires_at));
            db.insert(&key, entry);
        }
    }
    let (new, applied) = done.unwrap_or((old, N::ZERO));
    reply.array(2);
    new.show(reply);
    applied.show(reply);
    Ok(())
}

impl<'a> Request<'a> {
    /// Reads the options. Unlike those of SET, none may come twice.
    fn parse(mut words: impl Iterator<Item = &'a [u8]>) -> Result<Self, Failure> {
        let mut request = Self::default();
        while let Some(word) = words.next() {
            let word = Capitals::of(word);
            let is_first = match word.bytes() {
                b"BYINT" => fill(&mut request.by, words.next()),
                b"BYFLOAT" => {
                    request.is_float = true;
                    fill(&mut request.by, words.next())
                }
                b"LBOUND" => fill(&mut request.lower, words.next()),
                b"UBOUND" => fill(&mut request.upper, words.next()),
                b"SATURATE" => fill(&mut request.saturate, Some(())),
                b"ENX" => fill(&mut request.keep_deadline, Some(())),
                b"NX" => fill(&mut request.condition, Some(Condition::Absent)),
                b"XX" => fill(&mut request.condition, Some(Condition::Present)),
                b"KEEPTTL" => false,
                word => fill(&mut request.expiry, Expiry::read(word, &mut words)),
            };
            if !is_first {
                return Err(Failure::Syntax);
            }
        }
        match (request.keep_deadline, request.expiry) {
            (Some(()), None) => Err(ENX_ALONE),
            (Some(()), Some(Expiry::Persist)) => Err(Failure::Syntax),
            _ => Ok(request),
        }
    }
}

/// Fills an empty place; whether it was empty and there was something to fill it with.
fn fill<T>(place: &mut Option<T>, with: Option<T>) -> bool {
    let was_empty = place.is_none();
    *place = with;
    was_empty && place.is_some()
}

impl<N: Number> Step<N> {
    fn parse(request: &Request<'_>) -> Result<Self, Failure> {
        let read = |word: Option<&[u8]>, name: &str| match word {
            Some(word) => N::parse(word).map(Some).ok_or_else(|| {
                Failure::Text(format!("ERR {name} {refusal}", refusal = N::REFUSAL).into())
            }),
            None => Ok(None),
        };
        let by = match read(request.by, "Increment")? {
            Some(by) => by.check(INFINITE_INCREMENT)?,
            // Without an increment the numbers are integers, so this one is one.
            None => N::stored(Value::Int(1))?,
        };
        let lower = read(request.lower, "LBOUND")?.unwrap_or(N::MIN);
        let upper = read(request.upper, "UBOUND")?.unwrap_or(N::MAX);
        if lower > upper {
            return Err(CROSSED_BOUNDS);
        }
        Ok(Self { by, lower, upper, saturate: request.saturate.is_some() })
    }

    /// The new value and what it is more than the old one; nothing when that is out of bounds.
    fn of(self, old: N) -> Result<Option<(N, N)>, Failure> {
        let sum = old.plus(self.by);
        let above = sum.map_or(self.by >= N::ZERO, |sum| sum > self.upper);
        let below = sum.map_or(self.by < N::ZERO, |sum| sum < self.lower);
        let new = match sum {
            Some(sum) if !above && !below => sum,
            _ if !self.saturate => return Ok(None),
            _ if above => self.upper,
            _ => self.lower,
        };
        let applied = new.minus(old).ok_or(N::APPLIED_RANGE)?;
        Ok(Some((new, applied)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The old value, the options, and the new value with the increment applied.
    type Case = (&'static str, &'static str, Option<(&'static str, &'static str)>);

    fn parsed(text: &str) -> Result<Request<'_>, Failure> {
        Request::parse(text.split_ascii_whitespace().map(str::as_bytes))
    }

    /// The new value and the increment applied, as text.
    fn counted<N: Number>(old: &str, options: &str) -> Result<Option<(String, String)>, Failure> {
        let step = Step::<N>::parse(&parsed(options)?)?;
        let old = N::stored(Value::Bytes(old.as_bytes()))?.check(INFINITE_VALUE)?;
        let text = |number: N| {
            number.with_value(|value| String::from_utf8_lossy(&value.to_vec()).into_owned())
        };
        Ok(step.of(old)?.map(|(new, applied)| (text(new), text(applied))))
    }

    #[test]
    fn integers() {
        let cases: &[Case] = &[
            ("5", "", Some(("6", "1"))),
            ("10", "BYINT 5 UBOUND 15", Some(("15", "5"))),
            ("50", "BYINT 5 UBOUND 30", None),
            ("50", "BYINT 5 UBOUND 30 SATURATE", Some(("30", "-20"))),
            ("50", "BYINT -25 UBOUND 30", Some(("25", "-25"))),
            ("10", "BYINT -5 LBOUND 8", None),
            ("10", "BYINT -5 LBOUND 20 SATURATE", Some(("20", "10"))),
            ("9223372036854775807", "", None),
            ("9223372036854775807", "SATURATE", Some(("9223372036854775807", "0"))),
            ("9223372036854775800", "BYINT 10 SATURATE", Some(("9223372036854775807", "7"))),
            ("10", "BYINT 9223372036854775807 UBOUND 100 SATURATE", Some(("100", "90"))),
            ("-10", "BYINT -9223372036854775807 LBOUND -100 SATURATE", Some(("-100", "-90"))),
        ];
        for (old, options, expected) in cases {
            let expected = expected.map(|(new, applied)| (new.to_owned(), applied.to_owned()));
            assert_eq!(counted::<i64>(old, options), Ok(expected), "{old} {options}");
        }
    }

    #[test]
    fn floats() {
        let cases: &[Case] = &[
            ("10", "BYFLOAT 2.5 LBOUND 5.0 UBOUND 15.0", Some(("12.5", "2.5"))),
            ("10", "BYFLOAT 5.5 UBOUND 12.5", None),
            ("10", "BYFLOAT 5.5 UBOUND 12.5 SATURATE", Some(("12.5", "2.5"))),
            ("10", "BYFLOAT -6 LBOUND 8 SATURATE", Some(("8", "-2"))),
            ("10", "BYFLOAT 1e4932 UBOUND 100 SATURATE", Some(("100", "90"))),
            ("10", "BYFLOAT 1 UBOUND inf", Some(("11", "1"))),
            ("10", "BYFLOAT 1 LBOUND inf UBOUND inf", None),
            ("1e4932", "BYFLOAT 1e4932", None),
        ];
        for (old, options, expected) in cases {
            let expected = expected.map(|(new, applied)| (new.to_owned(), applied.to_owned()));
            assert_eq!(counted::<LongDouble>(old, options), Ok(expected), "{old} {options}");
        }
    }

    #[test]
    fn failures() {
        let text = |text: &'static str| Failure::text(text);
        let cases: &[(&str, &str, Failure)] = &[
            ("1", "BYINT 1.5", text("ERR Increment is not an integer or out of range")),
            ("1", "UBOUND inf", text("ERR UBOUND is not an integer or out of range")),
            ("1", "LBOUND 2 UBOUND 1", CROSSED_BOUNDS),
            ("x", "BYINT 1", Failure::NotInteger),
            (
                "9223372036854775807",
                "BYINT -5 UBOUND -9223372036854775808 SATURATE",
                APPLIED_OVERFLOW,
            ),
            ("1", "ENX", ENX_ALONE),
            ("1", "ENX PERSIST", Failure::Syntax),
            ("1", "PERSIST ENX", Failure::Syntax),
            ("1", "BYINT 1 BYFLOAT 1", Failure::Syntax),
            ("1", "EX 1 EX 1", Failure::Syntax),
            ("1", "EX 1 PERSIST", Failure::Syntax),
            ("1", "SATURATE SATURATE", Failure::Syntax),
            ("1", "SAT", Failure::Syntax),
            ("1", "UBOUND", Failure::Syntax),
            ("1", "KEEPTTL", Failure::Syntax),
            ("1", "NX XX", Failure::Syntax),
        ];
        for (old, options, expected) in cases {
            let got = counted::<i64>(old, options);
            assert_eq!(got, Err(expected.clone()), "{old} {options}");
        }
        let cases: &[(&str, &str, Failure)] = &[
            ("1", "BYFLOAT nan", text("ERR Increment is not a valid float")),
            ("1", "BYFLOAT inf", INFINITE_INCREMENT),
            ("inf", "BYFLOAT 1", INFINITE_VALUE),
            ("x", "BYFLOAT 1", Failure::NotFloat),
            ("1", "BYFLOAT 1 UBOUND -inf", CROSSED_BOUNDS),
            ("1", "BYFLOAT 1 LBOUND abc", text("ERR LBOUND is not a valid float")),
            ("10", "BYFLOAT 1 LBOUND inf UBOUND inf SATURATE", APPLIED_INFINITE),
            ("-1e4932", "BYFLOAT 1e4932 LBOUND 1e4932 SATURATE", APPLIED_INFINITE),
        ];
        for (old, options, expected) in cases {
            let got = counted::<LongDouble>(old, options);
            assert_eq!(got, Err(expected.clone()), "{old} {options}");
        }
    }
}
