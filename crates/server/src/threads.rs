//! Starting the threads that serve connections. The first one also accepts.

use std::io;
use std::sync::atomic::Ordering::Relaxed;

use crate::config::listen_address;
use crate::net::Listener;
use crate::process;
use crate::reactor::Reactor;
use crate::server::Server;

/// Binds the sockets that the configuration asks for.
fn listen(server: &'static Server) -> io::Result<Vec<Listener>> {
    let config = &server.config;
    let mut listeners = Vec::new();
    let mut port = config.port.load(Relaxed);
    if port != 0 {
        let backlog = config.backlog.load(Relaxed);
        for text in config.bind.read().iter() {
            let (address, optional) = listen_address(text).map_err(io::Error::other)?;
            // Once a free port is found, the other addresses use it too.
            let wanted = u16::try_from(port).unwrap_or(0);
            match Listener::tcp(address, wanted, backlog) {
                Ok(listener) => {
                    port = i64::from(listener.port().unwrap_or(wanted));
                    listeners.push(listener);
                }
                Err(_) if optional => {}
                Err(error) => {
                    return Err(explain(&error, &format!("{address} port {wanted}")));
                }
            }
        }
        let found = if listeners.is_empty() { 0 } else { port };
        config.port.store(found, Relaxed);
    }
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
    Ok(listeners)
}

fn explain(error: &io::Error, place: &str) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {place}: {error}"))
}

/// Starts all threads. When it returns, the server can be connected to.
pub fn start(server: &'static Server) -> io::Result<()> {
    let mut listeners = listen(server)?;
    for thread in 0..server.threads {
        let reactor = Reactor::new(server, thread, std::mem::take(&mut listeners))?;
        std::thread::Builder::new().name(format!("io-{thread}")).spawn(move || {
            let error = reactor.run();
            log::error!("thread {thread} cannot go on: {error}");
            std::process::exit(1);
        })?;
    }
    Ok(())
}
