//! XTRIM, and the options that it shares with XADD.

use std::sync::atomic::Ordering::Relaxed;

use protocol::number::parse_i64;
use values::Limits;
use values::stream::{References, Stream, Trim, Until};
use values::typed::Streams;

use super::ids::{self, Wanted};
use super::references_of;
use crate::context::{Args, Budget};
use crate::{Context, Failure, Outcome};

/// Where options may begin.
const FIRST: usize = 2;
/// Unless a call says otherwise, an approximate trim removes at most so many nodes full of entries.
const NODES: u64 = 100;
/// What is so removed at most, where nodes are large, and where they have no bound.
const LIMIT_MAX: u64 = 1_000_000;
const LIMIT_WITHOUT_BOUND: u64 = 10_000;
/// More nodes than this are not counted to see whether a trim is much work.
const COUNTED_MAX: usize = 10_000;

/// The name of a message, by which it is known if it is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    /// Who sends it.
    pub producer: &'a [u8],
    /// Its name; none if it is made of what the message says.
    pub name: Option<&'a [u8]>,
}

/// The options of a call.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options<'a> {
    until: Option<Until>,
    approximate: bool,
    limit: Option<u64>,
    references: Option<References>,
    /// Whether the key must be there.
    pub needs_key: bool,
    /// The name of the message.
    pub message: Option<Message<'a>>,
}

impl<'a> Options<'a> {
    /// Reads the options of XADD, the id behind them, and where the names and values begin.
    pub fn of_xadd(args: Args<'a>) -> Result<(Self, Wanted, usize), Failure> {
        let mut options = Self::default();
        let mut index = FIRST;
        let mut wanted = None;
        while wanted.is_none() && index < args.len() {
            // Most calls have no options.
            let is_id = matches!(args.get(index), b"*" | [b'0'..=b'9', ..]);
            let option = if is_id { None } else { options.take(args, index, true)? };
            match option {
                Some(words) => index = index.saturating_add(words),
                None => wanted = Some(ids::wanted(args.get(index))?),
            }
        }
        if options.message.is_some() && wanted.is_some_and(|wanted| wanted != Wanted::Now) {
            return Err(Failure::text(
                "ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs",
            ));
        }
        options.check_strategy()?;
        options.check_limit()?;
        let wanted = wanted.ok_or(Failure::Arity("xadd".into()))?;
        Ok((options, wanted, index.saturating_add(1)))
    }

    /// Reads the options of XTRIM.
    fn of_xtrim(args: Args<'a>) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut index = FIRST;
        while index < args.len() {
            let words = options.take(args, index, false)?.ok_or(Failure::Syntax)?;
            index = index.saturating_add(words);
        }
        options.check_strategy()?;
        if options.until.is_none() {
            return Err(Failure::text(
                "ERR syntax error, XTRIM must be called with a trimming strategy",
            ));
        }
        options.check_limit()?;
        Ok(options)
    }

    /// Takes the option at `index` and returns how many words it has; `None` if it is none, or one
    /// of XADD's alone without `adds`.
    fn take(&mut self, args: Args<'a>, index: usize, adds: bool) -> Result<Option<usize>, Failure> {
        let word = args.get(index);
        let behind = args.len().saturating_sub(index).saturating_sub(1);
        let is = |option: &str| word.eq_ignore_ascii_case(option.as_bytes());
        if behind > 0 && (is("maxlen") || is("minid")) {
            return self.take_until(args, index, is("minid")).map(Some);
        }
        if behind > 0 && is("limit") {
            let limit = parse_i64(args.get(index.saturating_add(1))).ok_or(Failure::NotInteger)?;
            let negative = Failure::text("ERR The LIMIT argument must be >= 0.");
            self.limit = Some(u64::try_from(limit).map_err(|_| negative)?);
            return Ok(Some(2));
        }
        if self.references.is_none() && references_of(word).is_some() {
            self.references = references_of(word);
            return Ok(Some(1));
        }
        if adds && is("nomkstream") {
            self.needs_key = true;
            return Ok(Some(1));
        }
        if adds && (behind > 1 && is("idmp") || behind > 0 && is("idmpauto")) {
            return self.take_message(args, index, is("idmp")).map(Some);
        }
        Ok(None)
    }

