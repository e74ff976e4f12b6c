//! CONFIG GET and CONFIG SET, over the parameters of `config.rs`.

use commands::spec::{Flags, Group};
use commands::{Command, Failure};
use keyspace::glob;

use crate::config::{PARAMETERS, Parameter};
use crate::session::{Call, Flow, SessionHandler};

const FLAGS: Flags = Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE);

/// The rows of this family.
pub static COMMANDS: &[Command<SessionHandler>] =
    &[Command::<SessionHandler>::new("config", -2, no_subcommand)
        .docs(Group::Server, "2.0.0", "A container for server configuration commands.")
        .subcommands(SUBCOMMANDS)];

static SUBCOMMANDS: &[Command<SessionHandler>] = &[
    Command::<SessionHandler>::new("get", -3, get).flags(FLAGS).docs(
        Group::Server,
        "2.0.0",
        "Returns the effective values of configuration parameters.",
    ),
    Command::<SessionHandler>::new("set", -4, set).flags(FLAGS).docs(
        Group::Server,
        "2.0.0",
        "Sets configuration parameters in-flight.",
    ),
];

/// CONFIG alone never gets here: its arity asks for a subcommand.
fn no_subcommand(_: &mut Call<'_>) -> Result<Flow, Failure> {
    Err(Failure::Syntax)
}

fn get(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let patterns: Vec<Vec<u8>> = call.args.from(2).map(<[u8]>::to_ascii_lowercase).collect();
    let wanted = |name: &str| patterns.iter().any(|p| glob::matches(p, name.as_bytes()));
    let found: Vec<&Parameter> = PARAMETERS.iter().filter(|p| wanted(p.name)).collect();
    call.reply.map(found.len());
    for parameter in found {
        call.reply.bulk(parameter.name.as_bytes());
        call.reply.bulk((parameter.get)(&call.server.config).as_bytes());
    }
    Ok(Flow::Next)
}

fn failed(name: &str, reason: &str) -> Failure {
    let text = format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}");
    Failure::Text(text.into())
}

/// Sets several parameters: all, or, where one cannot be set, none.
fn set(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let words: Vec<String> =
        call.args.from(2).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    let (pairs, rest) = words.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Failure::Syntax);
    }
    let mut chosen: Vec<(&Parameter, &str)> = Vec::new();
    for [name, value] in pairs {
        let lower = name.to_ascii_lowercase();
        let Some(parameter) = PARAMETERS.iter().find(|p| p.name == lower) else {
            let text =
                format!("ERR Unknown option or number of arguments for CONFIG SET - '{name}'");
            return Err(Failure::Text(text.into()));
        };
        if !parameter.mutable {
            return Err(failed(name, "can't set immutable config"));
        }
        if chosen.iter().any(|(other, _)| other.name == parameter.name) {
            return Err(failed(name, "duplicate parameter"));
        }
        chosen.push((parameter, value));
    }
    let config = &call.server.config;
    let before: Vec<String> = chosen.iter().map(|(parameter, _)| (parameter.get)(config)).collect();
    for (index, (parameter, value)) in chosen.iter().enumerate() {
        if let Err(reason) = (parameter.set)(config, value) {
            for ((parameter, _), old) in chosen[..index].iter().zip(&before) {
                // It was the value a moment ago, so it is a right one.
                let _ = (parameter.set)(config, old);
            }
            return Err(failed(parameter.name, &reason));
        }
    }
    call.reply.ok();
    Ok(Flow::Next)
}
