//! One connection, as the thread that serves it knows it.
//!
//! Buffers are the thread's. A connection owns bytes only while a command has arrived in part
//! (`backlog`), or while the other side does not take its replies (`unsent`); then it is not read
//! from. An idle one owns none.

use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

use keyspace::shards::HeldSet;
use protocol::reply::Reply;
use rustix::fd::OwnedFd;
use rustix::io::Errno;

use crate::net;
use crate::pipeline::Progress;
use crate::session::Session;

/// A connection.
pub struct Connection {
    /// Its socket.
    pub socket: OwnedFd,
    /// What its commands use.
    pub session: Session,
    /// Its parsing.
    pub progress: Progress,
    /// Bytes that were read and not used up.
    pub backlog: Vec<u8>,
    /// Whether the backlog may hold whole commands.
    pub runnable: bool,
    /// Whether the socket may have bytes for us. Epoll tells of a change only once.
    pub readable: bool,
    /// Whether the other side has said that it is done, so that reading must go on to the end.
    pub hung_up: bool,
    /// Whether it is in the thread's list of connections to look at.
    pub queued: bool,
    /// Why it is not run, if it is not.
    pub state: State,
    /// When it goes on by itself, while it waits.
    pub wake_at: Option<Instant>,
    /// The shards that its next command waited for.
    pub granted: Option<HeldSet>,
    /// Which use of its place this is.
    pub generation: u32,
    unsent: Vec<u8>,
    sent: usize,
}

/// What a connection is doing.
pub enum State {
    /// Its commands are run as they come.
    Open,
    /// It waits for shards.
    Waiting(Pin<Box<dyn Future<Output = HeldSet> + Send>>),
    /// The worker pool makes its next reply, or a time must pass.
    Away,
    /// It is blocked; when its time is over, this is its reply.
    Blocked(fn(&mut Reply<'_>)),
    /// Clients are paused, and its next command waits.
    Paused,
    /// It ends when its replies are sent.
    Closing,
}

impl Connection {
    /// A connection of which nothing has been read yet.
    pub fn new(socket: OwnedFd, session: Session, generation: u32) -> Self {
        Self {
            socket,
            session,
            progress: Progress::default(),
            backlog: Vec::new(),
            runnable: false,
            readable: false,
            hung_up: false,
            queued: false,
            state: State::Open,
            wake_at: None,
            granted: None,
            generation,
            unsent: Vec::new(),
            sent: 0,
        }
    }

    /// Whether its commands may be run now.
    #[inline]
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Open)
            && self.unsent.is_empty()
            && (self.runnable || self.readable)
    }

    /// Whether it has nothing more to do in this world.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Closing) && self.unsent.is_empty()
    }

    /// Sends replies; what the socket does not take now is kept.
    #[inline]
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        if bytes.is_empty() {
            return Ok(());
        }
        let sent = if self.unsent.is_empty() { net::write(&self.socket, bytes)? } else { 0 };
        self.session.client.note_written(sent);
        if sent < bytes.len() {
            self.unsent.extend_from_slice(&bytes[sent..]);
        }
        Ok(())
    }

    /// Sends what was kept, as far as the socket takes it.
    pub fn send_kept(&mut self) -> Result<(), Errno> {
        while self.sent < self.unsent.len() {
            let sent = net::write(&self.socket, &self.unsent[self.sent..])?;
            if sent == 0 {
                return Ok(());
            }
            self.session.client.note_written(sent);
            self.sent += sent;
        }
        if self.sent > 0 {
            self.unsent = Vec::new();
            self.sent = 0;
        }
        Ok(())
    }
}
