//! HGETEX, HSETEX and HGETDEL: fields are read or set, and made to expire or taken out, at once.
//!
//! HSETEX has two grammars. Redis's has the word FIELDS and a count before the fields; Dragonfly's
//! a plain number of seconds, which in Redis's is an error wherever it may stand:
//!
//! ```text
//! HSETEX key [FNX | FXX] [EX seconds | … | KEEPTTL] FIELDS numfields field value …
//! HSETEX key [NX | FNX | FXX] [KEEPTTL] seconds field value …
//! ```

use protocol::number::parse_i64;
use protocol::reply::Reply;
use values::Expiry;
use values::typed::{HashMut, Hashes};

use super::expiry::lifetime;
use super::words::{Call, Change, Options, Presence, Takes, exact_fields};
use super::{reply_field, reply_fields, set_each};
use crate::context::{Args, Context, reply_value};
use crate::failure::{Failure, Outcome};

/// Words of the shortest call of HSETEX in Redis's grammar.
const HSETEX_WORDS: usize = 6;

pub(super) fn hgetdel(ctx: &mut Context<'_>) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    ctx.read::<Hashes>(&key)?;
    let fields = exact_fields(args, 2)?;
    let names = args.from(fields.start);
    let done = ctx.edit::<Hashes, _>(&key, |hash, reply| {
        reply.array(names.clone().count());
        for name in names.clone() {
            if hash.take(name, |value| reply_value(reply, value)).is_none() {
                reply.null();
            }
        }
        Ok(())
    })?;
    if done.is_none() {
        reply_fields(&mut ctx.reply, None, names);
    }
    Ok(())
}

pub(super) fn hgetex(ctx: &mut Context<'_>) -> Outcome {
    let (key, args, now_ms, command) = (ctx.key(0), ctx.args, ctx.now_ms, ctx.name);
    let (hash, reply) = ctx.read::<Hashes>(&key)?;
    let options = Options::parse(args, 2, Takes::Hgetex, Call { now_ms, command })?;
    let Options { fields, change, .. } = options;
    let names = args.from(fields.start).take(fields.len());
    if change == Change::Unsaid || hash.is_none() {
        reply_fields(reply, hash, names);
        return Ok(());
    }
    ctx.edit::<Hashes, _>(&key, |hash, reply| {
        reply.array(fields.len());
        names.for_each(|name| reply_and_change(hash, reply, name, change, now_ms));
        Ok(())
    })?;
    Ok(())
}

/// Writes a field's value and changes when it expires; one whose time is past goes.
fn reply_and_change(
    hash: &mut HashMut<'_>,
    reply: &mut Reply<'_>,
    name: &[u8],
    change: Change,
    now_ms: u64,
) {
    let field = hash.view().get(name);
    let current = field.map(|field| field.expires_at);
    reply_field(reply, field);
    match (current, change) {
        (None, _) | (Some(None), Change::Persist) | (_, Change::Unsaid | Change::Keep) => {}
        (Some(Some(_)), Change::Persist) => {
            hash.expire(name, None);
        }
        (Some(_), Change::At(at)) => match ahead(at, now_ms) {
            Some(at) => {
                hash.expire(name, Some(at));
            }
            None => {
                hash.remove(name);
            }
        },
    }
}

/// A time, if it is not past.
fn ahead(at: i64, now_ms: u64) -> Option<u64> {
    u64::try_from(at).ok().filter(|at| *at > now_ms)
}

