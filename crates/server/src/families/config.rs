//! CONFIG, over the parameters of `config/`.

use std::borrow::Cow;

use commands::spec::arguments::{block, string};
use commands::spec::{Flags, Group, tips};
use commands::{Command, Failure};
use keyspace::glob;

use super::help::help;
use crate::config::{self, Apply, Change, Config, Effect, Parameter};
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
    Command::<SessionHandler>::new("help", 2, help)
        .flags(Flags::LOADING.union(Flags::STALE))
        .docs(Group::Server, "5.0.0", "Lists the subcommands.")
        .complexity("O(1)"),
    Command::<SessionHandler>::new("resetstat", 2, resetstat)
        .flags(FLAGS)
        .docs(Group::Server, "2.0.0", "Sets the counters of INFO to zero.")
        .complexity("O(1)")
        .tips(&[tips::TO_ALL_NODES, tips::REPLY_ALL_SUCCEEDED]),
    Command::<SessionHandler>::new("rewrite", 2, rewrite)
        .flags(FLAGS)
        .docs(Group::Server, "2.8.0", "Writes what has changed into the configuration file.")
        .complexity("O(1)")
        .tips(&[tips::TO_ALL_NODES, tips::REPLY_ALL_SUCCEEDED]),
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

fn resetstat(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let server = call.server;
    Ok(Flow::Work(Box::new(move |reply| {
        server.reset_stats();
        reply.ok();
    })))
}

/// It waits for the disk, so it runs in the worker pool.
fn rewrite(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let config = &call.server.config;
    Ok(Flow::Work(Box::new(move |reply| match config::rewrite(config) {
        Ok(()) => {
            log::info!("the configuration was rewritten");
            reply.ok();
        }
        Err(error) => {
            log::warn!("the configuration was not rewritten: {error}");
            reply.error(&format!("ERR {error}"));
        }
    })))
}

fn get(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let mut found: Vec<(Cow<'_, [u8]>, &Parameter)> = Vec::new();
    for word in call.args.from(2) {
        for (name, parameter) in matching(word) {
            if !found.iter().any(|(other, _)| other.eq_ignore_ascii_case(&name)) {
                found.push((name, parameter));
            }
        }
    }
    call.reply.map(found.len());
    for (name, parameter) in found {
        call.reply.bulk(&name);
        call.reply.bulk(parameter.get(&call.server.config).as_bytes());
    }
    Ok(Flow::Next)
}

/// The parameters that a pattern or a name means. What is no pattern is their name as it is shown.
fn matching(word: &[u8]) -> Vec<(Cow<'_, [u8]>, &'static Parameter)> {
    if word.iter().any(|byte| b"[*?".contains(byte)) {
        let lower = word.to_ascii_lowercase();
        let listed = config::listed().iter();
        return listed
            .filter(|(name, _)| glob::matches(&lower, name.as_bytes()))
            .map(|(name, parameter)| (Cow::Borrowed(name.as_bytes()), *parameter))
            .collect();
    }
    named(word).map(|parameter| (Cow::Borrowed(word), parameter)).into_iter().collect()
}

fn named(word: &[u8]) -> Option<&'static Parameter> {
    config::parameter(std::str::from_utf8(word).ok()?).filter(|parameter| !parameter.file_only)
}

fn failed(name: &[u8], reason: &str) -> Failure {
    let before = "ERR CONFIG SET failed (possibly related to argument '";
    Failure::quoting(before, name, &format!("') - {reason}"))
}

/// A parameter to be set, under the name that it was given, and its value.
struct Wish<'a> {
    name: &'a [u8],
    parameter: &'static Parameter,
    value: Cow<'a, str>,
}

/// Sets several parameters: all, or, where one cannot be set, none.
fn set(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let words: Vec<&[u8]> = call.args.from(2).collect();
    let (pairs, rest) = words.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Failure::Syntax);
    }
    let config = &call.server.config;
    let _changing = config.changing.lock();
    let protected = match config.protected_configs.read().as_str() {
        "yes" => true,
        "local" => call.session.client.addr.is_local(),
        _ => false,
    };
    let wishes = wishes(config, pairs, protected)?;
    let before: Vec<String> = wishes.iter().map(|wish| wish.parameter.get(config)).collect();
    let result = change(config, &wishes);
    if result.is_ok() {
        tell_effects(config, &wishes, &before);
    } else {
        for (wish, old) in wishes.iter().zip(&before) {
            // They were the values a moment ago, so they are right ones.
            let _ = wish.parameter.set(config, old);
        }
        for (apply, _) in applies(&wishes) {
            let _ = apply(config);
        }
    }
    result?;
    call.reply.ok();
    Ok(Flow::Next)
}

/// What is asked for, when it may be.
fn wishes<'a>(
    config: &Config,
    pairs: &[[&'a [u8]; 2]],
    protected: bool,
) -> Result<Vec<Wish<'a>>, Failure> {
    let mut wishes: Vec<Wish<'a>> = Vec::new();
    for [name, value] in pairs {
        let Some(parameter) = named(name) else {
            let before = "ERR Unknown option or number of arguments for CONFIG SET - '";
            return Err(Failure::quoting(before, name, "'"));
        };
        let value = String::from_utf8_lossy(value);
        match parameter.change {
            Change::AtStart if parameter.get(config) != value => {
                return Err(failed(name, "can't set immutable config"));
            }
            Change::Protected if !protected => {
                return Err(failed(name, "can't set protected config"));
            }
            _ => {}
        }
        if wishes.iter().any(|other| other.parameter.name == parameter.name) {
            return Err(failed(name, "duplicate parameter"));
        }
        wishes.push(Wish { name, parameter, value });
    }
    Ok(wishes)
}

fn change(config: &Config, wishes: &[Wish<'_>]) -> Result<(), Failure> {
    for Wish { name, parameter, value } in wishes {
        let set = parameter.set(config, value);
        set.map_err(|reason| failed(name, &reason.to_string()))?;
    }
    for (apply, name) in applies(wishes) {
        apply(config).map_err(|reason| failed(name, &reason))?;
    }
    Ok(())
}

/// Tells the log of changes without an effect.
fn tell_effects(config: &Config, wishes: &[Wish<'_>], before: &[String]) {
    for (Wish { parameter, .. }, old) in wishes.iter().zip(before) {
        if parameter.effect() == Effect::None && parameter.get(config) != *old {
            log::info!("{} has no effect: {}", parameter.name, parameter.about);
        }
    }
}

/// What the changes do at once.
fn applies<'a>(wishes: &'a [Wish<'_>]) -> impl Iterator<Item = (Apply, &'a [u8])> {
    wishes.iter().filter_map(|wish| Some((wish.parameter.apply?, wish.name)))
}
