//! What COMMAND INFO and COMMAND DOCS say of each command, compared with Redis and Valkey: arity,
//! flags, keys, ACL categories, tips, and the tree of arguments that clients show as hints.
//!
//! A fact must be that of one of the two, because the newer has corrected some of the older's. What
//! came later than both is left out; to compare it too, name the programs of newer servers in
//! `TABLE_REFERENCES`. Texts for people are our own, so of them only the shape is compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tests::client::Client;
use tests::resp::Value;
use tests::server::Server;

use crate::transcripts::all_commands;

/// Facts that differ from all others' on purpose: command, fact, reason.
const DIFFERENT: &[(&str, &str, &str)] = &[
    ("bitop", "arguments", "operations of Redis 8.2, which it does not call later ones"),
    ("client|kill", "arguments", "ID takes several, as in Valkey since 8.1"),
    ("geosearch", "arguments", "with polygons, as in Valkey since 9.0"),
    ("geosearchstore", "arguments", "with polygons, as in Valkey since 9.0"),
    ("hsetex", "arity", "Dragonfly's words are one fewer"),
    ("xread", "arguments", "it does not wait yet"),
    ("xread", "flags", "it does not wait yet"),
    ("xread", "categories", "it does not wait yet"),
    ("xreadgroup", "arguments", "it does not wait yet"),
    ("xreadgroup", "flags", "it does not wait yet"),
    ("xreadgroup", "categories", "it does not wait yet"),
];

/// Fields of COMMAND DOCS, in their order.
const DOCS_FIELDS: &[&str] = &[
    "summary",
    "since",
    "group",
    "complexity",
    "module",
    "doc_flags",
    "deprecated_since",
    "replaced_by",
    "history",
    "arguments",
    "subcommands",
];

/// Fields of an argument, in their order.
const ARGUMENT_FIELDS: &[&str] = &[
    "name",
    "type",
    "display_text",
    "key_spec_index",
    "token",
    "summary",
    "since",
    "deprecated_since",
    "flags",
    "arguments",
];

/// What is known of a command, by the fact's name.
type Facts = BTreeMap<&'static str, String>;

/// A server that ours is compared with.
struct Reference {
    name: String,
    client: Client,
    /// The version of Redis that it claims to be; Valkey has left Redis at 7.2.4.
    version: Vec<u32>,
    _server: Server,
}

impl Reference {
    fn start(program: &str) -> Self {
        let server = Server::start_other(program, &[]);
        let info = server.connect().run("INFO server").text();
        let version = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
        let version = numbers(version.unwrap_or_default()).unwrap_or_default();
        let client = server.connect_resp3();
        Self { name: program.to_owned(), client, version, _server: server }
    }
}

/// The numbers of a version of Redis; a name that is none has none.
fn numbers(version: &str) -> Option<Vec<u32>> {
    version.trim().split('.').map(|part| part.parse().ok()).collect()
}

fn references() -> Vec<Reference> {
    let programs = std::env::var("TABLE_REFERENCES").unwrap_or_else(|_| {
        let has_valkey =
            std::process::Command::new("valkey-server").arg("--version").output().is_ok();
        if has_valkey { "redis-server valkey-server".into() } else { "redis-server".into() }
    });
    programs.split_whitespace().map(Reference::start).collect()
}

fn field<'a>(pairs: &'a [(Value, Value)], wanted: &str) -> Option<&'a Value> {
    pairs.iter().find(|(name, _)| name.text() == wanted).map(|(_, value)| value)
}

fn text(pairs: &[(Value, Value)], wanted: &str) -> String {
    field(pairs, wanted).map_or(String::new(), Value::text)
}

fn sorted(value: Option<&Value>) -> String {
    let mut texts = value.map_or(Vec::new(), Value::texts);
    texts.sort();
    texts.join(" ")
}

/// Fails unless the fields are some of these, in this order.
fn check_order(pairs: &[(Value, Value)], order: &[&str], at: &str) {
    let places = pairs.iter().map(|(name, _)| {
        let name = name.text();
        let place = order.iter().position(|known| *known == name);
        place.unwrap_or_else(|| panic!("{at}: no field is called {name}"))
    });
    assert!(places.is_sorted_by(|a, b| a < b), "{at}: fields are not in their order");
}

