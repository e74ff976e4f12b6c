//! The register of connections: what CLIENT LIST shows and CLIENT KILL ends.
//!
//! A connection is served by one thread, but any thread may look at it. What the others see is a
//! [`Client`], whose changing parts are atomics that only its own thread writes, once per batch of
//! commands. Killing is a message to that thread.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU16, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed,
};

use bitflags::bitflags;
use parking_lot::Mutex;

use crate::connection::Connection;
use crate::counter;
use crate::inbox::{Inbox, Message, Token};
use crate::net::{Accepted, Address};
use crate::traffic::{Meter, Traffic};

bitflags! {
    /// States of a connection that others see.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct ClientFlags: u32 {
        /// It is told every command.
        const MONITOR = 1;
        /// Its command waits for something.
        const BLOCKED = 1 << 1;
        /// It ends when its replies are sent.
        const CLOSING = 1 << 2;
        /// It came through a unix socket.
        const UNIX_SOCKET = 1 << 3;
        /// It is not closed to free memory.
        const NO_EVICT = 1 << 4;
        /// Its commands do not count as use of their keys.
        const NO_TOUCH = 1 << 5;
        /// It can be redirected to another server.
        const CAN_REDIRECT = 1 << 6;
    }
}

/// The letters by which CLIENT LIST shows flags, in its order.
const LETTERS: &[(ClientFlags, char)] = &[
    (ClientFlags::MONITOR, 'O'),
    (ClientFlags::BLOCKED, 'b'),
    (ClientFlags::CLOSING, 'c'),
    (ClientFlags::UNIX_SOCKET, 'U'),
    (ClientFlags::NO_EVICT, 'e'),
    (ClientFlags::NO_TOUCH, 'T'),
];

/// What others may see of a connection.
pub struct Client {
    /// Its number, unique since the start.
    pub id: u64,
    /// The other side's address.
    pub addr: Address,
    /// Our side's address.
    pub local_addr: Address,
    /// The socket's number.
    pub fd: i32,
    /// The thread that serves it.
    pub thread: usize,
    /// When it was accepted, in milliseconds of Unix time.
    pub since_ms: u64,
    /// The names that it gave itself.
    pub names: Mutex<Names>,
    db: AtomicU16,
    resp3: AtomicBool,
    flags: AtomicU32,
    last_command: AtomicU32,
    last_ms: AtomicU64,
    commands: AtomicU64,
    meter: Meter,
    /// What it keeps: bytes of input, room for more, bytes of output, pieces of output.
    buffers: [AtomicUsize; 4],
    /// Where its thread is told about it, and its name there.
    home: (Arc<Inbox>, Token),
}

/// Names that a client gave itself.
#[derive(Clone, Default)]
pub struct Names {
    /// By CLIENT SETNAME.
    pub name: String,
    /// The client library's.
    pub library: String,
    /// The client library's version.
    pub library_version: String,
}

/// No command yet, or none that exists.
const NO_COMMAND: u32 = u32::MAX;

impl Client {
    pub(crate) fn set_db(&self, db: u16) {
        self.db.store(db, Relaxed);
    }

    pub(crate) fn set_resp3(&self, resp3: bool) {
        self.resp3.store(resp3, Relaxed);
    }

    /// Notes the command that runs now or ran last, by its row's index, or that there is no such
    /// command; only for the connection's own thread.
    #[inline]
    pub fn note_command(&self, index: Option<usize>, now_ms: u64) {
        self.last_command.store(index.map_or(NO_COMMAND, |index| index as u32), Relaxed);
        self.last_ms.store(now_ms, Relaxed);
    }

    /// Counts commands; only for the connection's own thread.
    #[inline]
    pub fn note_count(&self, commands: u64) {
        counter::add(&self.commands, commands);
    }

    /// Notes bytes that came; only for the connection's own thread.
    #[inline]
    pub fn note_read(&self, bytes: usize) {
        self.meter.note_read(bytes);
    }

