//! The process as others see it: its directory, its file with its number, its limit of open files,
//! and the service manager that waits for it.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;

use parking_lot::Mutex;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;

/// Files that are open besides connections: listeners, files, and some for each thread.
const FILES_RESERVED: u64 = 32;
const FILES_PER_THREAD: u64 = 4;

/// Files that go when the process ends.
static REMOVED_AT_END: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Lets a file go when the process ends.
pub fn remove_at_end(path: &str) -> io::Result<()> {
    // The directory of the process may change.
    REMOVED_AT_END.lock().push(std::path::absolute(path)?);
    Ok(())
}

/// Removes the files that go when the process ends.
pub fn remove_files() {
    for path in REMOVED_AT_END.lock().drain(..) {
        // It may be gone already.
        let _ = std::fs::remove_file(path);
    }
}

/// `dir` as text.
pub fn dir(config: &Config) -> String {
    let dir = config.dir.read();
    std::path::absolute(&*dir).map_or_else(|_| dir.clone(), |path| path.display().to_string())
}

/// Sets `dir`. Only [`apply_dir`] goes there.
pub fn set_dir(config: &Config, text: &str) -> Result<(), String> {
    text.clone_into(&mut config.dir.write());
    Ok(())
}

/// Goes to the directory of the configuration.
pub fn apply_dir(config: &Config) -> Result<(), String> {
    let mut dir = config.dir.write();
    rustix::process::chdir(&**dir).map_err(|error| plain(&error.into()))?;
    // From there, a relative path would lead elsewhere.
    if let (true, Ok(path)) = (*dir != ".", std::env::current_dir()) {
        *dir = path.display().to_string();
    }
    Ok(())
}

/// An error of the system without its number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
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

/// Writes the file with the process's number.
pub fn write_pid_file(config: &Config) -> io::Result<()> {
    let path = config.pid_file.read().clone();
    if path.is_empty() {
        return Ok(());
    }
    let error = |error: io::Error| io::Error::new(error.kind(), format!("pidfile {path}: {error}"));
    std::fs::write(&path, format!("{}\n", std::process::id())).map_err(error)?;
    remove_at_end(&path)
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
