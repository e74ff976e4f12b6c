//! Lists of values that generated commands are made of, read from a file.
//!
//! ```text
//! # A comment.
//! @key                       a pool; below it its entries, one per word
//! a b "" "\x00"
//! @option lines              a pool of which each line is an entry, of several words perhaps
//! EX 9999999999
//! @draws                     which pool an argument draws from: by command and name, by name,
//! set.value value            or by type
//! seconds far
//! ```
//!
//! A word between angle brackets is made anew each time: `<5..9>` is a number in a range, within a
//! word too (`(<5..9>-<0..3>`), `<random:20>` are up to so many random bytes, `<x*1000>` is a text
//! many times over, `<db>` is a database of the connection, `<$key>` is a draw from another pool.

use std::collections::BTreeMap;

use crate::random::Random;
use crate::transcript;

/// Words, each of which is bytes.
pub type Words = Vec<Vec<u8>>;

/// All pools.
#[derive(Default)]
pub struct Pools {
    lists: BTreeMap<String, Vec<Words>>,
    draws: BTreeMap<String, String>,
}

impl Pools {
    /// Reads a file's text.
    ///
    /// # Panics
    /// When a line makes no sense.
    pub fn parse(text: &str) -> Self {
        let mut pools = Self::default();
        let (mut current, mut by_line) = (String::new(), false);
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with("# ") || line == "#" {
                continue;
            }
            if let Some(header) = line.strip_prefix('@') {
                let (name, rest) = header.split_once(' ').unwrap_or((header, ""));
                (current, by_line) = (name.to_owned(), rest == "lines");
                continue;
            }
            let words = transcript::words(line)
                .unwrap_or_else(|error| panic!("line {}: {error}: {line}", index + 1));
            if current == "draws" {
                let word = |at: usize| String::from_utf8_lossy(&words[at]).into_owned();
                pools.draws.insert(word(0), word(1));
                continue;
            }
            let list = pools.lists.entry(current.clone()).or_default();
            if by_line {
                list.push(words);
            } else {
                list.extend(words.into_iter().map(|word| vec![word]));
            }
        }
        for name in pools.draws.values() {
            assert!(pools.lists.contains_key(name), "no pool is called {name}");
        }
        pools
    }

    /// The pool that an argument draws from.
    pub fn of_argument(&self, command: &str, name: &str, kind: &str) -> &str {
        let exact = format!("{command}.{name}");
        let found = [exact.as_str(), name, kind].iter().find_map(|key| self.draws.get(*key));
        found.map_or("value", String::as_str)
    }

    /// Every entry of a pool.
    ///
    /// # Panics
    /// When there is no such pool.
    pub fn list(&self, name: &str) -> &[Words] {
        self.lists.get(name).unwrap_or_else(|| panic!("no pool is called {name}"))
    }

    /// Draws an entry; `databases` are those of the connection.
    pub fn draw(&self, name: &str, random: &mut Random, databases: &[u32]) -> Words {
        let entry = random.pick(self.list(name)).clone();
        let mut words = Vec::new();
        for word in entry {
            match special(&word) {
                Some(special) => words.extend(self.make(special, random, databases)),
                None => words.push(with_numbers(&word, random)),
            }
        }
        words
    }

    fn make(&self, special: &str, random: &mut Random, databases: &[u32]) -> Words {
        if let Some(name) = special.strip_prefix('$') {
            return self.draw(name, random, databases);
        }
        if special == "db" {
            return vec![random.pick(databases).to_string().into_bytes()];
        }
        if let Some(most) = special.strip_prefix("random:") {
            let len = random.below(most.parse::<usize>().unwrap() + 1);
            return vec![(0..len).map(|_| random.draw() as u8).collect()];
        }
        if let Some(number) = number_in(special, random) {
            return vec![number.into_bytes()];
        }
        let (piece, count) = special.rsplit_once('*').unwrap_or((special, "1"));
        vec![piece.repeat(count.parse().unwrap()).into_bytes()]
    }
}

/// A number of a range, as a text.
fn number_in(range: &str, random: &mut Random) -> Option<String> {
    let (low, high) = range.split_once("..")?;
    let (low, high): (i64, i64) = (low.parse().ok()?, high.parse().ok()?);
    let number = low + (random.draw() % (high - low + 1) as u64) as i64;
    Some(number.to_string())
}

/// A word with a number in the place of each range in it: `(<1..9>-<0..3>`.
pub fn with_numbers(word: &[u8], random: &mut Random) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(word) else { return word.to_vec() };
    let mut made = String::new();
    let mut rest = text;
    while let Some((before, opened)) = rest.split_once('<') {
        let range = opened.split_once('>');
        let Some((number, behind)) =
            range.and_then(|(range, behind)| Some((number_in(range, random)?, behind)))
        else {
            break;
        };
        made += before;
        made += &number;
        rest = behind;
    }
    (made + rest).into_bytes()
}

/// What stands between the angle brackets of a word that is made anew as a whole.
fn special(word: &[u8]) -> Option<&str> {
    let inner = word.strip_prefix(b"<")?.strip_suffix(b">")?;
    let text = std::str::from_utf8(inner).ok()?;
    if text.contains('<') {
        return None;
    }
    let is_special = text == "db" || text.contains("..") || text.contains('*');
    (is_special || text.starts_with('$') || text.starts_with("random:")).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_words_or_lines() {
        let text = "@a\nx \"y z\"\n@b lines\nEX <5..5>\n@c\n<$b> \n@draws\nname a\nset.name b\n";
        let pools = Pools::parse(text);
        assert_eq!(pools.list("a"), [vec![b"x".to_vec()], vec![b"y z".to_vec()]]);
        let mut random = Random::new(1);
        assert_eq!(pools.draw("c", &mut random, &[0]), [b"EX".to_vec(), b"5".to_vec()]);
        assert_eq!(with_numbers(b"(<5..5>-<0..0>", &mut random), b"(5-0");
        assert_eq!(with_numbers(b"<x> <5..5", &mut random), b"<x> <5..5");
        assert_eq!(pools.of_argument("get", "name", "key"), "a");
        assert_eq!(pools.of_argument("set", "name", "key"), "b");
    }
}