    /// Notes bytes that went; only for the connection's own thread.
    #[inline]
    pub fn note_written(&self, bytes: usize) {
        self.meter.note_written(bytes);
    }

    /// Sets flags, or clears them.
    pub fn set(&self, flags: ClientFlags, on: bool) {
        if on {
            self.flags.fetch_or(flags.bits(), Relaxed);
        } else {
            self.flags.fetch_and(!flags.bits(), Relaxed);
        }
    }

    /// Whether it has all these flags.
    pub fn is(&self, flags: ClientFlags) -> bool {
        ClientFlags::from_bits_truncate(self.flags.load(Relaxed)).contains(flags)
    }

    /// The letters of its flags, or `N` for none.
    pub fn letters(&self) -> String {
        let letters: String =
            LETTERS.iter().filter(|(flag, _)| self.is(*flag)).map(|(_, letter)| *letter).collect();
        if letters.is_empty() { "N".to_owned() } else { letters }
    }

    /// The database it works on.
    pub fn db(&self) -> u16 {
        self.db.load(Relaxed)
    }

    /// When its last commands came, in milliseconds of Unix time.
    pub fn last_ms(&self) -> u64 {
        self.last_ms.load(Relaxed)
    }

    /// Sends it bytes that answer no command of its own.
    pub fn push(&self, bytes: Arc<[u8]>) {
        let (inbox, token) = &self.home;
        inbox.send(Message::Push(*token, bytes));
    }

    /// Ends its waiting, if it is blocked: with an error or as if its time were over.
    pub fn unblock(&self, error: bool) {
        let (inbox, token) = &self.home;
        inbox.send(Message::Unblock(*token, error));
    }

    /// Notes what it keeps: bytes of input, room for more, bytes of output, pieces of output.
    pub fn note_buffers(&self, buffers: [usize; 4]) {
        for (shown, now) in self.buffers.iter().zip(buffers) {
            shown.store(now, Relaxed);
        }
    }

    /// Ends the connection, soon.
    pub fn kill(&self) {
        let (inbox, token) = &self.home;
        inbox.send(Message::Kill(*token));
    }

    /// The line of CLIENT LIST, without its end. `names` are the commands' by their row's index.
    pub fn line(&self, now_ms: u64, names: &[&'static str]) -> String {
        let own = self.names.lock().clone();
        let command = names.get(self.last_command.load(Relaxed) as usize).unwrap_or(&"NULL");
        let age_s = now_ms.saturating_sub(self.since_ms) / 1000;
        let [input, spare, output, pieces] = self.buffers.each_ref().map(|n| n.load(Relaxed));
        let memory = size_of::<Connection>() + size_of::<Self>() + input + spare + output;
        let idle_s = now_ms.saturating_sub(self.last_ms.load(Relaxed)) / 1000;
        let traffic = self.meter.read();
        format!(
            "id={} addr={} laddr={} fd={} name={} age={age_s} idle={idle_s} flags={} db={} sub=0 \
             psub=0 ssub=0 multi=-1 watch=0 qbuf={input} qbuf-free={spare} argv-mem=0 \
             multi-mem=0 rbs=0 rbp=0 obl=0 oll={pieces} omem={output} tot-mem={memory} events=r \
             cmd={command} user=default redir=-1 resp={} \
             lib-name={} lib-ver={} io-thread={} tot-net-in={} tot-net-out={} tot-cmds={}",
            self.id,
            self.addr,
            self.local_addr,
            self.fd,
            own.name,
            self.letters(),
            self.db.load(Relaxed),
            if self.resp3.load(Relaxed) { 3 } else { 2 },
            own.library,
            own.library_version,
            self.thread,
            traffic.bytes_in,
            traffic.bytes_out,
            self.commands.load(Relaxed),
        )
    }
}

/// The limit of a connection that it is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Over {
    /// `client-query-buffer-limit`.
    Input,
    /// `client-output-buffer-limit`.
    Output,
}

/// All connections.
pub struct Clients {
    threads: Box<[Served]>,
    next_id: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    over_input: AtomicU64,
    over_output: AtomicU64,
}

