//! The words behind the key in commands about fields that expire.
//!
//! Redis has two ways to read them. HTTL, HPERSIST and HGETDEL want `FIELDS`, a count and exactly
//! so many fields. HEXPIRE, HGETEX and HSETEX take options before and behind the fields. Errors
//! come in the order of the words.

use std::ops::Range;

use protocol::number::parse_i64;

use crate::context::Args;
use crate::deadline::Unit;
use crate::expiry::{Condition, signed};
use crate::failure::Failure;

/// The latest time at which a field may expire, in milliseconds of Unix time: Redis has 46 bits
/// for it, until the year 4199.
const LATEST_MS: i64 = (1 << 46) - 1;

const NOT_AT_PLACE: Failure =
    Failure::text("ERR Mandatory argument FIELDS is missing or not at the right position");
const COUNT_NOT_POSITIVE: Failure =
    Failure::text("ERR Number of fields must be a positive integer");
const COUNT_NOT_THAT: Failure =
    Failure::text("ERR The `numfields` parameter must match the number of arguments");
const TIME_NEGATIVE: Failure = Failure::text("ERR invalid expire time, must be >= 0");
const TIME_MISSING: Failure = Failure::text("ERR missing expire time");
const FIELDS_TWICE: Failure = Failure::text("ERR FIELDS keyword specified multiple times");
const FIELDS_MISSING: Failure = Failure::text("ERR missing FIELDS argument");
const FIELDS_SHORT: Failure =
    Failure::text("ERR FIELDS requires at least numfields and one field argument");
const TOO_FEW: Failure = Failure::text("ERR wrong number of arguments");
const UNKNOWN: Failure = Failure::text("ERR unknown argument");
const CONDITIONS: Failure = Failure::text("ERR Multiple condition flags specified");
const FIELD_CONDITIONS: Failure =
    Failure::text("ERR Only one of FXX or FNX arguments can be specified");

/// The fields of `… FIELDS numfields field …` with nothing behind them; `at` is the word FIELDS.
pub(super) fn exact_fields(args: Args<'_>, at: usize) -> Result<Range<usize>, Failure> {
    if !args.get(at).eq_ignore_ascii_case(b"fields") {
        return Err(NOT_AT_PLACE);
    }
    let first = at.saturating_add(2);
    let count = parse_i64(args.get(at.saturating_add(1))).filter(|count| *count > 0);
    let count = count.ok_or(COUNT_NOT_POSITIVE)?;
    let given = args.len().saturating_sub(first);
    if usize::try_from(count) != Ok(given) {
        return Err(COUNT_NOT_THAT);
    }
    Ok(first..args.len())
}

/// A time of expiry in milliseconds of Unix time; it may be past.
pub(super) fn time(
    word: &[u8],
    unit: Unit,
    absolute: bool,
    now_ms: u64,
    command: &'static str,
) -> Result<i64, Failure> {
    let count = parse_i64(word).ok_or(Failure::NotInteger)?;
    if count < 0 {
        return Err(TIME_NEGATIVE);
    }
    let from = if absolute { 0 } else { signed(now_ms) };
    let at = unit.millis(count).and_then(|count| count.checked_add(from));
    at.filter(|at| *at <= LATEST_MS).ok_or(Failure::InvalidExpire(command))
}

/// What becomes of the expiry of fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing was said.
    #[default]
    Unsaid,
    /// It stays as it is.
    Keep,
    /// It is taken away.
    Persist,
    /// It is set to this time.
    At(i64),
}

/// Which fields, or which key, must be there, or must not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Presence {
    /// Whatever is there.
    #[default]
    Any,
    /// None.
    Absent,
    /// All.
    Present,
}

impl Presence {
    /// Whether it holds for something that is there, or is not.
    pub(super) fn holds(self, is_there: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => !is_there,
            Self::Present => is_there,
        }
    }
}

/// Which of the commands with options it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// NX, XX, GT, LT.
    Hexpire,
    /// EX, PX, EXAT, PXAT, PERSIST.
    Hgetex,
    /// The same with KEEPTTL for PERSIST, and FNX, FXX, NX, XX; fields have values.
    Hsetex,
}

/// The options of a call.
#[derive(Default)]
pub(super) struct Options {
    /// The words with fields.
    pub(super) fields: Range<usize>,
    /// On what a new expiry depends.
    pub(super) condition: Condition,
    /// What becomes of expiries.
    pub(super) change: Change,
    /// On what fields it depends whether any is set.
    pub(super) of_fields: Presence,
    /// The same of the key.
    pub(super) of_key: Presence,
    /// Whether there are both KEEPTTL and PERSIST.
    is_mixed: bool,
}

/// The time of a call, and the name of its command.
#[derive(Clone, Copy)]
pub(super) struct Call {
    /// In milliseconds of Unix time.
    pub(super) now_ms: u64,
    /// In lower case.
    pub(super) command: &'static str,
}

