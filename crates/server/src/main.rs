//! `dragonfly`: an in-memory data store that speaks Redis on all cores of a machine.
//!
//! ```text
//! main ── config     flags, files, CONFIG: one table
//!      ── announce   the first lines of the log
//!      ── signals    what ends the process
//!      ── process    its directory, its file with its number, its limits
//!      ── server     what all threads share
//!      ── threads    starts the threads that serve connections
//!           └─ reactor       one loop per thread: wait, read, run, send
//!                ├─ connection   one client
//!                ├─ pipeline     bytes to replies: parse ahead, prefetch, borrow, run
//!                │    ├─ registry   the command table
//!                │    ├─ commands   (crate) commands on data
//!                │    └─ families   commands about connections and the server
//!                ├─ pool         threads for what takes long
//!                └─ inbox        messages between threads
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod announce;
mod census;
mod clients;
mod commandlog;
mod config;
mod connection;
mod counter;
mod counts;
mod cron;
mod digest;
mod drain;
mod families;
mod hotkeys;
mod inbox;
mod kept;
mod latency;
mod limits;
mod listening;
mod logging;
mod machine;
mod monitor;
mod net;
mod oom;
mod panic;
mod pipeline;
mod pool;
mod process;
mod reactor;
mod redact;
mod registry;
mod server;
mod session;
mod signals;
mod stats;
mod system;
mod threads;
mod traffic;
mod turns;
mod usage;
mod watch;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;

use config::{Config, Invocation};
use server::Server;

#[global_allocator]
static ALLOCATOR: memory::CountedAllocator = memory::CountedAllocator;

/// The version of this server.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The version of Redis whose commands clients may expect.
pub const REDIS_VERSION: &str = "8.0.0";

/// Name and version in one line.
pub fn version_line() -> String {
    format!("dragonfly v{VERSION} (Redis {REDIS_VERSION})")
}

fn main() -> ExitCode {
    logging::start();
    panic::install_hook();
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    // What is not UTF-8 is none of ours.
    let environment = std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    let config = match config::parse(words, environment) {
        Ok(Invocation::Serve(config)) => config,
        Ok(Invocation::Print(text)) => return print(&text),
        Err(error) => {
            log::error!("{error}");
            return ExitCode::FAILURE;
        }
    };
    match serve(*config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            logging::error_everywhere(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Prints what was asked for with --help or --version.
fn print(text: &str) -> ExitCode {
    // Who reads only the beginning closes the pipe.
    let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
    ExitCode::SUCCESS
}

fn serve(config: Config) -> Result<(), Box<dyn std::error::Error>> {
    process::apply_dir(&config).map_err(|error| format!("dir {}: {error}", config.dir.read()))?;
    logging::set_level(&config.log_level.read());
    logging::set_file(&config.log_file.read())?;
    process::fit_clients_max(&config);
    oom::apply(&config).unwrap_or_else(|error| log::warn!("oom-score-adj: {error}"));
    let server = Server::leak(config)?;
    // Whoever sees that the server listens may ask it to end.
    let signals = signals::keep()?;
    threads::start(server)?;
    memory::publish();
    server.started_memory.store(memory::used(), Relaxed);
    process::write_pid_file(&server.config)?;
    announce::announce(server);
    process::notify_manager(&server.config, "READY=1");
    signals::serve(server, signals);
    Ok(())
}
