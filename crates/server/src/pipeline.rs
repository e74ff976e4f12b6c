//! From bytes in a read buffer to replies in an output buffer: the way of a command.
//!
//! Commands are run in batches, which may come from one connection or from many that were readable
//! together. Those of a batch are parsed first and their keys hashed, which starts to load the
//! heads of their shards; a second pass starts to load the buckets, a third the entries; then the
//! commands run, each finding in the cache what it needs.
//!
//! ```text
//! sources   | connection 7: bytes | connection 9: bytes | connection 4: bytes …
//! batch     | GET SET GET         | INCR                | GET GET (and more in the next batch)
//! output    | replies …           sent when a source is used up, in one write
//! ```
//!
//! A shard that a command has borrowed stays in hand for the next command if that one wants the
//! same, and goes back before replies are sent at the latest. Nothing here waits: where a command
//! must, or takes long, its connection's run ends with a [`Step`] that says so.

use std::ops::Range;
use std::time::Duration;

use commands::failure::shown;
use commands::spec::Flags;
use commands::{Args, Context, Failure, Handler, KeyAt, Shards};
use keyspace::Key;
use keyspace::shards::{HeldSet, HeldShard, all_shards};
use keyspace::slot::SLOTS_PER_SHARD;
use protocol::error::ProtocolError;
use protocol::reply::Reply;
use protocol::request::{Arg, Limits, Parsed, Parser};
use smallvec::SmallVec;
use table::peek::Probe;

use crate::connection::Connection;
use crate::panic;
use crate::registry::{Registered, Run};
use crate::server::{Server, now_ms};
use crate::session::{Call, Flow, Session, Work};

/// Commands in a batch.
const BATCH_MAX: usize = 64;
/// A batch with so many keys takes no more commands: what is prefetched must stay in the
/// first-level cache until it is used, and a key brings three lines of it.
const BATCH_KEYS: usize = 64;
/// Keys that are prefetched for one batch.
const PREFETCH_MAX: usize = 256;
/// A command with more keys runs in the worker pool.
const KEYS_INLINE_MAX: usize = 4096;
/// Replies are sent when there are so many bytes of them, before the next command runs.
const OUTPUT_SLICE: usize = 256 * 1024;
/// Words that begin a line of HTTP. A web page can make a browser send lines to any port, and one
/// of them would be a command.
const BROWSER_WORDS: &[&[u8]] = &[b"post", b"host:"];
const NOT_AUTHENTICATED: Failure = Failure::text("NOAUTH Authentication required.");

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
    Command(Box<DetachedCommand>),
}

/// A command on data with all that it needs to run elsewhere.
struct DetachedCommand {
    handler: Handler,
    name: &'static str,
    db: u16,
    words: OwnedWords,
    set: HeldSet,
}

struct OwnedWords {
    bytes: Vec<u8>,
    args: Vec<Arg>,
    keys: Vec<KeyAt>,
}

impl Job {
    /// Whether the job holds shards already; it then waits for no others.
    pub fn holds_shards(&self) -> bool {
        matches!(&self.work, Detached::Command(command) if !command.set.is_empty())
    }

    /// Does the work on a thread that may wait, and returns the reply.
    pub fn run(self, server: &'static Server) -> Vec<u8> {
        let mut out = Vec::new();
        let mut reply = Reply::new(&mut out, self.resp3);
        match self.work {
            Detached::Work(work) => work(&mut reply),
            Detached::Command(command) => command.run(server, reply),
        }
        keyspace::reclaim::settle();
        out
    }
}

impl DetachedCommand {
    fn run(mut self, server: &'static Server, reply: Reply<'_>) {
        let Self { handler, name, db, words, set } = &mut self;
        panic::note(name, words.keys.first());
        let mut context = Context {
            keyspace: server.keyspace,
            args: Args::new(&words.bytes, &words.args),
            keys: &words.keys,
            shards: if set.is_empty() { Shards::None } else { Shards::Set(set) },
            reply,
            now_ms: now_ms(),
            db: *db,
            name,
            may_wait: true,
        };
        if let Err(failure) = handler(&mut context) {
            failure.write_to(&mut context.reply);
        }
    }
}

/// Parsed commands, in memory that a thread uses again for each batch.
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
    /// Its bytes in its source's input.
    bytes: Range<usize>,
    args: Range<usize>,
    keys: Range<usize>,
    /// Whether its words are in `Batch::inline`.
    inline: bool,
}

/// Where parsing a source ended.
pub enum End {
    /// The batch is full; there may be more commands.
    More,
    /// No whole command is left.
    UsedUp,
    /// What follows is no command.
    Error(ProtocolError),
}

