//! What is looked at beside a command itself: who wants to know of it, and whether it may run now.
//!
//! A [`Watch`] is read from the configuration and the server's state once per batch, so that an
//! ordinary command pays a few comparisons with values at hand. What follows from them is rare and
//! done out of line.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use commands::spec::Flags;
use commands::{Args, KeyAt};
use protocol::output::Output;

use crate::clients::Client;
use crate::commandlog::{Kind, Noted, trimmed};
use crate::latency::event;
use crate::redact;
use crate::registry::Registered;
use crate::server::{Server, now_ms};
use crate::session::{Muted, Session};
use crate::stats::Ticks;

/// What is to be looked at.
#[derive(Clone, Copy)]
pub struct Watch {
    /// Calls that took at least so long are of interest,
    time: Ticks,
    /// as are requests and replies of at least so many bytes.
    bytes: usize,
    tracks_times: bool,
    paused: bool,
    out_of_memory: bool,
}

/// A call that was run, for those who want to know of it.
pub struct Done<'a> {
    /// The command.
    pub command: &'static Registered,
    /// Its words.
    pub args: Args<'a>,
    /// Its keys.
    pub keys: &'a [KeyAt],
    /// Who sent it.
    pub client: &'a Arc<Client>,
    /// The database it ran in.
    pub db: u16,
    /// How long it took.
    pub time: Ticks,
}

/// A limit as the configuration has it: negative for none.
fn limit(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

impl Watch {
    /// What is to be looked at now.
    #[inline]
    pub fn new(server: &Server) -> Self {
        let config = &server.config;
        let request = limit(config.large_request_bytes.load(Relaxed));
        let reply = limit(config.large_reply_bytes.load(Relaxed));
        let mut slow_us = limit(config.slow_us.load(Relaxed));
        let latency_ms = config.latency_threshold_ms.load(Relaxed);
        if latency_ms > 0 {
            slow_us = slow_us.min(latency_ms.saturating_mul(1000));
        }
        if server.monitors.are_any() || server.hotkeys.is_active() {
            slow_us = 0;
        }
        let memory_max = config.memory_max.load(Relaxed);
        Self {
            time: server.stats.micros(slow_us),
            bytes: usize::try_from(request.min(reply)).unwrap_or(usize::MAX),
            tracks_times: config.latency_tracking.load(Relaxed),
            paused: server.pause.is_on(),
            out_of_memory: memory_max > 0 && memory::used() > memory_max,
        }
    }

    /// The same for a connection: one that does not want its replies has all its calls looked at.
    #[inline]
    pub fn of(mut self, session: &Session) -> Self {
        if session.muted != Muted::No {
            self.time = Ticks(0);
        }
        self
    }

    /// Whether times go into histograms.
    #[inline]
    pub fn tracks_times(&self) -> bool {
        self.tracks_times
    }

    /// Whether every call is of interest.
    #[inline]
    pub fn wants_all(&self) -> bool {
        self.time == Ticks(0)
    }

    /// Whether [`Done::note`] is to be called, which looks closer. `bytes` is the larger of the
    /// lengths of request and reply, or a little more.
    #[inline]
    pub fn wants(&self, time: Ticks, bytes: usize) -> bool {
        time >= self.time || bytes >= self.bytes
    }

    /// Whether some command may not run now.
    #[inline]
    pub fn may_hold_back(&self) -> bool {
        self.paused || self.out_of_memory
    }

    /// Whether commands that need memory are refused.
    pub fn is_out_of_memory(&self) -> bool {
        self.out_of_memory
    }

    /// Whether a command must wait for the end of a pause.
    pub fn is_paused(&self, server: &Server, command: &Registered, now_ms: u64) -> bool {
        self.paused && server.pause.holds(command, now_ms)
    }
}

impl Done<'_> {
    /// Tells those who want to know. `request` and `reply` are the lengths in bytes.
    pub fn note(&self, server: &Server, request: usize, reply: usize) {
        let nanos = server.stats.nanos(self.time);
        let us = (nanos + 500) / 1000;
        if !self.command.is(Flags::SKIP_SLOWLOG) {
            self.log(server, Kind::Slow, us);
            self.log(server, Kind::LargeRequest, request as u64);
            self.log(server, Kind::LargeReply, reply as u64);
        }
        let (threshold_ms, ms) = (server.config.latency_threshold_ms.load(Relaxed), us / 1000);
        if threshold_ms > 0 && ms >= threshold_ms {
            let is_fast = self.command.is(Flags::FAST);
            let event = if is_fast { event::FAST_COMMAND } else { event::COMMAND };
            server.latency.note(event, now_ms() / 1000, ms);
        }
        if server.hotkeys.is_active() {
            let keys = self.keys.iter().map(|key| key.of(self.args).bytes);
            server.hotkeys.note(keys, nanos, (request + reply) as u64, now_ms());
        }
        if server.monitors.are_any() && !self.command.is(Flags::ADMIN) {
            server.monitors.tell(self);
        }
    }

    /// Puts the call into a log if it cost enough.
    fn log(&self, server: &Server, kind: Kind, cost: u64) {
        let threshold = kind.threshold(&server.config);
        if u64::try_from(threshold).is_ok_and(|threshold| cost >= threshold) {
            let words = redact::words(self.command, self.args);
            let noted = Noted {
                unix_s: now_ms() / 1000,
                cost,
                args: trimmed(words, self.args.len()),
                addr: self.client.addr.to_string(),
                name: self.client.names.lock().name.clone(),
            };
            server.command_log.note(&server.config, kind, noted);
        }
    }

    /// Counts a call that the worker pool has run, and tells those who want to know.
    pub fn note_in_pool(&self, server: &Server, request: usize, reply: &Output) {
        let watch = Watch::new(server);
        let stats = &server.stats;
        stats.note_pool_call(self.command.index, self.time, watch.tracks_times());
        if reply.first() == Some(&b'-') {
            stats.note_error(stats.pool_thread(), Some(self.command.index), false, reply);
        }
        if watch.wants(self.time, request.max(reply.total())) {
            self.note(server, request, reply.total());
        }
    }
}

/// A pause of clients, by CLIENT PAUSE.
#[derive(Default)]
pub struct Pause {
    /// When it ends, in milliseconds of Unix time; zero when there is none.
    until_ms: AtomicU64,
    /// Whether commands that change nothing wait too.
    all: AtomicBool,
}

impl Pause {
    /// Whether a pause was begun and not found over yet.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.until_ms.load(Relaxed) != 0
    }

    /// Begins a pause, or makes one longer and stricter.
    pub fn begin(&self, until_ms: u64, all: bool) {
        let stricter = all || (self.is_on() && self.all.load(Relaxed));
        self.all.store(stricter, Relaxed);
        self.until_ms.fetch_max(until_ms, Relaxed);
    }

    /// Ends it.
    pub fn end(&self) {
        self.until_ms.store(0, Relaxed);
    }

    /// When it ends, in milliseconds of Unix time.
    pub fn until_ms(&self) -> u64 {
        self.until_ms.load(Relaxed)
    }

    /// Whether a command waits for its end.
    fn holds(&self, command: &Registered, now_ms: u64) -> bool {
        if now_ms >= self.until_ms() {
            self.end();
            return false;
        }
        self.all.load(Relaxed) || command.is(Flags::WRITE) || command.is(Flags::MAY_REPLICATE)
    }
}
