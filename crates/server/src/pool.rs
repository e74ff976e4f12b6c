//! The worker pool: threads for commands that take long or must wait.
//!
//! Two kinds of jobs come here. One *holds* shards already and waits for nothing. The other *walks*
//! the keyspace and may wait for any shard, perhaps for one that a queued job holds. So walkers
//! never get the last thread: a job that holds shards always finds one, and waiting always ends.
//! Among walkers, INFO and its like go before KEYS and its like.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::inbox::{Inbox, Message, Token};
use crate::pipeline::Job;
use crate::server::Server;

/// The fewest threads a pool may have: one for walkers, one for the others.
const THREADS_MIN: usize = 4;

/// While clients keep too much output, walkers are held back, so that there is time to close those
/// who do not read; but one of them goes on so often.
const HOLD_BACK: Duration = Duration::from_millis(300);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

struct Task {
    job: Job,
    inbox: Arc<Inbox>,
    token: Token,
}

#[derive(Default)]
struct Queues {
    holding: VecDeque<Task>,
    /// Work on the server's own state, which is quick once it has its shards.
    working: VecDeque<Task>,
    walking: VecDeque<Task>,
    walkers: usize,
    /// Since when walkers are held back.
    held_since: Option<Instant>,
    idle: usize,
    threads: usize,
}

impl Queues {
    /// Whether clients keep too much output for more to be made at once.
    fn hold_back(&mut self, server: &'static Server) -> bool {
        let since = *self.held_since.get_or_insert_with(Instant::now);
        let holds = server.pressure.excess(&server.config).is_some() && since.elapsed() < HOLD_BACK;
        if !holds {
            self.held_since = None;
        }
        holds
    }
}

/// The pool of a process. Its threads start when they are needed and stay.
#[derive(Default)]
pub struct Pool {
    queues: Mutex<Queues>,
    work: Condvar,
}

impl Pool {
    /// Has a job done; its reply goes to the connection `token` of the thread with that inbox.
    pub fn submit(&self, server: &'static Server, job: Job, inbox: Arc<Inbox>, token: Token) {
        let mut queues = self.queues.lock();
        let queue = match &job {
            job if job.holds_shards() => &mut queues.holding,
            job if job.is_command_on_data() => &mut queues.walking,
            _ => &mut queues.working,
        };
        queue.push_back(Task { job, inbox, token });
        if queues.idle == 0 && queues.threads < server.threads.max(THREADS_MIN) {
            let name = format!("worker-{}", queues.threads);
            let started =
                std::thread::Builder::new().name(name).spawn(move || server.pool.run(server));
            match started {
                Ok(_) => queues.threads += 1,
                Err(error) => log::warn!("no thread for a long command: {error}"),
            }
        }
        drop(queues);
        self.work.notify_one();
    }

    fn run(&self, server: &'static Server) {
        let mut queues = self.queues.lock();
        loop {
            let walkers_max = queues.threads.max(THREADS_MIN) - 1;
            let (task, walks) = if let Some(task) = queues.holding.pop_front() {
                (task, false)
            } else if queues.walkers < walkers_max
                && let Some(task) = queues.working.pop_front()
            {
                queues.walkers += 1;
                (task, true)
            } else if queues.walkers < walkers_max && !queues.walking.is_empty() {
                if queues.hold_back(server) {
                    self.work.wait_for(&mut queues, LOOK_AGAIN);
                    continue;
                }
                queues.walkers += 1;
                match queues.walking.pop_front() {
                    Some(task) => (task, true),
                    None => unreachable!("not empty a moment ago"),
                }
            } else {
                queues.idle += 1;
                self.work.wait(&mut queues);
                queues.idle -= 1;
                continue;
            };
            drop(queues);
            let reply = task.job.run(server);
            task.inbox.send(Message::Reply(task.token, reply));
            queues = self.queues.lock();
            queues.walkers -= usize::from(walks);
        }
    }
}
