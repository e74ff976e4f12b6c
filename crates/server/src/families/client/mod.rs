//! CLIENT: who is connected, what it wants, and to end or pause connections.

mod filter;

use std::sync::Arc;

use commands::spec::arguments::{integer, oneof, string, token};
use commands::spec::{Flags, Group, tips};
use commands::{Args, Command, Failure};
use protocol::number::parse_i64;

use super::connection::client_name;
use super::help::help;
use crate::clients::{Client, ClientFlags};
use crate::inbox::Message;
use crate::session::{Call, Flow, Muted, SessionHandler};
use filter::Filter;

const ORDINARY: Flags = Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE);
const ADMIN: Flags = ORDINARY.union(Flags::ADMIN);
const CATEGORY: &[&str] = &["connection"];

/// The rows of this family.
pub static COMMANDS: &[Command<SessionHandler>] =
    &[Command::<SessionHandler>::new("client", -2, no_subcommand)
        .flags(Flags::empty())
        .docs(Group::Connection, "2.4.0", "Commands about connections.")
        .complexity("that of the subcommand")
        .subcommands(SUBCOMMANDS)];

static SUBCOMMANDS: &[Command<SessionHandler>] = &[
    Command::<SessionHandler>::new("capa", -3, capa)
        .flags(ORDINARY)
        .docs(Group::Connection, "8.0.0", "Tells what the client can do.")
        .complexity("O(1)")
        .args(&[string("capability").many()]),
    Command::<SessionHandler>::new("getname", 2, getname)
        .flags(ORDINARY)
        .docs(Group::Connection, "2.6.9", "Tells the name of the connection.")
        .complexity("O(1)"),
    Command::<SessionHandler>::new("getredir", 2, getredir)
        .flags(ORDINARY)
        .docs(Group::Connection, "6.0.0", "Tells who gets the connection's invalidations.")
        .complexity("O(1)"),
    Command::<SessionHandler>::new("help", 2, help)
        .flags(Flags::LOADING.union(Flags::STALE))
        .docs(Group::Connection, "5.0.0", "Lists the subcommands.")
        .complexity("O(1)"),
    Command::<SessionHandler>::new("id", 2, id)
        .flags(ORDINARY)
        .docs(Group::Connection, "5.0.0", "Tells the number of the connection.")
        .complexity("O(1)"),
    Command::<SessionHandler>::new("info", 2, info)
        .flags(ORDINARY)
        .docs(Group::Connection, "6.2.0", "Describes the connection.")
        .complexity("O(1)")
        .tips(&[tips::NONDETERMINISTIC]),
    Command::<SessionHandler>::new("kill", -3, kill)
        .flags(ADMIN)
        .docs(Group::Connection, "2.4.0", "Closes the connections that filters let through.")
        .complexity("O(N) with N the number of connections")
        .history(&[
            ("2.8.12", "Takes filters; `ID`, `TYPE`, `ADDR` and `SKIPME` are the first."),
            ("3.2.0", "`TYPE` takes `master`."),
            ("5.0.0", "`TYPE` takes `replica`, which `slave` means too."),
            ("6.2.0", "`LADDR`."),
            ("7.4.0", "`MAXAGE`."),
            ("8.1.0", "`ID` takes several."),
            ("9.0.0", "More filters, and a `NOT-` form of most."),
        ])
        .categories(CATEGORY)
        .args(filter::KILL),
    Command::<SessionHandler>::new("list", -2, list)
        .flags(ADMIN)
        .docs(
            Group::Connection,
            "2.4.0",
            "Describes connections: all, or those that filters let through.",
        )
        .complexity("O(N) with N the number of connections")
        .history(&[
            ("2.8.12", "Shows `id`."),
            ("5.0.0", "`TYPE`."),
            ("6.0.0", "Shows `user`."),
            ("6.2.0", "`ID`; shows `laddr`, `redir`, `argv-mem` and `tot-mem`."),
            ("7.0.0", "Shows `resp`, `multi-mem`, `rbs` and `rbp`."),
            ("7.2.0", "Shows `lib-name` and `lib-ver`."),
            ("8.1.0", "The filters of CLIENT KILL."),
            ("9.0.0", "More filters, and a `NOT-` form of most."),
        ])
        .tips(&[tips::NONDETERMINISTIC])
        .categories(CATEGORY)
        .args(filter::LIST),
    Command::<SessionHandler>::new("no-evict", 3, no_evict)
        .flags(ADMIN)
        .docs(
            Group::Connection,
            "7.0.0",
            "Spares the connection when others are closed to free memory.",
        )
        .complexity("O(1)")
        .categories(CATEGORY)
        .args(&[oneof("enabled").of(&[token("ON"), token("OFF")])]),
    Command::<SessionHandler>::new("no-touch", 3, no_touch)
        .flags(ORDINARY)
        .docs(Group::Connection, "7.2.0", "Makes commands not count as use of their keys.")
        .complexity("O(1)")
        .args(&[oneof("enabled").of(&[token("ON"), token("OFF")])]),
    Command::<SessionHandler>::new("pause", -3, pause)
        .flags(ADMIN)
        .docs(Group::Connection, "2.9.50", "Holds commands of clients back for a time.")
        .complexity("O(1)")
        .history(&[("6.2.0", "A mode; `WRITE` holds only commands back that write.")])
        .categories(CATEGORY)
        .args(&[
            integer("timeout"),
            oneof("mode").opt().since("6.2.0").of(&[token("WRITE"), token("ALL")]),
        ]),
    Command::<SessionHandler>::new("reply", 3, reply)
        .flags(ORDINARY)
        .docs(Group::Connection, "3.2.0", "Turns replies to the connection on or off.")
        .complexity("O(1)")
        .args(&[oneof("action").of(&[token("ON"), token("OFF"), token("SKIP")])]),
    Command::<SessionHandler>::new("setinfo", 4, setinfo)
        .flags(ORDINARY)
        .docs(Group::Connection, "7.2.0", "Notes the name or version of the client's library.")
        .complexity("O(1)")
        .tips(&[tips::TO_ALL_NODES, tips::REPLY_ALL_SUCCEEDED])
        .args(&[oneof("attr")
            .of(&[string("libname").after("LIB-NAME"), string("libver").after("LIB-VER")])]),
    Command::<SessionHandler>::new("setname", 3, setname)
        .flags(ORDINARY)
        .docs(Group::Connection, "2.6.9", "Gives the connection a name.")
        .complexity("O(1)")
        .tips(&[tips::TO_ALL_NODES, tips::REPLY_ALL_SUCCEEDED])
        .args(&[string("connection-name")]),
    Command::<SessionHandler>::new("trackinginfo", 2, trackinginfo)
        .flags(ORDINARY)
        .docs(Group::Connection, "6.2.0", "Tells how the connection tracks keys.")
        .complexity("O(1)"),
    Command::<SessionHandler>::new("unblock", -3, unblock)
        .flags(ADMIN)
        .docs(Group::Connection, "5.0.0", "Ends the waiting of a blocked client.")
        .complexity("O(log N) with N the number of connections")
        .categories(CATEGORY)
        .args(&[
            integer("client-id"),
            oneof("unblock-type").opt().of(&[token("TIMEOUT"), token("ERROR")]),
        ]),
    Command::<SessionHandler>::new("unpause", 2, unpause)
        .flags(ADMIN)
        .docs(Group::Connection, "6.2.0", "Lets held back commands go on.")
        .complexity("O(N) with N the number of clients held back")
        .categories(CATEGORY),
];

