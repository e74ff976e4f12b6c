//! The process as others see it: its directory, its file with its number, its limit of open files,
//! and the service manager that waits for it.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::Ordering::Relaxed;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;
use crate::machine;

/// Files that are open besides connections: listeners, files, and some for each thread.
const FILES_RESERVED: u64 = 32;
const FILES_PER_THREAD: u64 = 4;

/// Where the file with the process's number is, once it is written.
static PID_FILE: OnceLock<PathBuf> = OnceLock::new();

/// Goes to the directory of the configuration.
pub fn apply_dir(config: &Config) -> Result<(), String> {
    let mut dir = config.dir.write();
    std::env::set_current_dir(&*dir).map_err(|error| format!("{dir}: {error}"))?;
    if let Ok(path) = std::env::current_dir() {
        *dir = path.to_string_lossy().into_owned();
    }
    Ok(())
}

fn files_besides_clients(config: &Config) -> u64 {
    FILES_RESERVED + FILES_PER_THREAD * config.threads_wanted() as u64
}

/// Raises the limit of open files until `wanted` fit, as far as it goes; returns the limit.
fn raise_files(wanted: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    if current >= wanted {
        return current;
    }
    // Beyond the maximum only the privileged come, who may raise that too.
    let highest = limit.maximum.unwrap_or(u64::MAX);
    for new in [wanted, highest.min(wanted)] {
        let maximum = Some(new.max(highest));
        if setrlimit(Resource::Nofile, Rlimit { current: Some(new), maximum }).is_ok() {
            return new;
        }
    }
    current
}

/// Makes sure that as many clients as configured can be connected.
pub fn apply_clients_max(config: &Config) -> Result<(), String> {
    let clients = config.clients_max.load(Relaxed) as u64;
    let besides = files_besides_clients(config);
    let files = raise_files(clients.saturating_add(besides));
    if files >= clients.saturating_add(besides) {
        return Ok(());
    }
    let most = files.saturating_sub(besides).max(1);
    Err(format!(
        "The operating system is not able to handle the specified number of clients, \
         try with {most}"
    ))
}

/// At the start, takes fewer clients rather than none.
pub fn fit_clients_max(config: &Config) {
    let wanted = config.clients_max.load(Relaxed) as u64;
    let besides = files_besides_clients(config);
    let files = raise_files(wanted.saturating_add(besides));
    let most = files.saturating_sub(besides).max(1);
    if most < wanted {
        config.clients_max.store(usize::try_from(most).unwrap_or(1), Relaxed);
        log::warn!(
            "maxclients is {most}, not {wanted}: no more than {files} files may be open \
             (see ulimit -n)"
        );
    }
}

/// Warns when the kernel keeps fewer waiting connections than configured.
pub fn check_backlog(config: &Config) {
    let wanted = config.backlog.load(Relaxed) as u64;
    match machine::kernel_number("/proc/sys/net/core/somaxconn") {
        Some(most) if most < wanted => {
            log::warn!("tcp-backlog is {most}, not {wanted}: /proc/sys/net/core/somaxconn is lower")
        }
        _ => {}
    }
}

/// Writes the file with the process's number.
pub fn write_pid_file(config: &Config) -> io::Result<()> {
    let path = config.pid_file.read().clone();
    if path.is_empty() {
        return Ok(());
    }
    let error = |error: io::Error| io::Error::new(error.kind(), format!("pidfile {path}: {error}"));
    std::fs::write(&path, format!("{}\n", std::process::id())).map_err(error)?;
    let path = std::fs::canonicalize(&path).map_err(error)?;
    // It is written once.
    let _ = PID_FILE.set(path);
    Ok(())
}

/// Removes the file with the process's number.
pub fn remove_pid_file() {
    if let Some(path) = PID_FILE.get() {
        // It may be gone already.
        let _ = std::fs::remove_file(path);
    }
}

/// Tells the service manager that waits for it what the process is about to do.
pub fn notify_manager(config: &Config, state: &str) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else {
        if *config.supervised.read() == "systemd" {
            log::warn!("supervised by systemd, but NOTIFY_SOCKET is not set");
        }
        return;
    };
    if *config.supervised.read() == "no" {
        return;
    }
    if let Err(error) = notify(Path::new(&socket), state) {
        log::warn!("the service manager cannot be told '{state}': {error}");
    }
}

fn notify(socket: &Path, state: &str) -> io::Result<()> {
    let address = match socket.to_string_lossy().strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}
