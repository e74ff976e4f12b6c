//! From the command line, the environment and files to a [`Config`].
//!
//! Later ones win: defaults, the configuration file, standard input, the file of flags, the
//! environment, the command line.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::file::{self, Line, Syntax};
use super::parameter::{Parameter, Reason};
use super::shape::Shape;
use super::{Config, folded, help, parameter, parameters};

/// The start of environment variables that are flags.
const ENVIRONMENT: &str = "DFLY_";
/// One of them that is none.
const NOT_A_FLAG: &str = "DEV_ENV";

/// What the command line asks for.
pub enum Invocation {
    /// To serve, with this configuration.
    Serve(Box<Config>),
    /// To print a text and end.
    Print(String),
}

/// A value for a parameter, and where it was given.
struct Setting {
    parameter: &'static Parameter,
    value: String,
    place: String,
}

/// What the command line and the environment say.
#[derive(Default)]
struct Given {
    print: Option<String>,
    config: Option<String>,
    flags: Option<String>,
    stdin: bool,
    environment: Vec<Setting>,
    line: Vec<Setting>,
}

/// Reads a configuration. The words are those of the command line without the program's.
pub fn parse(
    words: impl IntoIterator<Item = String>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Invocation, String> {
    let mut given = Given::default();
    given.read_environment(environment)?;
    given.read_words(words)?;
    if let Some(text) = given.print {
        return Ok(Invocation::Print(text));
    }
    let mut config = Config::new();
    let mut settings = Vec::new();
    for (path, syntax) in [(&given.config, Syntax::Redis), (&given.flags, Syntax::Flags)] {
        if let Some(path) = path {
            // The directory of the process may change before the file is written again.
            let path = std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path));
            settings.extend(read_file(syntax, &path)?);
            config.sources.push(path.display().to_string());
            config.file.get_or_insert((path, syntax));
        }
        if given.stdin && syntax == Syntax::Redis {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map_err(|error| format!("cannot read standard input: {error}"))?;
            let lines = file::read_text(Syntax::Redis, "standard input", &text)?;
            settings.extend(settings_of(lines)?);
            config.sources.push("standard input".to_owned());
        }
    }
    for (name, more) in [("environment", given.environment), ("command line", given.line)] {
        if !more.is_empty() {
            config.sources.push(name.to_owned());
            settings.extend(more);
        }
    }
    set_all(&config, settings)?;
    Ok(Invocation::Serve(Box::new(config)))
}

/// Sets values in their order. What is not supported is forgiven when a later value is.
fn set_all(config: &Config, settings: Vec<Setting>) -> Result<(), String> {
    let mut not_supported = BTreeMap::new();
    for Setting { parameter, value, place } in settings {
        let shown = if parameter.secret { String::new() } else { format!(" {value}") };
        match parameter.set(config, &value) {
            Ok(()) => drop(not_supported.remove(parameter.name)),
            Err(Reason::Wrong(why)) => return Err(format!("{place}{shown}: {why}")),
            Err(reason) => {
                not_supported.insert(parameter.name, format!("{place}{shown}: {reason}"));
            }
        }
    }
    not_supported.into_values().next().map_or(Ok(()), Err)
}

fn read_file(syntax: Syntax, path: &Path) -> Result<Vec<Setting>, String> {
    settings_of(file::read_file(syntax, path)?)
}

/// What a file alone says, for CONFIG REWRITE.
pub fn file_alone(syntax: Syntax, path: &Path) -> Result<Config, String> {
    let config = Config::new();
    // Values that were refused at the start were overridden there.
    for Setting { parameter, value, .. } in read_file(syntax, path)? {
        let _ = parameter.set(&config, &value);
    }
    Ok(config)
}

fn settings_of(lines: Vec<Line>) -> Result<Vec<Setting>, String> {
    let setting = |Line { name, values, place }| {
        let (parameter, value) = meaning(&name, values).map_err(|error| match error {
            Unclear::Unknown => format!("{place}: {}", unknown("parameter", "", &name)),
            Unclear::Values(why) => format!("{place}: {name} {why}"),
        })?;
        Ok(Setting { parameter, value, place: format!("{place}: {name}") })
    };
    lines.into_iter().map(setting).collect()
}

/// Why a name and its values mean nothing.
enum Unclear {
    Unknown,
    Values(&'static str),
}

/// The name of a switch that is turned off by `no` or `no-` before it.
pub fn without_no(name: &str) -> Option<&str> {
    let name = name.get(2..).filter(|_| name.to_ascii_lowercase().starts_with("no"))?;
    Some(name.strip_prefix(['-', '_']).unwrap_or(name))
}

/// The parameter that a name means, and its value. A switch needs none, and with `no` before its
/// name it is off.
fn meaning(name: &str, values: Vec<String>) -> Result<(&'static Parameter, String), Unclear> {
    let Some(found) = parameter(name) else {
        let off = without_no(name).and_then(parameter);
        let switch = off.filter(|p| matches!(p.shape, Shape::Bool) && values.is_empty());
        return Ok((switch.ok_or(Unclear::Unknown)?, "no".to_owned()));
    };
    let value = match values.as_slice() {
        [] if matches!(found.shape, Shape::Bool) => "yes".to_owned(),
        [] if found.name == "save" => String::new(),
        [] => return Err(Unclear::Values("needs a value")),
        [one] => one.clone(),
        several if found.shape.is_many() => several.join(" "),
        _ => return Err(Unclear::Values("takes one value")),
    };
    Ok((found, value))
}

impl Given {
    fn read_environment(
        &mut self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), String> {
        for (variable, value) in environment {
            let Some(name) = variable.strip_prefix(ENVIRONMENT) else { continue };
            match folded(name).as_str() {
                _ if name == NOT_A_FLAG => {}
                "config" => self.config = Some(value),
                "flagfile" => self.flags = Some(value),
                _ => {
                    let parameter = parameter(name)
                        .ok_or_else(|| unknown("environment variable", ENVIRONMENT, name))?;
                    self.environment.push(Setting { parameter, value, place: variable });
                }
            }
        }
        Ok(())
    }

