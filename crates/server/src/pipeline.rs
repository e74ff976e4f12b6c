//! From bytes in a read buffer to replies in an output buffer: the way of a command.
//!
//! Commands are run in batches. Up to [`AHEAD`] commands that lie in the buffer are parsed and their
//! keys hashed, which starts to load the heads of their shards; a second pass starts to load the
//! buckets, a third the entries; then the commands run, each finding in the cache what it needs.
//!
//! A shard that a command has borrowed stays in hand for the next command if that one wants the same,
//! and goes back at the end of the batch at the latest. Nothing here waits: where a command must, or
//! takes long, the run ends with a [`Step`] that says so, and the connection calls again.

use std::ops::Range;

use commands::spec::Flags;
use commands::{Args, Context, Failure, Handler, KeyAt, Shards};
use keyspace::Key;
use keyspace::shards::{HeldSet, HeldShard, all_shards};
use protocol::error::ProtocolError;
use protocol::reply::Reply;
use protocol::request::{Arg, Limits, Parsed, Parser};
use smallvec::SmallVec;
use std::time::Duration;
use table::peek::Probe;

use crate::panic;
use crate::registry::{Registered, Run};
use crate::server::{Server, now_ms};
use crate::session::{Call, Flow, Session, Work};

/// Commands parsed before the first of them runs.
const AHEAD: usize = 32;
/// Keys that are prefetched for one batch.
const PREFETCH_MAX: usize = 256;
/// A command with more keys runs in the worker pool.
const KEYS_INLINE_MAX: usize = 4096;
/// Replies are sent when there are so many bytes of them, before the next command runs.
const OUTPUT_SLICE: usize = 256 * 1024;

/// How a run ended.
pub enum Step {
    /// All whole commands were run; more bytes are needed.
    Read,
    /// The output must be sent before the next command runs.
    Flush,
    /// The next command needs these shards, of which one is busy.
    Borrow(Vec<u16>),
    /// The worker pool makes the next reply.
    Detach(Job),
    /// The next reply is an OK after this time.
    Sleep(Duration),
    /// The connection ends when the output is sent.
    Close,
}

/// What is left of a connection's parsing from one run to the next.
#[derive(Default)]
pub struct Progress {
    parser: Parser,
    partial: Vec<Arg>,
}

/// A command's work for the worker pool.
pub struct Job {
    work: Detached,
    resp3: bool,
}

enum Detached {
    Work(Work),
    Command { handler: Handler, name: &'static str, db: u16, words: OwnedWords, set: HeldSet },
}

struct OwnedWords {
    bytes: Vec<u8>,
    args: Vec<Arg>,
    keys: Vec<KeyAt>,
}

impl Job {
    /// Whether the job holds shards already; it then waits for no others.
    pub fn holds_shards(&self) -> bool {
        matches!(&self.work, Detached::Command { set, .. } if !set.is_empty())
    }

    /// Does the work on a thread that may wait, and returns the reply.
    pub fn run(self, server: &'static Server) -> Vec<u8> {
        let mut out = Vec::new();
        let reply = Reply::new(&mut out, self.resp3);
        match self.work {
            Detached::Work(work) => {
                let mut reply = reply;
                work(&mut reply);
            }
            Detached::Command { handler, name, db, words, mut set } => {
                panic::note(name, words.keys.first());
                let mut context = Context {
                    keyspace: server.keyspace,
                    args: Args::new(&words.bytes, &words.args),
                    keys: &words.keys,
                    shards: if set.is_empty() { Shards::None } else { Shards::Set(&mut set) },
                    reply,
                    now_ms: now_ms(),
                    db,
                    name,
                    may_wait: true,
                };
                if let Err(failure) = handler(&mut context) {
                    context.reply.error(&failure.to_string());
                }
            }
        }
        memory::publish();
        out
    }
}

/// The memory that a thread parses into, used again for each batch.
#[derive(Default)]
pub struct Batch {
    args: Vec<Arg>,
    keys: Vec<KeyAt>,
    calls: Vec<Pending>,
    /// Words of inline commands, which are not in the input as they are meant.
    inline: Vec<u8>,
}

/// A parsed command.
struct Pending {
    command: Option<&'static Registered>,
    /// Its bytes in the input.
    bytes: Range<usize>,
    args: Range<usize>,
    keys: Range<usize>,
    /// Whether its words are in `Batch::inline`.
    inline: bool,
}

/// What a run works on.
pub struct Pipeline<'a> {
    /// The server.
    pub server: &'static Server,
    /// The thread's parsing memory.
    pub batch: &'a mut Batch,
    /// The connection.
    pub session: &'a mut Session,
    /// Its parsing from the last run.
    pub progress: &'a mut Progress,
    /// Where replies go.
    pub output: &'a mut Vec<u8>,
    /// The shards that the first command waited for.
    pub granted: Option<HeldSet>,
}

