//! Tests of the table: names are found, rows are whole, argument trees agree with arities and keys.

use commands::spec::arguments::{Argument, Kind, Repeat};

use super::*;

#[test]
fn every_command_is_found_in_any_case_and_no_other() {
    let registry = Registry::new();
    for command in registry.iter() {
        let upper = command.name.to_ascii_uppercase();
        for name in [command.name, &upper] {
            let found = registry.find(name.as_bytes()).map(|found| found.name);
            assert_eq!(found, Some(command.name));
        }
        assert!(registry.find(format!("{}~", command.name).as_bytes()).is_none());
    }
    for name in ["", "g", "ge", "nosuchcommand", "a name that is longer than any command"] {
        assert!(registry.find(name.as_bytes()).is_none(), "{name}");
    }
}

#[test]
fn rows_are_unique_sorted_and_documented() {
    let registry = Registry::new();
    let names: Vec<_> = registry.iter().map(|command| command.name).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    for command in registry.iter().flat_map(|c| std::iter::once(c).chain(&c.subcommands)) {
        let spec = command.spec;
        assert!(spec.name.chars().all(|c| !c.is_ascii_uppercase()), "{}", command.name);
        assert!(!spec.docs.summary.is_empty() && !spec.docs.since.is_empty(), "{}", command.name);
        assert!(spec.arity != 0, "{}", command.name);
        let writes = spec.flags.contains(Flags::WRITE);
        assert!(!(writes && spec.flags.contains(Flags::READONLY)), "{}", command.name);
    }
}

/// Commands that take arguments which nobody lists, here or in Redis.
const UNLISTED: &[&str] = &[
    // What it does is an argument, and each has its own.
    "debug", // Ignores what follows.
    "quit",
];
/// So many alternatives are tried of each choice.
const CHOICES: usize = 8;

/// A word of a generated call.
struct Word {
    text: String,
    /// The key spec that should find it, where it is a key.
    key: Option<u8>,
}

impl Word {
    fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), key: None }
    }
}

/// The words that a tree yields: the fewest possible, or each argument, and what may be repeated
/// twice. `choice` says which alternative to take.
fn words(argument: &Argument, all: bool, choice: usize, out: &mut Vec<Word>) {
    if argument.is_optional && !all {
        return;
    }
    let times = if all && argument.repeat != Repeat::Never { 2 } else { 1 };
    for time in 0..times {
        if time == 0 || argument.repeat == Repeat::WithToken {
            out.extend(argument.token.map(Word::plain));
        }
        match argument.kind {
            Kind::PureToken => {}
            Kind::Block => argument.parts.iter().for_each(|part| words(part, all, choice, out)),
            Kind::OneOf if all => {
                let part = &argument.parts[choice % argument.parts.len()];
                words(part, all, choice, out);
            }
            Kind::OneOf => out.extend(fewest(argument.parts)),
            Kind::Key(spec) => out.push(Word { text: "key".into(), key: Some(spec) }),
            _ => out.push(Word::plain("1")),
        }
    }
}

/// The words of the shortest alternative, where one has to be taken.
fn fewest(parts: &[Argument]) -> Vec<Word> {
    let alternatives = parts.iter().map(|part| {
        let mut out = Vec::new();
        let mut part = *part;
        part.is_optional = false;
        words(&part, false, 0, &mut out);
        out
    });
    alternatives.min_by_key(Vec::len).unwrap_or_default()
}

/// A call of a command, where keys are counted with the right count.
fn generate(command: &Registered, all: bool, choice: usize) -> Vec<Word> {
    let mut call: Vec<Word> = command.name.split('|').map(Word::plain).collect();
    for argument in command.spec.docs.arguments {
        words(argument, all, choice, &mut call);
    }
    for (index, spec) in (0u8..).zip(command.spec.keys) {
        if matches!(spec.find, Find::Counted { .. }) {
            let keys = call.iter().filter(|word| word.key == Some(index)).count();
            call[usize::from(spec.begin)].text = keys.to_string();
        }
    }
    call
}

