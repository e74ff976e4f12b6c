//! CLIENT: who is connected, and to end a connection.

use std::sync::Arc;

use commands::spec::{Flags, Group};
use commands::{Args, Command, Failure};
use protocol::number::parse_i64;

use super::connection::client_name;
use crate::clients::Client;
use crate::session::{Call, Flow, SessionHandler};

const ORDINARY: Flags = Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE);
const ADMIN: Flags = ORDINARY.union(Flags::ADMIN);
const CATEGORY: &[&str] = &["connection"];

/// The rows of this family.
pub static COMMANDS: &[Command<SessionHandler>] =
    &[Command::<SessionHandler>::new("client", -2, no_subcommand)
        .flags(Flags::empty())
        .docs(Group::Connection, "2.4.0", "A container for client connection commands.")
        .subcommands(SUBCOMMANDS)];

static SUBCOMMANDS: &[Command<SessionHandler>] = &[
    Command::<SessionHandler>::new("getname", 2, getname).flags(ORDINARY).docs(
        Group::Connection,
        "2.6.9",
        "Returns the name of the connection.",
    ),
    Command::<SessionHandler>::new("help", 2, help).flags(Flags::LOADING.union(Flags::STALE)).docs(
        Group::Connection,
        "5.0.0",
        "Returns helpful text about the different subcommands.",
    ),
    Command::<SessionHandler>::new("id", 2, id).flags(ORDINARY).docs(
        Group::Connection,
        "5.0.0",
        "Returns the unique client ID of the connection.",
    ),
    Command::<SessionHandler>::new("info", 2, info).flags(ORDINARY).docs(
        Group::Connection,
        "6.2.0",
        "Returns information about the connection.",
    ),
    Command::<SessionHandler>::new("kill", -3, kill)
        .flags(ADMIN)
        .docs(Group::Connection, "2.4.0", "Terminates open connections.")
        .categories(CATEGORY),
    Command::<SessionHandler>::new("list", -2, list)
        .flags(ADMIN)
        .docs(Group::Connection, "2.4.0", "Lists open connections.")
        .categories(CATEGORY),
    Command::<SessionHandler>::new("setinfo", 4, setinfo).flags(ORDINARY).docs(
        Group::Connection,
        "7.2.0",
        "Sets information specific to the client or connection.",
    ),
    Command::<SessionHandler>::new("setname", 3, setname).flags(ORDINARY).docs(
        Group::Connection,
        "2.6.9",
        "Sets the connection name.",
    ),
];

const HELP: &[&str] = &[
    "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "KILL <ip:port>",
    "    Kill connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Kill connections. Options are: ADDR, LADDR, ID, TYPE, USER, SKIPME, MAXAGE.",
    "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID id [id ...]]",
    "    Return information about client connections.",
    "SETINFO <LIB-NAME|LIB-VER> <value>",
    "    Set the client library's name or version.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "HELP",
    "    Print this help.",
];

/// CLIENT alone never gets here: its arity asks for a subcommand.
fn no_subcommand(_: &mut Call<'_>) -> Result<Flow, Failure> {
    Err(Failure::Syntax)
}