/// Shards from one command of a batch to the next.
struct Hand {
    one: Option<(u16, HeldShard)>,
    granted: Option<HeldSet>,
}

impl Pipeline<'_> {
    /// Runs the commands in `input`, whose first byte begins a command. Returns how many bytes were
    /// used up, and why it ended.
    pub fn run(mut self, input: &[u8]) -> (usize, Step) {
        let mut position = 0;
        loop {
            let (end, error) = self.parse(input, position);
            if self.batch.calls.is_empty() {
                return match error {
                    Some(error) => {
                        Reply::new(self.output, self.session.resp3).protocol_error(error);
                        (input.len(), Step::Close)
                    }
                    None => (end, Step::Read),
                };
            }
            self.prefetch();
            if let Err((end, step)) = self.execute(input) {
                *self.progress = Progress::default();
                return (end, step);
            }
            position = end;
        }
    }

    /// Parses commands from `position` on. Returns where the last whole one ends. After an error
    /// the commands before it are run first, and the error is found again.
    fn parse(&mut self, input: &[u8], mut position: usize) -> (usize, Option<ProtocolError>) {
        let batch = &mut *self.batch;
        batch.calls.clear();
        batch.keys.clear();
        batch.inline.clear();
        batch.args.clear();
        std::mem::swap(&mut batch.args, &mut self.progress.partial);
        // Before login each command may change what the next may be.
        let (limits, ahead) = if self.session.authenticated {
            (Limits::LOGGED_IN, AHEAD)
        } else {
            (Limits::BEFORE_LOGIN, 1)
        };
        let mut first = 0;
        while batch.calls.len() < ahead {
            let rest = &input[position..];
            match self.progress.parser.parse(rest, &limits, &mut batch.args) {
                Ok(Parsed::Command { consumed }) => {
                    if batch.args.len() > first {
                        let bytes = position..position + consumed;
                        batch.add(self.server, input, bytes, first, false);
                        first = batch.args.len();
                    }
                    position += consumed;
                }
                Ok(Parsed::Inline { consumed, args }) => {
                    if !args.is_empty() {
                        let bytes = position..position + consumed;
                        batch.add_inline(self.server, input, bytes, &args);
                        first = batch.args.len();
                    }
                    position += consumed;
                }
                Ok(Parsed::Incomplete) => {
                    self.progress.partial.extend_from_slice(&batch.args[first..]);
                    return (position, None);
                }
                Err(error) => {
                    self.progress.parser = Parser::default();
                    return (position, Some(error));
                }
            }
        }
        (position, None)
    }

    /// The second and the third pass: buckets, then entries.
    fn prefetch(&self) {
        let keys = &self.batch.keys[..self.batch.keys.len().min(PREFETCH_MAX)];
        if keys.len() < 2 || self.session.db != 0 {
            return;
        }
        let guard = crossbeam_epoch::pin();
        let mut probes: SmallVec<[Option<Probe<'_>>; AHEAD]> = SmallVec::new();
        for key in keys {
            let shard = key.slot / keyspace::slot::SLOTS_PER_SHARD;
            let peek = self.server.keyspace.peek(shard);
            probes.push(peek.prefetch_bucket(key.hash, &guard));
        }
        for probe in probes.into_iter().flatten() {
            probe.prefetch_item();
        }
    }

    /// The last pass: runs the batch. An error says where in the input to go on, and why it stopped.
    fn execute(&mut self, input: &[u8]) -> Result<(), (usize, Step)> {
        let now_ms = now_ms();
        let mut hand = Hand { one: None, granted: self.granted.take() };
        let mut ended = Ok(());
        let (mut count, mut last) = (0, 0);
        for index in 0..self.batch.calls.len() {
            if self.output.len() >= OUTPUT_SLICE {
                ended = Err((self.batch.calls[index].bytes.start, Step::Flush));
                break;
            }
            if let Some(command) = self.batch.calls[index].command {
                last = command.index;
            }
            count += 1;
            if let Err(step) = self.call(index, input, &mut hand, now_ms) {
                let bytes = &self.batch.calls[index].bytes;
                let again = matches!(step, Step::Borrow(_));
                ended = Err((if again { bytes.start } else { bytes.end }, step));
                break;
            }
        }
        let client = &self.session.client;
        client.note_batch(last, count, now_ms);
        self.server.note_commands(client.thread, count);
        ended
    }

    /// Runs one command.
    #[inline]
    fn call(
        &mut self,
        index: usize,
        input: &[u8],
        hand: &mut Hand,
        now_ms: u64,
    ) -> Result<(), Step> {
        let call = &self.batch.calls[index];
        let bytes = if call.inline { &self.batch.inline[..] } else { &input[call.bytes.clone()] };
        let args = Args::new(bytes, &self.batch.args[call.args.clone()]);
        let Some(command) = call.command else {
            self.refuse(&unknown_command(self.server, args));
            return Ok(());
        };
        if !command.spec.accepts(args.len()) {
            self.refuse(&Failure::Arity(command.name.into()).to_string());
            return Ok(());
        }
        if !self.session.authenticated && !command.is(Flags::NO_AUTH) {
            self.refuse("NOAUTH Authentication required.");
            return Ok(());
        }
        let keys = &self.batch.keys[call.keys.clone()];
        panic::note(command.name, keys.first());
        match command.run {
            Run::Data(handler) => {
                let data = DataCall { server: self.server, command, handler, args, keys, now_ms };
                data.run(self.session, hand, self.output, || owned(bytes, args, keys))
            }
            Run::Session(handler) => {
                // Such commands may look at all shards, so they find none of them taken by us.
                hand.one = None;
                let resp3 = self.session.resp3;
                let start = self.output.len();
                let reply = Reply::new(self.output, resp3);
                let session = &mut *self.session;
                let mut call = Call { server: self.server, session, args, reply, now_ms };
                match handler(&mut call) {
                    Ok(Flow::Next) => Ok(()),
                    Ok(Flow::Close) => Err(Step::Close),
                    Ok(Flow::Sleep(time)) => Err(Step::Sleep(time)),
                    Ok(Flow::Work(work)) => {
                        Err(Step::Detach(Job { work: Detached::Work(work), resp3 }))
                    }
                    Err(failure) => {
                        self.output.truncate(start);
                        self.refuse(&failure.to_string());
                        Ok(())
                    }
                }
            }
        }
    }

    #[cold]
    fn refuse(&mut self, error: &str) {
        Reply::new(self.output, self.session.resp3).error(error);
    }
}

