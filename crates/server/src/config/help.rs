//! `--help` and docs/configuration.md, both from the table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::parameter::{Change, Effect, Parameter};
use super::rows::GROUPS;

/// Columns of a terminal.
const WIDTH: usize = 100;
/// Columns before a meaning.
const INDENT: usize = 38;

const USAGE: &str = "An in-memory data store that speaks Redis on all cores.

Usage: dragonfly [configuration file] [--flag value | --flag=value | --switch | --noswitch]...

  --config=file        a configuration file in Redis's syntax (or: the first argument)
  -                    read such a configuration from standard input
  --flagfile=file      a file with a --flag=value a line
  --help=word          flags with this word in their name or meaning
  --helpfull           all flags, also those without an effect
  --version, -v        name and version

Every flag can also be an environment variable: DFLY_port=7000. The command line wins over the
environment, that over files. Dashes and underscores in names are the same.
";

/// The text of `--help`: parameters with an effect, or all that a word finds.
pub fn help(word: Option<&str>) -> String {
    let word = word.map(str::to_ascii_lowercase);
    let mut text = crate::version_line() + "\n" + USAGE;
    for group in GROUPS {
        let shown: Vec<&Parameter> = group
            .rows
            .iter()
            .filter(|parameter| match &word {
                None => parameter.effect() == Effect::Real,
                Some(word) => {
                    parameter.names().any(|name| name.contains(word.as_str()))
                        || parameter.about.to_ascii_lowercase().contains(word.as_str())
                }
            })
            .collect();
        if !shown.is_empty() {
            text += &format!("\n{}\n", group.title);
        }
        for parameter in shown {
            describe(parameter, &mut text);
        }
    }
    text
}

/// What a parameter does, in a sentence.
fn meaning(parameter: &Parameter) -> String {
    match parameter.effect() {
        Effect::Real => parameter.about.to_owned(),
        Effect::None => format!("Without effect: {}.", parameter.about),
        Effect::Refused => format!("Only this value: {}.", parameter.about),
    }
}

fn describe(parameter: &Parameter, text: &mut String) {
    let mut line = format!("  --{} {}", parameter.name, shown_default(parameter));
    if line.len() >= INDENT {
        *text += &line;
        *text += "\n";
        line.clear();
    }
    let mut words = meaning(parameter);
    let others: Vec<&str> = parameter.names().skip(1).collect();
    if !others.is_empty() {
        words += &format!(" Also: {}.", others.join(", "));
    }
    let mut column = line.len();
    for word in words.split(' ') {
        if column + 1 + word.len() > WIDTH {
            *text += line.trim_end();
            *text += "\n";
            line.clear();
        }
        if line.len() < INDENT {
            line = format!("{line:INDENT$}");
        } else {
            line.push(' ');
        }
        line += word;
        column = line.len();
    }
    *text += &line;
    *text += "\n";
}

fn shown_default(parameter: &Parameter) -> &str {
    if parameter.default.is_empty() { "\"\"" } else { parameter.default }
}

/// The text of docs/configuration.md.
pub fn markdown() -> String {
    let mut text = String::from(include_str!("configuration.md"));
    for group in GROUPS {
        let real = group.rows.iter().filter(|p| p.effect() == Effect::Real);
        let rows: Vec<String> = real.map(table_row).collect();
        if !rows.is_empty() {
            let head = "| name | default | CONFIG SET | meaning |\n|---|---|---|---|";
            let _ = write!(text, "\n### {}\n\n{head}\n{}\n", group.title, rows.join("\n"));
        }
    }
    let about_refused = "Anything but the default stops the server at its start, and CONFIG SET \
        says no: it would promise what this version does not do.";
    let about_kept = "They are taken, so that a configuration written for another server works \
        unchanged; CONFIG GET tells what was given; they change nothing. The server names those \
        that were given when it starts.";
    for (title, about, effect) in
        [("Refused", about_refused, Effect::Refused), ("Without effect", about_kept, Effect::None)]
    {
        let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for parameter in GROUPS.iter().flat_map(|group| group.rows) {
            if parameter.effect() == effect {
                let names = parameter.names().map(|name| format!("`{name}`"));
                by_reason.entry(parameter.about).or_default().extend(names);
            }
        }
        let _ = write!(text, "\n## {title}\n\n{about}\n\n| because | names |\n|---|---|\n");
        for (reason, names) in by_reason {
            let _ = writeln!(text, "| {reason} | {} |", names.join(" "));
        }
    }
    text
}

fn table_row(parameter: &Parameter) -> String {
    let others: Vec<String> = parameter.names().skip(1).map(|name| format!("`{name}`")).collect();
    let others =
        if others.is_empty() { String::new() } else { format!(", also {}", others.join(", ")) };
    let default = match parameter.default {
        "" => "none".to_owned(),
        default => format!("`{default}`"),
    };
    let change = match parameter.change {
        Change::Always => "yes",
        Change::Protected => "protected",
        Change::AtStart => "no",
    };
    let name = parameter.name;
    format!("| `{name}`{others} | {default} | {change} | {} |", parameter.about)
}
