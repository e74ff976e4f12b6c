//! Commands about connections and the server, one file per family.

mod client;
mod command;
mod config;
mod connection;
mod debug;
mod help;
mod info;
mod monitor;

use commands::Command;

use crate::session::SessionHandler;

/// The rows of all families.
pub fn all() -> impl Iterator<Item = &'static Command<SessionHandler>> {
    [
        connection::COMMANDS,
        client::COMMANDS,
        command::COMMANDS,
        config::COMMANDS,
        debug::COMMANDS,
        info::COMMANDS,
        monitor::COMMANDS,
    ]
    .into_iter()
    .flatten()
}