impl Options {
    /// Reads the words from `at` on.
    pub(super) fn parse(
        args: Args<'_>,
        at: usize,
        takes: Takes,
        call: Call,
    ) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut at = at;
        while at < args.len() {
            let word = args.get(at);
            at = if word.eq_ignore_ascii_case(b"fields") {
                options.take_fields(args, at, takes, call)?
            } else if takes == Takes::Hexpire {
                options.take_condition(word)?;
                at.saturating_add(1)
            } else {
                options.take_other(args, at, takes, call)?
            };
        }
        if options.fields.is_empty() {
            return Err(FIELDS_MISSING);
        }
        let Condition { nx, xx, gt, lt } = options.condition;
        if [nx, xx, gt, lt].into_iter().filter(|taken| *taken).count() > 1 {
            return Err(CONDITIONS);
        }
        // Redis reads the options of both commands alike, and looks in the end whose they are.
        let is_foreign = match takes {
            Takes::Hexpire => false,
            Takes::Hgetex => options.change == Change::Keep || options.of_fields != Presence::Any,
            Takes::Hsetex => options.change == Change::Persist,
        };
        if is_foreign || options.is_mixed { Err(UNKNOWN) } else { Ok(options) }
    }

    /// FIELDS, a count, and so many fields or pairs; returns where the next word is.
    fn take_fields(
        &mut self,
        args: Args<'_>,
        at: usize,
        takes: Takes,
        call: Call,
    ) -> Result<usize, Failure> {
        if !self.fields.is_empty() {
            return Err(FIELDS_TWICE);
        }
        let (count_at, first) = (at.saturating_add(1), at.saturating_add(2));
        match takes {
            Takes::Hexpire if first >= args.len() => return Err(FIELDS_SHORT),
            _ if count_at >= args.len() => return Err(Failure::Arity(call.command.into())),
            _ => {}
        }
        let words = if takes == Takes::Hsetex { 2 } else { 1 };
        let count = parse_i64(args.get(count_at));
        let count = count.and_then(|count| i32::try_from(count).ok()).filter(|count| *count > 0);
        let count = count.and_then(|count| usize::try_from(count).ok());
        let end =
            count.ok_or_else(|| takes.bad_count())?.saturating_mul(words).saturating_add(first);
        if end > args.len() {
            return Err(TOO_FEW);
        }
        self.fields = first..end;
        Ok(end)
    }

    fn take_condition(&mut self, word: &[u8]) -> Result<(), Failure> {
        let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
        let Condition { nx, xx, gt, lt } = &mut self.condition;
        let taken = match word {
            _ if is(b"nx") => nx,
            _ if is(b"xx") => xx,
            _ if is(b"gt") => gt,
            _ if is(b"lt") => lt,
            _ => return Err(unknown(word)),
        };
        *taken = true;
        Ok(())
    }

    /// An option of HGETEX or HSETEX; returns where the next word is.
    fn take_other(
        &mut self,
        args: Args<'_>,
        at: usize,
        takes: Takes,
        call: Call,
    ) -> Result<usize, Failure> {
        let (word, next) = (args.get(at), at.saturating_add(1));
        let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
        let timed = [
            (&b"ex"[..], Unit::Seconds, false),
            (b"px", Unit::Millis, false),
            (b"exat", Unit::Seconds, true),
            (b"pxat", Unit::Millis, true),
        ];
        if let Some((_, unit, absolute)) = timed.into_iter().find(|(token, ..)| is(token)) {
            self.check_change(takes)?;
            if next >= args.len() {
                return Err(TIME_MISSING);
            }
            let at = time(args.get(next), unit, absolute, call.now_ms, call.command)?;
            self.change = Change::At(at);
            return Ok(next.saturating_add(1));
        }
        match word {
            _ if is(b"persist") => self.keep_or_persist(Change::Persist, takes)?,
            _ if is(b"keepttl") => self.keep_or_persist(Change::Keep, takes)?,
            _ if is(b"fnx") || is(b"fxx") => {
                if self.of_fields != Presence::Any {
                    return Err(FIELD_CONDITIONS);
                }
                self.of_fields = if is(b"fnx") { Presence::Absent } else { Presence::Present };
            }
            _ if takes == Takes::Hsetex && (is(b"nx") || is(b"xx")) => {
                let wanted = if is(b"nx") { Presence::Absent } else { Presence::Present };
                if self.of_key != Presence::Any && self.of_key != wanted {
                    return Err(Failure::Syntax);
                }
                self.of_key = wanted;
            }
            _ => return Err(unknown(word)),
        }
        Ok(next)
    }

    /// Takes KEEPTTL or PERSIST. No command has both, and Redis sees that only in the end.
    fn keep_or_persist(&mut self, change: Change, takes: Takes) -> Result<(), Failure> {
        if matches!(self.change, Change::At(_)) || self.change == change {
            self.check_change(takes)?;
        }
        self.is_mixed |= self.change != Change::Unsaid;
        self.change = change;
        Ok(())
    }

    /// Only one word may say what becomes of expiries.
    fn check_change(&self, takes: Takes) -> Result<(), Failure> {
        let last = if takes == Takes::Hsetex { "KEEPTTL" } else { "PERSIST" };
        if self.change == Change::Unsaid {
            return Ok(());
        }
        let text =
            format!("ERR Only one of EX, PX, EXAT, PXAT or {last} arguments can be specified");
        Err(Failure::Text(text.into()))
    }
}

impl Takes {
    /// What Redis says of a count of fields that is none.
    fn bad_count(self) -> Failure {
        Failure::text(match self {
            Self::Hexpire => "ERR Parameter `numFields` should be greater than 0",
            Self::Hgetex | Self::Hsetex => "ERR invalid number of fields",
        })
    }
}

#[cold]
fn unknown(word: &[u8]) -> Failure {
    Failure::quoting("ERR unknown argument: ", word, "")
}
