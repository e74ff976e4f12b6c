//! A thread that serves connections: one loop around epoll.
//!
//! ```text
//! wait ─> read all that are readable ─> run their commands in batches ─> send ─> time's work ─┐
//!   └────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! What comes from many connections at once is run as one, so that their keys are prefetched
//! together (see `pipeline.rs`); a pipeline of one command each gains as much from it as a long
//! one. A turn of the loop reads at most [`READ_MAX`] bytes from a connection, so nobody is kept
//! waiting by another.
//!
//! Sockets are watched edge-triggered for both directions from their first moment to their last:
//! one call to epoll per turn and none per connection.

mod manners;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use commands::Failure;
use protocol::output::Output;
use protocol::reply::Reply;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use slab::Slab;

use crate::clients::{ClientFlags, Over};
use crate::connection::{Arrived, Connection, OWN_BLOCK_MIN, State};
use crate::inbox::{Inbox, Message, Recall, Token};
use crate::kept::discard;
use crate::net::{self, Accepted, Listener};
use crate::pipeline::{Batch, End, Hand, Step, Turn};
use crate::server::{Server, now_ms};
use crate::session::{Block, Session};
use crate::watch::Watch;

/// Bytes read from one connection at a time.
const READ_MAX: usize = 64 * 1024;
/// Bytes that the connections read in one turn share.
const ARENA: usize = 4 * READ_MAX;
/// Bytes of large arguments and large replies that are moved in one turn; more waits for the next,
/// so that small commands of others come in between.
const MOVED_MAX: usize = 8 * 1024 * 1024;
/// Events taken from epoll at a time.
const EVENTS_MAX: usize = 512;
/// Connections accepted in one turn.
const ACCEPTS_MAX: usize = 64;
/// A larger output buffer is given back after use.
const OUTPUT_KEEP_MAX: usize = 1024 * 1024;
/// Time between two sweeps for expired keys.
const SWEEP_EVERY: Duration = Duration::from_millis(100);
/// Time between two sweeps while there is more to remove than one can.
const SWEEP_AGAIN: Duration = Duration::from_millis(2);
/// Rest after an error such as too many open files, which does not go away at once.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// What a client is told whose waiting another one has ended.
const UNBLOCKED: Failure = Failure::text("UNBLOCKED client unblocked via CLIENT UNBLOCK");

/// Names what an event is about: a connection's index, or one of these.
const INBOX: u64 = u64::MAX;
const LISTENERS: u64 = 1 << 32;

/// A thread that serves connections.
pub struct Reactor {
    server: &'static Server,
    thread: usize,
    epoll: OwnedFd,
    inbox: Arc<Inbox>,
    listeners: Vec<Listener>,
    /// Listeners that rest after an error, and until when.
    resting: Vec<(Instant, usize)>,
    connections: Slab<Connection>,
    generation: u32,
    /// Connections to look at in this turn.
    ready: Vec<u32>,
    sleepers: BinaryHeap<Reverse<(Instant, Token)>>,
    next_sweep: Instant,
    /// Connections that keep much.
    heavy: Vec<u32>,
    /// Whether what they keep was something when it was published last.
    pressed: bool,
    /// The place from which on connections are next looked at whether they are idle.
    idle_next: usize,
    /// Whether the server is ending.
    draining: bool,
    group: Group,
}

/// The input of this turn and what it is run with.
struct Group {
    arena: Box<[u8]>,
    /// Bytes of the arena that are in use.
    filled: usize,
    sources: Vec<Source>,
    batch: Batch,
    runs: Vec<BatchRun>,
    output: Output,
    /// Seconds since the server's start.
    now_s: u32,
    /// Bytes of large arguments and replies that were moved in this turn.
    moved: usize,
    /// Bytes of a request that is read to its end.
    request_max: u64,
}

/// One connection's input.
struct Source {
    connection: u32,
    input: Input,
    /// Where the next command begins.
    position: usize,
}

enum Input {
    Arena(Range<usize>),
    Owned(Vec<u8>),
    /// A command with a large argument, alone; a value that came in it may keep the block.
    Block(Arc<Vec<u8>>),
}

