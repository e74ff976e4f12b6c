//! The connection itself: PING, ECHO, SELECT, AUTH, HELLO, RESET, QUIT.

use commands::spec::arguments::{block, integer, string};
use commands::spec::{Flags, Group, tips};
use commands::{Command, Failure, context};

use crate::REDIS_VERSION;
use crate::clients::ClientFlags;
use crate::session::{Call, Flow, Muted, SessionHandler};

const EARLY: Flags = Flags::NO_AUTH.union(Flags::LOADING).union(Flags::STALE);
const AT_ONCE: Flags = Flags::FAST.union(Flags::NOSCRIPT).union(Flags::ALLOW_BUSY);

/// The rows of this family.
pub static COMMANDS: &[Command<SessionHandler>] = &[
    Command::<SessionHandler>::new("auth", -2, auth)
        .flags(EARLY.union(AT_ONCE))
        .docs(Group::Connection, "1.0.0", "Logs the connection in.")
        .complexity("O(N) with N the number of passwords of the user")
        .history(&[("6.0.0", "Takes the name of a user.")])
        .args(&[string("username").opt().since("6.0.0"), string("password")]),
    Command::<SessionHandler>::new("echo", 2, echo)
        .flags(Flags::FAST.union(Flags::LOADING).union(Flags::STALE))
        .docs(Group::Connection, "1.0.0", "Answers with the message.")
        .complexity("O(1)")
        .args(&[string("message")]),
    Command::<SessionHandler>::new("hello", -1, hello)
        .flags(EARLY.union(AT_ONCE))
        .docs(
            Group::Connection,
            "6.0.0",
            "Chooses the protocol, logs in, and tells what the server is.",
        )
        .complexity("O(1)")
        .history(&[("6.2.0", "Without a version it only tells about the connection.")])
        .args(&[block("arguments").opt().of(&[
            integer("protover"),
            block("auth").after("AUTH").opt().of(&[string("username"), string("password")]),
            string("clientname").after("SETNAME").opt(),
        ])]),
    Command::<SessionHandler>::new("ping", -1, ping)
        .flags(Flags::FAST)
        .docs(Group::Connection, "1.0.0", "Answers, with the message if there is one.")
        .complexity("O(1)")
        .tips(&[tips::TO_ALL_SHARDS, tips::REPLY_ALL_SUCCEEDED])
        .args(&[string("message").opt()]),
    Command::<SessionHandler>::new("quit", -1, quit)
        .flags(EARLY.union(AT_ONCE))
        .docs(Group::Connection, "1.0.0", "Closes the connection.")
        .complexity("O(1)")
        .deprecated("7.2.0", "closing the connection"),
    Command::<SessionHandler>::new("reset", 1, reset)
        .flags(EARLY.union(AT_ONCE))
        .docs(Group::Connection, "6.2.0", "Makes the connection like a new one.")
        .complexity("O(1)"),
    Command::<SessionHandler>::new("select", 2, select)
        .flags(Flags::FAST.union(Flags::LOADING).union(Flags::STALE))
        .docs(Group::Connection, "1.0.0", "Chooses the database of the connection.")
        .complexity("O(1)")
        .args(&[integer("index")]),
];

const BAD_NAME: Failure =
    Failure::text("ERR Client names cannot contain spaces, newlines or special characters.");
const WRONG_PASSWORD: Failure =
    Failure::text("WRONGPASS invalid username-password pair or user is disabled.");
const NO_PASSWORD_SET: Failure = Failure::text(
    "ERR AUTH <password> called without any password configured for the default user. \
     Are you sure your configuration is correct?",
);
const NOT_AUTHENTICATED: Failure = Failure::text(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO \
     <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP \
     protocol version at the same time",
);

fn ping(call: &mut Call<'_>) -> Result<Flow, Failure> {
    match call.args.len() {
        1 => call.reply.simple("PONG"),
        2 => call.reply.bulk(call.args.get(1)),
        _ => return Err(Failure::Arity("ping".into())),
    }
    Ok(Flow::Next)
}

fn echo(call: &mut Call<'_>) -> Result<Flow, Failure> {
    call.reply.bulk(call.args.get(1));
    Ok(Flow::Next)
}

fn quit(call: &mut Call<'_>) -> Result<Flow, Failure> {
    call.reply.ok();
    Ok(Flow::Close)
}

