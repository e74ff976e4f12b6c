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
use std::sync::Arc;
use std::time::Duration;

use commands::failure::shown;
use commands::spec::Flags;
use commands::{Args, Context, Failure, Handler, KeyAt, Reads, Shards};
use keyspace::Key;
use keyspace::shards::{HeldSet, HeldShard, all_shards};
use memory::{Blob, Part};
use protocol::error::ProtocolError;
use protocol::output::Output;
use protocol::reply::Reply;
use protocol::request::{Arg, Limits, Parsed, Parser};
use smallvec::SmallVec;
use table::peek::Probe;

use crate::clients::Client;
use crate::connection::Connection;
use crate::kept::discard_blob;
use crate::panic;
use crate::registry::{Registered, Run};
use crate::server::{Server, now_ms};
use crate::session::{Block, Call, Flow, Session, Work};
use crate::stats::{Moment, Tally, Ticks};
use crate::watch::{Done, Watch};

mod ahead;

/// Commands in a batch.
const BATCH_MAX: usize = 64;
/// A batch with so many keys takes no more commands: what is prefetched must stay in the
/// first-level cache until it is used, and a key brings three lines of it.
const BATCH_KEYS: usize = 64;
/// Keys that are prefetched for one batch.
const PREFETCH_MAX: usize = 256;
/// A command with more keys, or more words, runs in the worker pool.
const KEYS_INLINE_MAX: usize = 4096;
const WORDS_INLINE_MAX: usize = 2 * KEYS_INLINE_MAX;
/// Replies are sent when there are so many bytes of them, before the next command runs.
const OUTPUT_SLICE: usize = 256 * 1024;
/// Calls that are timed together at most,
const LAP_CALLS: u32 = 8;
/// and the bytes that one of them and its reply may have.
const LAP_BYTES: usize = 1024;
/// Words that begin a line of HTTP. A web page can make a browser send lines to any port, and one
/// of them would be a command.
const BROWSER_WORDS: &[&[u8]] = &[b"post", b"host:"];
const NOT_AUTHENTICATED: Failure = Failure::text("NOAUTH Authentication required.");
const OUT_OF_MEMORY: Failure =
    Failure::text("OOM command not allowed when used memory > 'maxmemory'.");

/// How a run ended.
pub enum Step {
    /// All whole commands were run; more bytes are needed.
    Read,
    /// The output must be sent before the next command runs.
    Flush,
    /// The next command needs these shards, of which one is busy.
    Borrow(Vec<u16>),
    /// The worker pool makes the next reply.
    Detach(Box<Job>),
    /// The next reply is an OK after this time.
    Sleep(Duration),
    /// The next reply comes when something has happened, or a time is over.
    Block(Block),
    /// Clients are paused: the next command is to be tried again later.
    Pause,
    /// The connection ends when the output is sent.
    Close,
}

/// Why [`Turn::call`] does not simply go on with the next command.
enum Stop {
    /// The command was not run but answered with an error; the next one may run.
    Rejected,
    /// The run ends.
    Step(Step),
}

impl From<Step> for Stop {
    fn from(step: Step) -> Self {
        Self::Step(step)
    }
}

/// What is left of a connection's parsing from one run to the next.
#[derive(Default)]
pub struct Progress {
    parser: Parser,
    partial: Vec<Arg>,
}

impl Progress {
    /// Bytes of the command that has arrived in part which its current argument needs, if known.
    #[inline]
    pub fn wanted(&self) -> usize {
        self.parser.wanted()
    }

    /// About how many bytes of these are the argument itself.
    pub fn wanted_argument(&self) -> usize {
        self.parser.wanted_argument()
    }
}

/// A command with all that it needs to run in the worker pool.
pub struct Job {
    command: &'static Registered,
    words: OwnedWords,
    client: Arc<Client>,
    db: u16,
    resp3: bool,
    work: Detached,
}

#[expect(clippy::large_enum_variant, reason = "a job is boxed as a whole")]
enum Detached {
    /// What is left to do of a command about the server.
    Work(Work),
    /// A command on data with the shards that it holds already, and what it has read.
    Data(Handler, HeldSet, Reads),
}

struct OwnedWords {
    bytes: Blob,
    args: Vec<Arg>,
    keys: Vec<KeyAt>,
}