/// What came of gathering a connection's input.
enum Gathered {
    /// What is there has been taken.
    Done,
    /// There may be more, which must wait for the next turn.
    Later,
    /// The connection is over.
    Gone,
}

/// The calls of one source in a batch.
struct BatchRun {
    source: usize,
    calls: Range<usize>,
    end: End,
}

impl Reactor {
    /// A thread's loop, with the sockets on which it accepts.
    pub fn new(
        server: &'static Server,
        thread: usize,
        listeners: Vec<Listener>,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let inbox = server.inboxes[thread].clone();
        let readable = epoll::EventFlags::IN;
        epoll::add(&epoll, &*inbox, epoll::EventData::new_u64(INBOX), readable)?;
        for (number, listener) in (LISTENERS..).zip(&listeners) {
            epoll::add(&epoll, listener, epoll::EventData::new_u64(number), readable)?;
        }
        Ok(Self {
            server,
            thread,
            epoll,
            inbox,
            listeners,
            resting: Vec::new(),
            connections: Slab::new(),
            generation: 0,
            ready: Vec::new(),
            sleepers: BinaryHeap::new(),
            next_sweep: Instant::now() + SWEEP_EVERY,
            heavy: Vec::new(),
            pressed: false,
            idle_next: 0,
            draining: false,
            group: Group {
                arena: vec![0; ARENA].into(),
                filled: 0,
                sources: Vec::new(),
                batch: Batch::default(),
                runs: Vec::new(),
                output: Output::default(),
                now_s: 0,
                moved: 0,
                request_max: u64::MAX,
            },
        })
    }

