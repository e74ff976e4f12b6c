//! One thread of the generator: its connections, an epoll set, and the loop between them.
//!
//! A connection is always in one of three states: sending a batch (`unsent` is not empty), waiting
//! for the batch's replies, or over. Epoll is edge triggered: a short read means that the socket
//! was empty, and the next byte brings the next event.

use crate::histogram::Histogram;
use crate::key::Distribution;
use crate::options::{Options, Target};
use crate::reply::{LINE_BYTES_MAX, Replies, Reply};
use crate::request::{Expect, Keys, Requests};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::io;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

const READ_BYTES_MAX: usize = 256 * 1024;
const EVENTS_MAX: usize = 512;
/// A server that answers nothing at all for so long is given up.
const SILENCE_SECONDS_MAX: i64 = 30;

/// What happened; the sum over all threads is the result of the run.
#[derive(Clone, Default)]
pub struct Totals {
    pub operations: u64,
    pub hits: u64,
    pub misses: u64,
    pub errors: u64,
    pub first_error: Option<String>,
    pub seconds: f64,
    pub latency: Histogram,
}

/// The state of one thread.
pub struct Driver {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    requests: Requests,
    check: Check,
    /// How long to start new batches; a fill ends with its keys instead.
    send_for: Option<Duration>,
    buffer: Vec<u8>,
    totals: Totals,
}

struct Connection {
    socket: OwnedFd,
    replies: Replies,
    expects: Vec<Expect>,
    answered: usize,
    unsent: Vec<u8>,
    sent_at: Instant,
}

#[derive(Clone, Copy)]
struct Check {
    any_reply: bool,
    value_bytes: usize,
}

impl Driver {
    /// Opens this thread's share of the connections.
    pub fn connect(
        options: &Options,
        thread: usize,
        distribution: Arc<Distribution>,
    ) -> io::Result<Self> {
        let share = |part: usize| options.connections * part / options.threads;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        let mut connections = Vec::new();
        for index in 0..share(thread + 1) - share(thread) {
            let socket = open(&options.target)?;
            epoll::add(&epoll, &socket, epoll::EventData::new_u64(index as u64), flags)?;
            connections.push(Connection {
                socket,
                replies: Replies::new(options.protocol),
                expects: Vec::with_capacity(options.pipeline),
                answered: 0,
                unsent: Vec::new(),
                sent_at: Instant::now(),
            });
        }
        let keys = Keys::of_thread(options, thread, distribution);
        let seed = options.seed.wrapping_mul(1009).wrapping_add(thread as u64);
        Ok(Self {
            epoll,
            connections,
            requests: Requests::new(options, keys, seed),
            check: Check { any_reply: options.any_reply, value_bytes: options.value_bytes },
            send_for: (!options.fill).then(|| Duration::from_secs_f64(options.seconds)),
            buffer: vec![0; LINE_BYTES_MAX + READ_BYTES_MAX],
            totals: Totals::default(),
        })
    }

    /// Sends batches until the time is over or the keys are used up, and takes every reply.
    pub fn run(mut self) -> Result<Totals, String> {
        let start = Instant::now();
        let deadline = self.send_for.map(|send_for| start + send_for);
        let mut running = 0;
        for connection in &mut self.connections {
            running += usize::from(connection.start_batch(&mut self.requests, start)?);
        }
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS_MAX);
        let timeout = Timespec { tv_sec: SILENCE_SECONDS_MAX, tv_nsec: 0 };
        while running > 0 {
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&timeout)) {
                Ok(0) => return Err(format!("no reply for {SILENCE_SECONDS_MAX} seconds")),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(format!("epoll failed: {error}")),
            }
            for event in events.drain(..) {
                running -= usize::from(self.on_ready(event.data.u64() as usize, deadline)?);
            }
        }
        self.totals.seconds = start.elapsed().as_secs_f64();
        Ok(self.totals)
    }

    /// Handles one event; true when the connection has got its last reply.
    fn on_ready(&mut self, index: usize, deadline: Option<Instant>) -> Result<bool, String> {
        let connection = &mut self.connections[index];
        if !connection.unsent.is_empty() {
            connection.flush()?;
        }
        let Some(now) = connection.receive(&mut self.buffer, self.check, &mut self.totals)? else {
            return Ok(false);
        };
        let over = deadline.is_some_and(|deadline| now >= deadline);
        Ok(over || !connection.start_batch(&mut self.requests, now)?)
    }
}

