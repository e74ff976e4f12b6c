//! What the process is to others and when it ends: LASTSAVE, ROLE, REPLICAOF, SHUTDOWN.

use commands::spec::arguments::{Argument, block, integer, oneof, string, token};
use commands::spec::{Flags, Group, tips};
use commands::{Args, Command, Failure};
use protocol::number::parse_i64;

use crate::session::{Call, Flow, SessionHandler};

const REPLICAOF: Flags =
    Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::STALE).union(Flags::NO_ASYNC_LOADING);

const SHUTDOWN: Flags = Flags::ADMIN
    .union(Flags::NOSCRIPT)
    .union(Flags::LOADING)
    .union(Flags::STALE)
    .union(Flags::NO_MULTI)
    .union(Flags::ALLOW_BUSY);
const SOURCE: &[Argument] = &[oneof("args").of(&[
    block("host-port").of(&[string("host"), integer("port")]),
    block("no-one").of(&[token("NO"), token("ONE")]),
])];

/// The rows of this family.
pub static COMMANDS: &[Command<SessionHandler>] = &[
    Command::<SessionHandler>::new("lastsave", 1, lastsave)
        .flags(Flags::LOADING.union(Flags::STALE).union(Flags::FAST))
        .docs(Group::Server, "1.0.0", "Tells when data were last saved.")
        .complexity("O(1)")
        .tips(&[tips::NONDETERMINISTIC])
        .categories(&["admin", "dangerous"]),
    Command::<SessionHandler>::new("replicaof", 3, replicaof)
        .flags(REPLICAOF)
        .docs(Group::Server, "5.0.0", "Makes the server a replica of another, or ends that.")
        .complexity("O(1)")
        .args(SOURCE),
    Command::<SessionHandler>::new("role", 1, role)
        .flags(Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE).union(Flags::FAST))
        .docs(Group::Server, "2.8.12", "Tells the part that the server has in replication.")
        .complexity("O(1)")
        .categories(&["admin", "dangerous"]),
    Command::<SessionHandler>::new("shutdown", -1, shutdown)
        .flags(SHUTDOWN)
        .docs(Group::Server, "1.0.0", "Ends the server, after saving if that is asked for.")
        .complexity("O(N) with N the number of keys to save, else O(1)")
        .history(&[("7.0.0", "`NOW`, `FORCE` and `ABORT`.")])
        .args(&[
            oneof("save-selector").opt().of(&[token("NOSAVE"), token("SAVE")]),
            token("NOW").opt().since("7.0.0"),
            token("FORCE").opt().since("7.0.0"),
            token("ABORT").opt().since("7.0.0"),
        ]),
    Command::<SessionHandler>::new("slaveof", 3, replicaof)
        .flags(REPLICAOF)
        .docs(Group::Server, "1.0.0", "The same as REPLICAOF, under its first name.")
        .complexity("O(1)")
        .deprecated("5.0.0", "`REPLICAOF`")
        .args(SOURCE),
];

/// As in a Redis that has not saved yet: the time when the server started.
fn lastsave(call: &mut Call<'_>) -> Result<Flow, Failure> {
    call.reply.integer(i64::try_from(call.server.started_unix_s).unwrap_or(i64::MAX));
    Ok(Flow::Next)
}

/// A master that has no replicas, and whose journal has no bytes.
fn role(call: &mut Call<'_>) -> Result<Flow, Failure> {
    call.reply.array(3);
    call.reply.bulk(b"master");
    call.reply.integer(0);
    call.reply.array(0);
    Ok(Flow::Next)
}

/// A server that is nobody's replica can be told not to be one; it cannot become one.
fn replicaof(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let (host, port) = (call.args.get(1), call.args.get(2));
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        call.reply.ok();
        return Ok(Flow::Next);
    }
    match parse_i64(port) {
        Some(0..=65_535) => Err(Failure::text("ERR This server cannot be a replica")),
        _ => Err(Failure::text("ERR Invalid master port")),
    }
}

/// What SHUTDOWN is told.
#[derive(Default)]
struct Options {
    save: bool,
    nosave: bool,
    /// To go although something speaks against it.
    force: bool,
    /// Not to wait for replicas, of which there are none.
    now: bool,
    abort: bool,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Self, Failure> {
        let mut options = Self::default();
        for word in args.from(1) {
            match word.to_ascii_lowercase().as_slice() {
                b"save" => options.save = true,
                b"nosave" => options.nosave = true,
                b"now" => options.now = true,
                b"force" => options.force = true,
                b"abort" => options.abort = true,
                _ => return Err(Failure::Syntax),
            }
        }
        let Self { save, nosave, force, now, abort } = options;
        let is_odd = save && nosave || abort && (save || nosave || force || now);
        if is_odd { Err(Failure::Syntax) } else { Ok(options) }
    }
}

/// Ends the process on the way that a signal takes. The connection closes without a reply.
fn shutdown(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let options = Options::parse(call.args)?;
    if options.abort {
        return Err(Failure::text("ERR No shutdown in progress."));
    }
    if options.save && !options.force {
        log::warn!("not shut down: SAVE was asked for, and data are in memory only");
        return Err(Failure::text("ERR Errors trying to SHUTDOWN. Check logs."));
    }
    log::info!("a client asks to shut down");
    if let Err(error) = signal_hook::low_level::raise(signal_hook::consts::SIGTERM) {
        log::warn!("not shut down: {error}");
        return Err(Failure::text("ERR Errors trying to SHUTDOWN. Check logs."));
    }
    Ok(Flow::Close)
}
