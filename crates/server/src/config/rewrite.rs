//! CONFIG REWRITE: writes what has changed into the file that the server was started with.
//!
//! Comments, order and form of what has not changed stay. A line whose parameter changed is
//! replaced and others of the same parameter go; what the file did not have is appended under a
//! mark. When the file includes others, which may say the same things, all that changed goes to
//! the end.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use parking_lot::Mutex;

use super::file::{self, Syntax};
use super::parameter::{Effect, Parameter};
use super::{Config, parameter, parameters, sources};

/// What stands before lines that were appended.
const MARK: &str = "# Written by CONFIG REWRITE";

/// Why the file was not written.
#[derive(Debug)]
pub enum RewriteError {
    /// There is none.
    NoFile,
    /// It cannot be read, understood or written.
    Failed(String),
}

impl fmt::Display for RewriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFile => f.write_str("The server is running without a config file"),
            Self::Failed(why) => write!(f, "Rewriting config file: {why}"),
        }
    }
}

impl From<io::Error> for RewriteError {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Held while a file is rewritten.
static REWRITING: Mutex<()> = Mutex::new(());

/// Writes the configuration into its file. It waits for the disk.
pub fn rewrite(config: &Config) -> Result<(), RewriteError> {
    let _one_at_a_time = REWRITING.lock();
    let (path, syntax) = config.file.as_ref().ok_or(RewriteError::NoFile)?;
    // A link stays, and what it points to is replaced.
    let path = fs::canonicalize(path)?;
    let alone = sources::file_alone(*syntax, &path).map_err(RewriteError::Failed)?;
    let text = fs::read_to_string(&path)?;
    let changing = config.changing.lock();
    let changed: BTreeMap<&str, String> = parameters()
        .filter(|p| p.effect() != Effect::Refused && p.same_as.is_none())
        .filter(|p| p.get(config) != p.get(&alone))
        .map(|p| Ok((p.name, line_of(*syntax, p, config)?)))
        .collect::<Result<_, RewriteError>>()?;
    // CONFIG SET must not wait for the disk.
    drop(changing);
    replace(&path, &rewritten(*syntax, &text, changed))?;
    Ok(())
}

fn line_of(syntax: Syntax, parameter: &Parameter, config: &Config) -> Result<String, RewriteError> {
    let many = parameter.shape.is_many();
    file::write_line(syntax, parameter.name, &parameter.get(config), many).ok_or_else(|| {
        let why = format!("a file of flags cannot hold the value of {}", parameter.name);
        RewriteError::Failed(why)
    })
}

/// The parameter that a line sets, as the table calls it.
fn subject(syntax: Syntax, line: &str) -> Option<&'static str> {
    let (name, _) = file::read_line(syntax, line).ok()??;
    let found = parameter(&name).or_else(|| parameter(sources::without_no(&name)?))?;
    Some(found.same_as.unwrap_or(found.name))
}

/// The text with the changed lines.
fn rewritten(syntax: Syntax, text: &str, changed: BTreeMap<&str, String>) -> String {
    let include = match syntax {
        Syntax::Redis => "include",
        Syntax::Flags => "flagfile",
    };
    let includes = text.lines().any(|line| {
        let read = file::read_line(syntax, line).ok().flatten();
        read.is_some_and(|(name, _)| name.eq_ignore_ascii_case(include))
    });
    let mut left = changed.clone();
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines() {
        match subject(syntax, line).filter(|name| changed.contains_key(name)) {
            None => lines.push(line),
            Some(_) if includes => {}
            Some(name) => {
                if left.remove(name).is_some() {
                    lines.push(&changed[name]);
                }
            }
        }
    }
    if !left.is_empty() && !lines.contains(&MARK) {
        lines.push(MARK);
    }
    lines.extend(left.values().map(String::as_str));
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

/// Replaces a file by another text, as a whole: it is never seen half written, even after a crash.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let new = directory.join(name);
    let written = (|| {
        let mut file = File::create(&new)?;
        file.set_permissions(fs::metadata(path)?.permissions())?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    })();
    if written.is_err() {
        // It may not even be there.
        let _ = fs::remove_file(&new);
    }
    written?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(lines: &[(&'static str, &str)]) -> BTreeMap<&'static str, String> {
        lines.iter().map(|(name, line)| (*name, (*line).to_owned())).collect()
    }

    #[test]
    fn what_has_not_changed_stays_as_it_is() {
        let text = "# one\n\nport  7000\nTIMEOUT 5 # no comment\nbind 127.0.0.1\nport 7001\n";
        let new = changed(&[("port", "port 1"), ("hz", "hz 20")]);
        let expected = "# one\n\nport 1\nTIMEOUT 5 # no comment\nbind 127.0.0.1\n\
            # Written by CONFIG REWRITE\nhz 20\n";
        let once = rewritten(Syntax::Redis, text, new);
        assert_eq!(once, expected);
        let twice = rewritten(Syntax::Redis, &once, changed(&[("hz", "hz 30"), ("v", "v 1")]));
        assert_eq!(twice, expected.replace("hz 20", "hz 30\nv 1"));
    }

    #[test]
    fn what_other_files_may_say_goes_to_the_end() {
        let text = "port 1\ninclude other.conf\nhz 5\n";
        let expected = "include other.conf\nhz 5\n# Written by CONFIG REWRITE\nport 2\n";
        assert_eq!(rewritten(Syntax::Redis, text, changed(&[("port", "port 2")])), expected);
    }

    #[test]
    fn other_names_of_a_parameter_are_found() {
        let text = "--nolatency_tracking\n--io_threads=3\n--minloglevel=1\n";
        let new = changed(&[
            ("latency-tracking", "--latency-tracking=yes"),
            ("threads", "--threads=4"),
            ("loglevel", "--loglevel=debug"),
        ]);
        let expected = "--latency-tracking=yes\n--threads=4\n--loglevel=debug\n";
        assert_eq!(rewritten(Syntax::Flags, text, new), expected);
    }
}
