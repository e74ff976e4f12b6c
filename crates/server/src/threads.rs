//! Starting the threads that serve connections. The first one also accepts.

use std::io;

use crate::listening;
use crate::reactor::Reactor;
use crate::server::Server;

/// Starts all threads. When it returns, the server can be connected to.
pub fn start(server: &'static Server) -> io::Result<()> {
    let mut listeners = listening::open(server)?;
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
