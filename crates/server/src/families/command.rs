//! COMMAND: the command table, as clients ask for it.

use commands::spec::arguments::{Argument, Kind, oneof, pattern, string};
use commands::spec::{Docs, Find, Flags, Group, KeySpec, tips};
use commands::{Args, Command, Failure};
use keyspace::glob;
use protocol::reply::Reply;

use super::help::help;
use crate::registry::{Registered, Registry};
use crate::session::{Call, Flow, SessionHandler};

const FLAGS: Flags = Flags::LOADING.union(Flags::STALE);
const CATEGORY: &[&str] = &["connection"];

/// The rows of this family.
pub static COMMANDS: &[Command<SessionHandler>] =
    &[Command::<SessionHandler>::new("command", -1, info)
        .flags(FLAGS)
        .docs(Group::Server, "2.8.13", "Describes all commands to programs.")
        .complexity("O(N) with N the number of commands")
        .tips(&[tips::NONDETERMINISTIC_ORDER])
        .categories(CATEGORY)
        .subcommands(SUBCOMMANDS)];

const NAMES: &[Argument] = &[string("command-name").opt().many()];
const CALL: &[Argument] = &[string("command"), string("arg").opt().many()];

static SUBCOMMANDS: &[Command<SessionHandler>] = &[
    Command::<SessionHandler>::new("count", 2, count)
        .flags(FLAGS)
        .docs(Group::Server, "2.8.13", "Counts the commands.")
        .complexity("O(1)")
        .categories(CATEGORY),
    Command::<SessionHandler>::new("docs", -2, docs)
        .flags(FLAGS)
        .docs(Group::Server, "7.0.0", "Describes commands to people: all, or those named.")
        .complexity("O(N) with N the number of commands asked for")
        .tips(&[tips::NONDETERMINISTIC_ORDER])
        .categories(CATEGORY)
        .args(NAMES),
    Command::<SessionHandler>::new("getkeys", -3, getkeys)
        .flags(FLAGS)
        .docs(Group::Server, "2.8.13", "Finds the keys in a call.")
        .complexity("O(N) with N the number of words in the call")
        .categories(CATEGORY)
        .args(CALL),
    Command::<SessionHandler>::new("getkeysandflags", -3, getkeysandflags)
        .flags(FLAGS)
        .docs(Group::Server, "7.0.0", "Finds the keys in a call and what becomes of them.")
        .complexity("O(N) with N the number of words in the call")
        .categories(CATEGORY)
        .args(CALL),
    Command::<SessionHandler>::new("help", 2, help)
        .flags(FLAGS)
        .docs(Group::Server, "5.0.0", "Lists the subcommands.")
        .complexity("O(1)")
        .categories(CATEGORY),
    Command::<SessionHandler>::new("info", -2, info)
        .flags(FLAGS)
        .docs(Group::Server, "2.8.13", "Describes commands to programs: all, or those named.")
        .complexity("O(N) with N the number of commands asked for")
        .history(&[("7.0.0", "Without names it describes all commands.")])
        .tips(&[tips::NONDETERMINISTIC_ORDER])
        .categories(CATEGORY)
        .args(NAMES),
    Command::<SessionHandler>::new("list", -2, list)
        .flags(FLAGS)
        .docs(Group::Server, "7.0.0", "Lists the names of commands: all, or those of a filter.")
        .complexity("O(N) with N the number of commands")
        .tips(&[tips::NONDETERMINISTIC_ORDER])
        .categories(CATEGORY)
        .args(&[oneof("filterby").opt().after("FILTERBY").of(&[
            string("module-name").after("MODULE"),
            string("category").after("ACLCAT"),
            pattern("pattern").after("PATTERN"),
        ])]),
];

fn count(call: &mut Call<'_>) -> Result<Flow, Failure> {
    call.reply.integer(i64::try_from(call.server.registry.len()).unwrap_or(i64::MAX));
    Ok(Flow::Next)
}

/// COMMAND alone, and COMMAND INFO with or without names.
fn info(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let registry = &call.server.registry;
    let reply = &mut call.reply;
    if call.args.len() <= 2 {
        reply.array(registry.len());
        registry.iter().for_each(|command| describe(reply, command));
        return Ok(Flow::Next);
    }
    reply.array(call.args.len() - 2);
    for name in call.args.from(2) {
        match registry.find_full(name) {
            Some(command) => describe(reply, command),
            None => reply.null(),
        }
    }
    Ok(Flow::Next)
}

fn describe(reply: &mut Reply<'_>, command: &Registered) {
    let spec = command.spec;
    reply.array(10);
    reply.bulk(command.name.as_bytes());
    reply.integer(i64::from(spec.arity));
    let flags = spec.flag_names();
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.simple(flag));
    let (first, last, step) = first_last_step(spec.keys);
    [first, last, step].iter().for_each(|number| reply.integer(*number));
    let categories = spec.acl_categories();
    reply.set(categories.len());
    categories.iter().for_each(|category| reply.simple(&format!("@{category}")));
    reply.set(spec.tips.len());
    spec.tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    reply.set(spec.keys.len());
    spec.keys.iter().for_each(|keys| describe_keys(reply, keys));
    reply.set(command.subcommands.len());
    command.subcommands.iter().for_each(|sub| describe(reply, sub));
}

