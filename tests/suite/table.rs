//! The command table, as COMMAND shows it: complete, consistent, and Redis's where Redis has the
//! command.

use std::collections::{BTreeMap, BTreeSet};

use tests::resp::Value;
use tests::server::Server;

use crate::transcripts::all_commands;

/// Rows that differ from Redis 7.0's on purpose: the command, and what of it.
const DIFFERENT: &[(&str, &str)] = &[
    // Redis 7.2 lets them be asked about commands without arguments.
    ("command|getkeys", "arity"),
    ("command|getkeysandflags", "arity"),
];

/// The words of a call of a command or subcommand.
fn call(name: &str, words: usize) -> Vec<String> {
    let mut call: Vec<String> = name.split('|').map(str::to_owned).collect();
    while call.len() < words {
        call.push("x".into());
    }
    call.truncate(words.max(1));
    call
}

#[test]
fn a_wrong_number_of_words_is_told_for_every_command() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut client = server.connect();
    for (name, arity) in all_commands(&server) {
        let least = usize::try_from(arity.abs()).unwrap();
        let mut wrong = vec![least - 1];
        if arity > 0 {
            wrong.push(least + 1);
        }
        let name_len = name.split('|').count();
        for words in wrong.into_iter().filter(|words| *words >= name_len) {
            let call = call(&name, words);
            let expected = format!("ERR wrong number of arguments for '{name}' command");
            assert_eq!(client.command(&call), Value::Error(expected.into()), "{call:?}");
        }
    }
}

#[test]
fn count_list_info_and_docs_agree() {
    let server = Server::start(&[]);
    let mut client = server.connect_resp3();
    let rows = all_commands(&server);
    let all: BTreeSet<String> = rows.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(all.len(), rows.len(), "a name twice");
    let top: BTreeSet<String> = all.iter().filter(|name| !name.contains('|')).cloned().collect();
    assert_eq!(client.run("COMMAND COUNT").int(), top.len() as i64);
    assert_eq!(client.run("COMMAND INFO").items().len(), top.len());
    let docs = client.run("COMMAND DOCS").pairs();
    assert_eq!(docs.iter().map(|(name, _)| name.text()).collect::<BTreeSet<_>>(), top);
    for name in &all {
        let info = client.run(&format!("COMMAND INFO {name}"));
        assert_eq!(info.items()[0].items()[0].text(), *name);
        let docs = client.run(&format!("COMMAND DOCS {name}")).pairs();
        assert_eq!(docs[0].0.text(), *name);
    }
    let listed: BTreeSet<String> = client.run("COMMAND LIST").texts().into_iter().collect();
    assert_eq!(listed, all, "COMMAND LIST names subcommands too");
}

/// The fields of COMMAND INFO that are compared, by name.
fn fields(entry: &Value) -> BTreeMap<&'static str, String> {
    let sorted = |value: &Value| {
        let mut texts = value.texts();
        texts.sort();
        texts.join(" ")
    };
    let items = entry.items();
    let spec = |value: &Value| -> String {
        let pairs = value.pairs();
        let shown = pairs.iter().filter(|(name, _)| name.text() != "notes");
        shown.map(|(_, value)| value.to_string()).collect::<Vec<_>>().join(" ")
    };
    BTreeMap::from([
        ("arity", items[1].to_string()),
        ("flags", sorted(&items[2])),
        ("first key", items[3].to_string()),
        ("last key", items[4].to_string()),
        ("step", items[5].to_string()),
        ("categories", sorted(&items[6])),
        ("key specs", items[8].items().iter().map(spec).collect::<Vec<_>>().join("; ")),
    ])
}

#[test]
fn rows_are_those_of_redis() {
    let (ours, theirs) = (Server::start(&[]), Server::start_other("redis-server", &[]));
    let mut report = String::new();
    let (mut our_client, mut their_client) = (ours.connect_resp3(), theirs.connect_resp3());
    let mut compared = 0;
    for (name, _) in all_commands(&ours) {
        let line = format!("COMMAND INFO {name}");
        let (a, b) = (our_client.run(&line), their_client.run(&line));
        if b.items()[0].is_nothing() {
            continue;
        }
        compared += 1;
        let (a, b) = (fields(&a.items()[0]), fields(&b.items()[0]));
        for (field, value) in &a {
            if *value != b[field] && !DIFFERENT.contains(&(name.as_str(), field)) {
                report += &format!("{name}: {field} is {value}, in Redis {}\n", b[field]);
            }
        }
    }
    assert!(compared > 60, "only {compared} compared");
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn documentation_is_that_of_redis() {
    let (ours, theirs) = (Server::start(&[]), Server::start_other("redis-server", &[]));
    let (mut our_client, mut their_client) = (ours.connect_resp3(), theirs.connect_resp3());
    let mut report = String::new();
    for (name, _) in all_commands(&ours) {
        let line = format!("COMMAND DOCS {name}");
        let (a, b) = (our_client.run(&line).pairs(), their_client.run(&line).pairs());
        let Some((_, b)) = b.first() else { continue };
        let field = |docs: &Value, wanted: &str| {
            let pairs = docs.pairs();
            let found = pairs.iter().find(|(name, _)| name.text() == wanted);
            found.map_or(String::new(), |(_, value)| value.text())
        };
        // Summaries were rewritten in 7.2.
        for wanted in ["since", "group"] {
            let (ours, theirs) = (field(&a[0].1, wanted), field(b, wanted));
            if ours != theirs {
                report += &format!("{name}: {wanted} is {ours}, in Redis {theirs}\n");
            }
        }
        assert!(field(&a[0].1, "summary").len() > 10, "{name} has no summary");
    }
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn every_parameter_can_be_read_and_set_to_what_it_is() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let all = client.run("CONFIG GET *").pairs();
    assert!(all.len() > 300);
    for (name, value) in &all {
        let (name, value) = (name.text(), value.text());
        let alone = client.command(&["CONFIG", "GET", &name]).pairs();
        assert_eq!(alone.len(), 1, "{name}");
        assert_eq!(alone[0].1.text(), value, "{name}");
        let reply = client.command(&["CONFIG", "SET", &name, &value]);
        let protected = format!(
            "ERR CONFIG SET failed (possibly related to argument '{name}') - \
             can't set protected config"
        );
        let is_ok = reply == Value::Simple("OK".into());
        let is_protected = ["dir", "dbfilename"].contains(&name.as_str());
        assert!(
            is_ok || is_protected && reply == Value::Error(protected.into()),
            "{name}: {reply}"
        );
    }
}
