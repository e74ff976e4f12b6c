//! Messages to a thread that serves connections: the only way others reach it.
//!
//! The thread sleeps in epoll, so a message also makes a descriptor readable there; a thread that
//! has been told and has not looked yet is not told again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use parking_lot::Mutex;
use protocol::output::Output;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::net::{Accepted, Listener};

/// The name of a connection on its thread. A name is never used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Token {
    /// Its place in the thread's list.
    pub index: u32,
    /// How often that place was used before.
    pub generation: u32,
}

/// What a thread is told.
pub enum Message {
    /// A new connection is to be served.
    Arrive(Accepted),
    /// A connection that waits for shards may get them.
    Poll(Token),
    /// The worker pool has made a connection's reply.
    Reply(Token, Output),
    /// A connection is to be sent these bytes, which answer no command of its own.
    Push(Token, Arc<[u8]>),
    /// A blocked connection is to go on, with an error or as if its time were over.
    Unblock(Token, bool),
    /// The pause of clients is over.
    Resume,
    /// The first thread is to accept on these as well, and on those addresses no more.
    Listen { listeners: Vec<Listener>, closed: Vec<SocketAddr> },
    /// Connections are to end when they have been answered.
    Drain,
    /// A connection is to be ended.
    Kill(Token),
}

/// A thread's messages.
pub struct Inbox {
    messages: Mutex<Vec<Message>>,
    told: AtomicBool,
    event: OwnedFd,
}

impl Inbox {
    /// An inbox without messages.
    pub fn new() -> std::io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { messages: Mutex::default(), told: AtomicBool::new(false), event })
    }

    /// Adds a message and wakes the thread.
    pub fn send(&self, message: Message) {
        self.messages.lock().push(message);
        if !self.told.swap(true, Ordering::AcqRel) {
            // The counter is far from full, which is the only way in which this fails.
            let _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
        }
    }

    /// Takes all messages.
    pub fn take(&self) -> Vec<Message> {
        let mut count = [0; 8];
        // Nothing to read means that the messages were taken with earlier ones.
        let _ = rustix::io::read(&self.event, &mut count);
        self.told.store(false, Ordering::Release);
        std::mem::take(&mut *self.messages.lock())
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

/// Tells a thread that one of its connections may go on.
pub struct Recall {
    /// The thread.
    pub inbox: Arc<Inbox>,
    /// The connection.
    pub token: Token,
}

impl Wake for Recall {
    fn wake(self: Arc<Self>) {
        self.inbox.send(Message::Poll(self.token));
    }
}
