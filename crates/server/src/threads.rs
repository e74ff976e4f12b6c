//! The threads that serve connections: one runtime each, which shares nothing with the others.
//!
//! The first thread also accepts. A new socket goes to the thread with the fewest connections and
//! stays there. Each thread also sweeps its share of the shards for expired keys.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::config::listen_address;
use crate::connection::{IoThread, Lent, serve};
use crate::net::{Accepted, Ends, Listener};
use crate::server::{Server, now_ms};
use crate::session::Session;

/// Threads of a worker pool; each serving thread has a pool of its own, whose threads come and go.
const POOL_MAX: usize = 64;
/// Jobs of a pool that may wait for shards.
const WALKERS_MAX: usize = 32;
/// Time between two sweeps for expired keys.
const SWEEP_EVERY: Duration = Duration::from_millis(100);
/// Time between two sweeps while there is more to remove than one can.
const SWEEP_AGAIN: Duration = Duration::from_millis(2);
/// What a stranger from another machine is told while there is no password, as Redis has it.
const PROTECTED: &[u8] = b"-DENIED This server is in protected mode because no password is set. \
In this mode connections are only accepted from this machine. To accept others, set a password \
with --requirepass or bind only the addresses that you trust.\r\n";

/// A socket for a thread, which is counted there already.
struct Arrival {
    accepted: Accepted,
    ends: Ends,
}

/// Binds the sockets that the configuration asks for. Must run inside of a runtime.
fn listen(server: &'static Server) -> io::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    let mut port = server.config.port.load(Relaxed);
    let backlog = server.config.backlog.load(Relaxed);
    if port != 0 {
        for text in server.config.bind.read().iter() {
            let (address, optional) = listen_address(text).map_err(io::Error::other)?;
            // Once a free port is found, the other addresses use it too.
            let wanted = u16::try_from(port).unwrap_or(0);
            match Listener::tcp(SocketAddr::new(address, wanted), backlog) {
                Ok(listener) => {
                    port = i64::from(listener.port().unwrap_or(wanted));
                    listeners.push(listener);
                }
                Err(_) if optional => {}
                Err(error) => {
                    let text = format!("cannot listen on {address} port {wanted}: {error}");
                    return Err(io::Error::new(error.kind(), text));
                }
            }
        }
        server.port.store(u64::try_from(port).unwrap_or(0), Relaxed);
    }
    let path = server.config.unix_socket.read().clone();
    if !path.is_empty() {
        let listener = Listener::unix(Path::new(&path));
        let listener = listener.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot listen on {path}: {error}"))
        })?;
        listeners.push(listener);
        set_socket_mode(server, &path)?;
    }
    Ok(listeners)
}

fn set_socket_mode(server: &Server, path: &str) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    match u32::try_from(server.config.unix_socket_mode.load(Relaxed)).unwrap_or(0) {
        0 => Ok(()),
        mode => std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)),
    }
}

/// Starts all threads. Returns when the server is ready to be connected to.
pub fn start(server: &'static Server) -> io::Result<()> {
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..server.threads).map(|_| unbounded_channel()).unzip();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let mut senders = Some(senders);
    for (index, receiver) in receivers.into_iter().enumerate() {
        // The first thread accepts, so it alone has the others' addresses.
        let accepting = senders.take().map(|senders| (senders, ready.clone()));
        std::thread::Builder::new()
            .name(format!("io-{index}"))
            .spawn(move || run(server, index, receiver, accepting))?;
    }
    drop(ready);
    is_ready.recv().unwrap_or_else(|_| Err(io::Error::other("the first thread ended")))
}

type Accepting = (Vec<UnboundedSender<Arrival>>, std::sync::mpsc::Sender<io::Result<()>>);

fn run(
    server: &'static Server,
    index: usize,
    arrivals: UnboundedReceiver<Arrival>,
    accepting: Option<Accepting>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(POOL_MAX)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            log::error!("thread {index} has no runtime: {error}");
            std::process::exit(1);
        }
    };
    LocalSet::new().block_on(&runtime, async move {
        if let Some((senders, ready)) = accepting {
            match listen(server) {
                Ok(listeners) => {
                    let senders = Rc::new(senders);
                    for listener in listeners {
                        tokio::task::spawn_local(accept_all(server, listener, senders.clone()));
                    }
                    // Who waits for this is gone only when the process ends.
                    let _ = ready.send(Ok(()));
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
        }
        tokio::task::spawn_local(sweep_all(server, index));
        serve_all(server, index, arrivals).await;
    });
}

async fn accept_all(
    server: &'static Server,
    listener: Listener,
    threads: Rc<Vec<UnboundedSender<Arrival>>>,
) {
    /// Pause after an error such as too many open files, which does not go away at once.
    const PAUSE: Duration = Duration::from_millis(50);
    let path = server.config.unix_socket.read().clone();
    loop {
        match listener.accept().await {
            Ok(accepted) => {
                let ends = accepted.ends(&path);
                if let Some(refusal) = refusal(server, &ends) {
                    refuse(accepted, refusal);
                    continue;
                }
                let place = server.clients.place();
                // A thread ends only with the process.
                let _ = threads[place.thread].send(Arrival { accepted, ends });
            }
            Err(error) => {
                log::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Why a connection is not to be served, if it is not.
fn refusal(server: &Server, ends: &Ends) -> Option<&'static [u8]> {
    if server.clients.len() >= server.config.clients_max.load(Relaxed) {
        server.clients.note_refused();
        return Some(b"-ERR max number of clients reached\r\n");
    }
    let open = server.config.password.read().is_empty()
        && server.config.bind.read().iter().any(|address| address.contains('*'));
    (open && !ends.is_local).then_some(PROTECTED)
}

/// Tells a connection that it is refused, as far as its socket takes the words at once.
fn refuse(accepted: Accepted, words: &[u8]) {
    use std::io::Write as _;
    let _ = match accepted {
        Accepted::Tcp(mut stream) => stream.write(words),
        Accepted::Unix(mut stream) => stream.write(words),
    };
}

async fn serve_all(
    server: &'static Server,
    index: usize,
    mut arrivals: UnboundedReceiver<Arrival>,
) {
    let thread = Rc::new(IoThread {
        server,
        lent: RefCell::new(Lent::new()),
        walkers: Semaphore::new(WALKERS_MAX),
    });
    while let Some(Arrival { accepted, ends }) = arrivals.recv().await {
        let client = server.clients.register(index, ends.remote, ends.local, ends.fd, now_ms());
        match accepted.into_stream(server.config.keepalive_s.load(Relaxed)) {
            Ok(stream) => {
                let session = Session::new(client.clone(), server);
                let task = tokio::task::spawn_local(serve(thread.clone(), stream, session));
                client.set_abort(task.abort_handle());
            }
            Err(error) => {
                log::debug!("a connection ended before it was served: {error}");
                server.clients.unregister(&client);
            }
        }
    }
}

async fn sweep_all(server: &'static Server, index: usize) {
    let mut ticks = interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        while keyspace::expire::sweep(server.keyspace, now_ms(), index, server.threads).1 {
            tokio::time::sleep(SWEEP_AGAIN).await;
        }
        memory::publish();
    }
}