impl Job {
    /// Whether the job holds shards already; it then waits for no others.
    pub fn holds_shards(&self) -> bool {
        matches!(&self.work, Detached::Data(_, set, _) if !set.is_empty())
    }

    /// Whether it is a command on data.
    pub fn is_command_on_data(&self) -> bool {
        matches!(&self.work, Detached::Data(..))
    }

    /// Does the work on a thread that may wait, and returns the reply.
    pub fn run(self, server: &'static Server) -> Output {
        let Self { command, words, client, db, resp3, work } = self;
        let mut out = Output::default();
        let mut reply = Reply::new(&mut out, resp3);
        let args = Args::new(&words.bytes, &words.args);
        panic::note(command.name, words.keys.first());
        let since = server.stats.now();
        match work {
            Detached::Work(work) => work(&mut reply),
            Detached::Data(handler, mut set, reads) => {
                let mut context = Context {
                    keyspace: server.keyspace,
                    args,
                    block: Some(words.bytes.block()),
                    keys: &words.keys,
                    shards: if set.is_empty() { Shards::None } else { Shards::Set(&mut set) },
                    reads: reads.again(),
                    reply,
                    now_ms: now_ms(),
                    db,
                    name: command.name,
                    settings: &server.config.settings,
                    may_wait: true,
                };
                if let Err(failure) = handler(&mut context) {
                    failure.write_to(&mut context.reply);
                }
            }
        }
        let time = since.until(server.stats.now());
        let done = Done { command, args, keys: &words.keys, client: &client, db, time };
        done.note_in_pool(server, words.bytes.len(), &out);
        discard_blob(words.bytes);
        keyspace::reclaim::settle();
        out
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
    /// Whether its last command may change how the bytes behind it are read: a login or its end.
    is_closed: bool,
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

impl Hand {
    /// The shard of an only key: the one in hand, or another instead of it. Always inlined, as all
    /// commands on one key come here.
    #[inline(always)]
    fn take_one(
        &mut self,
        server: &'static Server,
        number: u16,
    ) -> Result<&mut keyspace::Shard, Step> {
        if !matches!(&self.one, Some((held, _)) if *held == number) {
            self.one = None;
            let Some(shard) = server.keyspace.try_borrow(number) else {
                return Err(Step::Borrow(vec![number]));
            };
            self.one = Some((number, shard));
        }
        match &mut self.one {
            Some((_, shard)) => Ok(shard),
            None => unreachable!("just taken"),
        }
    }
}

/// Calls that are timed together, as reading the clock costs a tenth of a short one: some calls of
/// one short command in a row.
struct Lap {
    tally: Tally<'static>,
    since: Moment,
    calls: u32,
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
    /// The block that they lie in, if values that came in it may keep it.
    pub block: Option<&'a Arc<Vec<u8>>>,
    /// Where replies go.
    pub output: &'a mut Output,
    /// The time of these commands.
    pub now_ms: u64,
    /// What is looked at beside the commands themselves.
    pub watch: Watch,
}

impl Batch {
    /// Forgets the commands.
    pub fn clear(&mut self) {
        self.calls.clear();
        self.keys.clear();
        self.inline.clear();
        self.args.clear();
        self.is_closed = false;
    }

    /// Commands in the batch.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether no more commands go in.
    pub fn is_full(&self) -> bool {
        self.calls.len() >= BATCH_MAX || self.keys.len() >= BATCH_KEYS || self.is_closed
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
        let limits = Limits {
            bulk_len_max: server.config.settings.string_len_max(),
            before_login: !session.authenticated,
            ..Limits::LOGGED_IN
        };
        while !self.is_full() {
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
            let peek = server.keyspace.peek(key.shard());
            probes.push(peek.prefetch_bucket(key.hash, &guard));
        }
        for probe in probes.into_iter().flatten() {
            probe.prefetch_item();
        }
    }
}

impl<'t> Turn<'t> {
    /// Runs the calls in `range`. An error says where in the input to go on, and why it stopped.
    pub fn run(&mut self, range: Range<usize>, hand: &mut Hand) -> Result<(), (usize, Step)> {
        let calls = &self.batch.calls[range];
        let mut lap = Lap::start(self.server, self.session.client.thread);
        let (mut count, mut ended, mut loaded) = (0, Ok(()), 0);
        for (index, call) in calls.iter().enumerate() {
            if self.output.total() >= OUTPUT_SLICE {
                ended = Err((call.bytes.start, Step::Flush));
                break;
            }
            if call.looks_members_up() && index >= loaded {
                loaded = index + self.load_members(&calls[index..], hand);
            }
            let start = self.output.len();
            count += 1;
            match self.call(call, hand) {
                Ok(()) => self.note(&mut lap, call, calls.get(index + 1), start),
                Err(Stop::Rejected) => self.note_rejected(call, start),
                Err(Stop::Step(step @ (Step::Borrow(_) | Step::Pause))) => {
                    // It is run again, and counts then.
                    count -= 1;
                    ended = Err((call.bytes.start, step));
                    break;
                }
                Err(Stop::Step(step)) => {
                    self.note_last(&mut lap, call, start, &step);
                    ended = Err((call.bytes.end, step));
                    break;
                }
            }
        }
        if let Some(last) = calls[..count].last() {
            lap.end(self.server, last.command, &self.watch);
            let client = &self.session.client;
            client.note_command(last.command.map(|command| command.index), self.now_ms);
            client.note_count(count as u64);
        }
        ended
    }

    /// Runs one command.
    #[inline]
    fn call(&mut self, call: &Pending, hand: &mut Hand) -> Result<(), Stop> {
        let batch = self.batch;
        let (bytes, args) = self.words(call);
        let Some(command) = call.command.filter(|_| !call.inline || !is_http(args)) else {
            return self.refuse_unknown(args, call.inline);
        };
        if !command.spec.accepts(args.len()) {
            return self.reject(&Failure::Arity(command.name.into()));
        }
        if !self.session.authenticated && !command.is(Flags::NO_AUTH) {
            return self.reject(&NOT_AUTHENTICATED);
        }
        if self.watch.may_hold_back() {
            if self.watch.is_out_of_memory() && command.is(Flags::DENYOOM) {
                return self.reject(&OUT_OF_MEMORY);
            }
            if self.watch.is_paused(self.server, command, self.now_ms) {
                return Err(Stop::Step(Step::Pause));
            }
        }
        let keys = &batch.keys[call.keys.clone()];
        panic::note(command.name, keys.first());
        match command.run {
            Run::Data(handler) => {
                let (server, now_ms) = (self.server, self.now_ms);
                let block = self.block.filter(|_| !call.inline);
                let data = DataCall { server, command, handler, args, block, keys, now_ms };
                data.run(self.session, hand, self.output, || owned(bytes, block, args, keys))
            }
            Run::Session(handler) => {
                // Such a command may look at all shards, so it finds none of them taken by us.
                hand.one = None;
                self.session.client.note_command(Some(command.index), self.now_ms);
                let block = self.block.filter(|_| !call.inline);
                self.call_session(command, handler, args, || owned(bytes, block, args, keys))
            }
        }
    }

    /// The words of a call, and the bytes in which they lie.
    #[inline]
    fn words(&self, call: &Pending) -> (&'t [u8], Args<'t>) {
        let (batch, input) = (self.batch, self.input);
        let bytes = if call.inline { &batch.inline[..] } else { &input[call.bytes.clone()] };
        (bytes, Args::new(bytes, &batch.args[call.args.clone()]))
    }

    /// Counts a call that was run, now or together with `next` if that is alike.
    #[inline]
    fn note(&mut self, lap: &mut Lap, call: &Pending, next: Option<&Pending>, start: usize) {
        let Some(command) = call.command else { return };
        let bytes = call.bytes.len() | self.output.total_from(start);
        let failed = self.output.get(start) == Some(&b'-');
        lap.calls += 1;
        if command.short
            && lap.calls < LAP_CALLS
            && bytes < LAP_BYTES
            && !failed
            && !self.watch.wants_all()
            && next.is_some_and(|next| next.command.is_some_and(|next| std::ptr::eq(next, command)))
        {
            return;
        }
        let time = lap.end(self.server, Some(command), &self.watch);
        if failed || self.watch.wants(time, bytes) {
            self.note_more(call, command, start, time);
        }
    }

    /// Counts the call after which the run ends with a step.
    #[cold]
    fn note_last(&mut self, lap: &mut Lap, call: &Pending, start: usize, step: &Step) {
        match step {
            // The worker pool counts what it runs.
            Step::Detach(_) => {}
            Step::Sleep(time) => {
                let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
                let time = self.server.stats.micros(us);
                if let Some(command) = call.command {
                    lap.calls += 1;
                    lap.since = lap.since.back_by(time);
                    lap.end(self.server, Some(command), &self.watch);
                    self.note_more(call, command, start, time);
                }
            }
            _ => self.note(lap, call, None, start),
        }
    }

    /// Counts an error, tells those who want to know of a call, takes a reply back that the client
    /// does not want.
    #[cold]
    fn note_more(
        &mut self,
        call: &Pending,
        command: &'static Registered,
        start: usize,
        time: Ticks,
    ) {
        let reply = &self.output[start..];
        if reply.first() == Some(&b'-') {
            let thread = self.session.client.thread;
            self.server.stats.note_error(thread, Some(command.index), false, reply);
        }
        let (bytes, args) = self.words(call);
        let keys = &self.batch.keys[call.keys.clone()];
        let (client, db) = (&self.session.client, self.session.db);
        let done = Done { command, args, keys, client, db, time };
        done.note(self.server, bytes.len(), self.output.total_from(start));
        self.session.mute(self.output, start);
    }

    /// Counts a call that was not run.
    #[cold]
    fn note_rejected(&mut self, call: &Pending, start: usize) {
        let (thread, command) = (self.session.client.thread, call.command.map(|c| c.index));
        self.server.stats.note_error(thread, command, true, &self.output[start..]);
        self.session.mute(self.output, start);
    }

    fn call_session(
        &mut self,
        command: &'static Registered,
        handler: crate::session::SessionHandler,
        args: Args<'_>,
        owned: impl FnOnce() -> OwnedWords,
    ) -> Result<(), Stop> {
        let resp3 = self.session.resp3;
        let start = self.output.len();
        let reply = Reply::new(self.output, resp3);
        let (server, now_ms) = (self.server, self.now_ms);
        let mut call = Call { server, session: self.session, args, reply, now_ms };
        let outcome = handler(&mut call);
        // It may have changed what is to be watched.
        self.watch = Watch::new(server).of(self.session);
        let step = match outcome {
            Ok(Flow::Next) => return Ok(()),
            Ok(Flow::Close) => Step::Close,
            Ok(Flow::Sleep(time)) => Step::Sleep(time),
            Ok(Flow::Block(block)) => Step::Block(block),
            Ok(Flow::Work(work)) => {
                let (client, db) = (self.session.client.clone(), self.session.db);
                let (words, work) = (owned(), Detached::Work(work));
                Step::Detach(Box::new(Job { command, words, client, db, resp3, work }))
            }
            Err(failure) => {
                self.output.truncate(start);
                failure.write_to(&mut Reply::new(self.output, resp3));
                return Ok(());
            }
        };
        Err(Stop::Step(step))
    }

    /// Answers a call that is not run.
    #[cold]
    fn reject(&mut self, failure: &Failure) -> Result<(), Stop> {
        failure.write_to(&mut Reply::new(self.output, self.session.resp3));
        Err(Stop::Rejected)
    }

    /// Tells that a command does not exist, unless a web browser sent it: that one gets no answer.
    #[cold]
    fn refuse_unknown(&mut self, args: Args<'_>, inline: bool) -> Result<(), Stop> {
        let is_browser = BROWSER_WORDS.iter().any(|word| args.get(0).eq_ignore_ascii_case(word))
            || inline && is_http(args);
        if is_browser {
            log::warn!(
                "Possible SECURITY ATTACK detected: {} speaks HTTP, as a browser does that a web \
                 page has sent here. The connection is closed.",
                self.session.client.addr
            );
            return Err(Stop::Step(Step::Close));
        }
        self.reject(&unknown_command(self.server, args))
    }
}

impl Lap {
    /// Begins with no calls.
    #[inline]
    fn start(server: &'static Server, thread: usize) -> Self {
        Self { tally: server.stats.tally(thread), since: server.stats.now(), calls: 0 }
    }

    /// Counts the calls so far, all of one command, and begins anew. Returns what they took.
    #[inline]
    fn end(
        &mut self,
        server: &Server,
        command: Option<&'static Registered>,
        watch: &Watch,
    ) -> Ticks {
        let Some(command) = command.filter(|_| self.calls > 0) else { return Ticks(0) };
        let now = server.stats.now();
        let time = self.since.until(now);
        self.tally.note_calls(command.index, self.calls, time, watch.tracks_times());
        self.since = now;
        self.calls = 0;
        time
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
    block: Option<&'a Arc<Vec<u8>>>,
    keys: &'a [KeyAt],
    now_ms: u64,
}

impl<'a> DataCall<'a> {
    #[inline]
    fn run(
        self,
        session: &Session,
        hand: &mut Hand,
        output: &mut Output,
        owned: impl FnOnce() -> OwnedWords,
    ) -> Result<(), Stop> {
        let mut set = None;
        let shards = match (self.keys, hand.granted.take()) {
            (_, Some(granted)) => Shards::Set(set.insert(granted)),
            ([key], None) if !self.command.is(Flags::LONG) => {
                Shards::One(hand.take_one(self.server, key.shard())?)
            }
            ([], None) if !self.command.is(Flags::WHOLE_KEYSPACE) => {
                hand.one = None;
                Shards::None
            }
            _ => Shards::Set(set.insert(self.take_set(hand)?)),
        };
        let long = self.command.is(Flags::LONG)
            || self.keys.len() > KEYS_INLINE_MAX
            || self.args.len() > WORDS_INLINE_MAX;
        let start = output.len();
        let (outcome, reads) = if long {
            (Err(Failure::Detach), Reads::default())
        } else {
            let mut context = Context {
                keyspace: self.server.keyspace,
                args: self.args,
                block: self.block,
                keys: self.keys,
                shards,
                reads: Reads::default(),
                reply: Reply::new(output, session.resp3),
                now_ms: self.now_ms,
                db: session.db,
                name: self.command.name,
                settings: &self.server.config.settings,
                may_wait: false,
            };
            ((self.handler)(&mut context), context.reads)
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(Failure::Needs(shards)) => {
                output.truncate(start);
                hand.one = None;
                Err(Stop::Step(Step::Borrow(shards)))
            }
            Err(why @ (Failure::Detach | Failure::Walk)) => {
                output.truncate(start);
                let one = hand.one.take().map(|(number, shard)| HeldSet::of_one(number, shard));
                let held = set.or(one).filter(|_| why == Failure::Detach);
                Err(Stop::Step(Step::Detach(Box::new(Job {
                    command: self.command,
                    words: owned(),
                    client: session.client.clone(),
                    db: session.db,
                    resp3: session.resp3,
                    work: Detached::Data(self.handler, held.unwrap_or_default(), reads),
                }))))
            }
            Err(failure) => {
                output.truncate(start);
                failure.write_to(&mut Reply::new(output, session.resp3));
                Ok(())
            }
        }
    }

    /// All shards of several keys, or of the keyspace.
    fn take_set(&self, hand: &mut Hand) -> Result<HeldSet, Step> {
        hand.one = None;
        let mut numbers: SmallVec<[u16; 32]> = SmallVec::new();
        let wanted: &[u16] = if self.command.is(Flags::WHOLE_KEYSPACE) {
            all_shards()
        } else {
            numbers.extend(self.keys.iter().map(KeyAt::shard));
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
            self.is_closed |= command.is(Flags::NO_AUTH);
            let keys = &mut self.keys;
            command.key_words(
                args.len(),
                |index| args.get(index),
                |word, _| {
                    let Key { slot, hash, .. } = server.keyspace.key(args.get(word));
                    let key = KeyAt { word: word as u32, slot, hash };
                    server.keyspace.prefetch(key.shard());
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

fn owned(bytes: &[u8], block: Option<&Arc<Vec<u8>>>, args: Args<'_>, keys: &[KeyAt]) -> OwnedWords {
    let part = block.and_then(|block| Part::of(block, bytes)).map(Part::hold);
    let bytes = part.unwrap_or_else(|| Blob::new(bytes.to_vec()));
    OwnedWords { bytes, args: args.ranges().to_vec(), keys: keys.to_vec() }
}

/// Whether a line asks for a page: `GET / HTTP/1.1`.
#[cold]
fn is_http(args: Args<'_>) -> bool {
    args.len() == 3 && args.get(2).starts_with(b"HTTP/1.")
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
