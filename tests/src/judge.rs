//! Whether two servers answered a command alike: by equality, by what `commands.txt` says where
//! equality is impossible, or by a difference that `allowed.txt` allows.
//!
//! A rule of `allowed.txt` is a paragraph:
//!
//! ```text
//! rule  why the difference is right
//! from  redis-7.0                 the server it is a difference from; without: any
//! words getrange *                the call: words in lower case with * and ? in them; several
//! words substr *                  lines are alternatives, and a * at the end is any further words
//! ours  ""                        our reply, and theirs, as transcripts write replies
//! theirs like "*"
//! parts yes                       the servers hold different things from then on
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::notation::{self, Pattern};
use crate::resp::Value;

/// Milliseconds by which two servers may disagree about the time.
const CLOCK_TOLERANCE: u64 = 60_000;

/// How replies to a command are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// They are equal.
    Equal,
    /// The command is never sent.
    Never,
    /// The command is sent only as a template has it; replies are equal.
    Templates,
    /// The command is sent only when no other connection is used; replies are equal.
    Alone,
    /// The same elements in any order.
    Unordered,
    /// A cursor and elements: the same if the walk is over, else only the types.
    Page,
    /// Times that may differ a little.
    Clock,
    /// Times since something happened, in rows of four and behind their names, may differ a little.
    Idle,
    /// The same, but numbers may be written otherwise.
    Numbers,
    /// The same types, and keys of maps.
    Shape,
    /// The names in a text are among ours.
    Fields,
    /// The same type.
    Kind,
    /// Whatever it is.
    Sane,
}

impl How {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "equal" => Self::Equal,
            "never" => Self::Never,
            "templates" => Self::Templates,
            "alone" => Self::Alone,
            "unordered" => Self::Unordered,
            "page" => Self::Page,
            "clock" => Self::Clock,
            "idle" => Self::Idle,
            "numbers" => Self::Numbers,
            "shape" => Self::Shape,
            "fields" => Self::Fields,
            "kind" => Self::Kind,
            "sane" => Self::Sane,
            _ => return None,
        })
    }
}

/// What came of a comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The replies are alike, or differ as they may.
    Fine,
    /// They differ as they may, but what the servers hold now differs too.
    Parted,
    /// They differ, and nobody knows why.
    Wrong,
}

struct Rule {
    reason: String,
    parts: bool,
    from: Option<String>,
    words: Vec<Vec<String>>,
    ours: Pattern,
    theirs: Pattern,
    used: AtomicU64,
}

/// What is known of commands whose replies may differ.
pub struct Judge {
    hows: BTreeMap<String, How>,
    rules: Vec<Rule>,
}

impl Judge {
    /// Reads the texts of the two files.
    ///
    /// # Panics
    /// When a line of them makes no sense.
    pub fn parse(commands: &str, allowed: &str) -> Self {
        let mut hows = BTreeMap::new();
        for line in commands.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let mut words = line.split_whitespace();
            let (name, how) = (words.next().unwrap_or(""), words.next().and_then(How::parse));
            let how = how.unwrap_or_else(|| panic!("how is {name} compared? {line}"));
            assert!(words.next().is_some(), "why is {name} compared so?");
            assert!(hows.insert(name.to_owned(), how).is_none(), "{name} is there twice");
        }
        let rules = allowed.split("\n\n").filter_map(rule).collect();
        Self { hows, rules }
    }

    /// The names that the commands file has, but for those with a star.
    pub fn named(&self) -> BTreeSet<&str> {
        self.hows.keys().map(String::as_str).filter(|name| !name.starts_with('*')).collect()
    }

    /// How the replies to a call are compared.
    pub fn how(&self, words: &[Vec<u8>]) -> How {
        let text = |at: usize| words.get(at).map(|word| lower(word)).unwrap_or_default();
        let names = [format!("{}|{}", text(0), text(1)), format!("*|{}", text(1)), text(0)];
        *names.iter().find_map(|name| self.hows.get(name)).unwrap_or(&How::Equal)
    }

    /// How the replies to a command of this full name are compared.
    pub fn how_of(&self, name: &str) -> How {
        let words: Vec<Vec<u8>> = name.split('|').map(|word| word.as_bytes().to_vec()).collect();
        self.how(&words)
    }

    /// Compares the replies to a call, ours and that of the server named.
    pub fn compare(&self, from: &str, words: &[Vec<u8>], ours: &Value, theirs: &Value) -> Verdict {
        if ours == theirs || alike(self.how(words), words, ours, theirs) {
            return Verdict::Fine;
        }
        match self.rules.iter().find(|rule| rule.allows(from, words, ours, theirs)) {
            Some(rule) if rule.parts => Verdict::Parted,
            Some(_) => Verdict::Fine,
            None => Verdict::Wrong,
        }
    }

    /// The reasons of rules that allowed nothing so far.
    pub fn unused(&self, from: &str) -> Vec<&str> {
        let concerns = |rule: &&Rule| rule.from.as_ref().is_none_or(|name| name == from);
        let idle = |rule: &&Rule| rule.used.load(Ordering::Relaxed) == 0;
        self.rules.iter().filter(concerns).filter(idle).map(|rule| rule.reason.as_str()).collect()
    }
}

