//! One connection, as the thread that serves it knows it.
//!
//! Buffers are the thread's. A connection owns bytes only while a command has arrived in part
//! (`backlog`), or while the other side does not take its replies (`kept`); then it is not read
//! from. An idle one owns none.

use std::future::Future;
use std::pin::Pin;
use std::time::Instant;

use keyspace::shards::HeldSet;
use protocol::output::Output;
use protocol::reply::Reply;
use rustix::fd::OwnedFd;
use rustix::io::Errno;

use crate::config::Config;
use crate::kept::{Kept, discard};
use crate::limits::Class;
use crate::net;
use crate::pipeline::Progress;
use crate::server::now_ms;
use crate::session::Session;

/// An argument that needs so many bytes is read into memory of its command alone, which a value
/// that came in it may keep.
pub const OWN_BLOCK_MIN: usize = 64 * 1024;
/// Bytes read from a connection at a time while such an argument arrives.
const OWN_READ_MAX: usize = 256 * 1024;
/// Until so many bytes of an argument have arrived, room for it is at most four times what has.
/// Then it has all the room that it announced: what is not touched costs nothing, but what is
/// moved is held twice for a moment.
const TRUSTED_MIN: usize = 4 * 1024 * 1024;
/// Bytes of such an argument that are moved to a larger block at a time. Touching new memory takes
/// longer than one thinks: up to 10 milliseconds per mebibyte have been seen.
const MOVE_MAX: usize = 512 * 1024;
/// Replies up to this are sent at once; more are sent in turns.
const AT_ONCE_MAX: usize = 1024 * 1024;

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
    /// A backlog that is being moved to a larger block, from where on is the backlog's length.
    moving: Option<Vec<u8>>,
    /// Output that the other side has not taken.
    pub kept: Option<Box<Kept>>,
    /// Why it is not run, if it is not.
    pub state: State,
    /// When it goes on by itself, while it waits.
    pub wake_at: Option<Instant>,
    /// The shards that its next command waited for.
    pub granted: Option<Box<HeldSet>>,
    /// Which use of its place this is.
    pub generation: u32,
    /// When bytes last came or went, in seconds of the thread's clock.
    pub active_s: u32,
    /// Which limits its output has.
    pub class: Class,
    /// Whether the backlog may hold whole commands.
    pub runnable: bool,
    /// Whether the socket may have bytes for us. Epoll tells of a change only once.
    pub readable: bool,
    /// Whether the socket may take more of what is kept.
    pub writable: bool,
    /// Whether the other side has said that it is done, so that reading must go on to the end.
    pub hung_up: bool,
    /// Whether it is in the thread's list of connections to look at.
    pub queued: bool,
    /// Whether it is in the thread's list of connections that keep bytes.
    pub heavy: bool,
    /// Whether others have been shown that it keeps bytes.
    shown: bool,
}

/// What [`Connection::read_wanted`] did.
pub enum Arrived {
    /// Nothing is there now.
    Nothing,
    /// The other side is done.
    End,
    /// So many bytes were read.
    Read(usize),
    /// So many bytes were moved.
    Moved(usize),
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
    pub fn new(socket: OwnedFd, session: Session, generation: u32, active_s: u32) -> Self {
        Self {
            socket,
            session,
            progress: Progress::default(),
            backlog: Vec::new(),
            moving: None,
            kept: None,
            state: State::Open,
            wake_at: None,
            granted: None,
            generation,
            active_s,
            class: Class::Normal,
            runnable: false,
            readable: false,
            writable: false,
            hung_up: false,
            queued: false,
            heavy: false,
            shown: false,
        }
    }

    /// Whether its commands may be run now, or more of its output be sent.
    #[inline]
    pub fn is_ready(&self) -> bool {
        if self.kept.is_some() { self.writable } else { self.may_run() }
    }

    /// Whether its commands may be run now.
    #[inline]
    pub fn may_run(&self) -> bool {
        matches!(self.state, State::Open) && self.kept.is_none() && (self.runnable || self.readable)
    }

    /// Whether no command of it is being carried out.
    pub fn has_nothing_under_way(&self) -> bool {
        let waits = matches!(self.state, State::Open | State::Blocked(_) | State::Paused);
        waits && self.granted.is_none()
    }