impl Connection {
    /// Sends the next batch; false when there is none.
    fn start_batch(&mut self, requests: &mut Requests, now: Instant) -> Result<bool, String> {
        let (bytes, expects) = requests.next_batch();
        self.expects.clear();
        self.expects.extend_from_slice(expects);
        self.answered = 0;
        self.sent_at = now;
        let sent = send_some(&self.socket, bytes)?;
        self.unsent.extend_from_slice(&bytes[sent..]);
        Ok(!self.expects.is_empty())
    }

    fn flush(&mut self) -> Result<(), String> {
        let sent = send_some(&self.socket, &self.unsent)?;
        self.unsent.drain(..sent);
        Ok(())
    }

    /// Takes what has arrived; the time it came, when that completes the batch.
    fn receive(
        &mut self,
        buffer: &mut [u8],
        check: Check,
        totals: &mut Totals,
    ) -> Result<Option<Instant>, String> {
        let mut arrived = None;
        loop {
            let carried = self.replies.restore(buffer);
            let room = buffer.len() - carried;
            let read = match recv(&self.socket, &mut buffer[carried..], RecvFlags::empty()) {
                Ok((0, _)) => return Err("the server closed a connection".to_owned()),
                Ok((read, _)) => read,
                Err(Errno::AGAIN | Errno::INTR) => {
                    self.replies.keep(&buffer[..carried])?;
                    break;
                }
                Err(error) => return Err(format!("cannot receive: {error}")),
            };
            let now = Instant::now();
            arrived = Some(now);
            self.take_replies(&buffer[..carried + read], now, check, totals)?;
            if read < room {
                break;
            }
        }
        Ok(arrived.filter(|_| self.answered == self.expects.len()))
    }

    fn take_replies(
        &mut self,
        bytes: &[u8],
        now: Instant,
        check: Check,
        totals: &mut Totals,
    ) -> Result<(), String> {
        let answered_before = self.answered;
        let (expects, answered) = (&self.expects, &mut self.answered);
        self.replies.each(bytes, |reply, line| {
            let expect = expects.get(*answered).ok_or("more replies than requests")?;
            *answered += 1;
            totals.judge(reply, line, *expect, check);
            Ok(())
        })?;
        let count = (self.answered - answered_before) as u64;
        if count > 0 {
            let latency = now.saturating_duration_since(self.sent_at);
            let latency_ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
            totals.latency.record(latency_ns, count);
            totals.operations += count;
        }
        Ok(())
    }
}

impl Totals {
    pub fn merge(&mut self, other: &Self) {
        self.operations += other.operations;
        self.hits += other.hits;
        self.misses += other.misses;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or_else(|| other.first_error.clone());
        self.seconds = self.seconds.max(other.seconds);
        self.latency.merge(&other.latency);
    }

    fn judge(&mut self, reply: &Reply, line: &[u8], expect: Expect, check: Check) {
        let hits = reply.hits(expect, check.value_bytes);
        let any_will_do = check.any_reply && !reply.failed();
        match (hits, expect) {
            (Some(hits), Expect::Value) => self.count_hits(hits, 1),
            (Some(hits), Expect::Values(count)) => self.count_hits(hits, count),
            (Some(_), _) => {}
            (None, _) if any_will_do => {}
            (None, _) => {
                self.errors += 1;
                self.first_error.get_or_insert_with(|| {
                    format!("{expect:?}: {reply:?} {}", String::from_utf8_lossy(line))
                });
            }
        }
    }

    fn count_hits(&mut self, hits: usize, wanted: usize) {
        self.hits += hits as u64;
        self.misses += (wanted - hits) as u64;
    }
}

fn open(target: &Target) -> io::Result<OwnedFd> {
    match target {
        Target::Port(port) => {
            let stream = TcpStream::connect(("127.0.0.1", *port))?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            Ok(stream.into())
        }
        Target::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_nonblocking(true)?;
            Ok(stream.into())
        }
    }
}

/// Sends as much as the kernel takes now.
fn send_some(socket: &OwnedFd, bytes: &[u8]) -> Result<usize, String> {
    if bytes.is_empty() {
        return Ok(0);
    }
    match send(socket, bytes, SendFlags::NOSIGNAL) {
        Ok(sent) => Ok(sent),
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        Err(error) => Err(format!("cannot send: {error}")),
    }
}