fn lower(word: &[u8]) -> String {
    String::from_utf8_lossy(word).to_ascii_lowercase()
}

fn rule(paragraph: &str) -> Option<Rule> {
    let lines = paragraph.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let fields: Vec<(&str, &str)> = lines
        .map(|line| line.split_once(' ').unwrap_or_else(|| panic!("what is '{line}'?")))
        .map(|(name, value)| (name, value.trim()))
        .collect();
    if fields.is_empty() {
        return None;
    }
    let field = |wanted: &str| fields.iter().find(|(name, _)| *name == wanted).map(|(_, v)| *v);
    let pattern = |name: &str| {
        let text = field(name).unwrap_or("*");
        notation::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    };
    let words = fields.iter().filter(|(name, _)| *name == "words");
    Some(Rule {
        reason: field("rule").unwrap_or_else(|| panic!("no reason: {paragraph}")).to_owned(),
        parts: field("parts").is_some(),
        from: field("from").map(str::to_owned),
        words: words.map(|(_, v)| v.split(' ').map(str::to_owned).collect()).collect(),
        ours: pattern("ours"),
        theirs: pattern("theirs"),
        used: AtomicU64::new(0),
    })
}

impl Rule {
    fn allows(&self, from: &str, words: &[Vec<u8>], ours: &Value, theirs: &Value) -> bool {
        // HELLO may have changed the protocol at any time.
        let matches = |pattern: &Pattern, value| {
            pattern.matches(value, true) || pattern.matches(value, false)
        };
        let allowed = self.from.as_ref().is_none_or(|name| name == from)
            && self.words.iter().any(|pattern| fits(pattern, words))
            && matches(&self.ours, ours)
            && matches(&self.theirs, theirs);
        if allowed {
            self.used.fetch_add(1, Ordering::Relaxed);
        }
        allowed
    }
}

/// Whether a call has these words.
fn fits(pattern: &[String], words: &[Vec<u8>]) -> bool {
    match pattern {
        [last] if last == "*" => true,
        [first, rest @ ..] => words
            .split_first()
            .is_some_and(|(word, words)| glob(first, &lower(word)) && fits(rest, words)),
        [] => words.is_empty(),
    }
}

/// A text with `*` for any text and `?` for any character.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            text.char_indices().any(|(at, _)| glob(rest, &text[at..])) || glob(rest, "")
        }
        Some(wanted) => {
            let mut chars = text.chars();
            let found = chars.next();
            let fits = found.is_some_and(|found| wanted == '?' || wanted == found);
            fits && glob(&pattern[wanted.len_utf8()..], chars.as_str())
        }
    }
}

