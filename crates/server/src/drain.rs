//! Ending in good order: nobody new is let in, commands that run end, replies are sent.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::inbox::Message;
use crate::server::Server;

/// Who has not taken its replies by then does not get them.
const PATIENCE: Duration = Duration::from_secs(4);

/// How far the threads have come.
#[derive(Default)]
pub struct Drained {
    threads: Mutex<usize>,
    one_more: Condvar,
}

impl Drained {
    /// Notes that a thread has no connections any more.
    pub fn note(&self) {
        *self.threads.lock() += 1;
        self.one_more.notify_all();
    }
}

/// Ends all connections in good order, and returns when they have ended, or when that has taken
/// too long. Not for threads that serve connections, which would wait for themselves.
pub fn drain(server: &'static Server) {
    let deadline = Instant::now() + PATIENCE;
    for inbox in &server.inboxes {
        inbox.send(Message::Drain);
    }
    let mut threads = server.drained.threads.lock();
    while *threads < server.threads {
        if server.drained.one_more.wait_until(&mut threads, deadline).timed_out() {
            log::warn!("{} clients did not take their last replies", server.clients.len());
            break;
        }
    }
    crate::process::remove_files();
}