/// CLIENT alone never gets here: its arity asks for a subcommand.
fn no_subcommand(_: &mut Call<'_>) -> Result<Flow, Failure> {
    Err(Failure::Syntax)
}

fn id(call: &mut Call<'_>) -> Result<Flow, Failure> {
    call.reply.integer(i64::try_from(call.session.client.id).unwrap_or(i64::MAX));
    Ok(Flow::Next)
}

fn getname(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let name = call.session.client.names.lock().name.clone();
    if name.is_empty() {
        call.reply.null()
    } else {
        call.reply.bulk(name.as_bytes())
    }
    Ok(Flow::Next)
}

fn setname(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let name = client_name(call.args.get(2)).ok_or(Failure::text(
        "ERR Client names cannot contain spaces, newlines or special characters.",
    ))?;
    call.session.client.names.lock().name = name;
    call.reply.ok();
    Ok(Flow::Next)
}

fn setinfo(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let option = String::from_utf8_lossy(call.args.get(2)).into_owned();
    let value = client_name(call.args.get(3));
    let names = &call.session.client.names;
    let field =
        |names: &mut crate::clients::Names, value| match option.to_ascii_lowercase().as_str() {
            "lib-name" => names.library = value,
            _ => names.library_version = value,
        };
    if !["lib-name", "lib-ver"].contains(&option.to_ascii_lowercase().as_str()) {
        return Err(Failure::quoting("ERR Unrecognized option '", call.args.get(2), "'"));
    }
    let Some(value) = value else {
        let text = format!("ERR {option} cannot contain spaces, newlines or special characters.");
        return Err(Failure::Text(text.into()));
    };
    field(&mut names.lock(), value);
    call.reply.ok();
    Ok(Flow::Next)
}

