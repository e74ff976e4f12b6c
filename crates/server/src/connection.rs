//! One connection, from its first byte to its last, as a task of the thread that serves it.
//!
//! ```text
//!          ┌───────────────────────── bytes wanted ────────────────────────┐
//! socket ──> thread's read buffer ──> pipeline ──> thread's output ──> socket
//!                  └ what is left of a command: backlog      └ what is not taken: unsent
//! ```
//!
//! Buffers are the thread's. A connection owns bytes only while a command has arrived in part, or
//! while the other side does not take its replies; then it reads no further.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use keyspace::shards::HeldSet;
use protocol::reply::Reply;
use tokio::sync::Semaphore;

use crate::net::Stream;
use crate::pipeline::{Batch, Job, Pipeline, Progress, Step};
use crate::server::Server;
use crate::session::Session;

/// Bytes read at a time.
const READ_BUFFER: usize = 64 * 1024;
/// Reads before other connections get their turn.
const READS_PER_TURN: usize = 4;
/// A larger buffer of the thread is given back after use.
const BUFFER_KEEP_MAX: usize = 1024 * 1024;

/// What a thread lends to the connection that it is serving.
pub struct Lent {
    input: Box<[u8]>,
    output: Vec<u8>,
    batch: Batch,
}

impl Lent {
    /// Buffers for one thread.
    pub fn new() -> Self {
        Self { input: vec![0; READ_BUFFER].into(), output: Vec::new(), batch: Batch::default() }
    }
}

/// A thread that serves connections, as they see it.
pub struct IoThread {
    /// The server.
    pub server: &'static Server,
    /// Buffers.
    pub lent: RefCell<Lent>,
    /// Bounds the jobs that may wait for shards, so that the pool always has a thread for one that
    /// holds some: waiting and holding never block one another.
    pub walkers: Semaphore,
}

struct Connection {
    thread: Rc<IoThread>,
    stream: Stream,
    session: Session,
    progress: Progress,
    /// Bytes that were read and not used up.
    backlog: Vec<u8>,
    /// Whether the backlog may hold whole commands.
    runnable: bool,
    unsent: Vec<u8>,
    sent: usize,
    granted: Option<HeldSet>,
    closing: bool,
}

/// Why a connection's turn ended.
enum Turn {
    /// It is over.
    Closed,
    /// Others are to have a turn.
    Yield,
    /// Shards are to be waited for.
    Borrow(Vec<u16>),
    /// The worker pool is to make the next reply.
    Detach(Job),
    /// An OK is due after a time.
    Sleep(Duration),
}

/// Takes a connection off the register when its task ends, however it does.
struct Registration {
    server: &'static Server,
    client: std::sync::Arc<crate::clients::Client>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.server.clients.unregister(&self.client);
    }
}

/// Serves a connection until it ends.
pub async fn serve(thread: Rc<IoThread>, stream: Stream, session: Session) {
    let _registration = Registration { server: thread.server, client: session.client.clone() };
    let mut connection = Connection {
        thread,
        stream,
        session,
        progress: Progress::default(),
        backlog: Vec::new(),
        runnable: false,
        unsent: Vec::new(),
        sent: 0,
        granted: None,
        closing: false,
    };
    loop {
        match std::future::poll_fn(|context| connection.poll_turn(context)).await {
            Turn::Closed => return,
            Turn::Yield => tokio::task::yield_now().await,
            // Rare and large futures are boxed, to keep those of idle connections small.
            Turn::Borrow(shards) => {
                let keyspace = connection.thread.server.keyspace;
                connection.granted = Some(Box::pin(keyspace.borrow_set(&shards)).await);
            }
            Turn::Detach(job) => Box::pin(connection.detach(job)).await,
            Turn::Sleep(time) => {
                Box::pin(tokio::time::sleep(time)).await;
                let resp3 = connection.session.resp3;
                Reply::new(&mut connection.unsent, resp3).ok();
            }
        }
    }
}

