//! The two syntaxes of configuration files.
//!
//! ```text
//! # Redis's                         # that of flags
//! maxmemory 4gb                     --maxmemory=4gb
//! client-output-buffer-limit \      --nolatency-tracking
//!   normal 0 0 0                    --flagfile=another
//! include other/*.conf
//! ```
//!
//! A line of Redis's syntax is words by the rules of inline commands (it never goes on in the next
//! line, but here it would not fit).

use std::path::{Path, PathBuf};

use keyspace::glob;
use protocol::inline::split_line;

/// Files that may include one another.
const DEPTH_MAX: usize = 16;

/// The syntax of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Syntax {
    /// Redis's: a name and values.
    Redis,
    /// A flag a line, as Dragonfly has them.
    Flags,
}

/// One line of a file that says something.
#[derive(PartialEq, Eq, Debug)]
pub struct Line {
    /// What comes first.
    pub name: String,
    /// What follows.
    pub values: Vec<String>,
    /// File and line.
    pub place: String,
}

/// Reads one line; nothing if it says nothing.
pub fn read_line(syntax: Syntax, line: &str) -> Result<Option<(String, Vec<String>)>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let mut words = match syntax {
        Syntax::Redis => {
            let words = split_line(line.as_bytes()).map_err(|_| "unbalanced quotes")?;
            let texts = words.into_iter().map(String::from_utf8).collect::<Result<Vec<_>, _>>();
            texts.map_err(|_| "not UTF-8")?
        }
        Syntax::Flags => {
            let flag = line.strip_prefix('-').ok_or("a flag begins with --")?;
            let flag = flag.strip_prefix('-').unwrap_or(flag);
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim())),
                None => (flag, None),
            };
            [name].into_iter().chain(value).map(str::to_owned).collect()
        }
    };
    if words.is_empty() {
        return Ok(None);
    }
    let name = words.remove(0);
    Ok(Some((name, words)))
}

/// Reads a file and those that it includes.
pub fn read_file(syntax: Syntax, path: &Path) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    read_into(syntax, path, 0, &mut lines)?;
    Ok(lines)
}

/// Reads a text as if it were a file with this name.
pub fn read_text(syntax: Syntax, name: &str, text: &str) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    text_into(syntax, name, text, 0, &mut lines)?;
    Ok(lines)
}

fn read_into(
    syntax: Syntax,
    path: &Path,
    depth: usize,
    lines: &mut Vec<Line>,
) -> Result<(), String> {
    let name = path.display().to_string();
    if depth > DEPTH_MAX {
        return Err(format!("{name}: included too deeply; does it include itself?"));
    }
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{name}: not UTF-8"))?;
    text_into(syntax, &name, &text, depth, lines)
}

fn text_into(
    syntax: Syntax,
    name: &str,
    text: &str,
    depth: usize,
    lines: &mut Vec<Line>,
) -> Result<(), String> {
    for (index, line) in text.lines().enumerate() {
        let place = format!("{name}:{}", index + 1);
        let read = read_line(syntax, line).map_err(|error| format!("{place}: {error}"))?;
        let Some((word, values)) = read else { continue };
        let includes = match syntax {
            Syntax::Redis => word.eq_ignore_ascii_case("include"),
            Syntax::Flags => word == "flagfile",
        };
        if !includes {
            lines.push(Line { name: word, values, place });
            continue;
        }
        for pattern in &values {
            for path in expand(pattern) {
                read_into(syntax, &path, depth + 1, lines)
                    .map_err(|error| format!("{place}: {error}"))?;
            }
        }
    }
    Ok(())
}

/// The files that a pattern means, sorted. What is no pattern is the name of one file.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let start = if pattern.starts_with('/') { "/" } else { "" };
    let mut found = vec![PathBuf::from(start)];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        if !part.contains(['*', '?', '[']) {
            found.iter_mut().for_each(|path| path.push(part));
            continue;
        }
        found = found.iter().flat_map(|path| matching(path, part)).collect();
    }
    found
}

/// What a directory holds that matches a pattern. Names with a dot in front are asked for with one.
fn matching(directory: &Path, pattern: &str) -> Vec<PathBuf> {
    let place = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names
        .filter(|name| glob::matches(pattern.as_bytes(), name.as_bytes()))
        .filter(|name| !name.starts_with('.') || pattern.starts_with('.'))
        .collect();
    names.sort();
    names.into_iter().map(|name| directory.join(name)).collect()
}

/// Writes one line, if the syntax can say it. `many` are words, each for itself.
pub fn write_line(syntax: Syntax, name: &str, value: &str, many: bool) -> Option<String> {
    let words: Vec<String> = match syntax {
        Syntax::Flags => {
            // A value ends with its line, and there are no quotes.
            let is_plain = value == value.trim() && !value.contains('\n');
            return is_plain.then(|| format!("--{name}={value}"));
        }
        Syntax::Redis if many && !value.trim().is_empty() => {
            value.split_ascii_whitespace().map(quoted).collect()
        }
        Syntax::Redis => vec![quoted(value)],
    };
    Some(format!("{name} {}", words.join(" ")))
}

/// A word in quotes if it needs some.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:@%+,*=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let mut text = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c.is_ascii_control() => text.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}