    /// Serves until epoll itself fails.
    pub fn run(mut self) -> io::Error {
        let mut events = Vec::with_capacity(EVENTS_MAX);
        let mut now = Instant::now();
        loop {
            let patience = self.patience(now);
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&patience)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return error.into(),
            }
            let since = self.server.stats.now();
            for event in events.drain(..) {
                match event.data.u64() {
                    INBOX => self.read_messages(),
                    number @ LISTENERS.. => self.accept((number - LISTENERS) as usize),
                    index => self.note_event(index as u32, event.flags),
                }
            }
            self.run_ready();
            now = Instant::now();
            let age_s = now.saturating_duration_since(self.server.started).as_secs();
            self.group.now_s = u32::try_from(age_s).unwrap_or(u32::MAX);
            self.do_timed(now);
            self.server.turns.note(self.thread, since.until(self.server.stats.now()));
        }
    }

    /// How long the thread may sleep.
    fn patience(&self, now: Instant) -> Timespec {
        let mut until = self.next_sweep;
        if let Some(Reverse((at, _))) = self.sleepers.peek() {
            until = until.min(*at);
        }
        let left = if self.ready.is_empty() {
            until.saturating_duration_since(now)
        } else {
            Duration::ZERO
        };
        Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        }
    }

    fn note_event(&mut self, index: u32, flags: epoll::EventFlags) {
        use epoll::EventFlags as Flags;
        let Some(connection) = self.connections.get_mut(index as usize) else { return };
        if flags.intersects(Flags::RDHUP | Flags::HUP | Flags::ERR) {
            connection.hung_up = true;
        }
        if flags.intersects(Flags::IN | Flags::RDHUP | Flags::HUP | Flags::ERR) {
            connection.readable = true;
        }
        if flags.contains(Flags::OUT) {
            connection.writable = true;
        }
        self.look_at(index);
    }

    /// Puts a connection on the list for this turn, or ends it if it is over.
    fn look_at(&mut self, index: u32) {
        let Some(connection) = self.connections.get_mut(index as usize) else { return };
        if self.draining && connection.has_nothing_under_way() {
            connection.state = State::Closing;
        }
        if connection.is_over() {
            self.end(index);
            return;
        }
        let keeps = connection.kept.is_some() || connection.backlog.capacity() >= OWN_BLOCK_MIN;
        if keeps && !self.weigh(index) {
            return;
        }
        self.queue(index);
    }

    /// Puts a connection on the list for the next turn if there is something to do for it.
    #[inline]
    fn queue(&mut self, index: u32) {
        let Some(connection) = self.connections.get_mut(index as usize) else { return };
        if connection.is_ready() && !connection.queued {
            connection.queued = true;
            self.ready.push(index);
        }
    }

    /// Reads from the connections that are ready and runs their commands.
    fn run_ready(&mut self) {
        let mut ready = std::mem::take(&mut self.ready);
        self.group.request_max = self.server.config.query_buffer_max.load(Relaxed);
        for index in ready.drain(..) {
            if self.group.arena.len() - self.group.filled < READ_MAX {
                self.run_group();
            }
            let Some(connection) = self.connections.get_mut(index as usize) else { continue };
            connection.queued = false;
            let gathered = if connection.kept.is_some() {
                self.group.send_kept(connection)
            } else {
                self.group.gather(index, connection)
            };
            match gathered {
                Gathered::Done => {}
                Gathered::Later => self.look_at(index),
                Gathered::Gone => self.end(index),
            }
        }
        self.group.moved = 0;
        // The list is used again, with what has become ready meanwhile.
        ready.append(&mut self.ready);
        self.ready = ready;
        self.run_group();
    }

    /// Runs the commands of all sources, batch after batch.
    fn run_group(&mut self) {
        let mut next = 0;
        while next < self.group.sources.len() {
            next = self.run_batch(next);
        }
        self.group.sources.clear();
        self.group.filled = 0;
    }

    /// Runs one batch, from the source `next` on. Returns the source to go on with.
    fn run_batch(&mut self, mut next: usize) -> usize {
        let Self { server, connections, group, .. } = self;
        group.batch.clear();
        group.runs.clear();
        while next < group.sources.len() && !group.batch.is_full() {
            let Source { connection, input, position } = &mut group.sources[next];
            let Some(connection) = connections.get_mut(*connection as usize) else {
                next += 1;
                continue;
            };
            let first = group.batch.len();
            let input = input.bytes(&group.arena);
            let end = group.batch.parse(server, connection, input, position);
            let more = matches!(end, End::More);
            group.runs.push(BatchRun { source: next, calls: first..group.batch.len(), end });
            if more {
                break;
            }
            next += 1;
        }
        group.batch.prefetch(server);
        let (now_ms, watch) = (now_ms(), Watch::new(server));
        let mut hand = Hand::default();
        let runs = std::mem::take(&mut group.runs);
        for run in &runs {
            if let Some(stopped) = self.run_source(run, &mut hand, now_ms, watch) {
                next = next.max(stopped);
            }
        }
        self.group.runs = runs;
        next
    }

    /// Runs one source's calls of a batch. Returns the next source where this one ends here
    /// although it has more.
    fn run_source(
        &mut self,
        run: &BatchRun,
        hand: &mut Hand,
        now_ms: u64,
        watch: Watch,
    ) -> Option<usize> {
        let Group { arena, sources, batch, output, .. } = &mut self.group;
        let source = &sources[run.source];
        let index = source.connection;
        let connection = self.connections.get_mut(index as usize)?;
        hand.grant(connection.granted.take().map(|set| *set));
        let (input, block) = (source.input.bytes(arena), source.input.block());
        let session = &mut connection.session;
        let watch = watch.of(session);
        let server = self.server;
        let mut turn = Turn { server, batch, session, input, block, output, now_ms, watch };
        let (position, step) = match (turn.run(run.calls.clone(), hand), &run.end) {
            (Err(stopped), _) => stopped,
            (Ok(()), End::More) => return None,
            (Ok(()), End::UsedUp) => (source.position, Step::Read),
            (Ok(()), End::Error(error)) => {
                Reply::new(output, connection.session.resp3).protocol_error(*error);
                (input.len(), Step::Close)
            }
        };
        // Sending takes longer than many commands: nobody shall wait for a shard meanwhile.
        hand.let_go();
        if !matches!(step, Step::Read) {
            // What was parsed behind is parsed again.
            connection.progress = crate::pipeline::Progress::default();
        }
        self.finish(run.source, position, step);
        Some(run.source + 1)
    }

    /// Ends a source: keeps what is left of its input, sends its replies, takes the step.
    fn finish(&mut self, source: usize, position: usize, step: Step) {
        let Group { arena, sources, output, .. } = &mut self.group;
        let Source { connection: index, input, .. } = &mut sources[source];
        let index = *index;
        let Some(connection) = self.connections.get_mut(index as usize) else { return };
        match std::mem::replace(input, Input::Arena(0..0)) {
            Input::Owned(bytes) if position == 0 => connection.backlog = bytes,
            Input::Owned(bytes) if position == bytes.len() => {}
            Input::Owned(mut bytes) => {
                bytes.drain(..position);
                connection.backlog = bytes;
            }
            Input::Block(block) => connection.backlog = rest_of(block, position),
            Input::Arena(range) => {
                connection.backlog.extend_from_slice(&arena[range][position..]);
            }
        }
        connection.runnable = !matches!(step, Step::Read);
        if let Some(why) = connection.refusal(&self.server.config, output) {
            output.clear(OUTPUT_KEEP_MAX);
            self.dismiss_over(index, Over::Output, why);
            return;
        }
        let sent = connection.send(output);
        output.clear(OUTPUT_KEEP_MAX);
        connection.show();
        if sent.is_err() {
            self.end(index);
            return;
        }
        self.take_step(index, step);
        self.look_at(index);
    }

    fn take_step(&mut self, index: u32, step: Step) {
        let token = self.token(index);
        let Some(connection) = self.connections.get_mut(index as usize) else { return };
        match step {
            Step::Read | Step::Flush => {}
            Step::Close => connection.state = State::Closing,
            Step::Borrow(shards) => {
                let keyspace = self.server.keyspace;
                let waiting = async move { keyspace.borrow_set(&shards).await };
                connection.state = State::Waiting(Box::pin(waiting));
                self.poll_waiting(token);
            }
            Step::Detach(job) => {
                connection.state = State::Away;
                self.server.pool.submit(self.server, *job, self.inbox.clone(), token);
            }
            Step::Sleep(time) => self.wait(token, State::Away, Some(Instant::now() + time)),
            Step::Block(Block { until, reply }) => {
                connection.session.client.set(ClientFlags::BLOCKED, true);
                self.wait(token, State::Blocked(reply), until);
            }
            Step::Pause => {
                connection.session.client.set(ClientFlags::BLOCKED, true);
                let left_ms = self.server.pause.until_ms().saturating_sub(now_ms());
                let until = Instant::now() + Duration::from_millis(left_ms);
                self.wait(token, State::Paused, Some(until));
            }
        }
    }

    /// Lets a connection wait, until a moment at the longest.
    fn wait(&mut self, token: Token, state: State, until: Option<Instant>) {
        if let Some(connection) = self.find(token) {
            connection.state = state;
            connection.wake_at = until;
            self.sleepers.extend(until.map(|until| Reverse((until, token))));
        }
    }

    /// Looks whether a connection has got the shards that it waits for.
    fn poll_waiting(&mut self, token: Token) {
        let waker = Waker::from(Arc::new(Recall { inbox: self.inbox.clone(), token }));
        let Some(connection) = self.find(token) else { return };
        let State::Waiting(waiting) = &mut connection.state else { return };
        if let Poll::Ready(set) = waiting.as_mut().poll(&mut Context::from_waker(&waker)) {
            connection.granted = Some(Box::new(set));
            connection.state = State::Open;
            self.look_at(token.index);
        }
    }

    fn read_messages(&mut self) {
        for message in self.inbox.take() {
            match message {
                Message::Arrive(accepted) => self.welcome(accepted),
                Message::Poll(token) => self.poll_waiting(token),
                Message::Reply(token, reply) => self.come_back(token, reply),
                Message::Push(token, bytes) => self.push(token, bytes),
                Message::Unblock(token, error) => self.unblock(token, error),
                Message::Resume => self.resume(),
                Message::Drain => self.drain(),
                Message::Listen { listeners, closed } => self.listen(listeners, &closed),
                Message::Kill(token) => {
                    if self.find(token).is_some() {
                        self.end(token.index);
                    }
                }
            }
        }
    }

    /// A connection whose reply was made elsewhere goes on.
    fn come_back(&mut self, token: Token, mut reply: Output) {
        let server = self.server;
        let Some(connection) = self.find(token) else { return };
        connection.state = State::Open;
        connection.wake_at = None;
        connection.session.mute(&mut reply, 0);
        if let Some(why) = connection.refusal(&server.config, &reply) {
            self.dismiss_over(token.index, Over::Output, why);
            return;
        }
        if connection.send(&mut reply).is_err() {
            self.end(token.index);
            return;
        }
        connection.show();
        let kept = connection.kept.as_ref().map_or(0, |kept| kept.memory());
        self.server.pressure.add_output(self.thread, kept);
        self.look_at(token.index);
    }

    /// Sends a connection bytes that answer no command of its own.
    fn push(&mut self, token: Token, bytes: Arc<[u8]>) {
        let Some(connection) = self.find(token) else { return };
        if matches!(connection.state, State::Closing) {
            return;
        }
        // They go with what else comes in this turn.
        connection.keep(true).add_common(bytes);
        self.look_at(token.index);
    }

    /// A blocked connection goes on, as if its time were over or with an error.
    fn unblock(&mut self, token: Token, error: bool) {
        let Some(connection) = self.find(token) else { return };
        let State::Blocked(at_the_end) = connection.state else { return };
        connection.session.client.set(ClientFlags::BLOCKED, false);
        let mut bytes = Output::default();
        let mut reply = Reply::new(&mut bytes, connection.session.resp3);
        if error {
            UNBLOCKED.write_to(&mut reply)
        } else {
            at_the_end(&mut reply)
        }
        self.come_back(token, bytes);
    }

    /// Connections whose commands waited for the end of a pause go on.
    fn resume(&mut self) {
        let paused =
            |(_, connection): &(usize, &Connection)| matches!(connection.state, State::Paused);
        let indexes: Vec<usize> = self.connections.iter().filter(paused).map(|(i, _)| i).collect();
        for index in indexes {
            self.go_on(self.token(index as u32));
        }
    }

    /// A connection whose time has come goes on.
    fn go_on(&mut self, token: Token) {
        let Some(connection) = self.find(token) else { return };
        match connection.state {
            State::Away => {
                let mut reply = Output::default();
                Reply::new(&mut reply, connection.session.resp3).ok();
                self.come_back(token, reply);
            }
            State::Blocked(_) => self.unblock(token, false),
            State::Paused => {
                connection.session.client.set(ClientFlags::BLOCKED, false);
                connection.state = State::Open;
                connection.wake_at = None;
                self.look_at(token.index);
            }
            State::Open | State::Waiting(_) | State::Closing => {}
        }
    }

    fn accept(&mut self, number: usize) {
        let keepalive_s = self.server.config.keepalive_s.load(Relaxed);
        for _ in 0..ACCEPTS_MAX {
            // It may have been closed since the event came.
            let Some(listener) = self.listeners.get_mut(number) else { return };
            match listener.accept(keepalive_s) {
                Ok(Some(accepted)) => match self.server.admit(&accepted) {
                    Ok(thread) if thread == self.thread => self.welcome(accepted),
                    Ok(thread) => self.server.inboxes[thread].send(Message::Arrive(accepted)),
                    Err(refusal) => {
                        // As far as the socket takes the words at once.
                        let _ = net::write(&accepted.socket, refusal);
                    }
                },
                Ok(None) => return,
                Err(error) => {
                    log::warn!("cannot accept a connection: {error}");
                    self.rest(number);
                    return;
                }
            }
        }
    }

    /// Accepts on other sockets from now on.
    fn listen(&mut self, listeners: Vec<Listener>, closed: &[SocketAddr]) {
        if self.draining {
            return;
        }
        for listener in &self.listeners {
            // One that rests is not there.
            let _ = epoll::delete(&self.epoll, listener);
        }
        self.listeners
            .retain(|listener| listener.address().is_none_or(|address| !closed.contains(&address)));
        self.listeners.extend(listeners);
        // All are added where those that rested are.
        let now = Instant::now();
        self.resting = (0..self.listeners.len()).map(|number| (now, number)).collect();
        self.accept_again(now);
    }

    /// Takes a listener off epoll, which would tell of waiting connections all the time.
    fn rest(&mut self, number: usize) {
        // It was added, and is added again; if that fails it is only not there.
        let _ = epoll::delete(&self.epoll, &self.listeners[number]);
        self.resting.push((Instant::now() + ACCEPT_REST, number));
    }

    fn accept_again(&mut self, now: Instant) {
        let Self { epoll, listeners, resting, .. } = self;
        resting.retain(|(until, number)| {
            let data = epoll::EventData::new_u64(LISTENERS + *number as u64);
            let added = *until <= now
                && epoll::add(&*epoll, &listeners[*number], data, epoll::EventFlags::IN).is_ok();
            !added
        });
    }

    /// Begins to serve a connection, which the register counts already.
    fn welcome(&mut self, accepted: Accepted) {
        self.generation = self.generation.wrapping_add(1);
        let place = self.connections.vacant_entry();
        let token = Token { index: place.key() as u32, generation: self.generation };
        let client = self.server.clients.register(
            self.thread,
            &accepted,
            (self.inbox.clone(), token),
            now_ms(),
        );
        let session = Session::new(client.clone(), self.server);
        let flags = epoll::EventFlags::IN
            | epoll::EventFlags::OUT
            | epoll::EventFlags::RDHUP
            | epoll::EventFlags::ET;
        let data = epoll::EventData::new_u64(token.index.into());
        let added = epoll::add(&self.epoll, &accepted.socket, data, flags);
        let now_s = self.group.now_s;
        place.insert(Connection::new(accepted.socket, session, token.generation, now_s));
        if let Err(error) = added {
            log::warn!("cannot serve a connection: {error}");
            self.end(token.index);
        }
    }

    /// Ends a connection. Closing its socket also takes it off epoll.
    fn end(&mut self, index: u32) {
        if let Some(connection) = self.connections.try_remove(index as usize) {
            let client = &connection.session.client;
            if client.is(ClientFlags::MONITOR) {
                self.server.monitors.remove(client.id);
            }
            self.server.clients.unregister(client);
            connection.discard();
            if self.draining && self.connections.is_empty() {
                self.server.drained.note();
            }
        }
    }

    fn do_timed(&mut self, now: Instant) {
        while let Some(Reverse((at, token))) = self.sleepers.peek().copied() {
            if at > now {
                break;
            }
            self.sleepers.pop();
            // It may have gone on before its time, and be waiting for something else.
            if self.find(token).is_some_and(|c| c.wake_at.is_some_and(|wake_at| wake_at <= now)) {
                self.go_on(token);
            }
        }
        if now >= self.next_sweep {
            let more = self.server.cron.tick(self.server, self.thread);
            self.next_sweep = now + if more { SWEEP_AGAIN } else { SWEEP_EVERY };
            self.accept_again(now);
            self.check_heavy();
            self.check_idle();
            keyspace::reclaim::settle();
        }
    }

    fn find(&mut self, token: Token) -> Option<&mut Connection> {
        let connection = self.connections.get_mut(token.index as usize)?;
        (connection.generation == token.generation).then_some(connection)
    }

    fn token(&self, index: u32) -> Token {
        let generation = self.connections.get(index as usize).map_or(0, |c| c.generation);
        Token { index, generation }
    }
}