/// Shards from one command of a batch to the next.
#[derive(Default)]
pub struct Hand {
    one: Option<(u16, HeldShard)>,
    granted: Option<HeldSet>,
}

/// The calls of one connection in a batch, about to run.
pub struct Turn<'a> {
    /// The server.
    pub server: &'static Server,
    /// The batch.
    pub batch: &'a Batch,
    /// The connection.
    pub session: &'a mut Session,
    /// The bytes that the calls were parsed from.
    pub input: &'a [u8],
    /// Where replies go.
    pub output: &'a mut Vec<u8>,
    /// The time of these commands.
    pub now_ms: u64,
}

impl Batch {
    /// Forgets the commands.
    pub fn clear(&mut self) {
        self.calls.clear();
        self.keys.clear();
        self.inline.clear();
        self.args.clear();
    }

    /// Commands in the batch.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether no more commands go in.
    pub fn is_full(&self) -> bool {
        self.calls.len() >= BATCH_MAX || self.keys.len() >= BATCH_KEYS
    }

    /// Adds commands of one connection from `position` in `input` on, and moves it behind them.
    pub fn parse(
        &mut self,
        server: &'static Server,
        connection: &mut Connection,
        input: &[u8],
        position: &mut usize,
    ) -> End {
        let Connection { progress, session, .. } = connection;
        let mut first = self.args.len();
        self.args.append(&mut progress.partial);
        // Before login each command may change what the next may be.
        let (limits, end) = if session.authenticated {
            (Limits::LOGGED_IN, BATCH_MAX)
        } else {
            (Limits::BEFORE_LOGIN, self.calls.len() + 1)
        };
        while self.calls.len() < end && !self.is_full() {
            let rest = &input[*position..];
            match progress.parser.parse(rest, &limits, &mut self.args) {
                Ok(Parsed::Command { consumed }) => {
                    let bytes = *position..*position + consumed;
                    *position = bytes.end;
                    if self.args.len() > first {
                        self.add(server, input, bytes, first, false);
                        first = self.args.len();
                    }
                }
                Ok(Parsed::Inline { consumed, args }) => {
                    let bytes = *position..*position + consumed;
                    *position = bytes.end;
                    if !args.is_empty() {
                        self.add_inline(server, input, bytes, &args);
                        first = self.args.len();
                    }
                }
                Ok(Parsed::Incomplete) => {
                    progress.partial.extend(self.args.drain(first..));
                    return End::UsedUp;
                }
                Err(error) => {
                    progress.parser = Parser::default();
                    return End::Error(error);
                }
            }
        }
        End::More
    }

    /// The second and the third pass: buckets, then entries.
    pub fn prefetch(&self, server: &Server) {
        let keys = &self.keys[..self.keys.len().min(PREFETCH_MAX)];
        if keys.len() < 2 {
            return;
        }
        let guard = crossbeam_epoch::pin();
        let mut probes: SmallVec<[Option<Probe<'_>>; BATCH_MAX]> = SmallVec::new();
        for key in keys {
            let peek = server.keyspace.peek(shard_of(key));
            probes.push(peek.prefetch_bucket(key.hash, &guard));
        }
        for probe in probes.into_iter().flatten() {
            probe.prefetch_item();
        }
    }
}

impl Turn<'_> {
    /// Runs the calls in `range`. An error says where in the input to go on, and why it stopped.
    pub fn run(&mut self, range: Range<usize>, hand: &mut Hand) -> Result<(), (usize, Step)> {
        let batch = self.batch;
        let (mut count, mut last) = (0, None);
        let mut ended = Ok(());
        for call in &batch.calls[range] {
            if self.output.len() >= OUTPUT_SLICE {
                ended = Err((call.bytes.start, Step::Flush));
                break;
            }
            let step = self.call(call, hand).err();
            if let Some(step @ Step::Borrow(_)) = step {
                // It is run again, and counts then.
                ended = Err((call.bytes.start, step));
                break;
            }
            last = call.command;
            count += 1;
            if let Some(step) = step {
                ended = Err((call.bytes.end, step));
                break;
            }
        }
        if count > 0 {
            let client = &self.session.client;
            client.note_command(last.map(|command| command.index), self.now_ms);
            client.note_count(count);
            self.server.note_commands(client.thread, count);
        }
        ended
    }

