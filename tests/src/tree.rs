//! The arguments of a command as COMMAND DOCS describes them, as a tree to draw calls from.

use std::collections::{BTreeMap, BTreeSet};

use crate::client::Client;
use crate::resp::Value;

/// One node of the tree.
#[derive(Clone, Debug)]
pub struct Argument {
    /// Its name, which says what kind of value makes sense.
    pub name: String,
    /// Its type: `key`, `integer`, `oneof`, `block`, …
    pub kind: String,
    /// The word in front of the value; of a pure token the only word.
    pub token: Option<String>,
    /// Whether it may be left out.
    pub optional: bool,
    /// Whether it may be repeated.
    pub multiple: bool,
    /// Whether its token is repeated with it.
    pub multiple_token: bool,
    /// What a block or an alternative consists of.
    pub arguments: Vec<Argument>,
}

/// A command or subcommand.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its full name in lower case, `config|get`.
    pub name: String,
    /// Words of a call, the name's included; negative for a minimum.
    pub arity: i64,
    /// Its family; empty where the server does not say.
    pub group: String,
    /// Its arguments; `None` where the server does not say.
    pub arguments: Option<Vec<Argument>>,
    /// Whether it only holds subcommands.
    pub is_container: bool,
}

impl Call {
    /// The words of the name.
    pub fn name_words(&self) -> Vec<String> {
        self.name.split('|').map(str::to_owned).collect()
    }

    /// Whether all that may follow the name is known.
    pub fn is_described(&self) -> bool {
        let words = self.name.split('|').count() as i64;
        self.arity == words || self.arguments.is_some()
    }
}

/// All commands of a server.
///
/// # Panics
/// When COMMAND or COMMAND DOCS make no sense.
pub fn calls(client: &mut Client) -> BTreeMap<String, Call> {
    let mut calls = BTreeMap::new();
    for entry in client.run("COMMAND").items() {
        add_entry(entry, &mut calls);
    }
    for (name, docs) in client.run("COMMAND DOCS").pairs() {
        add_docs(&name.text().to_ascii_lowercase(), &docs, &mut calls);
    }
    calls
}

fn add_entry(entry: &Value, calls: &mut BTreeMap<String, Call>) {
    let fields = entry.items();
    let name = fields[0].text().to_ascii_lowercase();
    let subcommands = fields.get(9).map(Value::items).unwrap_or_default();
    let is_container = !subcommands.is_empty();
    let (arity, group) = (fields[1].int(), String::new());
    let call = Call { name, arity, group, arguments: None, is_container };
    calls.insert(call.name.clone(), call);
    subcommands.iter().for_each(|entry| add_entry(entry, calls));
}

fn add_docs(name: &str, docs: &Value, calls: &mut BTreeMap<String, Call>) {
    for (field, value) in docs.pairs() {
        match field.text().as_str() {
            "group" => {
                if let Some(call) = calls.get_mut(name) {
                    call.group = value.text();
                }
            }
            "arguments" => {
                if let Some(call) = calls.get_mut(name) {
                    call.arguments = Some(value.items().iter().map(argument).collect());
                }
            }
            "subcommands" => {
                for (name, docs) in value.pairs() {
                    add_docs(&name.text().to_ascii_lowercase(), &docs, calls);
                }
            }
            _ => {}
        }
    }
}

fn argument(value: &Value) -> Argument {
    let fields: BTreeMap<String, Value> =
        value.pairs().into_iter().map(|(name, value)| (name.text(), value)).collect();
    let text = |name: &str| fields.get(name).map(Value::text);
    let flags: BTreeSet<String> =
        fields.get("flags").map(|flags| flags.texts().into_iter().collect()).unwrap_or_default();
    Argument {
        name: text("name").unwrap_or_default(),
        kind: text("type").unwrap_or_default(),
        token: text("token").filter(|token| !token.is_empty()),
        optional: flags.contains("optional"),
        multiple: flags.contains("multiple"),
        multiple_token: flags.contains("multiple_token"),
        arguments: fields
            .get("arguments")
            .map(|arguments| arguments.items().iter().map(argument).collect())
            .unwrap_or_default(),
    }
}

/// All tokens of a tree, in upper case.
pub fn tokens(arguments: &[Argument]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for argument in arguments {
        found.extend(argument.token.as_ref().map(|token| token.to_ascii_uppercase()));
        found.extend(tokens(&argument.arguments));
    }
    found
}

/// The tree without what begins with a token that another server does not have.
pub fn prune(arguments: &[Argument], known: &BTreeSet<String>) -> Vec<Argument> {
    let is_known = |argument: &&Argument| {
        argument.token.as_ref().is_none_or(|token| known.contains(&token.to_ascii_uppercase()))
    };
    let mut kept: Vec<Argument> = arguments.iter().filter(is_known).cloned().collect();
    for argument in &mut kept {
        if !argument.arguments.is_empty() {
            argument.arguments = prune(&argument.arguments, known);
        }
    }
    kept.retain(|argument| {
        !argument.arguments.is_empty() || !matches!(argument.kind.as_str(), "oneof" | "block")
    });
    kept
}