/// A command on data, about to run.
struct DataCall<'a> {
    server: &'static Server,
    command: &'static Registered,
    handler: Handler,
    args: Args<'a>,
    keys: &'a [KeyAt],
    now_ms: u64,
}

impl<'a> DataCall<'a> {
    #[inline]
    fn run(
        self,
        session: &Session,
        hand: &mut Hand,
        output: &mut Vec<u8>,
        owned: impl FnOnce() -> OwnedWords,
    ) -> Result<(), Step> {
        let mut set = None;
        let shards = match (self.keys, hand.granted.take()) {
            (_, Some(granted)) => Shards::Set(set.insert(granted)),
            ([key], None) if !self.command.is(Flags::LONG) => {
                Shards::One(self.take_one(shard_of(key), hand)?)
            }
            ([], None) if !self.command.is(Flags::WHOLE_KEYSPACE) => {
                hand.one = None;
                Shards::None
            }
            _ => Shards::Set(set.insert(self.take_set(hand)?)),
        };
        let long = self.command.is(Flags::LONG) || self.keys.len() > KEYS_INLINE_MAX;
        let start = output.len();
        let outcome = if long {
            drop(shards);
            Err(Failure::Detach)
        } else {
            let mut context = Context {
                keyspace: self.server.keyspace,
                args: self.args,
                keys: self.keys,
                shards,
                reply: Reply::new(output, session.resp3),
                now_ms: self.now_ms,
                db: session.db,
                name: self.command.name,
                may_wait: false,
            };
            (self.handler)(&mut context)
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(Failure::Detach) => {
                output.truncate(start);
                let one = hand.one.take().map(|(number, shard)| HeldSet::of_one(number, shard));
                let work = Detached::Command {
                    handler: self.handler,
                    name: self.command.name,
                    db: session.db,
                    words: owned(),
                    set: set.or(one).unwrap_or_default(),
                };
                Err(Step::Detach(Job { work, resp3: session.resp3 }))
            }
            Err(failure) => {
                output.truncate(start);
                Reply::new(output, session.resp3).error(&failure.to_string());
                Ok(())
            }
        }
    }

