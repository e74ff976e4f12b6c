//! A panic ends the process, since the shard that a command was changing may be half changed. The
//! hook first says which command it was, and in which shard.

use std::cell::Cell;

use commands::KeyAt;
use keyspace::slot::SLOTS_PER_SHARD;

thread_local! {
    static CURRENT: Cell<(&'static str, Option<u16>)> = const { Cell::new(("", None)) };
}

/// Notes the command that this thread is about to run.
#[inline]
pub fn note(command: &'static str, key: Option<&KeyAt>) {
    CURRENT.set((command, key.map(|key| key.slot / SLOTS_PER_SHARD)));
}

/// Makes panics name the command and end the process.
pub fn install_hook() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let (command, shard) = CURRENT.get();
        let command = if command.is_empty() { "none" } else { command };
        let shard = shard.map_or("none".to_owned(), |shard| shard.to_string());
        log::error!("panic while running command {command} in shard {shard}: {info}");
        default(info);
        std::process::abort();
    }));
}