    /// Runs one command.
    #[inline]
    fn call(&mut self, call: &Pending, hand: &mut Hand) -> Result<(), Step> {
        let batch = self.batch;
        let bytes = if call.inline { &batch.inline[..] } else { &self.input[call.bytes.clone()] };
        let args = Args::new(bytes, &batch.args[call.args.clone()]);
        let Some(command) = call.command else { return self.refuse_unknown(args) };
        if !command.spec.accepts(args.len()) {
            self.refuse(&Failure::Arity(command.name.into()));
            return Ok(());
        }
        if !self.session.authenticated && !command.is(Flags::NO_AUTH) {
            self.refuse(&NOT_AUTHENTICATED);
            return Ok(());
        }
        let keys = &batch.keys[call.keys.clone()];
        panic::note(command.name, keys.first());
        match command.run {
            Run::Data(handler) => {
                let (server, now_ms) = (self.server, self.now_ms);
                let data = DataCall { server, command, handler, args, keys, now_ms };
                data.run(self.session, hand, self.output, || owned(bytes, args, keys))
            }
            Run::Session(handler) => {
                // Such a command may look at all shards, so it finds none of them taken by us.
                hand.one = None;
                self.session.client.note_command(Some(command.index), self.now_ms);
                self.call_session(handler, args)
            }
        }
    }

    fn call_session(
        &mut self,
        handler: crate::session::SessionHandler,
        args: Args<'_>,
    ) -> Result<(), Step> {
        let resp3 = self.session.resp3;
        let start = self.output.len();
        let reply = Reply::new(self.output, resp3);
        let (server, now_ms) = (self.server, self.now_ms);
        let mut call = Call { server, session: self.session, args, reply, now_ms };
        match handler(&mut call) {
            Ok(Flow::Next) => Ok(()),
            Ok(Flow::Close) => Err(Step::Close),
            Ok(Flow::Sleep(time)) => Err(Step::Sleep(time)),
            Ok(Flow::Work(work)) => Err(Step::Detach(Job { work: Detached::Work(work), resp3 })),
            Err(failure) => {
                self.output.truncate(start);
                self.refuse(&failure);
                Ok(())
            }
        }
    }

    #[cold]
    fn refuse(&mut self, failure: &Failure) {
        failure.write_to(&mut Reply::new(self.output, self.session.resp3));
    }

    /// Tells that a command does not exist, unless a web browser sent it: that one gets no answer.
    #[cold]
    fn refuse_unknown(&mut self, args: Args<'_>) -> Result<(), Step> {
        if BROWSER_WORDS.iter().any(|word| args.get(0).eq_ignore_ascii_case(word)) {
            log::warn!(
                "Possible SECURITY ATTACK detected: {} speaks HTTP, as a browser does that a web \
                 page has sent here. The connection is closed.",
                self.session.client.addr
            );
            return Err(Step::Close);
        }
        self.refuse(&unknown_command(self.server, args));
        Ok(())
    }
}

impl Hand {
    /// Puts the shards that a connection has waited for in hand, for its first call.
    pub fn grant(&mut self, granted: Option<HeldSet>) {
        self.granted = granted;
    }

    /// Gives all shards back.
    pub fn let_go(&mut self) {
        *self = Self::default();
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
                let work = Detached::Command(Box::new(DetachedCommand {
                    handler: self.handler,
                    name: self.command.name,
                    db: session.db,
                    words: owned(),
                    set: set.or(one).unwrap_or_default(),
                }));
                Err(Step::Detach(Job { work, resp3: session.resp3 }))
            }
            Err(failure) => {
                output.truncate(start);
                failure.write_to(&mut Reply::new(output, session.resp3));
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
    key.slot / SLOTS_PER_SHARD
}

fn owned(bytes: &[u8], args: Args<'_>, keys: &[KeyAt]) -> OwnedWords {
    OwnedWords { bytes: bytes.to_vec(), args: args.ranges().to_vec(), keys: keys.to_vec() }
}

/// The failure of a command, or a subcommand, that does not exist.
fn unknown_command(server: &Server, args: Args<'_>) -> Failure {
    const SHOWN_MAX: usize = 128;
    let cut = |word, max| {
        let word = shown(word);
        &word[..word.len().min(max)]
    };
    if let Some(container) = server.registry.find(args.get(0)) {
        let after = format!("'. Try {} HELP.", container.name.to_ascii_uppercase());
        return Failure::quoting("ERR unknown subcommand '", cut(args.get(1), SHOWN_MAX), &after);
    }
    let mut rest = Vec::new();
    for word in args.from(1) {
        if rest.len() >= SHOWN_MAX {
            break;
        }
        let word = cut(word, SHOWN_MAX - rest.len());
        rest.extend_from_slice(&[b"'", word, b"' "].concat());
    }
    let name = cut(args.get(0), SHOWN_MAX);
    let between: &[u8] = b"', with args beginning with: ";
    Failure::Bytes([b"ERR unknown command '", name, between, &rest].concat())
}