impl Group {
    /// Takes what a connection has to run: bytes left over, or fresh ones from its socket.
    fn gather(&mut self, index: u32, connection: &mut Connection) -> Gathered {
        if !connection.may_run() {
            return Gathered::Done;
        }
        let input = if connection.runnable {
            Input::Owned(std::mem::take(&mut connection.backlog))
        } else if connection.wants_more() {
            match self.read_wanted(connection) {
                Ok(backlog) => Input::Owned(backlog),
                Err(gathered) => return gathered,
            }
        } else {
            let free = &mut self.arena[self.filled..self.filled + READ_MAX];
            match net::read(&connection.socket, free) {
                Ok(None) => {
                    connection.readable = false;
                    return Gathered::Done;
                }
                Ok(Some(0)) | Err(_) => return Gathered::Gone,
                Ok(Some(count)) => {
                    connection.active_s = self.now_s;
                    connection.session.client.note_read(count);
                    // A read that fills less than it may has taken all. After a hang-up one more
                    // tells the end.
                    connection.readable = count == READ_MAX || connection.hung_up;
                    let fresh = self.filled..self.filled + count;
                    if connection.backlog.is_empty() {
                        self.filled = fresh.end;
                        Input::Arena(fresh)
                    } else {
                        let mut backlog = std::mem::take(&mut connection.backlog);
                        backlog.extend_from_slice(&self.arena[fresh]);
                        Input::Owned(backlog)
                    }
                }
            }
        };
        let input = match input {
            Input::Owned(bytes) if bytes.len() >= OWN_BLOCK_MIN => Input::Block(Arc::new(bytes)),
            other => other,
        };
        self.sources.push(Source { connection: index, input, position: 0 });
        Gathered::Done
    }