    /// The shard of the only key: the one in hand, or another instead of it.
    #[inline]
    fn take_one<'h>(
        &self,
        number: u16,
        hand: &'h mut Hand,
    ) -> Result<&'h mut keyspace::Shard, Step> {
        if !matches!(&hand.one, Some((held, _)) if *held == number) {
            hand.one = None;
            let Some(shard) = self.server.keyspace.try_borrow(number) else {
                return Err(Step::Borrow(vec![number]));
            };
            hand.one = Some((number, shard));
        }
        match &mut hand.one {
            Some((_, shard)) => Ok(shard),
            None => unreachable!("just taken"),
        }
    }

    /// All shards of several keys, or of the keyspace.
    fn take_set(&self, hand: &mut Hand) -> Result<HeldSet, Step> {
        hand.one = None;
        let mut numbers: SmallVec<[u16; 32]> = SmallVec::new();
        let wanted: &[u16] = if self.command.is(Flags::WHOLE_KEYSPACE) {
            all_shards()
        } else {
            numbers.extend(self.keys.iter().map(shard_of));
            numbers.sort_unstable();
            numbers.dedup();
            &numbers
        };
        let set = self.server.keyspace.try_borrow_set(wanted);
        set.map_err(|_| Step::Borrow(wanted.to_vec()))
    }
}

impl Batch {
    /// Adds a parsed command whose words, from `first` on, are ranges of its bytes in the input.
    #[inline]
    fn add(
        &mut self,
        server: &'static Server,
        input: &[u8],
        bytes: Range<usize>,
        first: usize,
        inline: bool,
    ) {
        let words = if inline { &self.inline[..] } else { &input[bytes.clone()] };
        let args = Args::new(words, &self.args[first..]);
        let mut command = server.registry.find(args.get(0));
        if let Some(container) = command.filter(|c| !c.subcommands.is_empty() && args.len() > 1) {
            command = container.subcommand(args.get(1));
        }
        let first_key = self.keys.len();
        if let Some(command) = command {
            let keys = &mut self.keys;
            command.key_words(
                args.len(),
                |index| args.get(index),
                |word, _| {
                    let Key { slot, hash, .. } = server.keyspace.key(args.get(word));
                    let key = KeyAt { word: word as u32, slot, hash };
                    server.keyspace.prefetch(shard_of(&key));
                    keys.push(key);
                },
            );
        }
        let keys = first_key..self.keys.len();
        self.calls.push(Pending { command, bytes, args: first..self.args.len(), keys, inline });
    }

    /// Adds an inline command.
    #[cold]
    fn add_inline(
        &mut self,
        server: &'static Server,
        input: &[u8],
        bytes: Range<usize>,
        words: &[Vec<u8>],
    ) {
        let first = self.args.len();
        for word in words {
            // An inline line has at most 64 KiB, and a batch 32 of them.
            self.args.push(Arg { start: self.inline.len() as u32, len: word.len() as u32 });
            self.inline.extend_from_slice(word);
        }
        self.add(server, input, bytes, first, true);
    }
}

#[inline]
fn shard_of(key: &KeyAt) -> u16 {
    key.slot / keyspace::slot::SLOTS_PER_SHARD
}

fn owned(bytes: &[u8], args: Args<'_>, keys: &[KeyAt]) -> OwnedWords {
    OwnedWords { bytes: bytes.to_vec(), args: args.ranges().to_vec(), keys: keys.to_vec() }
}

/// The text for a command, or a subcommand, that does not exist.
fn unknown_command(server: &Server, args: Args<'_>) -> String {
    const SHOWN_MAX: usize = 128;
    let shown = |word: &[u8], max: usize| {
        String::from_utf8_lossy(&word[..word.len().min(max)]).into_owned()
    };
    if let Some(container) = server.registry.find(args.get(0)) {
        let name = container.name.to_ascii_uppercase();
        let sub = shown(args.get(1), SHOWN_MAX);
        return format!("ERR unknown subcommand '{sub}'. Try {name} HELP.");
    }
    let mut rest = String::new();
    for word in args.from(1) {
        if rest.len() >= SHOWN_MAX {
            break;
        }
        let word = shown(word, SHOWN_MAX - rest.len());
        rest.push_str(&format!("'{word}' "));
    }
    let name = shown(args.get(0), SHOWN_MAX);
    format!("ERR unknown command '{name}', with args beginning with: {rest}")
}
