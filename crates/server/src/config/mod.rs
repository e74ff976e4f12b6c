//! Flags and configuration: one table of parameters drives the command line, files, the
//! environment, CONFIG, `--help` and docs/configuration.md.
//!
//! ```text
//! rows/      the table: names, defaults, meanings, by subject
//! parameter  what a row is: where its value lives, who may change it
//! shape      how values are written: numbers, bytes, yes and no, words
//! limits, levels, address   values with a form of their own
//! sources    from the command line, the environment and files to a Config
//! file       the two syntaxes of files: Redis's and that of flags
//! rewrite    CONFIG REWRITE
//! help       --help, and the document
//! ```
//!
//! Values are kept in [`Config`]. Fields that may change while the server runs are atomics, or
//! behind a lock and read rarely.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{LazyLock, OnceLock};

use parking_lot::{Mutex, RwLock};

use crate::oom::OomScore;

mod address;
mod file;
mod help;
mod levels;
mod limits;
mod parameter;
mod rewrite;
mod rows;
mod shape;
mod sources;

#[cfg(test)]
mod tests;

pub use address::listen_address;
pub use file::Syntax;
pub use limits::{OutputLimit, OutputLimits};
pub use parameter::{Apply, Change, Effect, Parameter};
pub use rewrite::rewrite;
pub use sources::{Invocation, parse};

/// Listens where the configuration says now.
pub type Relisten = Box<dyn Fn() -> std::io::Result<()> + Send + Sync>;

/// The configuration of a server.
#[derive(Default)]
pub struct Config {
    /// TCP port; 0 for none, -1 for a free one, which stands here once it is found.
    pub port: AtomicI64,
    /// Addresses to listen on.
    pub bind: RwLock<Vec<String>>,
    /// Path of a unix socket, or nothing.
    pub unix_socket: RwLock<String>,
    /// Permissions of the unix socket, or zero.
    pub unix_socket_mode: AtomicU64,
    /// Length of a TCP listener's queue.
    pub backlog: AtomicUsize,

    /// Connections at a time.
    pub clients_max: AtomicUsize,
    /// Seconds after which an idle client is closed, or zero.
    pub timeout_s: AtomicU64,
    /// Seconds between TCP keepalive probes, or zero.
    pub keepalive_s: AtomicU64,
    /// How much unsent output clients may have.
    pub output_limits: RwLock<OutputLimits>,
    /// Bytes of a request that is not complete yet.
    pub query_buffer_max: AtomicU64,
    /// Parameters that commands on data follow.
    pub settings: commands::Settings,
    /// Bytes of all clients' buffers together; zero for automatic.
    pub clients_memory_max: AtomicU64,
    /// The per cent of `memory_max` that `clients_memory_max` follows, or zero.
    clients_memory_percent: AtomicU64,

    /// The password of the default user, or nothing.
    pub password: RwLock<String>,
    /// Whether only this machine is served while there is no password and no chosen address.
    pub protected_mode: AtomicBool,
    /// Whether DEBUG may be used: `no`, `local` or `yes`.
    pub debug_command: RwLock<String>,
    /// Whether protected parameters may be changed: `no`, `local` or `yes`.
    pub protected_configs: RwLock<String>,

    /// Number of threads that serve connections; zero for one per core.
    pub threads: AtomicUsize,
    /// Bytes of memory that may be used, or zero.
    pub memory_max: AtomicU64,

    /// The least important messages that are logged.
    pub log_level: RwLock<String>,
    /// The file that the log goes to, or nothing.
    pub log_file: RwLock<String>,
    /// The directory that the process works in.
    pub dir: RwLock<String>,
    /// The file with the number of the process, or nothing.
    pub pid_file: RwLock<String>,
    /// How readily the kernel ends the process.
    pub oom_score: OomScore,
    /// Who waits for the server to be ready: `no`, `systemd` or `auto`.
    pub supervised: RwLock<String>,

    /// Microseconds from which SLOWLOG notes a command; negative for never.
    pub slow_us: AtomicI64,
    /// Entries that SLOWLOG keeps.
    pub slow_len_max: AtomicU64,
    /// Bytes from which COMMANDLOG notes a request; negative for never.
    pub large_request_bytes: AtomicI64,
    /// Large requests that COMMANDLOG keeps.
    pub large_request_len_max: AtomicU64,
    /// Bytes from which COMMANDLOG notes a reply; negative for never.
    pub large_reply_bytes: AtomicI64,
    /// Large replies that COMMANDLOG keeps.
    pub large_reply_len_max: AtomicU64,
    /// Milliseconds from which LATENCY notes an event; zero for never.
    pub latency_threshold_ms: AtomicU64,
    /// Whether the latency of each command is measured.
    pub latency_tracking: AtomicBool,
    /// The percentiles of latency that INFO shows.
    pub latency_percentiles: RwLock<Vec<f64>>,

    /// Values that have no effect, by the parameter's name.
    kept: RwLock<BTreeMap<&'static str, String>>,
    /// The file that CONFIG REWRITE writes.
    pub file: Option<(PathBuf, Syntax)>,
    /// Where the values come from, to be shown.
    pub sources: Vec<String>,
    /// Listens where the configuration says, once the server listens at all.
    pub relisten: OnceLock<Relisten>,
    /// Held while several parameters are changed or looked at together; never for long.
    pub changing: Mutex<()>,
}

impl Config {
    /// The defaults of the table.
    pub fn new() -> Self {
        let config = Self::default();
        for parameter in parameters() {
            // A test proves that every default is a value of its parameter.
            let _ = parameter.set(&config, parameter.default);
        }
        config.kept.write().clear();
        config
    }

    /// How many threads are wanted.
    pub fn threads_wanted(&self) -> usize {
        match self.threads.load(Relaxed) {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            count => count,
        }
    }

    /// Whether the server listens on all addresses and asks for no password.
    pub fn is_open(&self) -> bool {
        let everywhere = self.bind.read().iter().any(|address| address.contains('*'));
        everywhere && self.password.read().is_empty()
    }

    /// Parameters that were given a value and have no effect, by the reason.
    pub fn without_effect(&self) -> BTreeMap<&'static str, Vec<&'static str>> {
        let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let defaults = Self::new();
        for parameter in parameters().filter(|p| p.effect() == Effect::None) {
            if parameter.get(self) != parameter.get(&defaults) {
                found.entry(parameter.about).or_default().push(parameter.name);
            }
        }
        found
    }
}

/// All parameters, in the order of the table.
pub fn parameters() -> impl Iterator<Item = &'static Parameter> {
    rows::GROUPS.iter().flat_map(|group| group.rows)
}

/// A name in the form that names are compared in: dashes and underscores are the same.
fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

static BY_NAME: LazyLock<HashMap<String, &'static Parameter>> = LazyLock::new(|| {
    parameters().flat_map(|p| p.names().map(move |name| (folded(name), p))).collect()
});

static LISTED: LazyLock<Vec<(&'static str, &'static Parameter)>> = LazyLock::new(|| {
    let mut listed: Vec<_> = parameters()
        .filter(|p| !p.file_only)
        .flat_map(|p| p.aliases.iter().copied().chain([p.name]).map(move |name| (name, p)))
        .collect();
    listed.sort_by_key(|(name, _)| *name);
    listed
});

/// The parameter with this name, in whichever server.
pub fn parameter(name: &str) -> Option<&'static Parameter> {
    BY_NAME.get(&folded(name)).copied()
}

/// What CONFIG GET lists: names with their parameters, sorted by name.
pub fn listed() -> &'static [(&'static str, &'static Parameter)] {
    &LISTED
}
