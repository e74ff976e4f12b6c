//! Signals: SIGTERM and SIGINT end the process, SIGHUP opens the log file again.

use std::io;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::server::Server;
use crate::{drain, logging, process};

/// Keeps signals from now on, to be served later.
pub fn keep() -> io::Result<Signals> {
    Signals::new([SIGTERM, SIGINT, SIGHUP])
}

/// Serves signals until one asks the process to end.
pub fn serve(server: &'static Server, mut signals: Signals) {
    for signal in signals.forever() {
        if signal == SIGHUP {
            logging::reopen();
            continue;
        }
        log::info!("{} received, stopping", if signal == SIGINT { "SIGINT" } else { "SIGTERM" });
        process::notify_manager(&server.config, "STOPPING=1");
        drain::drain(server);
        return;
    }
}
