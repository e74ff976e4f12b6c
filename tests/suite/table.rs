//! The command table, as COMMAND shows it: complete and consistent. What it says of each command is
//! compared with others in `table_facts.rs`.

use std::collections::BTreeSet;

use tests::resp::Value;
use tests::server::Server;

use crate::transcripts::all_commands;

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
