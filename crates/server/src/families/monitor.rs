//! MONITOR and WAIT: commands after which a connection waits for others.

use std::time::{Duration, Instant};

use commands::spec::arguments::integer;
use commands::spec::{Flags, Group, tips};
use commands::{Command, Failure};
use protocol::number::parse_i64;

use super::client::timeout_ms;
use crate::clients::ClientFlags;
use crate::session::{Block, Call, Flow, SessionHandler};

/// The rows of this family.
pub static COMMANDS: &[Command<SessionHandler>] = &[
    Command::<SessionHandler>::new("monitor", 1, monitor)
        .flags(Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE))
        .docs(Group::Server, "1.0.0", "Shows every command that is run, as it is run.")
        .complexity("grows with what others run"),
    Command::<SessionHandler>::new("wait", 3, wait)
        .flags(Flags::NOSCRIPT)
        .docs(Group::Generic, "3.0.0", "Waits until replicas have the connection's writes.")
        .complexity("O(1)")
        .tips(&[tips::TO_ALL_SHARDS, tips::REPLY_MIN])
        .args(&[integer("numreplicas"), integer("timeout")])
        .category("connection"),
];

fn monitor(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let client = &call.session.client;
    client.set(ClientFlags::MONITOR, true);
    call.server.monitors.add(client);
    call.reply.ok();
    Ok(Flow::Next)
}

/// There are no replicas, so none has the writes, however long the wait.
fn wait(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let wanted = parse_i64(call.args.get(1)).ok_or(Failure::NotInteger)?;
    let time_ms = timeout_ms(call.args.get(2))?;
    if wanted <= 0 {
        call.reply.integer(0);
        return Ok(Flow::Next);
    }
    let until = match time_ms {
        0 => None,
        _ => Instant::now().checked_add(Duration::from_millis(time_ms)),
    };
    Ok(Flow::Block(Block { until, reply: |reply| reply.integer(0) }))
}
