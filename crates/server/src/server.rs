//! The server: what all threads share.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use keyspace::Keyspace;
use parking_lot::Mutex;

use crate::census::Census;
use crate::clients::Clients;
use crate::commandlog::CommandLog;
use crate::config::Config;
use crate::counts::Counts;
use crate::cron::Cron;
use crate::drain::Drained;
use crate::hotkeys::HotKeys;
use crate::inbox::Inbox;
use crate::latency::Latency;
use crate::limits::Pressure;
use crate::listening::Listening;
use crate::monitor::Monitors;
use crate::net::Accepted;
use crate::pool::Pool;
use crate::registry::Registry;
use crate::stats::Stats;
use crate::turns::Turns;
use crate::watch::Pause;

/// What all threads share. It lives as long as the process.
pub struct Server {
    /// The data.
    pub keyspace: &'static Keyspace,
    /// The configuration.
    pub config: Config,
    /// The commands.
    pub registry: Registry,
    /// The names of commands by the index of their row.
    pub command_names: Vec<&'static str>,
    /// The connections.
    pub clients: Clients,
    /// Where it listens.
    pub listening: Listening,
    /// Threads that serve connections.
    pub threads: usize,
    /// How far they have come in ending.
    pub drained: Drained,
    /// What connections keep.
    pub pressure: Pressure,
    /// Their messages.
    pub inboxes: Box<[Arc<Inbox>]>,
    /// Threads for what takes long.
    pub pool: Pool,
    /// When the server started.
    pub started: Instant,
    /// The same in seconds of Unix time.
    pub started_unix_s: u64,
    /// Forty hexadecimal digits that name this run of the server.
    pub run_id: String,
    /// What commands cost.
    pub stats: Stats,
    /// Clients that are told every command.
    pub monitors: Monitors,
    /// Whether clients are paused.
    pub pause: Pause,
    /// As many that name the history of its data.
    pub replication_id: String,
    /// Bytes of memory that were used before there were data.
    pub started_memory: AtomicU64,
    /// Commands that took or cost much.
    pub command_log: CommandLog,
    /// Events that took long.
    pub latency: Latency,
    /// The count of which keys cost most.
    pub hotkeys: HotKeys,
    /// What is done from time to time.
    pub cron: Cron,
    /// Turns of the threads' loops.
    pub turns: Turns,
    /// What counters were at the last CONFIG RESETSTAT.
    pub baseline: Mutex<Counts>,
}

/// What a stranger from another machine is told while there is no password.
const PROTECTED: &[u8] = b"-DENIED This server is in protected mode because no password is set. \
In this mode connections are only accepted from this machine. To accept others, set a password \
with --requirepass, bind only the addresses that you trust, or use --protected-mode no.\r\n";

impl Server {
    /// A server that is not listening yet.
    pub fn leak(config: Config) -> io::Result<&'static Self> {
        let mut random = [0; 56];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let word = |at: usize| {
            random[at..].first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes))
        };
        let threads = config.threads_wanted();
        let registry = Registry::new();
        let mut command_names = vec![""; registry.rows().count()];
        for command in registry.rows() {
            command_names[command.index] = command.name;
        }
        Ok(Box::leak(Box::new(Self {
            keyspace: Keyspace::leak([word(0), word(8)]),
            config,
            registry,
            stats: Stats::new(threads, command_names.len()),
            monitors: Monitors::default(),
            pause: Pause::default(),
            command_names,
            clients: Clients::new(threads),
            listening: Listening::default(),
            threads,
            drained: Drained::default(),
            pressure: Pressure::new(threads),
            inboxes: (0..threads).map(|_| Inbox::new().map(Arc::new)).collect::<io::Result<_>>()?,
            pool: Pool::default(),
            started: Instant::now(),
            started_unix_s: now_ms() / 1000,
            run_id: hexadecimal(&random[16..36]),
            replication_id: hexadecimal(&random[36..]),
            started_memory: AtomicU64::new(0),
            command_log: CommandLog::default(),
            latency: Latency::default(),
            hotkeys: HotKeys::default(),
            cron: Cron::default(),
            turns: Turns::new(threads),
            baseline: Mutex::default(),
        })))
    }

    /// Chooses the thread for a new connection and counts it there, or says what it is told
    /// instead.
    pub fn admit(&self, accepted: &Accepted) -> Result<usize, &'static [u8]> {
        if self.clients.len() >= self.config.clients_max.load(Relaxed) {
            self.clients.note_refused();
            return Err(b"-ERR max number of clients reached\r\n");
        }
        let protected = self.config.protected_mode.load(Relaxed) && self.config.is_open();
        if protected && !accepted.remote.is_local() {
            return Err(PROTECTED);
        }
        Ok(self.clients.place())
    }

    /// Begins to count anew what INFO shows since the start. It walks the shards: not on a thread
    /// that serves connections.
    pub fn reset_stats(&'static self) {
        let census = Census::take(self.keyspace, now_ms());
        keyspace::reclaim::reset();
        *self.baseline.lock() = Counts::read(self, &census);
        self.stats.reset();
        self.cron.reset();
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The time in milliseconds of Unix time.
#[inline]
pub fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