/// The three numbers with which old clients find keys.
fn first_last_step(keys: &[KeySpec]) -> (i64, i64, i64) {
    let ranges = keys.iter().filter_map(|spec| match spec.find {
        Find::Range { last, step } => Some((i64::from(spec.begin), i64::from(last), step)),
        Find::Counted { .. } | Find::Behind(_) | Find::Streams => None,
        Find::Made | Find::SortStore => None,
    });
    ranges.fold((0, 0, 0), |(first, last, step), (begin, end, width)| {
        let end = if end < 0 { end } else { begin + end };
        // An end that is counted from the end of the words lies behind all others.
        let later = |end: i64| (end < 0, end);
        match first {
            0 => (begin, end, i64::from(width)),
            _ if later(end) > later(last) => (first, end, step),
            _ => (first, last, step),
        }
    })
}

/// What clients are told of keys that no rule finds which they could follow.
const UNKNOWN: &str = "unknown";

fn describe_keys(reply: &mut Reply<'_>, keys: &KeySpec) {
    let range = |last: i8, step: u8| {
        vec![("lastkey", i64::from(last)), ("keystep", i64::from(step)), ("limit", 0)]
    };
    let (kind, fields): (&str, Vec<(&str, i64)>) = match keys.find {
        Find::Range { last, step } => ("range", range(last, step)),
        Find::Behind(_) => ("range", range(0, 1)),
        Find::Counted { step } => {
            ("keynum", vec![("keynumidx", 0), ("firstkey", 1), ("keystep", i64::from(step))])
        }
        Find::Streams => ("range", vec![("lastkey", -1), ("keystep", 1), ("limit", 2)]),
        Find::Made | Find::SortStore => (UNKNOWN, vec![]),
    };
    let begin = i64::from(keys.begin);
    reply.map(3 + usize::from(!keys.notes.is_empty()));
    if !keys.notes.is_empty() {
        field(reply, "notes", keys.notes);
    }
    reply.bulk(b"flags");
    reply.set(keys.access.names().len());
    keys.access.names().iter().for_each(|name| reply.simple(name));
    reply.bulk(b"begin_search");
    match keys.find {
        Find::Streams => search(reply, "keyword", Some("STREAMS"), &[("startfrom", begin)]),
        Find::Behind(token) => search(reply, "keyword", Some(token), &[("startfrom", begin)]),
        find if find.is_unknown() => search(reply, UNKNOWN, None, &[]),
        _ => search(reply, "index", None, &[("index", begin)]),
    }
    reply.bulk(b"find_keys");
    search(reply, kind, None, &fields);
}

fn search(reply: &mut Reply<'_>, kind: &str, keyword: Option<&str>, fields: &[(&str, i64)]) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(fields.len() + usize::from(keyword.is_some()));
    keyword.into_iter().for_each(|keyword| field(reply, "keyword", keyword));
    for (name, value) in fields {
        reply.bulk(name.as_bytes());
        reply.integer(*value);
    }
}

fn docs(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let registry = &call.server.registry;
    let found: Vec<&Registered> = if call.args.len() == 2 {
        registry.iter().collect()
    } else {
        call.args.from(2).filter_map(|name| registry.find_full(name)).collect()
    };
    call.reply.map(found.len());
    found.into_iter().for_each(|command| document(&mut call.reply, command));
    Ok(Flow::Next)
}

/// A field of a map, and its value.
fn field(reply: &mut Reply<'_>, name: &str, value: &str) {
    reply.bulk(name.as_bytes());
    reply.bulk(value.as_bytes());
}

/// A field of a map, and names of flags.
fn flags_field(reply: &mut Reply<'_>, name: &str, flags: &[&str]) {
    reply.bulk(name.as_bytes());
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.simple(flag));
}

fn document(reply: &mut Reply<'_>, command: &Registered) {
    reply.bulk(command.name.as_bytes());
    let Docs { summary, since, complexity, history, deprecated, is_internal, arguments } =
        command.spec.docs;
    let subcommands = &command.subcommands;
    let optional = [
        !history.is_empty(),
        deprecated.is_some() || is_internal,
        !arguments.is_empty(),
        !subcommands.is_empty(),
    ];
    let shown = optional.iter().filter(|shown| **shown).count();
    reply.map(4 + shown + 2 * usize::from(deprecated.is_some()));
    field(reply, "summary", summary);
    field(reply, "since", since);
    field(reply, "group", command.spec.group.name());
    field(reply, "complexity", complexity);
    let flags = [(deprecated.is_some(), "deprecated"), (is_internal, "syscmd")];
    let flags: Vec<&str> =
        flags.iter().filter(|(holds, _)| *holds).map(|(_, name)| *name).collect();
    if !flags.is_empty() {
        flags_field(reply, "doc_flags", &flags);
    }
    if let Some((version, replacement)) = deprecated {
        field(reply, "deprecated_since", version);
        field(reply, "replaced_by", replacement);
    }
    if !history.is_empty() {
        reply.bulk(b"history");
        reply.set(history.len());
        for (version, change) in history {
            reply.array(2);
            field(reply, version, change);
        }
    }
    if !arguments.is_empty() {
        document_arguments(reply, arguments);
    }
    if !subcommands.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(subcommands.len());
        subcommands.iter().for_each(|sub| document(reply, sub));
    }
}