/// Commands whose arity lets other numbers of words pass than their arguments have, as Redis's
/// does; they say so then.
const LOOSE: &[&str] = &[
    // A polygon needs no centre, but more words for its corners.
    "geosearch",
    "geosearchstore",
    "hotkeys|start",
    // Dragonfly's grammar, which no tree shows, has a word less than Redis's.
    "hsetex",
];

#[test]
fn arguments_agree_with_arities() {
    let registry = Registry::new();
    for command in registry.rows() {
        let (name, arity) = (command.name, command.spec.arity);
        let least = usize::from(arity.unsigned_abs());
        let is_bare = command.spec.docs.arguments.is_empty();
        let name_words = name.split('|').count();
        if is_bare && (UNLISTED.contains(&name) || !command.subcommands.is_empty()) {
            continue;
        }
        let listed = !is_bare || arity == i16::try_from(name_words).unwrap();
        assert!(listed, "{name} may have arguments, but none are listed");
        if LOOSE.contains(&name) {
            continue;
        }
        assert_eq!(generate(command, false, 0).len(), least, "{name}: fewest words");
        let most = (0..CHOICES).map(|choice| generate(command, true, choice).len()).max();
        assert_eq!(most > Some(least), arity < 0, "{name}: {most:?} words at most");
    }
}

#[test]
fn arguments_agree_with_key_specs() {
    let registry = Registry::new();
    for command in registry.rows() {
        let name = command.name;
        let variants = (0..CHOICES).map(|choice| (true, choice)).chain([(false, 0)]);
        for (all, choice) in variants {
            let call = generate(command, all, choice);
            let listed: Vec<usize> =
                call.iter().enumerate().filter(|(_, w)| w.key.is_some()).map(|(i, _)| i).collect();
            let word = |index: usize| call[index].text.as_bytes();
            let mut found = Vec::new();
            command.key_words(call.len(), word, |index, _| found.push(index));
            found.sort_unstable();
            assert_eq!(found, listed, "{name}: keys of a call with all options: {all}");
            for (index, spec) in (0u8..).zip(command.spec.keys) {
                let mut found = Vec::new();
                spec.indexes(call.len(), word, |at| found.push(call[at].key));
                // Keys that are optional are only there in a call with all options.
                let is_listed = call.iter().any(|word| word.key == Some(index));
                let may_miss = spec.find.is_unknown()
                    || matches!(spec.find, Find::Behind(_))
                    || !all && !is_listed;
                assert!(!found.is_empty() || may_miss, "{name}: key spec {index} finds nothing");
                assert!(found.iter().all(|key| *key == Some(index)), "{name}: key spec {index}");
            }
        }
    }
}

#[test]
fn argument_trees_are_well_formed() {
    fn check(command: &str, argument: &Argument) {
        let name = argument.name();
        let at = format!("{command}: {name}");
        // Redis writes this one in capitals.
        let is_plain = name == "ID" || name == name.to_ascii_lowercase();
        assert!(!name.is_empty() && is_plain, "{at}: its name");
        let parts = argument.parts.len();
        match argument.kind {
            Kind::OneOf => assert!(parts > 1, "{at}: no choice"),
            Kind::Block => assert!(parts > 0, "{at}: empty"),
            _ => assert!(parts == 0, "{at}: has parts"),
        }
        assert!(argument.kind != Kind::PureToken || argument.token.is_some(), "{at}: no token");
        assert!(argument.token.is_none_or(|token| !token.contains(' ')), "{at}: its token");
        let repeats_token = argument.repeat == Repeat::WithToken;
        assert!(!repeats_token || argument.token.is_some(), "{at}: no token to repeat");
        argument.parts.iter().for_each(|part| check(command, part));
    }
    for command in Registry::new().rows() {
        command.spec.docs.arguments.iter().for_each(|argument| check(command.name, argument));
    }
}