    fn read_words(&mut self, words: impl IntoIterator<Item = String>) -> Result<(), String> {
        let mut words = words.into_iter().peekable();
        if let Some(path) = words.next_if(|word| !word.starts_with('-')) {
            self.config = Some(path);
        }
        while let Some(word) = words.next() {
            if word == "-" {
                self.stdin = true;
                continue;
            }
            let Some(flag) = flag_of(&word) else {
                return Err(format!("unexpected argument '{word}'; see --help"));
            };
            if let Some((name, values)) = line_of(flag)? {
                self.set(&name, values)?;
                continue;
            }
            let (name, inline) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (flag, None),
            };
            if let Some(text) = printed(&word, name, inline.as_deref()) {
                self.print = Some(text);
                return Ok(());
            }
            let is_file = matches!(folded(name).as_str(), "config" | "flagfile");
            let shape = parameter(name).map_or(Shape::Word(&[]), |parameter| parameter.shape);
            let values = match inline {
                Some(value) => vec![value],
                // What is unknown takes no value, so that the flag before a value is blamed.
                None if parameter(name).is_none() && !is_file => Vec::new(),
                None => values_of(shape, &mut words),
            };
            if is_file {
                let path = values.into_iter().next();
                let path = Some(path.ok_or_else(|| format!("--{name} needs a value"))?);
                let is_config = folded(name) == "config";
                *(if is_config { &mut self.config } else { &mut self.flags }) = path;
                continue;
            }
            self.set(name, values)?;
        }
        Ok(())
    }

    /// Takes a flag of the command line.
    fn set(&mut self, name: &str, values: Vec<String>) -> Result<(), String> {
        let (parameter, value) = meaning(name, values).map_err(|error| match error {
            Unclear::Unknown => unknown("flag", "--", name),
            Unclear::Values(why) => format!("--{name} {why}"),
        })?;
        self.line.push(Setting { parameter, value, place: format!("--{name}") });
        Ok(())
    }
}

/// What follows the dashes of a flag. As in Redis, a parameter's name alone is one, too.
fn flag_of(word: &str) -> Option<&str> {
    let dashed = word.strip_prefix("--").or_else(|| word.strip_prefix('-'));
    dashed.or_else(|| parameter(word).map(|_| word))
}

/// A flag and its values in one word, `"--maxmemory 1gb"`: a line of a file in Redis's syntax.
fn line_of(flag: &str) -> Result<Option<(String, Vec<String>)>, String> {
    let end = flag.find(|c: char| c == '=' || c.is_ascii_whitespace());
    match end.and_then(|end| flag.as_bytes().get(end)) {
        None | Some(b'=') => Ok(None),
        Some(_) => file::read_line(Syntax::Redis, flag).map_err(|why| format!("--{flag}: {why}")),
    }
}

/// What a flag asks to be printed, if it does.
fn printed(word: &str, name: &str, value: Option<&str>) -> Option<String> {
    match folded(name).as_str() {
        "h" | "help" => Some(help::help(value)),
        "helpfull" => Some(help::help(Some(""))),
        "help-markdown" => Some(help::markdown()),
        "version" => Some(crate::version_line()),
        "v" if word == "-v" => Some(crate::version_line()),
        _ => None,
    }
}

/// The words behind a flag that are its values.
fn values_of(
    shape: Shape,
    words: &mut std::iter::Peekable<impl Iterator<Item = String>>,
) -> Vec<String> {
    let starts_flag = |word: &str| {
        let mut chars = word.chars();
        chars.next() == Some('-') && chars.next().is_some_and(|c| c.is_ascii_alphabetic())
    };
    let mut values = Vec::new();
    let is_many = shape.is_many();
    while let Some(word) = words.next_if(|word| {
        let is_flag = match (shape, values.is_empty()) {
            (Shape::Bool, true) => word.starts_with('-'),
            // Only a text may look like a flag.
            (Shape::Text, true) => false,
            (_, true) => word.starts_with("--"),
            (_, false) if is_many => word.starts_with("--") || starts_flag(word),
            (_, false) => true,
        };
        !is_flag
    }) {
        values.push(word);
    }
    values
}

/// The message about a name that is not known, with the nearest that is.
fn unknown(what: &str, before: &str, name: &str) -> String {
    let folded_name = folded(name);
    let known = parameters().flat_map(Parameter::names).chain(["config", "flagfile", "help"]);
    let nearest = known
        .map(|known| (distance(&folded(known), &folded_name), known))
        .min_by_key(|(distance, _)| *distance);
    match nearest {
        Some((distance, nearest)) if distance <= 3 && distance < name.len() => {
            format!("unknown {what} {before}{name}; did you mean {before}{nearest}?")
        }
        _ => format!("unknown {what} {before}{name}; see --help"),
    }
}

/// Edits that turn one word into another (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
