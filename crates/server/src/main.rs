//! `dragonfly`: an in-memory data store that speaks Redis on all cores of a machine.
//!
//! ```text
//! main ── config     flags, one table
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

mod clients;
mod config;
mod connection;
mod families;
mod inbox;
mod logging;
mod monitor;
mod net;
mod panic;
mod pipeline;
mod pool;
mod reactor;
mod redact;
mod registry;
mod server;
mod session;
mod stats;
mod threads;
mod watch;

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
    let config = match config::parse(std::env::args().skip(1)) {
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
            log::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stdout, reason = "what was asked for with --help or --version")]
fn print(text: &str) -> ExitCode {
    println!("{}", text.trim_end());
    ExitCode::SUCCESS
}

fn serve(config: Config) -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::leak(config)?;
    threads::start(server)?;
    log::info!("{}, pid {}", version_line(), std::process::id());
    let path = server.config.unix_socket.read().clone();
    match server.config.port.load(Relaxed) {
        0 => log::info!("listening on {path}"),
        port if path.is_empty() => log::info!("listening on port {port}"),
        port => log::info!("listening on port {port} and {path}"),
    }
    log::info!("{} threads, data in memory only", server.threads);
    log::info!("ready to accept connections");
    wait_for_signal()?;
    log::info!("stopping");
    if !path.is_empty() {
        // It may be gone already.
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

/// Waits until the process is asked to end.
fn wait_for_signal() -> std::io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT])?;
    signals.forever().next();
    Ok(())
}
