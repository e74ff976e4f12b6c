//! XREAD, and the options that it shares with XREADGROUP.

use protocol::number::parse_i64;
use protocol::reply::{Counted, Reply};
use values::stream::{Id, Item, Stream};
use values::typed::Streams;

use super::ids;
use super::range::reply_entry;
use crate::context::{Args, Budget};
use crate::{Context, Failure, Outcome};

/// How much a call may show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caps {
    /// Entries of each stream.
    pub count: usize,
    /// Entries of all streams.
    pub total: usize,
    /// Bytes of the reply behind which no entry follows.
    pub bytes: usize,
}

/// A call of XREAD or XREADGROUP.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    /// How much is shown.
    pub caps: Caps,
    /// The group and the consumer.
    pub group: Option<(&'a [u8], &'a [u8])>,
    /// For how long others must have had an entry so that it is claimed, in milliseconds.
    pub claim: Option<u64>,
    /// Whether entries do not become pending.
    pub no_ack: bool,
    /// The word of the first key.
    pub first: usize,
    /// How many keys there are; as many ids follow.
    pub keys: usize,
}

impl<'a> Request<'a> {
    /// Reads the words behind the name; `of_group` says that this is XREADGROUP.
    pub fn parse(args: Args<'a>, of_group: bool) -> Result<Self, Failure> {
        let mut request = Self {
            caps: Caps { count: usize::MAX, total: usize::MAX, bytes: usize::MAX },
            group: None,
            claim: None,
            no_ack: false,
            first: 0,
            keys: 0,
        };
        let mut index: usize = 1;
        while index < args.len() {
            if request.take_streams(args, index, of_group)? {
                request.check()?;
                return Ok(request);
            }
            index = index.saturating_add(request.take(args, index, of_group)?);
        }
        Err(Failure::Syntax)
    }

    /// Takes STREAMS and all that follows, if it is that.
    fn take_streams(
        &mut self,
        args: Args<'a>,
        index: usize,
        of_group: bool,
    ) -> Result<bool, Failure> {
        let words = args.len().saturating_sub(index).saturating_sub(1);
        if words == 0 || !args.get(index).eq_ignore_ascii_case(b"streams") {
            return Ok(false);
        }
        if !words.is_multiple_of(2) {
            return Err(Failure::text(if of_group {
                "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' \
                 must be specified."
            } else {
                "ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' \
                 must be specified."
            }));
        }
        self.first = index.saturating_add(1);
        self.keys = words / 2;
        Ok(true)
    }

    /// Takes the option at `index`; returns how many words it has.
    fn take(&mut self, args: Args<'a>, index: usize, of_group: bool) -> Result<usize, Failure> {
        let word = args.get(index);
        let value = args.get(index.saturating_add(1));
        let behind = args.len().saturating_sub(index).saturating_sub(1);
        let is = |option: &str| word.eq_ignore_ascii_case(option.as_bytes());
        let only = |text| if of_group { Ok(()) } else { Err(Failure::text(text)) };
        if is("count") && behind > 0 {
            let count = parse_i64(value).ok_or(Failure::NotInteger)?;
            self.caps.count = match usize::try_from(count) {
                Ok(count @ 1..) => count,
                _ => usize::MAX,
            };
        } else if is("maxcount") && behind > 0 {
            let failure = Failure::text("ERR MAXCOUNT must be a positive integer");
            self.caps.total = positive(value).ok_or(failure)?;
        } else if is("maxsize") && behind > 0 {
            let failure = Failure::text("ERR MAXSIZE must be a positive integer");
            self.caps.bytes = positive(value).ok_or(failure)?;
        } else if is("group") && behind > 1 {
            only(
                "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
            )?;
            self.group = Some((value, args.get(index.saturating_add(2))));
            return Ok(3);
        } else if is("noack") {
            only(
                "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
            )?;
            self.no_ack = true;
            return Ok(1);
        } else if is("claim") && behind > 0 {
            only(
                "ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead.",
            )?;
            let no_integer = Failure::text("ERR min-idle-time is not an integer or out of range");
            let negative = Failure::text("ERR min-idle-time must be a positive integer");
            let idle = parse_i64(value).ok_or(no_integer)?;
            self.claim = Some(u64::try_from(idle).map_err(|_| negative)?);
        } else {
            return Err(Failure::Syntax);
        }
        Ok(2)
    }

    fn check(&self) -> Outcome {
        let Caps { count, total, .. } = self.caps;
        if count != usize::MAX && total < count {
            return Err(Failure::text("ERR MAXCOUNT must be greater than or equal to COUNT"));
        }
        Ok(())
    }

    /// The word of the id that belongs to a key, whose number it is.
    pub fn id<'w>(&self, args: Args<'w>, key: usize) -> &'w [u8] {
        args.get(self.first.saturating_add(self.keys).saturating_add(key))
    }
}

fn positive(word: &[u8]) -> Option<usize> {
    parse_i64(word).and_then(|number| usize::try_from(number).ok()).filter(|number| *number > 0)
}

