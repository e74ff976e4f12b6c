//! DEBUG, as far as tests and measurements need it: SLEEP and POPULATE.

use std::time::Duration;

use commands::spec::{Flags, Group};
use commands::{Command, Failure};
use keyspace::Keyspace;
use protocol::number::{parse_f64, parse_i64};
use table::Value;

use crate::server::now_ms;
use crate::session::{Call, Flow, SessionHandler};

const FLAGS: Flags = Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE);

/// The rows of this family. As in Redis, what DEBUG does is an argument and no subcommand with a
/// row of its own, because whether it is allowed comes before all else.
pub static COMMANDS: &[Command<SessionHandler>] =
    &[Command::<SessionHandler>::new("debug", -2, debug)
        .flags(FLAGS)
        .docs(Group::Server, "1.0.0", "Commands for tests of the server.")
        .complexity("that of what is asked for")
        .internal()];

const NOT_ALLOWED: Failure = Failure::text(
    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you \
     can run it from a local connection, otherwise you need to set this option in the \
     configuration file, and then restart the server.",
);

fn debug(call: &mut Call<'_>) -> Result<Flow, Failure> {
    check_allowed(call)?;
    let what = call.args.get(1);
    match (what.to_ascii_lowercase().as_slice(), call.args.len()) {
        (b"sleep", 3) => Ok(sleep(call)),
        (b"populate", 3..=5) => populate(call),
        _ => {
            let before = "ERR unknown subcommand or wrong number of arguments for '";
            Err(Failure::quoting(before, what, "'. Try DEBUG HELP."))
        }
    }
}

fn check_allowed(call: &Call<'_>) -> Result<(), Failure> {
    match call.server.config.debug_command.read().as_str() {
        "yes" => Ok(()),
        "local" if call.session.client.is_local => Ok(()),
        _ => Err(NOT_ALLOWED),
    }
}

fn sleep(call: &Call<'_>) -> Flow {
    let seconds = parse_f64(call.args.get(2)).unwrap_or(0.0);
    Flow::Sleep(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

fn populate(call: &Call<'_>) -> Result<Flow, Failure> {
    let number = |index: usize| -> Result<usize, Failure> {
        let bad = Failure::text("ERR value is out of range, must be positive");
        parse_i64(call.args.get(index)).and_then(|n| usize::try_from(n).ok()).ok_or(bad)
    };
    let count = number(2)?;
    let prefix = if call.args.len() > 3 { call.args.get(3) } else { b"key" }.to_vec();
    let size = if call.args.len() > 4 { Some(number(4)?) } else { None };
    let (keyspace, db) = (call.server.keyspace, call.session.db);
    Ok(Flow::Work(Box::new(move |reply| {
        fill(keyspace, db, count, &prefix, size);
        reply.ok();
    })))
}

/// Adds keys `prefix:0` to `prefix:count-1` that are not there yet, with values `value:n` padded
/// with zeros or cut to `size`.
fn fill(keyspace: &'static Keyspace, db: u16, count: usize, prefix: &[u8], size: Option<usize>) {
    let (mut name, mut value) = (Vec::new(), Vec::new());
    for number in 0..count {
        name.clear();
        name.extend_from_slice(prefix);
        name.extend_from_slice(format!(":{number}").as_bytes());
        value.clear();
        value.extend_from_slice(format!("value:{number}").as_bytes());
        if let Some(size) = size {
            value.resize(size, 0);
        }
        let key = keyspace.key(&name);
        let now = now_ms();
        let mut shard = keyspace.borrow_blocking(key.shard());
        let db = shard.db(db);
        if db.get(&key, now).is_none() {
            db.set(&key, Value::of(&value), None, now);
        }
    }
}
