//! The server: what all threads share.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use keyspace::db::Stats as ShardStats;
use keyspace::{Keyspace, SHARDS};
use parking_lot::Mutex;

use crate::clients::Clients;
use crate::config::Config;
use crate::inbox::Inbox;
use crate::monitor::Monitors;
use crate::net::Accepted;
use crate::pool::Pool;
use crate::registry::Registry;
use crate::stats::Stats;
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
    /// Threads that serve connections.
    pub threads: usize,
    /// Their messages.
    pub inboxes: Box<[Arc<Inbox>]>,
    /// Threads for what takes long.
    pub pool: Pool,
    /// When the server started.
    pub started: Instant,
    /// Forty hexadecimal digits that name this run of the server.
    pub run_id: String,
    /// What commands cost.
    pub stats: Stats,
    /// Clients that are told every command.
    pub monitors: Monitors,
    /// Whether clients are paused.
    pub pause: Pause,
    /// What was counted when statistics were last reset.
    reset: Mutex<Totals>,
}

/// Counts since the start, or since statistics were reset.
#[derive(Clone, Copy, Default)]
pub struct Totals {
    /// Commands run.
    pub commands: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections refused.
    pub refused: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
}

/// What a stranger from another machine is told while there is no password.
const PROTECTED: &[u8] = b"-DENIED This server is in protected mode because no password is set. \
In this mode connections are only accepted from this machine. To accept others, set a password \
with --requirepass, bind only the addresses that you trust, or use --protected-mode no.\r\n";

impl Server {
    /// A server that is not listening yet.
    pub fn leak(config: Config) -> io::Result<&'static Self> {
        let mut random = [0; 36];
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
            threads,
            inboxes: (0..threads).map(|_| Inbox::new().map(Arc::new)).collect::<io::Result<_>>()?,
            pool: Pool::default(),
            started: Instant::now(),
            run_id: random[16..].iter().map(|byte| format!("{byte:02x}")).collect(),
            reset: Mutex::default(),
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
        if protected && !accepted.is_local {
            return Err(PROTECTED);
        }
        Ok(self.clients.place())
    }

    /// Counts since the start. They never go back, as their threads alone write them.
    fn counted(&self) -> Totals {
        let (bytes_in, bytes_out) = self.clients.traffic();
        Totals {
            commands: self.stats.calls(),
            accepted: self.clients.accepted(),
            refused: self.clients.refused(),
            bytes_in,
            bytes_out,
        }
    }

    /// Counts since statistics were reset.
    pub fn totals(&self) -> Totals {
        let (now, before) = (self.counted(), *self.reset.lock());
        Totals {
            commands: now.commands.saturating_sub(before.commands),
            accepted: now.accepted.saturating_sub(before.accepted),
            refused: now.refused.saturating_sub(before.refused),
            bytes_in: now.bytes_in.saturating_sub(before.bytes_in),
            bytes_out: now.bytes_out.saturating_sub(before.bytes_out),
        }
    }

    /// Resets what INFO counts. It borrows all shards, one after another, so it may take long.
    pub fn reset_stats(&self) {
        self.stats.reset();
        *self.reset.lock() = self.counted();
        for number in 0..SHARDS {
            let mut shard = self.keyspace.borrow_blocking(number as u16);
            for (_, db) in shard.dbs() {
                // Changes are no statistics: who saves asks for them.
                db.stats = ShardStats { changes: db.stats.changes, ..ShardStats::default() };
            }
        }
    }
}

/// Ends what the server does before its process ends.
pub fn drain(_: &Server) {
    crate::process::remove_files();
}

/// The time in milliseconds of Unix time.
#[inline]
pub fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