    fn take_until(&mut self, args: Args<'a>, index: usize, by_id: bool) -> Result<usize, Failure> {
        if self.until.is_some() {
            return Err(Failure::text(
                "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
            ));
        }
        let operator = args.get(index.saturating_add(1));
        let has_operator = matches!(operator, b"~" | b"=") && index.saturating_add(2) < args.len();
        self.approximate = has_operator && operator == b"~";
        let words = if has_operator { 3 } else { 2 };
        let threshold = args.get(index.saturating_add(words).saturating_sub(1));
        self.until = Some(if by_id {
            Until::Id(ids::exact(threshold, 0)?)
        } else {
            let len = parse_i64(threshold).ok_or(Failure::NotInteger)?;
            let negative = Failure::text("ERR The MAXLEN argument must be >= 0.");
            Until::Len(u64::try_from(len).map_err(|_| negative)?)
        });
        Ok(words)
    }

    fn take_message(
        &mut self,
        args: Args<'a>,
        index: usize,
        named: bool,
    ) -> Result<usize, Failure> {
        if self.message.is_some() {
            return Err(Failure::text("ERR syntax error, IDMP/IDMPAUTO specified multiple times"));
        }
        let producer = args.get(index.saturating_add(1));
        let name = named.then(|| args.get(index.saturating_add(2)));
        if producer.is_empty() {
            return Err(Failure::text(if named {
                "ERR syntax error, IDMP requires a non-empty producer ID"
            } else {
                "ERR syntax error, IDMPAUTO requires a non-empty producer ID"
            }));
        }
        if name.is_some_and(<[u8]>::is_empty) {
            return Err(Failure::text("ERR syntax error, IDMP requires a non-empty idempotent ID"));
        }
        self.message = Some(Message { producer, name });
        Ok(if named { 3 } else { 2 })
    }

    fn check_strategy(&self) -> Outcome {
        if self.until.is_none() && self.limit.is_some_and(|limit| limit > 0) {
            return Err(Failure::text(
                "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
            ));
        }
        Ok(())
    }

    fn check_limit(&self) -> Outcome {
        if self.limit.is_some() && !self.approximate {
            return Err(Failure::text(
                "ERR syntax error, LIMIT cannot be used without the special ~ option",
            ));
        }
        Ok(())
    }

    /// How the stream is trimmed, if it is.
    pub fn trim(&self, limits: &Limits) -> Option<Trim> {
        let limit = match self.limit {
            Some(limit) => limit,
            None if self.approximate => limit_of(limits),
            None => 0,
        };
        Some(Trim {
            until: self.until?,
            approximate: self.approximate,
            limit,
            references: self.references.unwrap_or_default(),
        })
    }
}

/// How many entries an approximate trim removes at most, unless its call says so.
fn limit_of(limits: &Limits) -> u64 {
    match limits.stream_node_entries.load(Relaxed) {
        0 => LIMIT_WITHOUT_BOUND,
        entries => entries.saturating_mul(NODES).min(LIMIT_MAX),
    }
}

/// Sends a trim that is much work to the worker pool.
pub(super) fn allow(budget: Budget, stream: &Stream, trim: &Trim) -> Outcome {
    let by_entry = trim.references != References::Keep && !stream.groups.is_empty();
    let steps = match trim.until {
        Until::Len(len) => {
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            match stream.len().saturating_sub(len) {
                0 => 0,
                _ if by_entry => stream.len(),
                excess => excess.min(stream.node_count()),
            }
        }
        Until::Id(id) if by_entry && stream.first_id().is_some_and(|first| first < id) => {
            stream.len()
        }
        Until::Id(id) => stream.nodes_before(id, COUNTED_MAX),
    };
    match usize::try_from(trim.limit) {
        Ok(limit @ 1..) => budget.allow(steps.min(limit)),
        _ => budget.allow(steps),
    }
}

pub(super) fn xtrim(ctx: &mut Context<'_>) -> Outcome {
    let (key, budget) = (ctx.key(0), ctx.budget());
    let options = Options::of_xtrim(ctx.args)?;
    let trim = options
        .trim(&ctx.settings.limits)
        .ok_or(Failure::text("ERR syntax error, XTRIM must be called with a trimming strategy"))?;
    let removed = ctx.edit::<Streams, _>(&key, |stream, _| {
        allow(budget, stream, &trim)?;
        Ok(stream.trim(&trim))
    })?;
    ctx.reply.integer(removed.map_or(0, |removed| i64::try_from(removed).unwrap_or(i64::MAX)));
    Ok(())
}
