//! Commands about connections and the server, one file per family.

mod client;
mod cluster;
mod command;
mod commandlog;
mod config;
mod connection;
mod debug;
mod help;
mod hotkeys;
mod info;
mod latency;
mod lifecycle;
mod lolwut;
mod memory;
mod monitor;

use commands::{Command, Failure};
use keyspace::{Db, Key};
use protocol::reply::Reply;

use crate::session::{Call, Flow, SessionHandler};

/// The rows of all families.
pub fn all() -> impl Iterator<Item = &'static Command<SessionHandler>> {
    [
        connection::COMMANDS,
        client::COMMANDS,
        cluster::COMMANDS,
        command::COMMANDS,
        commandlog::COMMANDS,
        config::COMMANDS,
        debug::COMMANDS,
        hotkeys::COMMANDS,
        info::COMMANDS,
        latency::COMMANDS,
        lifecycle::COMMANDS,
        lolwut::COMMANDS,
        memory::COMMANDS,
        monitor::COMMANDS,
    ]
    .into_iter()
    .flatten()
}

/// What runs a container's own name; no call gets here, because its arity asks for a subcommand.
fn no_subcommand(_: &mut Call<'_>) -> Result<Flow, Failure> {
    Err(Failure::Syntax)
}

/// What a command does with one key of the connection's database.
type KeyHandler = fn(&mut Db, &Key<'_>, u64, &mut Reply<'_>);

/// Runs `handler` with the key that stands at `word`: here if its shard is free, else in the worker
/// pool.
fn with_key(call: &mut Call<'_>, word: usize, handler: KeyHandler) -> Result<Flow, Failure> {
    let (keyspace, number, now_ms) = (call.server.keyspace, call.session.db, call.now_ms);
    let bytes = call.args.get(word);
    let key = keyspace.key(bytes);
    if let Some(mut shard) = keyspace.try_borrow(key.shard()) {
        handler(shard.db(number), &key, now_ms, &mut call.reply);
        return Ok(Flow::Next);
    }
    let bytes = bytes.to_vec();
    Ok(Flow::Work(Box::new(move |reply| {
        let key = keyspace.key(&bytes);
        handler(keyspace.borrow_blocking(key.shard()).db(number), &key, now_ms, reply);
    })))
}