fn reset(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let session = &mut *call.session;
    session.select(0);
    session.speak(false);
    session.client.names.lock().name.clear();
    session.authenticated = call.server.config.password.read().is_empty();
    // A reply that is skipped stays so, even this one.
    if session.muted == Muted::All {
        session.muted = Muted::No;
    }
    let client = &session.client;
    client.set(ClientFlags::MONITOR | ClientFlags::NO_EVICT | ClientFlags::NO_TOUCH, false);
    call.server.monitors.remove(client.id);
    call.reply.speak(false);
    call.reply.simple("RESET");
    Ok(Flow::Next)
}

fn select(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let word = call.args.get(1);
    if protocol::number::parse_i64(word).is_some_and(|number| i32::try_from(number).is_err()) {
        return Err(Failure::text(
            "ERR value is out of range, value must between -2147483648 and 2147483647",
        ));
    }
    call.session.select(context::db_number(word)?);
    call.reply.ok();
    Ok(Flow::Next)
}

fn auth(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let (user, password) = match call.args.len() {
        2 if call.server.config.password.read().is_empty() => return Err(NO_PASSWORD_SET),
        2 => (&b"default"[..], call.args.get(1)),
        3 => (call.args.get(1), call.args.get(2)),
        _ => return Err(Failure::Syntax),
    };
    log_in(call, user, password)?;
    call.reply.ok();
    Ok(Flow::Next)
}

/// Logs the default user in, who without a password takes any.
fn log_in(call: &mut Call<'_>, user: &[u8], password: &[u8]) -> Result<(), Failure> {
    let expected = call.server.config.password.read();
    if user != b"default" || !(expected.is_empty() || same(expected.as_bytes(), password)) {
        return Err(WRONG_PASSWORD);
    }
    call.session.authenticated = true;
    Ok(())
}

/// Compares in a time that does not tell how much of the password is right.
fn same(expected: &[u8], given: &[u8]) -> bool {
    let differences = expected.iter().zip(given).fold(0, |sum, (a, b)| sum | (a ^ b));
    expected.len() == given.len() && differences == 0
}

fn hello(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let args = call.args;
    let mut resp3 = call.session.resp3;
    if args.len() > 1 {
        resp3 = match protocol::number::parse_i64(args.get(1)) {
            Some(2) => false,
            Some(3) => true,
            Some(_) => return Err(Failure::text("NOPROTO unsupported protocol version")),
            None => {
                return Err(Failure::text(
                    "ERR Protocol version is not an integer or out of range",
                ));
            }
        };
    }
    let (mut credentials, mut name) = (None, None);
    let mut index = 2;
    while index < args.len() {
        let (option, left) = (args.get(index), args.len() - index - 1);
        if option.eq_ignore_ascii_case(b"auth") && left >= 2 {
            credentials = Some((args.get(index + 1), args.get(index + 2)));
            index += 3;
        } else if option.eq_ignore_ascii_case(b"setname") && left >= 1 {
            name = Some(client_name(args.get(index + 1)).ok_or(BAD_NAME)?);
            index += 2;
        } else {
            return Err(Failure::quoting("ERR Syntax error in HELLO option '", option, "'"));
        }
    }
    if let Some((user, password)) = credentials {
        log_in(call, user, password)?;
    }
    if !call.session.authenticated {
        return Err(NOT_AUTHENTICATED);
    }
    if let Some(name) = name {
        call.session.client.names.lock().name = name;
    }
    call.session.speak(resp3);
    call.reply.speak(resp3);
    introduce(call, resp3);
    Ok(Flow::Next)
}

/// The reply to HELLO.
fn introduce(call: &mut Call<'_>, resp3: bool) {
    let id = i64::try_from(call.session.client.id).unwrap_or(i64::MAX);
    let reply = &mut call.reply;
    reply.map(7);
    for (field, value) in [("server", "redis"), ("version", REDIS_VERSION)] {
        reply.bulk(field.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"proto");
    reply.integer(if resp3 { 3 } else { 2 });
    reply.bulk(b"id");
    reply.integer(id);
    for (field, value) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(field.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"modules");
    reply.array(0);
}

/// A client's name, if these bytes may be one.
pub(super) fn client_name(bytes: &[u8]) -> Option<String> {
    let allowed = bytes.iter().all(|byte| (b'!'..=b'~').contains(byte));
    allowed.then(|| String::from_utf8_lossy(bytes).into_owned())
}
