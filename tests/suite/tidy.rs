//! The house style, as far as a machine can check it.
//!
//! The checks read Rust by its surface: comments and texts are blanked out, then lines, braces and
//! words are looked at. All that is wrong is told at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::server::workspace;

const LINE_LEN_MAX: usize = 100;
const FUNCTION_LINES_MAX: usize = 70;
/// A longer file is told of, but not refused.
const FILE_LINES_WANTED: usize = 800;
const FILE_LINES_MAX: usize = 1500;
/// What no program should contain, outside of tests.
const BANNED: &[&str] = &["todo!", "dbg!", "unimplemented!", ".unwrap()"];
/// The only files that may say `unsafe`, but for their tests; each has a fuzz or loom test.
const UNSAFE_FILES: &[&str] = &[
    "crates/keyspace/src/borrow.rs",
    "crates/memory/src/lib.rs",
    "crates/table/src/peek.rs",
    "crates/table/src/directory.rs",
    "crates/table/src/segment.rs",
    "crates/table/src/slab.rs",
    "crates/table/src/table.rs",
    "crates/table/src/table/walk.rs",
    "crates/values/src/block.rs",
    "crates/values/src/entry.rs",
    "crates/values/src/sorted_set.rs",
];
/// Which of our crates each of them may use.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("bulk", &[]),
    ("memory", &[]),
    ("protocol", &["memory"]),
    ("table", &["memory"]),
    ("values", &["memory", "table"]),
    ("keyspace", &["memory", "table", "values"]),
    ("commands", &["bulk", "keyspace", "memory", "protocol", "table", "values"]),
    ("server", &["commands", "keyspace", "memory", "protocol", "table", "values"]),
];

/// A Rust file.
struct Source {
    /// Relative to the workspace.
    path: String,
    text: String,
    /// The text with comments and texts blanked out.
    code: String,
    /// Lines from this one on, from 0, are tests.
    tests_from: usize,
}

impl Source {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let relative = path.strip_prefix(workspace()).unwrap();
        let path = relative.to_string_lossy().into_owned();
        let code = blank(&text);
        let is_test = path.starts_with("tests/") || path.ends_with("tests.rs");
        let module = text.lines().position(|line| line == "#[cfg(test)]");
        let tests_from = if is_test { 0 } else { module.unwrap_or(usize::MAX) };
        Self { path, text, code, tests_from }
    }
}

/// Replaces comments and the contents of texts by spaces. Line ends stay.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let len = if rest.starts_with(b"//") {
            rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            find(rest, b"*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(len) = raw_text_len(rest) {
            len
        } else if rest[0] == b'"' {
            text_len(rest)
        } else if let Some(len) = char_len(rest) {
            len
        } else {
            out.push(rest[0]);
            at += 1;
            continue;
        };
        out.extend(rest[..len].iter().map(|&byte| if byte == b'\n' { b'\n' } else { b' ' }));
        at += len;
    }
    String::from_utf8(out).unwrap()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn text_len(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// The length of a raw text such as `r#"…"#` at the start of `bytes`.
fn raw_text_len(bytes: &[u8]) -> Option<usize> {
    let rest = bytes.strip_prefix(b"r")?;
    let hashes = rest.iter().take_while(|&&byte| byte == b'#').count();
    let body = rest[hashes..].strip_prefix(b"\"")?;
    let end = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    let start = bytes.len() - body.len();
    Some(start + find(body, &end)? + end.len())
}

/// The length of a character such as `'{'` at the start of `bytes`; lifetimes are none.
fn char_len(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'\'', b'\\', _, rest @ ..] => {
            let end = rest.iter().position(|&byte| byte == b'\'')?;
            Some(end + 4)
        }
        [b'\'', _, b'\'', ..] => Some(3),
        [b'\'', first, ..] if !first.is_ascii() => {
            bytes[1..].iter().position(|&byte| byte == b'\'').map(|end| end + 2)
        }
        _ => None,
    }
}