fn lines(call: &Call<'_>, clients: &[Arc<Client>]) -> Vec<u8> {
    let names = &call.server.command_names;
    let lines = clients.iter().map(|client| client.line(call.now_ms, names) + "\n");
    lines.collect::<String>().into_bytes()
}

fn info(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let own = [call.session.client.clone()];
    let text = lines(call, &own);
    call.reply.verbatim("txt", &text);
    Ok(Flow::Next)
}

/// The words of a call, of which there may be so many.
fn at_most<'a>(call: &Call<'a>, words: usize) -> Result<Args<'a>, Failure> {
    if call.args.len() <= words {
        return Ok(call.args);
    }
    let before = "ERR unknown subcommand or wrong number of arguments for '";
    Err(Failure::quoting(before, call.args.get(1), "'. Try CLIENT HELP."))
}

/// A time in milliseconds, as Redis's commands that wait take it.
pub fn timeout_ms(word: &[u8]) -> Result<u64, Failure> {
    let bad = Failure::text("ERR timeout is not an integer or out of range");
    let number = parse_i64(word).ok_or(bad)?;
    u64::try_from(number).map_err(|_| Failure::text("ERR timeout is negative"))
}

fn list(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let args = call.args;
    let mut clients = call.server.clients.all();
    if args.len() > 2 {
        let filter = Filter::parse(args, 2, false)?;
        let own_id = call.session.client.id;
        clients.retain(|client| filter.matches(client, own_id, call.now_ms));
        if let Some(ids) = filter.only_ids() {
            // As they were asked for.
            let find = |id: &i64| {
                let index = clients.binary_search_by_key(id, |client| client.id.cast_signed());
                Some(clients.get(index.ok()?)?.clone())
            };
            clients = ids.iter().filter_map(find).collect();
        }
    }
    let text = lines(call, &clients);
    call.reply.verbatim("txt", &text);
    Ok(Flow::Next)
}

fn kill(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let old_form = call.args.len() == 3;
    let filter = if old_form {
        Filter::by_address(call.args.get(2))
    } else {
        Filter::parse(call.args, 2, true)?
    };
    let own_id = call.session.client.id;
    let mut victims = call.server.clients.all();
    victims.retain(|client| filter.matches(client, own_id, call.now_ms));
    match (old_form, victims.len()) {
        (true, 0) => return Err(Failure::text("ERR No such client")),
        (true, _) => call.reply.ok(),
        (false, count) => call.reply.count(count),
    }
    let mut flow = Flow::Next;
    for client in victims {
        // Who kills itself gets its reply first.
        if client.id == own_id { flow = Flow::Close } else { client.kill() }
    }
    Ok(flow)
}

