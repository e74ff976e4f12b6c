//! XADD.

use protocol::reply::Reply;
use values::stream::{ENTRY_BYTES_MAX, Id, Stream, Trim};
use values::typed::{StreamMut, Streams};
use xxhash_rust::xxh3::Xxh3;

use super::ids::{Wanted, reply_id};
use super::trim::{self, Message, Options};
use crate::context::{Args, Budget};
use crate::{Context, Failure, Outcome};

const NOT_ABOVE: Failure = Failure::text(
    "ERR The ID specified in XADD is equal or smaller than the target stream top item",
);
const NO_MORE_IDS: Failure =
    Failure::text("ERR The stream has exhausted the last possible ID, unable to add more items");

/// A call of XADD.
struct Call<'a> {
    args: Args<'a>,
    /// Where the names and values begin.
    first: usize,
    wanted: Wanted,
    message: Option<Message<'a>>,
    trim: Option<Trim>,
    budget: Budget,
    now_ms: u64,
}

pub(super) fn xadd(ctx: &mut Context<'_>) -> Outcome {
    let (args, now_ms, budget) = (ctx.args, ctx.now_ms, ctx.budget());
    let (options, wanted, first) = Options::of_xadd(args)?;
    let words = args.len().saturating_sub(first);
    if words < 2 || !words.is_multiple_of(2) {
        return Err(Failure::Arity(ctx.name.into()));
    }
    if wanted == Wanted::Given(Id::MIN) {
        return Err(Failure::text("ERR The ID specified in XADD must be greater than 0-0"));
    }
    ctx.allow_members(first)?;
    let (key, trim) = (ctx.key(0), options.trim(&ctx.settings.limits));
    let call = Call { args, first, wanted, message: options.message, trim, budget, now_ms };
    if !options.needs_key {
        return ctx.edit_or_create::<Streams, _>(&key, |stream, reply| call.run(stream, reply));
    }
    if ctx.edit::<Streams, _>(&key, |stream, reply| call.run(stream, reply))?.is_none() {
        ctx.reply.null();
    }
    Ok(())
}

impl<'a> Call<'a> {
    fn run(&self, stream: &mut StreamMut<'_>, reply: &mut Reply<'_>) -> Outcome {
        if let Some(trim) = &self.trim {
            trim::allow(self.budget, stream, trim)?;
        }
        let mut made = [0; 16];
        let message = self.message.map(|message| match message.name {
            Some(name) => (message.producer, name),
            None => {
                made = name_of(self.words());
                (message.producer, made.as_slice())
            }
        });
        if let Some((producer, name)) = message
            && let Some(producers) = &mut stream.producers
            && let Some(id) = producers.find(producer, name, self.now_ms)
        {
            producers.count_duplicate();
            stream.changes = 1;
            reply_id(reply, id);
            return Ok(());
        }
        let id = next_id(stream, self.wanted, self.now_ms)?;
        if self.words().map(<[u8]>::len).fold(0, usize::saturating_add) > ENTRY_BYTES_MAX {
            return Err(Failure::text("ERR Elements are too large to be stored"));
        }
        stream.append(id, self.words());
        if let Some((producer, name)) = message {
            let producers = stream.producers.get_or_insert_default();
            producers.record(producer, name, id, self.now_ms);
        }
        if let Some(trim) = &self.trim {
            stream.trim(trim);
        }
        // What goes for a new entry is no change of its own.
        stream.changes = 1;
        reply_id(reply, id);
        Ok(())
    }

    /// The names and values, in turn.
    #[inline]
    fn words(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        self.args.from(self.first)
    }
}

/// The id of a new entry.
fn next_id(stream: &Stream, wanted: Wanted, now_ms: u64) -> Result<Id, Failure> {
    let last = stream.last_id();
    let next = last.next().ok_or(NO_MORE_IDS)?;
    let id = match wanted {
        Wanted::Now if now_ms > last.ms => Id::new(now_ms, 0),
        // The clock may have gone back; ids never do.
        Wanted::Now => next,
        Wanted::Millisecond(ms) if ms == last.ms => {
            Id::new(ms, last.seq.checked_add(1).ok_or(NOT_ABOVE)?)
        }
        Wanted::Millisecond(ms) => Id::new(ms, 0),
        Wanted::Given(id) => id,
    };
    if id > last { Ok(id) } else { Err(NOT_ABOVE) }
}

/// The name of a message that has none: a hash of its fields, whose order does not count.
fn name_of<'a>(mut words: impl Iterator<Item = &'a [u8]>) -> [u8; 16] {
    let mut sum: u128 = 0;
    while let Some(name) = words.next() {
        let mut hash = Xxh3::new();
        hash.update(&name.len().to_le_bytes());
        hash.update(name);
        hash.update(words.next().unwrap_or_default());
        sum = sum.wrapping_add(hash.digest128());
    }
    sum.to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_without_names_are_known_by_their_fields() {
        let name = |text: &str| name_of(text.split(' ').map(str::as_bytes));
        assert_eq!(name("a b c d"), name("c d a b"));
        let others = ["a d c b", "ab cd", "a bcd", "a b", "a b a b", "a b a b a b"];
        for (index, one) in others.iter().enumerate() {
            assert_ne!(name("a b c d"), name(one));
            for other in others.iter().skip(index + 1) {
                assert_ne!(name(one), name(other));
            }
        }
    }
}
