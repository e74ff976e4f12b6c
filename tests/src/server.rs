//! A process under test: ours, or Debian's `redis-server` to compare with.
//!
//! It listens on a free port, answers when `start` returns, and is looked at when it goes: a
//! process that ended before it was asked to, does not end when asked, or logged a panic fails the
//! test.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};

use crate::client::Client;
use crate::resp::Value;
use crate::wait;

/// Lines of the log that a failure shows.
const LOG_LINES_SHOWN: usize = 40;
/// Attempts to start a Redis on a port that was free a moment ago.
const PORT_ATTEMPTS: usize = 20;
/// What a process says that has a bug, in lower case.
const PANIC_MARKS: &[&str] = &["panic", "addresssanitizer", "=== redis bug report"];

/// A running server.
pub struct Server {
    child: Child,
    address: SocketAddr,
    directory: PathBuf,
    log: Arc<Mutex<Vec<String>>>,
    log_readers: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts our server with two threads, unless the flags say otherwise.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn start(flags: &[&str]) -> Self {
        Self::start_with(flags, &[])
    }

    /// The same, with variables of the environment.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn start_with(flags: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(binary());
        command.envs(environment.iter().copied());
        let given = |name: &str| flags.iter().any(|flag| flag.starts_with(name));
        if !given("--port") {
            command.args(["--port", "-1"]);
        }
        if !given("--threads") {
            command.args(["--threads", "2"]);
        }
        if !given("--bind") {
            command.args(["--bind", "127.0.0.1"]);
        }
        command.args(flags);
        let mut server = Self::spawn(command, 0);
        let mut port = None;
        wait::until("the server tells its port and is ready", || {
            server.check_alive();
            port = port.or_else(|| server.log_line("listening on port ").and_then(port_of));
            server.log_line("ready to accept connections").is_some()
        });
        server.address.set_port(port.unwrap_or(0));
        server.wait_for_answer();
        server
    }

    /// Starts a Redis-like server, `redis-server` or `valkey-server`, that keeps nothing on disk.
    ///
    /// # Panics
    /// When it is not installed, or does not answer.
    pub fn start_other(program: &str, flags: &[&str]) -> Self {
        for _ in 0..PORT_ATTEMPTS {
            let port = free_port();
            let mut command = Command::new(program);
            command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
            command.args(["--appendonly", "no"]).args(flags);
            let mut server = Self::spawn(command, port);
            // Another process may have taken the port in the meantime.
            let mut ended = None;
            wait::until("the other server is ready", || {
                ended = server.child.try_wait().unwrap();
                ended.is_some() || server.log_line("eady to accept connections").is_some()
            });
            if ended.is_none() {
                server.wait_for_answer();
                return server;
            }
            server.discard();
        }
        panic!("{program} found no free port; run tests/install.sh if it is not installed")
    }

    fn spawn(mut command: Command, port: u16) -> Self {
        let directory = own_directory();
        command.current_dir(&directory).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("cannot start {:?}: {error}; see tests/README.md", command.get_program())
        });
        let log = Arc::new(Mutex::new(Vec::new()));
        let stderr = child.stderr.take().unwrap();
        let stdout = child.stdout.take().unwrap();
        let log_readers = vec![collect(stderr, log.clone()), collect(stdout, log.clone())];
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self { child, address, directory, log, log_readers }
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The server's working directory, which goes when it does.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A new connection.
    ///
    /// # Panics
    /// When the server does not take it.
    pub fn connect(&self) -> Client {
        Client::tcp(self.address).unwrap_or_else(|error| panic!("cannot connect: {error}"))
    }

    /// A new connection that speaks RESP3.
    pub fn connect_resp3(&self) -> Client {
        let mut client = self.connect();
        assert!(matches!(client.run("HELLO 3"), Value::Map(_)));
        client
    }

    /// Resident memory of the process, in bytes.
    ///
    /// # Panics
    /// When there is no such process.
    pub fn resident_bytes(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// The most resident memory that the process has had, in bytes.
    ///
    /// # Panics
    /// When there is no such process.
    pub fn peak_resident_bytes(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kilobytes * 1024
    }

    /// The lines of the log so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Asks the process to end with a signal, and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        if let Some(pid) = Pid::from_raw(self.child.id() as i32) {
            // It may have ended already.
            let _ = kill_process(pid, Signal::TERM);
        }
        self.wait_for_end()
    }

    /// Waits until the process has ended, as it was asked to in some way.
    pub fn wait_for_end(&mut self) -> ExitStatus {
        let mut status = None;
        wait::until("the server ends when asked to", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    /// Lets a server that was stopped go without asking how it ended.
    pub fn forget(mut self) {
        self.discard();
        std::mem::forget(self);
    }

    fn log_line(&self, start: &str) -> Option<String> {
        let log = self.log.lock().unwrap();
        log.iter().find_map(|line| Some(line[line.find(start)? + start.len()..].to_owned()))
    }

    fn check_alive(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("the server ended with {status}:\n{}", self.log_tail());
        }
    }

    fn wait_for_answer(&mut self) {
        if self.port() == 0 {
            return;
        }
        let address = self.address;
        wait::until("the server answers", || {
            self.check_alive();
            // With a password, a refusal is an answer too.
            Client::tcp(address).is_ok_and(|mut client| !client.run("PING").bytes().is_empty())
        });
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        log[log.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }

    /// Ends the process and whatever belongs to it.
    fn discard(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in self.log_readers.drain(..) {
            let _ = reader.join();
        }
        let _ = std::fs::remove_dir_all(&self.directory);
    }

    /// What was wrong with the life of the process, if anything was.
    fn verdict(&mut self) -> Option<String> {
        if let Ok(Some(status)) = self.child.try_wait() {
            return Some(format!("the server had ended with {status}"));
        }
        let status = self.stop();
        for reader in self.log_readers.drain(..) {
            let _ = reader.join();
        }
        let log = self.log();
        let panicked = log.iter().find(|line| {
            let line = line.to_ascii_lowercase();
            PANIC_MARKS.iter().any(|mark| line.contains(mark))
        });
        if let Some(line) = panicked {
            return Some(format!("the server logged '{line}'"));
        }
        (!status.success()).then(|| format!("the server ended with {status} when stopped"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let ended = self.child.try_wait().ok().flatten();
            self.discard();
            let state = ended.map_or("was running".to_owned(), |status| status.to_string());
            // The panic that is under way is the failure; this is for whoever looks for its cause.
            eprintln!("--- log of the server, which {state}\n{}\n---", self.log_tail());
            return;
        }
        let verdict = self.verdict();
        self.discard();
        if let Some(verdict) = verdict {
            panic!("{verdict}:\n{}", self.log_tail());
        }
    }
}

/// Our binary: that of `DRAGONFLY_BIN`, else the one built beside this test.
///
/// # Panics
/// When there is none.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("DRAGONFLY_BIN") {
        return PathBuf::from(path);
    }
    let own = std::env::current_exe().unwrap();
    let path = own.parent().and_then(Path::parent).unwrap().join("dragonfly");
    assert!(
        path.exists(),
        "{} is not built: `cargo build -p server` with the same profile, or set DRAGONFLY_BIN",
        path.display()
    );
    path
}

/// The workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

fn collect(
    stream: impl std::io::Read + Send + 'static,
    log: Arc<Mutex<Vec<String>>>,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            log.lock().unwrap().push(String::from_utf8_lossy(&line).trim_end().to_owned());
            line.clear();
        }
    })
}

/// The port of a log line behind `listening on port `, which may go on with a path.
fn port_of(rest: String) -> Option<u16> {
    rest.split(' ').next()?.parse().ok()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A new directory of the test that asks for it.
///
/// # Panics
/// When there is no room for it.
pub fn own_directory() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("dragonfly-test-{}-{number}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&directory).unwrap();
    directory
}