    /// Whether it has nothing more to do in this world.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Closing) && self.kept.is_none()
    }

    /// Why it is to be closed instead of being sent these replies, if it is.
    #[inline]
    pub fn refusal(&self, config: &Config, output: &Output) -> Option<&'static str> {
        let kept = self.kept.as_ref().map_or(0, |kept| kept.len());
        self.class.refusal(config, output.total(), kept)
    }

    /// Sends replies, and takes them; what the socket does not take now is kept.
    #[inline]
    pub fn send(&mut self, output: &mut Output) -> Result<(), Errno> {
        match output.plain() {
            Some([]) => Ok(()),
            Some(bytes) if self.kept.is_none() && bytes.len() <= AT_ONCE_MAX => {
                let sent = net::write(&self.socket, bytes)?;
                self.session.client.note_written(sent);
                if sent < bytes.len() {
                    let rest = bytes[sent..].to_vec();
                    self.keep(false).add_bytes(rest);
                }
                Ok(())
            }
            _ => {
                self.keep(true).add(output);
                if self.writable { self.send_kept().map(drop) } else { Ok(()) }
            }
        }
    }

    /// The queue of what is to be sent. If it is new, the socket is tried first where it `may` take
    /// something.
    #[cold]
    pub fn keep(&mut self, may: bool) -> &mut Kept {
        if self.kept.is_none() {
            self.writable = may;
        }
        self.kept.get_or_insert_with(|| Box::new(Kept::new(now_ms())))
    }

    /// Sends a slice of what was kept, if the socket takes it. Returns the bytes sent.
    #[cold]
    pub fn send_kept(&mut self) -> Result<usize, Errno> {
        let Some(kept) = &mut self.kept else { return Ok(0) };
        let (sent, writable) = kept.send(&self.socket)?;
        self.writable = writable;
        if sent > 0 {
            kept.moved_ms = now_ms();
            self.session.client.note_written(sent);
        }
        if kept.len() == 0 {
            self.kept = None;
        }
        Ok(sent)
    }

    /// Whether an argument is on its way that is read into the backlog without a detour.
    #[inline]
    pub fn wants_more(&self) -> bool {
        let wanted = self.progress.wanted();
        wanted >= OWN_BLOCK_MIN
            && self.backlog.len() < wanted
            && self.progress.wanted_argument() >= OWN_BLOCK_MIN / 2
    }

    /// Reads more of such an argument, and nothing behind it; or moves what has come to a larger
    /// block, in steps.
    #[cold]
    pub fn read_wanted(&mut self) -> Result<Arrived, Errno> {
        let wanted = self.progress.wanted();
        if let Some(old) = &self.moving {
            let from = self.backlog.len();
            let to = old.len().min(from + MOVE_MAX);
            self.backlog.extend_from_slice(&old[from..to]);
            if to == old.len()
                && let Some(old) = self.moving.take()
            {
                discard(old);
            }
            return Ok(Arrived::Moved(to - from));
        }
        let len = self.backlog.len();
        if len == self.backlog.capacity() {
            let more = (len * 4).max(OWN_BLOCK_MIN / 4);
            // One of many large arguments: room for those that follow, so that each byte is moved
            // a few times only.
            let is_one_of_many = self.progress.wanted_argument() < len / 2;
            let capacity = match len {
                _ if is_one_of_many => wanted.max(len + len / 2),
                ..TRUSTED_MIN => more.min(wanted),
                _ => wanted,
            };
            let mut grown = Vec::with_capacity(capacity);
            if len <= MOVE_MAX {
                grown.extend_from_slice(&self.backlog);
            }
            let old = std::mem::replace(&mut self.backlog, grown);
            if len > MOVE_MAX {
                self.moving = Some(old);
                return Ok(Arrived::Moved(0));
            }
        }
        let room = (self.backlog.capacity().min(wanted) - len).min(OWN_READ_MAX);
        self.backlog.resize(len + room, 0);
        let read = net::read(&self.socket, &mut self.backlog[len..]);
        let count = read.ok().flatten();
        self.backlog.truncate(len + count.unwrap_or(0));
        self.readable = count.is_some_and(|count| count == room || self.hung_up);
        Ok(match read? {
            None => Arrived::Nothing,
            Some(0) => Arrived::End,
            Some(count) => Arrived::Read(count),
        })
    }

    /// Bytes of memory that it keeps: of its input and of its output.
    pub fn memory(&self) -> (usize, usize) {
        let moving = self.moving.as_ref().map_or(0, |old| old.capacity());
        (self.backlog.capacity() + moving, self.kept.as_ref().map_or(0, |kept| kept.memory()))
    }

    /// Shows others what it keeps, if that has changed.
    #[inline]
    pub fn show(&mut self) {
        if self.shown || self.kept.is_some() || !self.backlog.is_empty() {
            self.show_buffers();
        }
    }

    #[cold]
    fn show_buffers(&mut self) {
        let (len, chunks) = self.kept.as_ref().map_or((0, 0), |kept| (kept.len(), kept.chunks()));
        let spare = self.backlog.capacity() - self.backlog.len();
        self.session.client.note_buffers([self.backlog.len(), spare, len, chunks]);
        self.shown = len > 0 || self.backlog.capacity() > 0;
    }

    /// Frees what it keeps, large parts in the background.
    pub fn discard(self) {
        discard(self.backlog);
        if let Some(old) = self.moving {
            discard(old);
        }
        if let Some(kept) = self.kept {
            kept.discard();
        }
    }
}
