//! CONFIG GET and CONFIG SET, over the parameters of `config.rs`.

use std::borrow::Cow;

use commands::spec::arguments::{block, string};
use commands::spec::{Flags, Group, tips};
use commands::{Command, Failure};
use keyspace::glob;

use crate::config::{PARAMETERS, Parameter};
use crate::session::{Call, Flow, SessionHandler};

const FLAGS: Flags = Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE);

/// The rows of this family.
pub static COMMANDS: &[Command<SessionHandler>] =
    &[Command::<SessionHandler>::new("config", -2, no_subcommand)
        .docs(Group::Server, "2.0.0", "Commands about the configuration.")
        .complexity("that of the subcommand")
        .subcommands(SUBCOMMANDS)];

static SUBCOMMANDS: &[Command<SessionHandler>] = &[
    Command::<SessionHandler>::new("get", -3, get)
        .flags(FLAGS)
        .docs(Group::Server, "2.0.0", "Tells the values of parameters.")
        .complexity("O(N) with N the number of parameters asked for")
        .history(&[("7.0.0", "Takes several names and patterns.")])
        .args(&[string("parameter").many()]),
    Command::<SessionHandler>::new("set", -4, set)
        .flags(FLAGS)
        .docs(Group::Server, "2.0.0", "Changes parameters while the server runs.")
        .complexity("O(N) with N the number of parameters set")
        .history(&[("7.0.0", "Takes several parameters.")])
        .tips(&[tips::TO_ALL_NODES, tips::REPLY_ALL_SUCCEEDED])
        .args(&[block("data").many().of(&[string("parameter"), string("value")])]),
];

/// CONFIG alone never gets here: its arity asks for a subcommand.
fn no_subcommand(_: &mut Call<'_>) -> Result<Flow, Failure> {
    Err(Failure::Syntax)
}

fn get(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let mut found: Vec<(&[u8], &Parameter)> = Vec::new();
    for word in call.args.from(2) {
        for (name, parameter) in matching(word) {
            if !found.iter().any(|(_, other)| other.name == parameter.name) {
                found.push((name, parameter));
            }
        }
    }
    call.reply.map(found.len());
    for (name, parameter) in found {
        call.reply.bulk(name);
        call.reply.bulk((parameter.get)(&call.server.config).as_bytes());
    }
    Ok(Flow::Next)
}

/// The parameters that a pattern or a name means. What is no pattern is their name as it is shown.
fn matching(word: &[u8]) -> impl Iterator<Item = (&[u8], &'static Parameter)> {
    let is_pattern = word.iter().any(|byte| b"[*?".contains(byte));
    let lower = word.to_ascii_lowercase();
    PARAMETERS.iter().filter_map(move |parameter| {
        let name = parameter.name.as_bytes();
        if is_pattern {
            glob::matches(&lower, name).then_some((name, parameter))
        } else {
            (lower == name).then_some((word, parameter))
        }
    })
}

fn failed(name: &[u8], reason: &str) -> Failure {
    let before = "ERR CONFIG SET failed (possibly related to argument '";
    Failure::quoting(before, name, &format!("') - {reason}"))
}

/// Sets several parameters: all, or, where one cannot be set, none.
fn set(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let words: Vec<&[u8]> = call.args.from(2).collect();
    let (pairs, rest) = words.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Failure::Syntax);
    }
    let mut chosen: Vec<(&Parameter, Cow<'_, str>)> = Vec::new();
    for [name, value] in pairs {
        let is_meant = |p: &&Parameter| name.eq_ignore_ascii_case(p.name.as_bytes());
        let Some(parameter) = PARAMETERS.iter().find(is_meant) else {
            let before = "ERR Unknown option or number of arguments for CONFIG SET - '";
            return Err(Failure::quoting(before, name, "'"));
        };
        if !parameter.mutable {
            return Err(failed(name, "can't set immutable config"));
        }
        if chosen.iter().any(|(other, _)| other.name == parameter.name) {
            return Err(failed(name, "duplicate parameter"));
        }
        chosen.push((parameter, String::from_utf8_lossy(value)));
    }
    let config = &call.server.config;
    let before: Vec<String> = chosen.iter().map(|(parameter, _)| (parameter.get)(config)).collect();
    for (index, (parameter, value)) in chosen.iter().enumerate() {
        if let Err(reason) = (parameter.set)(config, value) {
            for ((parameter, _), old) in chosen[..index].iter().zip(&before) {
                // It was the value a moment ago, so it is a right one.
                let _ = (parameter.set)(config, old);
            }
            return Err(failed(parameter.name.as_bytes(), &reason));
        }
    }
    call.reply.ok();
    Ok(Flow::Next)
}