/// How much may still be replied.
///
/// A size is reached, not kept: the entry that goes beyond it is the last one, and one is shown
/// however large it is.
pub(super) struct Room {
    entries: usize,
    bytes: usize,
    start: usize,
    is_empty: bool,
}

impl Room {
    /// What may be replied from here on.
    pub fn new(caps: Caps, reply: &Reply<'_>) -> Self {
        Self { entries: caps.total, bytes: caps.bytes, start: reply.len(), is_empty: true }
    }

    /// How many entries may follow; none if the reply is long enough.
    pub fn entries(&self, reply: &Reply<'_>) -> usize {
        let is_full = !self.is_empty && self.used(reply) >= self.bytes;
        if is_full { 0 } else { self.entries }
    }

    /// Bytes that were replied since it was made.
    pub fn used(&self, reply: &Reply<'_>) -> usize {
        reply.len().saturating_sub(self.start)
    }

    /// Takes the room of an entry, if there is one. To be asked before each entry is written.
    #[inline]
    pub fn take(&mut self, reply: &Reply<'_>) -> bool {
        let is_free = self.entries(reply) > 0;
        if is_free {
            self.entries = self.entries.saturating_sub(1);
            self.is_empty = false;
        }
        is_free
    }
}

/// A reply with the entries of several streams, as far as it may go.
pub(super) struct Shown<'r, 'o> {
    reply: &'r mut Reply<'o>,
    /// Entries of each stream, at most.
    count: usize,
    room: Room,
    budget: Budget,
    entries: usize,
    keys: usize,
}

impl<'r, 'o> Shown<'r, 'o> {
    /// Writes what `with` shows, or that there is nothing.
    pub fn reply(
        reply: &'r mut Reply<'o>,
        caps: Caps,
        budget: Budget,
        keys: usize,
        with: impl FnOnce(&mut Shown<'_, 'o>) -> Outcome,
    ) -> Outcome {
        let items = if reply.is_resp3() { Counted::Map } else { Counted::Array };
        let start = reply.len();
        let (count, room) = (caps.count, Room::new(caps, reply));
        let shown = reply.counted(items, keys, |reply| {
            let mut shown = Shown { reply, count, room, budget, entries: 0, keys: 0 };
            with(&mut shown)?;
            Ok(shown.keys)
        })?;
        if shown == 0 {
            reply.truncate(start);
            reply.null_array();
        }
        Ok(())
    }

    /// Shows entries of a stream; what is left of the caps may cut them short. A stream without any
    /// is not shown.
    pub fn stream<'s>(
        &mut self,
        key: &[u8],
        expected: usize,
        entries: impl Iterator<Item = Item<'s>>,
    ) -> Outcome {
        let Self { count, budget, room, .. } = self;
        let mark = self.reply.len();
        if !self.reply.is_resp3() {
            self.reply.array(2);
        }
        self.reply.bulk(key);
        let before = self.entries;
        let expected = expected.min(*count).min(room.entries(self.reply));
        let count = self.reply.counted(Counted::Array, expected, |reply| {
            let mut shown: usize = 0;
            for entry in entries.take(*count) {
                if !room.take(reply) {
                    break;
                }
                shown = shown.saturating_add(1);
                budget.allow(before.saturating_add(shown))?;
                budget.allow_copy(room.used(reply))?;
                reply_entry(reply, entry);
            }
            Ok(shown)
        })?;
        self.entries = before.saturating_add(count);
        if count == 0 {
            self.reply.truncate(mark);
        } else {
            self.keys = self.keys.saturating_add(1);
        }
        Ok(())
    }
}

pub(super) fn xread(ctx: &mut Context<'_>) -> Outcome {
    let request = Request::parse(ctx.args, false)?;
    let (keys, args, budget) = (ctx.keys, ctx.args, ctx.budget());
    let (sources, reply) = ctx.sources(0);
    Shown::reply(reply, request.caps, budget, request.keys, |shown| {
        for (number, at) in keys.iter().enumerate() {
            let key = at.of(args);
            let stream = sources.get::<Streams>(&key)?.map(|stream| stream.stream());
            let after = after(stream, request.id(args, number))?;
            if let Some(stream) = stream
                && stream.last_entry_id().is_some_and(|last| last > after)
                && let Some(first) = after.next()
            {
                shown.stream(key.bytes, stream.len(), stream.range(first, Id::MAX))?;
            }
        }
        Ok(())
    })
}

/// The id after which a stream's entries are wanted.
fn after(stream: Option<&Stream>, word: &[u8]) -> Result<Id, Failure> {
    match word {
        b"$" => Ok(stream.map_or(Id::MIN, Stream::last_id)),
        b"+" => {
            Ok(stream.and_then(Stream::last_entry_id).and_then(Id::previous).unwrap_or(Id::MIN))
        }
        b">" => Err(Failure::text(
            "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> \
             <consumer> option.",
        )),
        _ => ids::exact(word, 0),
    }
}
