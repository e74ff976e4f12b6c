//! The server: what all threads share.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use keyspace::Keyspace;

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
}

/// What a stranger from another machine is told while there is no password.
const PROTECTED: &[u8] = b"-DENIED This server is in protected mode because no password is set. \
In this mode connections are only accepted from this machine. To accept others, set a password \
with --requirepass or bind only the addresses that you trust.\r\n";

impl Server {
    /// A server that is not listening yet.
    pub fn leak(config: Config) -> io::Result<&'static Self> {
        let mut random = [0; 36];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let word = |at: usize| {
            random[at..].first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes))
        };
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = match config.threads.load(Relaxed) {
            0 => cores,
            count => count,
        };
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
        })))
    }

    /// Chooses the thread for a new connection and counts it there, or says what it is told
    /// instead.
    pub fn admit(&self, accepted: &Accepted) -> Result<usize, &'static [u8]> {
        if self.clients.len() >= self.config.clients_max.load(Relaxed) {
            self.clients.note_refused();
            return Err(b"-ERR max number of clients reached\r\n");
        }
        let open = self.config.password.read().is_empty()
            && self.config.bind.read().iter().any(|address| address.contains('*'));
        if open && !accepted.is_local {
            return Err(PROTECTED);
        }
        Ok(self.clients.place())
    }
}

/// The time in milliseconds of Unix time.
#[inline]
pub fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