fn pause(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let args = at_most(call, 4)?;
    let all = match args.get(3).to_ascii_lowercase().as_slice() {
        b"all" => true,
        b"write" => false,
        _ if args.len() == 3 => true,
        _ => return Err(Failure::text("ERR CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let time_ms = timeout_ms(args.get(2))?;
    let too_far = Failure::text("ERR timeout is out of range");
    let until_ms = call.now_ms.checked_add(time_ms).filter(|at| i64::try_from(*at).is_ok());
    call.server.pause.begin(until_ms.ok_or(too_far)?, all);
    call.reply.ok();
    Ok(Flow::Next)
}

fn unpause(call: &mut Call<'_>) -> Result<Flow, Failure> {
    call.server.pause.end();
    for inbox in &call.server.inboxes {
        inbox.send(Message::Resume);
    }
    call.reply.ok();
    Ok(Flow::Next)
}

fn reply(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let muted = &mut call.session.muted;
    match call.args.get(2).to_ascii_lowercase().as_slice() {
        b"on" => {
            *muted = Muted::No;
            call.reply.ok();
        }
        b"off" => *muted = Muted::All,
        b"skip" if *muted != Muted::All => *muted = Muted::Two,
        b"skip" => {}
        _ => return Err(Failure::Syntax),
    }
    Ok(Flow::Next)
}

fn no_evict(call: &mut Call<'_>) -> Result<Flow, Failure> {
    switch(call, ClientFlags::NO_EVICT)
}

fn no_touch(call: &mut Call<'_>) -> Result<Flow, Failure> {
    switch(call, ClientFlags::NO_TOUCH)
}

fn switch(call: &mut Call<'_>, flag: ClientFlags) -> Result<Flow, Failure> {
    let on = match call.args.get(2).to_ascii_lowercase().as_slice() {
        b"on" => true,
        b"off" => false,
        _ => return Err(Failure::Syntax),
    };
    call.session.client.set(flag, on);
    call.reply.ok();
    Ok(Flow::Next)
}

fn capa(call: &mut Call<'_>) -> Result<Flow, Failure> {
    if call.args.from(2).any(|word| word.eq_ignore_ascii_case(b"redirect")) {
        call.session.client.set(ClientFlags::CAN_REDIRECT, true);
    }
    call.reply.ok();
    Ok(Flow::Next)
}

fn unblock(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let args = at_most(call, 4)?;
    let error = match args.get(3).to_ascii_lowercase().as_slice() {
        b"error" => true,
        b"timeout" => false,
        _ if args.len() == 3 => false,
        _ => return Err(Failure::text("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
    };
    let id = parse_i64(args.get(2)).ok_or(Failure::NotInteger)?;
    let client = u64::try_from(id).ok().and_then(|id| call.server.clients.find(id));
    let blocked = client.filter(|client| client.is(ClientFlags::BLOCKED));
    call.reply.integer(i64::from(blocked.is_some()));
    if let Some(client) = blocked {
        client.unblock(error);
    }
    Ok(Flow::Next)
}

/// Keys are not tracked, so nobody is redirected to.
fn getredir(call: &mut Call<'_>) -> Result<Flow, Failure> {
    call.reply.integer(-1);
    Ok(Flow::Next)
}

fn trackinginfo(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let reply = &mut call.reply;
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(1);
    reply.bulk(b"off");
    reply.bulk(b"redirect");
    reply.integer(-1);
    reply.bulk(b"prefixes");
    reply.array(0);
    Ok(Flow::Next)
}