fn document_arguments(reply: &mut Reply<'_>, arguments: &[Argument]) {
    reply.bulk(b"arguments");
    reply.array(arguments.len());
    for argument in arguments {
        let (display, flags) = (argument.display(), argument.flag_names());
        let texts = [
            ("display_text", display.as_deref()),
            ("token", argument.token),
            ("since", argument.since),
            ("deprecated_since", argument.deprecated_since),
        ];
        let is_key = matches!(argument.kind, Kind::Key(_) | Kind::KeyPattern(_));
        let optional = [is_key, !flags.is_empty(), !argument.parts.is_empty()];
        let shown = texts.iter().filter(|(_, text)| text.is_some()).count();
        reply.map(2 + shown + optional.iter().filter(|shown| **shown).count());
        field(reply, "name", &argument.name());
        field(reply, "type", argument.kind.name());
        for (name, text) in texts {
            if let Some(text) = text {
                field(reply, name, text);
            }
            // Redis puts the number right behind the text.
            if let ("display_text", Kind::Key(index) | Kind::KeyPattern(index)) =
                (name, argument.kind)
            {
                reply.bulk(b"key_spec_index");
                reply.integer(i64::from(index));
            }
        }
        if !flags.is_empty() {
            flags_field(reply, "flags", &flags);
        }
        if !argument.parts.is_empty() {
            document_arguments(reply, argument.parts);
        }
    }
}

fn list(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let args = call.args;
    let registry = &call.server.registry;
    let names = match args.len() {
        2 => named(registry, |_| true),
        5 if args.get(2).eq_ignore_ascii_case(b"filterby") => {
            let value = args.get(4).to_ascii_lowercase();
            match args.get(3).to_ascii_lowercase().as_slice() {
                b"module" => Vec::new(),
                b"aclcat" => named(registry, |command| {
                    command.spec.acl_categories().iter().any(|name| name.as_bytes() == value)
                }),
                b"pattern" => {
                    named(registry, |command| glob::matches(&value, command.name.as_bytes()))
                }
                _ => return Err(Failure::Syntax),
            }
        }
        _ => return Err(Failure::Syntax),
    };
    call.reply.array(names.len());
    names.iter().for_each(|name| call.reply.bulk(name.as_bytes()));
    Ok(Flow::Next)
}

/// The names of commands and subcommands.
fn named(registry: &Registry, wanted: impl Fn(&Registered) -> bool) -> Vec<&'static str> {
    registry.rows().filter(|command| wanted(command)).map(|command| command.name).collect()
}

/// The keys of the command in the words from the third on, with what is done to them.
fn keys_of<'a>(
    registry: &Registry,
    args: Args<'a>,
) -> Result<Vec<(&'a [u8], commands::spec::Access)>, Failure> {
    let words = args.len() - 2;
    let word = |index: usize| args.get(index + 2);
    let mut command =
        registry.find(word(0)).ok_or(Failure::text("ERR Invalid command specified"))?;
    if words > 1 && !command.subcommands.is_empty() {
        let unknown = Failure::text("ERR Invalid command specified");
        command = command.subcommand(word(1)).ok_or(unknown)?;
    }
    if command.spec.keys.is_empty() {
        return Err(Failure::text("ERR The command has no key arguments"));
    }
    if !command.spec.accepts(words) {
        return Err(Failure::text("ERR Invalid number of arguments specified for command"));
    }
    let mut keys = Vec::new();
    command.key_words(words, word, |index, access| {
        keys.push((word(index), access.in_call((2..words).map(word))));
    });
    if keys.is_empty() {
        return Err(Failure::text("ERR Invalid arguments specified for command"));
    }
    Ok(keys)
}

fn getkeys(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let keys = keys_of(&call.server.registry, call.args)?;
    call.reply.array(keys.len());
    keys.iter().for_each(|(key, _)| call.reply.bulk(key));
    Ok(Flow::Next)
}

fn getkeysandflags(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let keys = keys_of(&call.server.registry, call.args)?;
    call.reply.array(keys.len());
    for (key, access) in keys {
        call.reply.array(2);
        call.reply.bulk(key);
        call.reply.set(access.names().len());
        access.names().iter().for_each(|name| call.reply.simple(name));
    }
    Ok(Flow::Next)
}
