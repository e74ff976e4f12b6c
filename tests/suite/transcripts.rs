//! Every transcript against our server, and against the servers whose behaviour it claims.

use std::collections::BTreeSet;
use std::sync::Mutex;

use tests::resp::Value;
use tests::server::Server;
use tests::transcript::{Action, Target, Transcript, Update, all, check, words};

fn check_all(target: Target) {
    // Files are written to by one at a time.
    static UPDATING: Mutex<()> = Mutex::new(());
    let _updating = Update::from_environment().map(|_| UPDATING.lock());
    // One file of them, for whoever works on it.
    let only = std::env::var("TRANSCRIPT").unwrap_or_default();
    let chosen = |transcript: &&Transcript| {
        transcript.concerns(target) && transcript.path.to_string_lossy().contains(&only)
    };
    let transcripts = all();
    let reports: Vec<String> =
        transcripts.iter().filter(chosen).map(|transcript| check(transcript, target)).collect();
    assert!(!reports.is_empty(), "no transcript for {target:?}");
    let report = reports.concat();
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn our_replies_are_as_written() {
    check_all(Target::Ours);
}

#[test]
fn what_is_written_of_redis_is_true() {
    check_all(Target::Redis);
}

#[test]
fn what_is_written_of_valkey_is_true() {
    if std::process::Command::new("valkey-server").arg("--version").output().is_err() {
        eprintln!("valkey-server is not installed, so its sections were not checked");
        return;
    }
    check_all(Target::Valkey);
}

/// The full names of all commands and subcommands of our server.
pub fn all_commands(server: &Server) -> Vec<(String, i64)> {
    fn add(entry: &Value, names: &mut Vec<(String, i64)>) {
        let fields = entry.items();
        names.push((fields[0].text(), fields[1].int()));
        fields[9].items().iter().for_each(|sub| add(sub, names));
    }
    let mut names = Vec::new();
    for entry in server.connect().run("COMMAND").items() {
        add(entry, &mut names);
    }
    names
}

#[test]
fn every_command_has_a_transcript() {
    let mut written = BTreeSet::new();
    for transcript in all() {
        for step in &transcript.steps {
            let Action::Run { command, .. } = &step.action else { continue };
            let words = words(command).unwrap();
            let word = |index: usize| words.get(index).map(|w| String::from_utf8_lossy(w));
            let first = word(0).unwrap_or_default().to_ascii_lowercase();
            if let Some(second) = word(1) {
                written.insert(format!("{first}|{}", second.to_ascii_lowercase()));
            }
            written.insert(first);
        }
    }
    let server = Server::start(&[]);
    let commands = all_commands(&server);
    assert!(commands.len() > 50);
    let missing: Vec<_> =
        commands.iter().map(|(name, _)| name).filter(|name| !written.contains(*name)).collect();
    assert!(missing.is_empty(), "no transcript has a line with {missing:?}");
}