/// The connections of one thread.
#[derive(Default)]
struct Served {
    clients: Mutex<HashMap<u64, Arc<Client>>>,
    count: AtomicUsize,
    /// What went over connections that have ended.
    meter: Meter,
}

impl Clients {
    /// A register for that many threads.
    pub fn new(threads: usize) -> Self {
        Self {
            threads: (0..threads).map(|_| Served::default()).collect(),
            next_id: AtomicU64::new(1),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            over_input: AtomicU64::new(0),
            over_output: AtomicU64::new(0),
        }
    }

    /// Chooses the thread with the fewest connections and counts one more for it.
    pub fn place(&self) -> usize {
        self.accepted.fetch_add(1, Relaxed);
        let counts = self.threads.iter().map(|served| served.count.load(Relaxed));
        let thread = counts.enumerate().min_by_key(|(_, count)| *count).map_or(0, |(i, _)| i);
        self.threads[thread].count.fetch_add(1, Relaxed);
        thread
    }

    /// Notes a connection that was not accepted because there are too many.
    pub fn note_refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// Registers a connection with the thread that counts it. `home` is where it is told things.
    pub fn register(
        &self,
        thread: usize,
        accepted: &Accepted,
        home: (Arc<Inbox>, Token),
        now_ms: u64,
    ) -> Arc<Client> {
        let flags =
            if accepted.remote.is_unix() { ClientFlags::UNIX_SOCKET } else { ClientFlags::empty() };
        let client = Arc::new(Client {
            id: self.next_id.fetch_add(1, Relaxed),
            addr: accepted.remote.clone(),
            local_addr: accepted.local.clone(),
            fd: accepted.number(),
            thread,
            since_ms: now_ms,
            names: Mutex::default(),
            db: AtomicU16::new(0),
            resp3: AtomicBool::new(false),
            flags: AtomicU32::new(flags.bits()),
            last_command: AtomicU32::new(NO_COMMAND),
            last_ms: AtomicU64::new(now_ms),
            commands: AtomicU64::new(0),
            meter: Meter::default(),
            buffers: Default::default(),
            home,
        });
        self.threads[thread].clients.lock().insert(client.id, client.clone());
        client
    }

    /// Forgets a connection that has ended.
    pub fn unregister(&self, client: &Client) {
        let served = &self.threads[client.thread];
        let mut clients = served.clients.lock();
        clients.remove(&client.id);
        served.count.fetch_sub(1, Relaxed);
        served.meter.add(client.meter.read());
    }

    /// Connections now.
    pub fn len(&self) -> usize {
        self.threads.iter().map(|served| served.count.load(Relaxed)).sum()
    }

    /// The connection with this number.
    pub fn find(&self, id: u64) -> Option<Arc<Client>> {
        self.threads.iter().find_map(|served| served.clients.lock().get(&id).cloned())
    }

    /// Connections accepted since the start.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    /// Counts a connection that is closed because of its limit of input or of output.
    pub fn note_over(&self, limit: Over) {
        match limit {
            Over::Input => &self.over_input,
            Over::Output => &self.over_output,
        }
        .fetch_add(1, Relaxed);
    }

    /// Connections closed because of their limit of input, and of output, since the start.
    pub fn over(&self) -> (u64, u64) {
        (self.over_input.load(Relaxed), self.over_output.load(Relaxed))
    }

    /// Connections refused since the start.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// What has gone over the network since the start.
    pub fn traffic(&self) -> Traffic {
        let mut sum = Traffic::default();
        for served in &self.threads {
            let clients = served.clients.lock();
            sum += served.meter.read();
            clients.values().for_each(|client| sum += client.meter.read());
        }
        sum
    }

    /// All connections, by number.
    pub fn all(&self) -> Vec<Arc<Client>> {
        let mut all: Vec<_> = self
            .threads
            .iter()
            .flat_map(|served| served.clients.lock().values().cloned().collect::<Vec<_>>())
            .collect();
        all.sort_by_key(|client| client.id);
        all
    }
}
