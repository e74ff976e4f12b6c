//! Where the server listens, and how that changes while it runs.
//!
//! The first thread accepts, and has the listeners. Whoever changes `bind` or `port` opens the new
//! ones himself, so that he learns what is wrong with them, hands them over, and has a second
//! descriptor of each to close it at once.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering::Relaxed;

use parking_lot::Mutex;
use rustix::fd::OwnedFd;
use rustix::net::{Shutdown, shutdown};

use crate::config::{Config, listen_address};
use crate::inbox::Message;
use crate::net::Listener;
use crate::process;
use crate::server::Server;

/// What the server listens on.
#[derive(Default)]
pub struct Listening {
    sockets: Mutex<Vec<Twin>>,
}

/// A listener of the first thread.
struct Twin {
    address: SocketAddr,
    socket: OwnedFd,
}

/// An address that is asked for, and whether the server does without it.
type Wanted = (IpAddr, bool);

fn wanted(config: &Config) -> io::Result<Vec<Wanted>> {
    let addresses = config.bind.read();
    addresses.iter().map(|text| listen_address(text).map_err(io::Error::other)).collect()
}

fn explain(error: &io::Error, place: &str) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {place}: {error}"))
}

/// Opens the sockets that the configuration asks for, at the start.
pub fn open(server: &'static Server) -> io::Result<Vec<Listener>> {
    let config = &server.config;
    let mut sockets = server.listening.sockets.lock();
    let (mut listeners, port) = open_tcp(config, config.port.load(Relaxed), &[])?;
    // None was looked for where there is no address.
    config.port.store(port.max(0), Relaxed);
    *sockets = twins(&listeners)?;
    let path = config.unix_socket.read().clone();
    if !path.is_empty() {
        let mode = u32::try_from(config.unix_socket_mode.load(Relaxed)).unwrap_or(0);
        listeners.push(Listener::unix(&path, mode).map_err(|error| explain(&error, &path))?);
        process::remove_at_end(&path)?;
    }
    if listeners.is_empty() {
        let text = "there is nowhere to listen: neither a port of an address nor a unix socket";
        return Err(io::Error::other(text));
    }
    // It is set once, here.
    let _ = config.relisten.set(Box::new(move || change(server)));
    Ok(listeners)
}

/// Listens on a port of all wanted addresses but those that are listened on already; -1 is a free
/// port. Returns the port as well.
fn open_tcp(
    config: &Config,
    mut port: i64,
    open: &[SocketAddr],
) -> io::Result<(Vec<Listener>, i64)> {
    let mut listeners = Vec::new();
    if port == 0 {
        return Ok((listeners, port));
    }
    let backlog = config.backlog.load(Relaxed);
    for (ip, optional) in wanted(config)? {
        // Once a free port is found, the other addresses use it too.
        let number = u16::try_from(port).unwrap_or(0);
        if open.contains(&SocketAddr::new(ip, number)) {
            continue;
        }
        match Listener::tcp(ip, number, backlog) {
            Ok(listener) => {
                port = listener.address().map_or(port, |address| i64::from(address.port()));
                listeners.push(listener);
            }
            Err(_) if optional => {}
            Err(error) => return Err(explain(&error, &format!("{ip} port {number}"))),
        }
    }
    Ok((listeners, port))
}

fn twins(listeners: &[Listener]) -> io::Result<Vec<Twin>> {
    let twin = |listener: &Listener| {
        let address = listener.address().ok_or_else(|| io::Error::other("it has no address"))?;
        Ok(Twin { address, socket: listener.twin()? })
    };
    listeners.iter().map(twin).collect()
}

/// Listens where the configuration says now. What it does not say any more refuses connections when
/// this returns; those that there are stay. After an error all is as before.
fn change(server: &'static Server) -> io::Result<()> {
    let config = &server.config;
    let mut sockets = server.listening.sockets.lock();
    let port = config.port.load(Relaxed);
    let addresses: Vec<IpAddr> = wanted(config)?.into_iter().map(|(ip, _)| ip).collect();
    let stays = |address: &SocketAddr| {
        i64::from(address.port()) == port && addresses.contains(&address.ip())
    };
    let open: Vec<SocketAddr> = sockets.iter().map(|twin| twin.address).filter(stays).collect();
    let (gone, kept): (Vec<Twin>, Vec<Twin>) =
        sockets.drain(..).partition(|twin| !stays(&twin.address));
    // An address that goes may stand in the way of one that comes.
    let in_the_way = gone.iter().any(|twin| i64::from(twin.address.port()) == port);
    let mut result = open_tcp(config, port, &open);
    if result.is_err() && in_the_way {
        close(&gone);
        result = open_tcp(config, port, &open);
    }
    let new = result.and_then(|(listeners, port)| Ok((twins(&listeners)?, listeners, port)));
    let (new, listeners, port) = match new {
        Ok(new) => new,
        Err(error) => {
            sockets.extend(kept);
            sockets.extend(if in_the_way { reopen(server, gone) } else { gone });
            return Err(error);
        }
    };
    config.port.store(port.max(0), Relaxed);
    let closed = gone.iter().map(|twin| twin.address).collect();
    server.inboxes[0].send(Message::Listen { listeners, closed });
    close(&gone);
    sockets.extend(kept.into_iter().chain(new));
    Ok(())
}

/// Listens again where [`close`] ended it; a socket that was shut down cannot.
fn reopen(server: &Server, closed: Vec<Twin>) -> Vec<Twin> {
    let backlog = server.config.backlog.load(Relaxed);
    let addresses: Vec<SocketAddr> = closed.into_iter().map(|twin| twin.address).collect();
    let (mut listeners, mut sockets) = (Vec::new(), Vec::new());
    for address in &addresses {
        let listener = Listener::tcp(address.ip(), address.port(), backlog);
        match listener.and_then(|listener| Ok((listener.twin()?, listener))) {
            Ok((socket, listener)) => {
                listeners.push(listener);
                sockets.push(Twin { address: *address, socket });
            }
            Err(error) => log::error!("{address} is listened on no more: {error}"),
        }
    }
    server.inboxes[0].send(Message::Listen { listeners, closed: addresses });
    sockets
}

/// Lets sockets refuse connections.
fn close(sockets: &[Twin]) {
    for twin in sockets {
        // It listens, so that it can be told not to.
        let _ = shutdown(&twin.socket, Shutdown::Both);
    }
}

fn apply(config: &Config, text: &str) -> Result<(), String> {
    let Some(relisten) = config.relisten.get() else { return Ok(()) };
    relisten().map_err(|error| {
        log::warn!("{error}");
        text.to_owned()
    })
}

/// Listens on another port.
pub fn apply_port(config: &Config) -> Result<(), String> {
    apply(config, "Unable to listen on this port. Check server logs.")
}

/// Listens on other addresses.
pub fn apply_bind(config: &Config) -> Result<(), String> {
    apply(config, "Failed to bind to specified addresses.")
}