fn alike(how: How, words: &[Vec<u8>], ours: &Value, theirs: &Value) -> bool {
    if is_error(ours) || is_error(theirs) {
        return how == How::Sane || ours == theirs;
    }
    match how {
        How::Equal | How::Never | How::Templates | How::Alone => false,
        How::Unordered => unordered(ours, theirs),
        How::Page => {
            // HSCAN and its like have a key before the cursor.
            let of_keys = words.first().is_some_and(|name| name.eq_ignore_ascii_case(b"scan"));
            let cursor = words.get(if of_keys { 1 } else { 2 });
            let is_start = cursor.is_some_and(|word| word == b"0");
            // Servers write scores with more digits or with fewer.
            page(is_start, &shortest_numbers(ours), &shortest_numbers(theirs))
        }
        How::Clock => clock(ours, theirs),
        How::Idle => idle(ours, theirs),
        How::Numbers => equal_numbers(ours, theirs),
        How::Shape => shape(ours, theirs),
        How::Fields => kind(ours) == kind(theirs) && names(theirs).is_subset(&names(ours)),
        How::Kind => kind(ours) == kind(theirs),
        How::Sane => true,
    }
}

fn is_error(value: &Value) -> bool {
    matches!(value, Value::Error(_))
}

/// Arrays of strings, sets, and maps.
fn unordered(ours: &Value, theirs: &Value) -> bool {
    let sorted = |items: &[Value]| {
        let mut texts: Vec<String> = items.iter().map(Value::to_string).collect();
        texts.sort();
        texts
    };
    match (ours, theirs) {
        (Value::Array(a), Value::Array(b)) | (Value::Set(a), Value::Set(b)) => {
            a.len() == b.len() && sorted(a) == sorted(b)
        }
        (Value::Map(a), Value::Map(b)) => {
            let pairs = |items: &[(Value, Value)]| {
                let pair = |(key, value): &(Value, Value)| vec![key.clone(), value.clone()];
                items.iter().map(pair).map(Value::Array).collect::<Vec<_>>()
            };
            sorted(&pairs(a)) == sorted(&pairs(b))
        }
        _ => false,
    }
}

/// A value with all numbers in it written with as few digits as tell them from others.
fn shortest_numbers(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(shortest_numbers).collect()),
        Value::Bulk(text) => {
            let number: Option<f64> = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok());
            Value::Bulk(number.map_or(text.clone(), |number| number.to_string().into_bytes()))
        }
        other => other.clone(),
    }
}

/// The elements are the same if the walk goes from its start to its end at once.
fn page(is_start: bool, ours: &Value, theirs: &Value) -> bool {
    let parts = |value: &Value| match value {
        Value::Array(items) => match items.as_slice() {
            [Value::Bulk(cursor), found @ Value::Array(_)] => Some((cursor == b"0", found.clone())),
            _ => None,
        },
        _ => None,
    };
    match (parts(ours), parts(theirs)) {
        (Some((true, ours)), Some((true, theirs))) if is_start => unordered(&ours, &theirs),
        (Some(_), Some(_)) => true,
        _ => false,
    }
}

/// Whether two values are equal, but for how they write numbers.
pub fn equal_numbers(ours: &Value, theirs: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Bulk(_) => value.text().parse::<f64>().ok().map(f64::to_bits),
        Value::Double(text) => text.parse::<f64>().ok().map(f64::to_bits),
        _ => None,
    };
    match (ours, theirs) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal_numbers(a, b))
        }
        _ if ours == theirs => true,
        _ => kind(ours) == kind(theirs) && number(ours).is_some() && number(ours) == number(theirs),
    }
}

fn clock(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Integer(a), Value::Integer(b)) => {
            *a > 0 && *b > 0 && a.abs_diff(*b) < CLOCK_TOLERANCE
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || clock(a, b))
        }
        _ => false,
    }
}