    /// Reads more of a large argument. Returns the whole command once it is there.
    #[cold]
    fn read_wanted(&mut self, connection: &mut Connection) -> Result<Vec<u8>, Gathered> {
        if self.moved >= MOVED_MAX {
            return Err(Gathered::Later);
        }
        match connection.read_wanted() {
            Ok(Arrived::Nothing) => Err(Gathered::Done),
            Ok(Arrived::End) | Err(_) => Err(Gathered::Gone),
            Ok(Arrived::Moved(count)) => {
                self.moved += count;
                Err(Gathered::Later)
            }
            Ok(Arrived::Read(count)) => {
                self.moved += count;
                connection.active_s = self.now_s;
                connection.session.client.note_read(count);
                // What is too much is looked at as such before it is run.
                if connection.wants_more() || connection.backlog.len() as u64 > self.request_max {
                    connection.show();
                    return Err(Gathered::Later);
                }
                Ok(std::mem::take(&mut connection.backlog))
            }
        }
    }

    /// Sends a slice of what a connection keeps.
    #[cold]
    fn send_kept(&mut self, connection: &mut Connection) -> Gathered {
        if connection.writable && self.moved < MOVED_MAX {
            match connection.send_kept() {
                Ok(count) => self.moved += count,
                Err(_) => return Gathered::Gone,
            }
            connection.active_s = self.now_s;
            connection.show();
        }
        Gathered::Later
    }
}

impl Input {
    #[inline]
    fn bytes<'a>(&'a self, arena: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Arena(range) => &arena[range.clone()],
            Self::Owned(bytes) => bytes,
            Self::Block(block) => block,
        }
    }

    #[inline]
    fn block(&self) -> Option<&Arc<Vec<u8>>> {
        match self {
            Self::Block(block) => Some(block),
            Self::Arena(_) | Self::Owned(_) => None,
        }
    }
}

/// What is left of a block from `position` on. The rest of it belongs to the values that keep it.
#[cold]
fn rest_of(block: Arc<Vec<u8>>, position: usize) -> Vec<u8> {
    if position > 0 && position < block.len() {
        let rest = block[position..].to_vec();
        block_done(block);
        return rest;
    }
    if position == 0 {
        return Arc::try_unwrap(block).unwrap_or_else(|block| block.to_vec());
    }
    block_done(block);
    Vec::new()
}

fn block_done(block: Arc<Vec<u8>>) {
    if let Some(bytes) = Arc::into_inner(block) {
        discard(bytes);
    }
}
