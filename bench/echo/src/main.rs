//! The floor: a server that parses requests and answers `+OK` to each, and does nothing else.
//!
//! What an operation costs here is what the kernel, the loopback device and the parsing of a
//! request cost; no server of this protocol can be cheaper on the same machine. So the distance
//! between this program and a store is the price of the store itself.
//!
//! One blocking thread accepts and deals the connections out in turn; each worker owns an epoll
//! set and reads into one buffer. A readiness costs one `recv` and one `send`. Epoll is edge
//! triggered, so that an answered connection is not looked at a second time. Replies are counted,
//! not built: all of them are slices of one long repetition of `+OK`.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout)] // The one line that says where it listens is for people to read.

mod requests;

use requests::Requests;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::io;
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

const READ_BYTES_MAX: usize = 64 * 1024;
const EVENTS_MAX: usize = 512;
const REPLY: &[u8] = b"+OK\r\n";
const USAGE: &str = "usage: bench-echo [--port N] [--threads N]";

/// Connections on their way from the accepting thread to a worker.
type Arrivals = Arc<Mutex<Vec<(usize, OwnedFd)>>>;

/// What a worker remembers about one client between two events.
struct Connection {
    socket: OwnedFd,
    requests: Requests,
    /// Reply bytes the kernel did not take yet; they are the end of a run of replies.
    owed_bytes: usize,
}

struct Worker {
    epoll: Arc<OwnedFd>,
    arrivals: Arrivals,
    /// By token; tokens are never used twice, so a late event cannot meet a stranger.
    connections: Vec<Option<Connection>>,
    buffer: Vec<u8>,
    replies: Vec<u8>,
}

fn main() -> ExitCode {
    let run = options().and_then(|(port, threads)| serve(port, threads));
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-echo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> io::Result<(u16, usize)> {
    let (mut port, mut threads) = (6400, 1);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let number = words.next().and_then(|text| text.parse::<u16>().ok());
        match (word.as_str(), number) {
            ("--port", Some(number)) => port = number,
            ("--threads", Some(number)) if number > 0 => threads = usize::from(number),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, USAGE)),
        }
    }
    Ok((port, threads))
}

/// Starts the workers and deals new connections out to them, forever.
fn serve(port: u16, threads: usize) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let mut workers = Vec::new();
    for _ in 0..threads {
        let epoll = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC)?);
        let arrivals = Arrivals::default();
        let mut worker = Worker::new(Arc::clone(&epoll), Arc::clone(&arrivals));
        thread::spawn(move || {
            let error = worker.run();
            eprintln!("bench-echo: epoll failed: {error}");
            std::process::exit(1);
        });
        workers.push((epoll, arrivals));
    }
    println!("bench-echo: port {port}, {threads} threads");
    for number in 0.. {
        let (stream, _) = listener.accept()?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let (epoll, arrivals) = &workers[number % threads];
        hand_over(epoll, arrivals, number / threads, OwnedFd::from(stream))?;
    }
    Ok(())
}

/// Registers while the lock is held: the worker's first event for `token` finds it in `arrivals`.
fn hand_over(
    epoll: &OwnedFd,
    arrivals: &Arrivals,
    token: usize,
    socket: OwnedFd,
) -> io::Result<()> {
    let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
    let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
    epoll::add(epoll, &socket, epoll::EventData::new_u64(token as u64), flags)?;
    arrivals.push((token, socket));
    Ok(())
}

impl Worker {
    fn new(epoll: Arc<OwnedFd>, arrivals: Arrivals) -> Self {
        let replies_max = READ_BYTES_MAX / requests::REQUEST_BYTES_MIN + 1;
        Self {
            epoll,
            arrivals,
            connections: Vec::new(),
            buffer: vec![0; requests::HEADER_BYTES_MAX + READ_BYTES_MAX],
            replies: REPLY.repeat(replies_max),
        }
    }

    /// Serves until epoll itself fails, which it reports.
    fn run(&mut self) -> Errno {
        let mut events: Vec<epoll::Event> = Vec::with_capacity(EVENTS_MAX);
        loop {
            match epoll::wait(&*self.epoll, spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return error,
            }
            for event in events.drain(..) {
                self.on_ready(event.data.u64() as usize);
            }
        }
    }

    fn on_ready(&mut self, token: usize) {
        if self.connections.len() <= token {
            self.take_arrivals();
        }
        let Some(Some(connection)) = self.connections.get_mut(token) else { return };
        if !connection.serve(&mut self.buffer, &self.replies) {
            self.connections[token] = None;
        }
    }

    fn take_arrivals(&mut self) {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        for (token, socket) in arrivals.drain(..) {
            debug_assert_eq!(token, self.connections.len(), "tokens arrive in order");
            let connection = Connection { socket, requests: Requests::default(), owed_bytes: 0 };
            self.connections.push(Some(connection));
        }
    }
}

impl Connection {
    /// Answers what has arrived. False when the connection is over.
    fn serve(&mut self, buffer: &mut [u8], replies: &[u8]) -> bool {
        loop {
            if self.owed_bytes > 0 && !self.pay(replies) {
                return false;
            }
            if self.owed_bytes > 0 {
                return true; // Full: the client must read before it is read from.
            }
            let carried = self.requests.restore(buffer);
            let room = buffer.len() - carried;
            let read = match recv(&self.socket, &mut buffer[carried..], RecvFlags::empty()) {
                Ok((0, _)) => return false,
                Ok((read, _)) => read,
                Err(Errno::AGAIN | Errno::INTR) => {
                    self.requests.keep(&buffer[..carried]);
                    return true;
                }
                Err(_) => return false,
            };
            let Some(count) = self.requests.count(&buffer[..carried + read]) else { return false };
            self.owed_bytes = count * REPLY.len();
            if self.owed_bytes > 0 && !self.pay(replies) {
                return false;
            }
            if read < room && self.owed_bytes == 0 {
                return true;
            }
        }
    }

    /// Sends what is owed as far as the kernel takes it. False when the client is gone.
    fn pay(&mut self, replies: &[u8]) -> bool {
        let phase = (REPLY.len() - self.owed_bytes % REPLY.len()) % REPLY.len();
        let bytes = &replies[phase..phase + self.owed_bytes];
        match send(&self.socket, bytes, SendFlags::NOSIGNAL) {
            Ok(sent) => self.owed_bytes -= sent,
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => return false,
        }
        true
    }
}