/// Times since something happened: the third of four parts, or what stands behind `idle` and
/// `inactive`.
fn idle(ours: &Value, theirs: &Value) -> bool {
    let near = |ours: &Value, theirs: &Value| match (ours, theirs) {
        (Value::Integer(a), Value::Integer(b)) => {
            a == b || (*a >= 0 && *b >= 0 && a.abs_diff(*b) < CLOCK_TOLERANCE)
        }
        _ => false,
    };
    let is_name = |name: &Value| ["idle", "inactive"].contains(&name.text().as_str());
    match (ours, theirs) {
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            let alike = |(index, (ours, theirs)): (usize, (&Value, &Value))| {
                let before = index.checked_sub(1).and_then(|before| a.get(before));
                let is_time = (a.len() == 4 && index == 2)
                    || before.is_some_and(|name| matches!(name, Value::Bulk(_)) && is_name(name));
                ours == theirs || idle(ours, theirs) || (is_time && near(ours, theirs))
            };
            pairs.all(alike)
        }
        (Value::Map(a), Value::Map(b)) if a.len() == b.len() => {
            let alike = |((name, ours), (other, theirs)): (&(Value, Value), &(Value, Value))| {
                let is_near = is_name(name) && near(ours, theirs);
                name == other && (ours == theirs || idle(ours, theirs) || is_near)
            };
            a.iter().zip(b).all(alike)
        }
        _ => false,
    }
}

/// The type of a reply; all kinds of nothing are one, as a string may be there or not.
fn kind(value: &Value) -> u8 {
    match value {
        Value::Simple(_) => b'+',
        Value::Error(_) => b'-',
        Value::Integer(_) => b':',
        Value::Bulk(_) | Value::NullBulk | Value::Null => b'$',
        Value::NullArray | Value::Array(_) => b'*',
        Value::Double(_) => b',',
        Value::Boolean(_) => b'#',
        Value::BigNumber(_) => b'(',
        Value::Verbatim(..) => b'=',
        Value::Map(_) => b'%',
        Value::Set(_) => b'~',
        Value::Push(_) => b'>',
    }
}

fn shape(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Array(a), Value::Array(b)) | (Value::Set(a), Value::Set(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| shape(a, b))
        }
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|((key, a), (other, b))| key == other && shape(a, b))
        }
        _ => kind(ours) == kind(theirs),
    }
}

/// The names of `name=value` and `name:value` in a text.
fn names(value: &Value) -> BTreeSet<String> {
    let text = match value {
        Value::Bulk(_) | Value::Verbatim(..) => value.text(),
        _ => return BTreeSet::new(),
    };
    let words = text.split_ascii_whitespace().filter_map(|word| word.split_once(['=', ':']));
    words.map(|(name, _)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(line: &str) -> Vec<Vec<u8>> {
        line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn rules_allow_what_they_say() {
        let commands = "# x\nttl clock because\nconfig|set never because\nkeys unordered because\n";
        let allowed = "rule why\nfrom redis-7.0\nwords get* ? *\nours :1\ntheirs :2\n";
        let judge = Judge::parse(commands, allowed);
        let (one, two) = (Value::Integer(1), Value::Integer(2));
        let is_fine = |verdict| verdict == Verdict::Fine;
        let accepts = |from, line| is_fine(judge.compare(from, &call(line), &one, &two));
        assert!(!accepts("other", "GETRANGE a 1 2"));
        assert!(!accepts("redis-7.0", "GET abc 1 2") && judge.unused("redis-7.0") == ["why"]);
        assert!(accepts("redis-7.0", "GETRANGE a 1 2") && judge.unused("redis-7.0").is_empty());
        assert!(accepts("any", "TTL a") && !accepts("any", "SET a b"));
        assert_eq!(judge.how(&call("CONFIG SET x y")), How::Never);
        let lists = [["a", "b"], ["b", "a"]].map(|v| Value::Array(v.map(Value::from).to_vec()));
        let listed = |line| is_fine(judge.compare("any", &call(line), &lists[0], &lists[1]));
        assert!(listed("KEYS *") && !listed("MGET a b"));
    }
}