pub(super) fn hsetex(ctx: &mut Context<'_>) -> Outcome {
    let (key, args, now_ms, command) = (ctx.key(0), ctx.args, ctx.now_ms, ctx.name);
    if let Some(seconds_at) = seconds_of(args) {
        return hsetex_seconds(ctx, seconds_at);
    }
    if args.len() < HSETEX_WORDS {
        return Err(Failure::Arity(command.into()));
    }
    let options = Options::parse(args, 2, Takes::Hsetex, Call { now_ms, command })?;
    let Options { fields, change, of_fields, of_key, .. } = options;
    ctx.allow_members(2)?;
    let is_there = ctx.look::<Hashes>(&key)?.0.is_some();
    if !of_key.holds(is_there) {
        ctx.reply.integer(0);
        return Ok(());
    }
    ctx.edit_or_create::<Hashes, _>(&key, |hash, reply| {
        let mut names = fields.clone().step_by(2).map(|at| args.get(at));
        let holds = of_fields == Presence::Any
            || names.all(|name| of_fields.holds(hash.view().get(name).is_some()));
        reply.integer(i64::from(holds));
        if holds {
            set_each(hash, args, fields.start, fields.end, |hash, name, value| {
                set_and_change(hash, name, value, change, now_ms);
            });
        }
        Ok(())
    })
}

/// Sets a field and says when it expires; if that is past, takes it out.
fn set_and_change(hash: &mut HashMut<'_>, name: &[u8], value: &[u8], change: Change, now_ms: u64) {
    let expiry = match change {
        Change::Keep => Expiry::Keep,
        Change::Unsaid | Change::Persist => Expiry::Never,
        Change::At(at) => match ahead(at, now_ms) {
            Some(at) => Expiry::At(at),
            None => {
                hash.remove(name);
                return;
            }
        },
    };
    hash.set(name, value, expiry);
}

/// Where the seconds stand if the call is in Dragonfly's grammar.
fn seconds_of(args: Args<'_>) -> Option<usize> {
    let is_option = |word: &[u8]| {
        [&b"nx"[..], b"fnx", b"fxx", b"keepttl"]
            .iter()
            .any(|token| word.eq_ignore_ascii_case(token))
    };
    let at = (2..args.len()).find(|at| !is_option(args.get(*at)))?;
    parse_i64(args.get(at)).map(|_| at)
}

/// HSETEX in Dragonfly's grammar. Replies how many fields are new; NX leaves those that are there.
fn hsetex_seconds(ctx: &mut Context<'_>, seconds_at: usize) -> Outcome {
    let (key, args, now_ms, command) = (ctx.key(0), ctx.args, ctx.now_ms, ctx.name);
    let first = seconds_at.saturating_add(1);
    let words = args.len().saturating_sub(first);
    if words == 0 || !words.is_multiple_of(2) {
        return Err(Failure::Arity(command.into()));
    }
    let has = |token: &[u8]| {
        args.from(2).take(seconds_at.saturating_sub(2)).any(|word| word.eq_ignore_ascii_case(token))
    };
    let (nx, keeps) = (has(b"nx"), has(b"keepttl"));
    let of_fields = match (has(b"fnx"), has(b"fxx")) {
        (true, true) => return Err(Failure::Syntax),
        (true, false) => Presence::Absent,
        (false, true) => Presence::Present,
        (false, false) => Presence::Any,
    };
    if nx && of_fields != Presence::Any {
        return Err(Failure::Syntax);
    }
    let at = lifetime(args, seconds_at, now_ms, command)?;
    ctx.allow_members(first)?;
    ctx.edit_or_create::<Hashes, _>(&key, |hash, reply| {
        let is_there = |hash: &HashMut<'_>, name: &[u8]| hash.view().get(name).is_some();
        let mut names = (first..args.len()).step_by(2).map(|at| args.get(at));
        let mut new = 0usize;
        if names.all(|name| of_fields.holds(is_there(hash, name))) {
            set_each(hash, args, first, args.len(), |hash, name, value| {
                let was_there = is_there(hash, name);
                if !(nx && was_there) {
                    let expiry = if keeps && was_there { Expiry::Keep } else { Expiry::At(at) };
                    hash.set(name, value, expiry);
                }
                new = new.saturating_add(usize::from(!was_there));
            });
        }
        reply.count(new);
        Ok(())
    })
}
