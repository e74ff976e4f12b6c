//! What a thread does about connections that keep too much, stay silent for too long, or are to end
//! because the server does.

use std::sync::atomic::Ordering::Relaxed;

use rustix::event::epoll;

use super::Reactor;
use crate::clients::{ClientFlags, Over};
use crate::connection::State;
use crate::limits::Excess;
use crate::server::now_ms;

/// A connection with a backlog of so many bytes, or with any output that was not taken, is heavy:
/// the thread looks at it in each sweep.
const HEAVY_MIN: usize = 16 * 1024;
/// Output that moved so long ago, in milliseconds, is not being read.
const STALLED_MS: u64 = 100;
/// Input of which nothing came for so many seconds is not being sent.
const SILENT_S: u32 = 5;
/// A connection that is to close waits so many milliseconds for its last replies to be taken.
const CLOSING_MS: u64 = 5000;
/// Sweeps in which each connection's silence is looked at once.
const IDLE_SWEEPS: usize = 10;

impl Reactor {
    /// Puts a connection on the list of those that keep much, and shows others what it keeps. Ends
    /// it if that is too much. Returns whether it is still there.
    #[cold]
    pub(super) fn weigh(&mut self, index: u32) -> bool {
        let Some(connection) = self.connections.get_mut(index as usize) else { return false };
        let heavy = connection.kept.is_some() || connection.backlog.capacity() >= HEAVY_MIN;
        if heavy && !connection.heavy {
            connection.heavy = true;
            self.heavy.push(index);
        }
        let config = &self.server.config;
        let limit = config.query_buffer_max.load(Relaxed);
        let class = connection.class;
        let objection = if connection.backlog.len() as u64 > limit {
            Some((Over::Input, "its request is over client-query-buffer-limit"))
        } else {
            let kept = connection.kept.as_mut();
            let why = kept.and_then(|kept| class.objection(config, kept, now_ms()));
            why.map(|why| (Over::Output, why))
        };
        match objection {
            Some((limit, why)) => self.dismiss_over(index, limit, why),
            None => return true,
        }
        false
    }

    /// Ends a connection that is over a limit.
    #[cold]
    pub(super) fn dismiss_over(&mut self, index: u32, limit: Over, why: &str) {
        self.server.clients.note_over(limit);
        self.dismiss(index, why);
    }

    /// Ends a connection, and tells the operator why.
    pub(super) fn dismiss(&mut self, index: u32, why: &str) {
        if let Some(connection) = self.connections.get(index as usize) {
            let client = &connection.session.client;
            log::warn!("client {} from {} is closed: {why}", client.id, client.addr);
        }
        self.end(index);
    }

    /// Looks at the connections that keep much.
    pub(super) fn check_heavy(&mut self) {
        if self.heavy.is_empty() && !self.pressed {
            return;
        }
        let now_ms = now_ms();
        let (mut input, mut output) = (0, 0);
        for index in std::mem::take(&mut self.heavy) {
            let Some(connection) = self.connections.get_mut(index as usize) else { continue };
            // Another one may have the place by now.
            if !connection.heavy {
                continue;
            }
            connection.heavy = false;
            let closing = matches!(connection.state, State::Closing);
            let moved_ms = connection.kept.as_ref().map_or(now_ms, |kept| kept.moved_ms);
            if closing && now_ms.saturating_sub(moved_ms) > CLOSING_MS {
                self.end(index);
                continue;
            }
            let bytes = connection.memory();
            (input, output) = (input + bytes.0, output + bytes.1);
            // It comes on the new list if it is heavy still.
            self.weigh(index);
        }
        self.pressed = input + output > 0;
        self.server.pressure.publish(self.thread, input, output);
        let server = self.server;
        server.pressure.relieve(&server.config, |excess| self.close_heaviest(excess));
    }

    /// Closes connections that keep most and have not moved for a while.
    fn close_heaviest(&mut self, excess: Excess) {
        let (now_ms, now_s) = (now_ms(), self.group.now_s);
        let mut heaviest: Vec<(usize, u32)> = Vec::new();
        for &index in &self.heavy {
            let Some(connection) = self.connections.get(index as usize) else { continue };
            let (input, output) = connection.memory();
            let stalled = match &connection.kept {
                Some(kept) => now_ms.saturating_sub(kept.moved_ms) >= STALLED_MS,
                None => now_s.saturating_sub(connection.active_s) >= SILENT_S,
            };
            let part = excess.part(input, output);
            if stalled && part > 0 && !connection.session.client.is(ClientFlags::NO_EVICT) {
                heaviest.push((part, index));
            }
        }
        heaviest.sort_unstable();
        let mut left = excess.bytes;
        while let Some((part, index)) = heaviest.pop().filter(|_| left > 0) {
            let why = format!("it keeps {part} bytes, and all clients together keep too much");
            self.dismiss(index, &why);
            left = left.saturating_sub(part as u64);
        }
        let memory = |&index: &u32| {
            self.connections.get(index as usize).map_or((0, 0), |connection| connection.memory())
        };
        let (mut input, mut output) = (0, 0);
        for (i, o) in self.heavy.iter().map(memory) {
            (input, output) = (input + i, output + o);
        }
        self.server.pressure.publish(self.thread, input, output);
    }

    /// Closes connections that have been silent for too long: looks at a tenth of them.
    pub(super) fn check_idle(&mut self) {
        let timeout_s = self.server.config.timeout_s.load(Relaxed);
        if timeout_s == 0 {
            return;
        }
        let places = self.connections.capacity();
        let first = if self.idle_next < places { self.idle_next } else { 0 };
        let end = places.min(first + places / IDLE_SWEEPS + 1);
        self.idle_next = end;
        for index in first..end {
            let Some(connection) = self.connections.get(index) else { continue };
            let silent_s = self.group.now_s.saturating_sub(connection.active_s);
            if matches!(connection.state, State::Open) && u64::from(silent_s) > timeout_s {
                let client = &connection.session.client;
                log::debug!("client {} from {} was idle", client.id, client.addr);
                self.end(index as u32);
            }
        }
    }

    /// Lets nobody new in, and ends connections when they have been answered.
    pub(super) fn drain(&mut self) {
        for listener in self.listeners.drain(..) {
            // A listener that rests is not there.
            let _ = epoll::delete(&self.epoll, &listener);
        }
        self.resting.clear();
        self.draining = true;
        let indexes: Vec<u32> = self.connections.iter().map(|(index, _)| index as u32).collect();
        if indexes.is_empty() {
            self.server.drained.note();
        }
        for index in indexes {
            self.look_at(index);
        }
    }
}