/// All files with this ending in these directories.
fn files(directories: &[&str], ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = directories.iter().map(|name| workspace().join(name)).collect();
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_foreign = ["target", "node_modules", ".venv"].contains(&name.as_str());
            if path.is_dir() && !is_foreign {
                open.push(path);
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn sources(directories: &[&str]) -> Vec<Source> {
    let found = files(directories, ".rs");
    assert!(!found.is_empty());
    found.iter().map(|path| Source::read(path)).collect()
}

#[test]
fn files_have_headers_and_their_lines_fit() {
    let mut report = String::new();
    for source in sources(&["crates", "bench", "tests", "fuzz"]) {
        let Source { path, text, .. } = &source;
        if !text.starts_with("//!") {
            let _ = writeln!(report, "{path}: does not begin with //!");
        }
        for (index, line) in text.lines().enumerate() {
            if line.chars().count() > LINE_LEN_MAX {
                let _ = writeln!(report, "{path}:{}: longer than {LINE_LEN_MAX}", index + 1);
            }
        }
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            let _ = writeln!(report, "{path}: {lines} lines, more than {FILE_LINES_MAX}");
        } else if lines > FILE_LINES_WANTED {
            eprintln!("{path}: {lines} lines; think of parting it");
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

/// The functions of a file: name, first line from 0, lines.
fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(at) = words.iter().position(|word| *word == "fn") else { continue };
        let Some(name) = words.get(at + 1) else { continue };
        let name = name.split(['(', '<']).next().unwrap_or_default();
        let mut depth = 0;
        for (index, line) in lines[start..].iter().enumerate() {
            depth += line.matches('{').count();
            let opened = depth > 0;
            depth -= line.matches('}').count().min(depth);
            // A declaration without a body ends with a semicolon.
            if depth == 0 && (opened || line.ends_with(';')) {
                found.push((name.to_owned(), start, index + 1));
                break;
            }
        }
    }
    found
}

#[test]
fn functions_are_short() {
    let mut report = String::new();
    for source in sources(&["crates", "bench", "tests", "fuzz"]) {
        for (name, start, lines) in functions(&source.code) {
            // A test that lists cases may be as long as its list.
            let is_test = start > source.tests_from || source.path.starts_with("tests/suite");
            if lines > FUNCTION_LINES_MAX && !is_test {
                let _ = writeln!(report, "{}:{}: {name} has {lines} lines", source.path, start + 1);
            }
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn banned_words_do_not_occur() {
    let mut report = String::new();
    for source in sources(&["crates", "bench"]) {
        for (index, line) in source.code.lines().enumerate().take(source.tests_from) {
            for word in BANNED.iter().filter(|word| line.contains(**word)) {
                let _ = writeln!(report, "{}:{}: {word}", source.path, index + 1);
            }
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

fn has_word(code: &str, word: &str) -> bool {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|found| found == word)
}

#[test]
fn unsafe_stays_where_it_is_allowed() {
    let mut report = String::new();
    for source in sources(&["crates", "bench", "tests"]) {
        let path = source.path.as_str();
        let allowed = UNSAFE_FILES.contains(&path);
        let tested = path.strip_suffix("/tests.rs").map(|module| format!("{module}.rs"));
        let is_test = tested.is_some_and(|file| UNSAFE_FILES.contains(&file.as_str()));
        if has_word(&source.code, "unsafe") != allowed && !is_test {
            let problem = if allowed { "no longer says" } else { "says" };
            let _ = writeln!(report, "{path}: {problem} unsafe");
        }
        let crate_directory = path.rsplit_once("/src/").map_or("", |(directory, _)| directory);
        let is_root = path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs");
        let is_exempt = UNSAFE_FILES.iter().any(|file| {
            file.strip_prefix(crate_directory).is_some_and(|rest| rest.starts_with('/'))
        });
        if is_root && !is_exempt && !source.code.contains("#![forbid(unsafe_code)]") {
            let _ = writeln!(report, "{path}: does not forbid unsafe code");
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

/// The names of dependencies in a manifest's sections whose names end so.
fn dependencies(manifest: &Path, section_end: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(manifest).unwrap();
    let mut inside = false;
    let mut names = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            inside = section.trim_end_matches(']').ends_with(section_end);
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            names.insert(name.to_owned());
        }
    }
    names
}

#[test]
fn crates_depend_in_one_direction() {
    let directions: BTreeMap<&str, &[&str]> = DIRECTIONS.iter().copied().collect();
    let mut report = String::new();
    let mut seen = BTreeSet::new();
    for manifest in files(&["crates"], "Cargo.toml") {
        let directory = manifest.parent().unwrap().file_name().unwrap();
        let name = directory.to_string_lossy().into_owned();
        let Some(allowed) = directions.get(name.as_str()) else {
            let _ = writeln!(report, "{name}: which crates may it use?");
            continue;
        };
        for used in dependencies(&manifest, "dependencies") {
            if directions.contains_key(used.as_str()) && !allowed.contains(&used.as_str()) {
                let _ = writeln!(report, "{name} may not use {used}");
            }
        }
        seen.insert(name);
    }
    for name in directions.keys().filter(|name| !seen.contains(**name)) {
        let _ = writeln!(report, "{name} is no crate");
    }
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn every_dependency_has_a_reason() {
    let ours: BTreeSet<&str> = DIRECTIONS.iter().map(|(name, _)| *name).collect();
    let mut used = BTreeSet::new();
    for manifest in files(&["crates", "bench", "tests", "fuzz"], "Cargo.toml") {
        used.extend(dependencies(&manifest, "dependencies"));
    }
    used.retain(|name| !ours.contains(name.as_str()) && name != "tests");
    let text = std::fs::read_to_string(workspace().join("docs/dependencies.md")).unwrap();
    let listed: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| Some(line.split_once('`')?.0.to_owned()))
        .collect();
    let shared = dependencies(&workspace().join("Cargo.toml"), "workspace.dependencies");
    let mut report = String::new();
    for name in used.difference(&listed) {
        let _ = writeln!(report, "{name} has no line in docs/dependencies.md");
    }
    for name in listed.difference(&used) {
        let _ = writeln!(report, "{name} is in docs/dependencies.md, but not used");
    }
    for name in shared.iter().filter(|name| !ours.contains(name.as_str()) && !used.contains(*name))
    {
        let _ = writeln!(report, "{name} is in the workspace's Cargo.toml, but not used");
    }
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn no_trace_of_this_machine_in_tracked_files() {
    let listing = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(workspace())
        .output();
    let Some(listing) = listing.ok().filter(|output| output.status.success()) else {
        eprintln!("not a git repository, so tracked files were not looked at");
        return;
    };
    let own = workspace().to_string_lossy().into_owned();
    let traces = [
        own.as_str(),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("arti", "factory"),
        concat!("registry", ".npmjs"),
        concat!("pypi", ".org"),
        concat!("pythonhosted", ".org"),
        concat!("index.crates", ".io"),
        concat!("static.crates", ".io"),
    ];
    let mut report = String::new();
    for name in String::from_utf8_lossy(&listing.stdout).split('\0').filter(|n| !n.is_empty()) {
        // A file that was deleted and not yet committed is listed too.
        let Ok(bytes) = std::fs::read(workspace().join(name)) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        for trace in traces.iter().filter(|trace| text.contains(**trace)) {
            let _ = writeln!(report, "{name}: contains {trace}");
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn the_surface_of_rust_is_read_rightly() {
    let code = "let a = \"{ // \\\" }\"; // }\nlet b = '{'; let c: &'a str = r#\"}\"\"#; /* } */";
    let blanked = blank(code);
    assert!(!blanked.contains(['{', '}']), "{blanked}");
    assert!(blanked.contains("&'a str"), "{blanked}");
    let code =
        "fn one() {\n}\n    pub(crate) fn two<T>(\n    ) {\n        if x { y }\n    }\nfn no();";
    let found = functions(code);
    let shown: Vec<_> =
        found.iter().map(|(name, at, lines)| (name.as_str(), *at, *lines)).collect();
    assert_eq!(shown, [("one", 0, 2), ("two", 2, 4), ("no", 6, 1)]);
}