fn help(call: &mut Call<'_>) -> Result<Flow, Failure> {
    call.reply.array(HELP.len());
    HELP.iter().for_each(|line| call.reply.simple(line));
    Ok(Flow::Next)
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

fn list(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let args = call.args;
    let mut clients = call.server.clients.all();
    match args.get(2).to_ascii_lowercase().as_slice() {
        _ if args.len() == 2 => {}
        b"type" if args.len() == 4 => {
            if !is_normal(args.get(3))? {
                clients.clear();
            }
        }
        b"id" if args.len() > 3 => {
            let ids: Option<Vec<i64>> = args.from(3).map(parse_i64).collect();
            let ids = ids.ok_or(Failure::text("ERR Invalid client ID"))?;
            let number = |client: &Arc<Client>| client.id.cast_signed();
            let find = |id| Some(clients[clients.binary_search_by_key(id, number).ok()?].clone());
            clients = ids.iter().filter_map(find).collect();
        }
        _ => return Err(Failure::Syntax),
    }
    let text = lines(call, &clients);
    call.reply.verbatim("txt", &text);
    Ok(Flow::Next)
}

fn id_of(word: &[u8]) -> Option<u64> {
    u64::try_from(parse_i64(word)?).ok().filter(|id| *id > 0)
}

/// Whether a type of clients is the one that all clients have.
fn is_normal(word: &[u8]) -> Result<bool, Failure> {
    match word.to_ascii_lowercase().as_slice() {
        b"normal" => Ok(true),
        b"master" | b"replica" | b"slave" | b"pubsub" => Ok(false),
        _ => Err(Failure::quoting("ERR Unknown client type '", word, "'")),
    }
}

/// Which connections CLIENT KILL is to end.
#[derive(Default)]
struct Filter<'a> {
    id: Option<u64>,
    addr: Option<&'a [u8]>,
    local_addr: Option<&'a [u8]>,
    max_age_s: Option<u64>,
    no_type: bool,
    spare_self: bool,
}

impl<'a> Filter<'a> {
    fn parse(args: Args<'a>) -> Result<Self, Failure> {
        let mut filter = Self { spare_self: true, ..Self::default() };
        let mut index = 2;
        while index + 1 < args.len() {
            let value = args.get(index + 1);
            match args.get(index).to_ascii_lowercase().as_slice() {
                b"id" => {
                    let bad = Failure::text("ERR client-id should be greater than 0");
                    filter.id = Some(id_of(value).ok_or(bad)?);
                }
                b"addr" => filter.addr = Some(value),
                b"laddr" => filter.local_addr = Some(value),
                b"type" => filter.no_type = !is_normal(value)?,
                b"user" if value == b"default" => {}
                b"user" => return Err(Failure::quoting("ERR No such user '", value, "'")),
                b"skipme" if value.eq_ignore_ascii_case(b"yes") => filter.spare_self = true,
                b"skipme" if value.eq_ignore_ascii_case(b"no") => filter.spare_self = false,
                b"maxage" => {
                    let bad = Failure::text("ERR maxage is not an integer or out of range");
                    let age = parse_i64(value).ok_or(bad)?;
                    let bad = Failure::text("ERR maxage should be greater than 0");
                    filter.max_age_s =
                        Some(u64::try_from(age).ok().filter(|age| *age > 0).ok_or(bad)?);
                }
                _ => return Err(Failure::Syntax),
            }
            index += 2;
        }
        if index == args.len() { Ok(filter) } else { Err(Failure::Syntax) }
    }

    fn matches(&self, client: &Client, own_id: u64, now_ms: u64) -> bool {
        let age_s = now_ms.saturating_sub(client.since_ms) / 1000;
        self.id.is_none_or(|id| id == client.id)
            && self.addr.is_none_or(|addr| addr == client.addr.as_bytes())
            && self.local_addr.is_none_or(|addr| addr == client.local_addr.as_bytes())
            && self.max_age_s.is_none_or(|max| age_s >= max)
            && !self.no_type
            && !(self.spare_self && client.id == own_id)
    }
}

fn kill(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let old_form = call.args.len() == 3;
    let filter = if old_form {
        Filter { addr: Some(call.args.get(2)), ..Filter::default() }
    } else {
        Filter::parse(call.args)?
    };
    let own_id = call.session.client.id;
    let mut victims = call.server.clients.all();
    victims.retain(|client| filter.matches(client, own_id, call.now_ms));
    match (old_form, victims.len()) {
        (true, 0) => return Err(Failure::text("ERR No such client")),
        (true, _) => call.reply.ok(),
        (false, count) => call.reply.integer(i64::try_from(count).unwrap_or(i64::MAX)),
    }
    let mut flow = Flow::Next;
    for client in victims {
        // Who kills itself gets its reply first.
        if client.id == own_id { flow = Flow::Close } else { client.kill() }
    }
    Ok(flow)
}