impl Connection {
    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<Turn> {
        for _ in 0..READS_PER_TURN {
            if ready!(self.poll_send(context)).is_err() || self.closing {
                return Poll::Ready(Turn::Closed);
            }
            let step = if self.runnable {
                self.run_backlog()
            } else {
                match ready!(self.poll_read(context)) {
                    Ok(Some(step)) => step,
                    Ok(None) | Err(_) => return Poll::Ready(Turn::Closed),
                }
            };
            self.runnable = !matches!(step, Step::Read);
            // Replies go out before anything is waited for; what the socket does not take stays.
            if let Poll::Ready(Err(_)) = self.poll_send_output(context) {
                return Poll::Ready(Turn::Closed);
            }
            match step {
                Step::Read | Step::Flush => {}
                Step::Close => self.closing = true,
                Step::Borrow(shards) => return Poll::Ready(Turn::Borrow(shards)),
                Step::Detach(job) => return Poll::Ready(Turn::Detach(job)),
                Step::Sleep(time) => return Poll::Ready(Turn::Sleep(time)),
            }
        }
        Poll::Ready(Turn::Yield)
    }

    /// Reads once and runs what has come. `None` at the end.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Step>>> {
        let thread = self.thread.clone();
        let lent = &mut *thread.lent.borrow_mut();
        let count = ready!(self.stream.poll_read(context, &mut lent.input))?;
        if count == 0 {
            return Poll::Ready(Ok(None));
        }
        self.session.client.note_read(count);
        let Lent { input, output, batch } = lent;
        let fresh = &input[..count];
        let step = if self.backlog.is_empty() {
            let (used, step) = self.pipeline(batch, output).run(fresh);
            self.backlog.extend_from_slice(&fresh[used.min(count)..]);
            step
        } else {
            self.backlog.extend_from_slice(fresh);
            self.run_backlog_with(batch, output)
        };
        Poll::Ready(Ok(Some(step)))
    }

    fn run_backlog(&mut self) -> Step {
        let thread = self.thread.clone();
        let Lent { output, batch, .. } = &mut *thread.lent.borrow_mut();
        self.run_backlog_with(batch, output)
    }

    fn run_backlog_with(&mut self, batch: &mut Batch, output: &mut Vec<u8>) -> Step {
        let mut backlog = std::mem::take(&mut self.backlog);
        let (used, step) = self.pipeline(batch, output).run(&backlog);
        if used < backlog.len() {
            backlog.drain(..used);
            self.backlog = backlog;
        }
        step
    }

    fn pipeline<'a>(&'a mut self, batch: &'a mut Batch, output: &'a mut Vec<u8>) -> Pipeline<'a> {
        Pipeline {
            server: self.thread.server,
            batch,
            session: &mut self.session,
            progress: &mut self.progress,
            output,
            granted: self.granted.take(),
        }
    }

    /// Sends the thread's output, and keeps for later what the socket does not take now.
    fn poll_send_output(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let thread = self.thread.clone();
        let output = &mut thread.lent.borrow_mut().output;
        let mut sent = 0;
        let mut result = Poll::Ready(Ok(()));
        while sent < output.len() {
            match self.stream.poll_write(context, &output[sent..]) {
                Poll::Ready(Ok(count)) => sent += count,
                Poll::Ready(Err(error)) => {
                    result = Poll::Ready(Err(error));
                    break;
                }
                Poll::Pending => {
                    self.unsent = output[sent..].to_vec();
                    result = Poll::Pending;
                    break;
                }
            }
        }
        self.session.client.note_written(sent);
        output.clear();
        if output.capacity() > BUFFER_KEEP_MAX {
            *output = Vec::new();
        }
        result
    }

    /// Sends what was left over from before.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.unsent.len() {
            let count = ready!(self.stream.poll_write(context, &self.unsent[self.sent..]))?;
            self.session.client.note_written(count);
            self.sent += count;
        }
        if self.sent > 0 {
            self.unsent = Vec::new();
            self.sent = 0;
        }
        Poll::Ready(Ok(()))
    }

    /// Has the worker pool do a job, and takes its reply.
    async fn detach(&mut self, job: Job) {
        let server = self.thread.server;
        let waits = !job.holds_shards();
        let permit = if waits { self.thread.walkers.acquire().await.ok() } else { None };
        let reply = tokio::task::spawn_blocking(move || job.run(server)).await;
        drop(permit);
        // A job that panics ends the process, so there is always a reply.
        if let Ok(mut reply) = reply {
            self.unsent.append(&mut reply);
        }
    }
}