/// What a server says of a command, as far as a version of Redis can know it.
fn facts(client: &mut Client, name: &str, version: &[u32]) -> Option<Facts> {
    let info = client.run(&format!("COMMAND INFO {name}"));
    let entry = info.items().first().filter(|entry| !entry.is_nothing())?;
    let docs = client.run(&format!("COMMAND DOCS {name}")).pairs();
    let (_, docs) = docs.into_iter().next()?;
    let docs = docs.pairs();
    check_order(&docs, DOCS_FIELDS, name);
    let items = entry.items();
    let key_spec = |spec: &Value| -> String {
        let shown = spec.pairs().into_iter().filter(|(field, _)| field.text() != "notes");
        shown.map(|(_, value)| value.to_string()).collect::<Vec<_>>().join(" ")
    };
    let mut arguments = String::new();
    if let Some(list) = field(&docs, "arguments") {
        describe(list, version, "", name, &mut arguments);
    }
    Some(BTreeMap::from([
        ("arity", items[1].to_string()),
        ("flags", sorted(Some(&items[2]))),
        ("first key", items[3].to_string()),
        ("last key", items[4].to_string()),
        ("step", items[5].to_string()),
        ("categories", sorted(Some(&items[6]))),
        ("tips", sorted(Some(&items[7]))),
        ("key specs", items[8].items().iter().map(key_spec).collect::<Vec<_>>().join("; ")),
        ("has notes", format!("{:?}", items[8].items().iter().map(has_notes).collect::<Vec<_>>())),
        ("since", text(&docs, "since")),
        ("group", text(&docs, "group")),
        ("complexity", bound(&text(&docs, "complexity"))),
        ("doc_flags", sorted(field(&docs, "doc_flags"))),
        ("deprecated_since", text(&docs, "deprecated_since")),
        ("arguments", arguments),
    ]))
}

fn has_notes(spec: &Value) -> bool {
    field(&spec.pairs(), "notes").is_some()
}

/// The first bound that a text on complexity names.
fn bound(text: &str) -> String {
    let from = text.find("O(").unwrap_or(text.len());
    text[from..].split_inclusive(')').next().unwrap_or_default().to_owned()
}

/// Writes a line for each argument that a version of Redis can know.
fn describe(list: &Value, version: &[u32], indent: &str, command: &str, out: &mut String) {
    for argument in list.items() {
        let fields = argument.pairs();
        let (name, kind) = (text(&fields, "name"), text(&fields, "type"));
        check_order(&fields, ARGUMENT_FIELDS, &format!("{command}: {name}"));
        let since = text(&fields, "since");
        let is_known =
            since.is_empty() || numbers(&since).is_some_and(|since| since[..] <= *version);
        if !is_known {
            continue;
        }
        let is_group = ["oneof", "block"].contains(&kind.as_str());
        // Redis shows a name where there is no other text; that of a group nobody sees.
        let shown = text(&fields, "display_text");
        let shown = if shown.is_empty() && !is_group { name } else { shown };
        let key_spec = field(&fields, "key_spec_index").map_or(String::new(), Value::to_string);
        let (token, outdated) = (text(&fields, "token"), text(&fields, "deprecated_since"));
        let flags = sorted(field(&fields, "flags"));
        let _ = write!(out, "\n{indent}{kind} '{shown}' token '{token}' key spec '{key_spec}'");
        let _ = write!(out, " since '{since}' deprecated '{outdated}' flags '{flags}'");
        if let Some(parts) = field(&fields, "arguments") {
            describe(parts, version, &format!("{indent}  "), command, out);
        }
    }
}

#[test]
fn facts_are_those_of_redis_or_valkey() {
    let ours = Server::start(&[]);
    let mut client = ours.connect_resp3();
    let mut references = references();
    let mut report = String::new();
    let mut compared = 0;
    for (name, _) in all_commands(&ours) {
        // For each fact, who says otherwise; a fact that all others see otherwise is wrong.
        let mut others: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut known = 0;
        for reference in &mut references {
            let Some(theirs) = facts(&mut reference.client, &name, &reference.version) else {
                continue;
            };
            known += 1;
            let own = facts(&mut client, &name, &reference.version).unwrap();
            for (fact, value) in own.iter().filter(|(fact, value)| **value != theirs[*fact]) {
                let line = format!("{value}\n  in {}: {}", reference.name, theirs[fact]);
                others.entry(fact).or_default().push(line);
            }
        }
        compared += usize::from(known > 0);
        others.retain(|_, lines| lines.len() == known);
        for (command, fact, _) in DIFFERENT.iter().filter(|(command, ..)| *command == name) {
            if others.remove(fact).is_none() && known > 0 {
                let _ = writeln!(report, "{command}: {fact} is no longer different");
            }
        }
        for (fact, lines) in others {
            let _ = writeln!(report, "{name}: {fact} is {}", lines.join("\n  or "));
        }
    }
    assert!(compared > 60, "only {compared} commands compared");
    assert!(report.is_empty(), "\n{report}");
}
