//! Random calls of commands, right ones and wrong ones.
//!
//! A call is drawn from a template or from the argument tree of a command, then, every third time,
//! spoilt: words go, come twice, change places, or become something else. What would make two
//! servers differ for no fault of theirs (a key that expires between the two answers) is tamed.

use std::collections::BTreeSet;

use crate::judge::{How, Judge};
use crate::pools::{self, Pools, Words};
use crate::random::Random;
use crate::transcript;
use crate::tree::{Argument, Call};

/// One call in so many comes from a template; the others from trees.
const TEMPLATE_SHARE: usize = 2;
/// One call in so many is spoilt.
const SPOILT_SHARE: usize = 3;
/// One in so many calls with very long replies is sent.
const LONG_SHARE: usize = 20;
/// How much more often a command is called whose replies can be compared fully.
const COMPARABLE_WEIGHT: usize = 8;
/// Times below this, in the unit of a command, might pass during a run.
const SOON: i64 = 9_999_999;
/// The longest string that SETRANGE may make, but for those it refuses to.
const STRING_MAX: i64 = 70_000;
/// Fields that a call may say that it names.
const FIELDS_MAX: i64 = 1_000_000;
/// Members that a call may ask to be drawn, one by one.
const DRAWS_MAX: i64 = 1000;
/// The longest string there can be.
const STRING_LIMIT: i64 = 536_870_912;

/// Where a call will be sent.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The databases of the connection.
    pub databases: &'a [u32],
    /// Whether no other connection is used.
    pub alone: bool,
}

/// Draws calls.
pub struct Generator<'a> {
    pools: &'a Pools,
    judge: &'a Judge,
    templates: Vec<Words>,
    /// As often as they are drawn.
    calls: Vec<Call>,
    /// Commands that only one of the servers has, and that a spoilt call may not become.
    foreign: BTreeSet<String>,
}

impl<'a> Generator<'a> {
    /// A generator of calls from these templates and trees.
    pub fn new(pools: &'a Pools, judge: &'a Judge, templates: Vec<Words>, calls: &[Call]) -> Self {
        let mut weighted = Vec::new();
        for call in calls.iter().filter(|call| call.is_described() && !call.is_container) {
            let weight = match judge.how_of(&call.name) {
                How::Never | How::Templates => 0,
                How::Equal | How::Clock | How::Unordered => COMPARABLE_WEIGHT,
                _ => 1,
            };
            weighted.extend(std::iter::repeat_n(call.clone(), weight));
        }
        Self { pools, judge, templates, calls: weighted, foreign: BTreeSet::new() }
    }

    /// Never draws calls of these commands, not even by chance.
    pub fn without(mut self, foreign: BTreeSet<String>) -> Self {
        self.foreign = foreign;
        self
    }

    /// The next call.
    pub fn draw(&self, random: &mut Random, place: Place<'_>) -> Words {
        loop {
            let from_template = self.calls.is_empty()
                || !self.templates.is_empty() && random.below(TEMPLATE_SHARE) == 0;
            let mut words = if from_template {
                self.fill(random.pick(&self.templates), random, place)
            } else {
                self.call(random.pick(&self.calls), random, place)
            };
            let is_spoilt = random.below(SPOILT_SHARE) == 0;
            if is_spoilt {
                self.spoil(&mut words, random, place);
            }
            tame(&mut words, random, place);
            let is_seldom = is_long(&words) && random.below(LONG_SHARE) > 0;
            if words.is_empty() || is_seldom || self.is_foreign(&words) {
                continue;
            }
            let is_allowed = match self.judge.how(&words) {
                How::Never => false,
                How::Templates => from_template && !is_spoilt,
                How::Alone => place.alone,
                _ => true,
            };
            if is_allowed && !(is_spoilt && names_itself(&words)) {
                return words;
            }
        }
    }

    fn is_foreign(&self, words: &Words) -> bool {
        let first = lower(&words[0]);
        let full = words.get(1).map(|second| format!("{first}|{}", lower(second)));
        self.foreign.contains(&first) || full.is_some_and(|name| self.foreign.contains(&name))
    }

    fn fill(&self, template: &Words, random: &mut Random, place: Place<'_>) -> Words {
        let mut words = Vec::new();
        for word in template {
            match word.split_first() {
                Some((b'$', name)) if name.len() > 1 => {
                    let name = String::from_utf8_lossy(name);
                    words.extend(self.pools.draw(&name, random, place.databases));
                }
                _ if word == b"<db>" => {
                    words.push(random.pick(place.databases).to_string().into_bytes());
                }
                _ => words.push(pools::with_numbers(word, random)),
            }
        }
        words
    }

    /// A call as the tree says it should be.
    pub fn call(&self, call: &Call, random: &mut Random, place: Place<'_>) -> Words {
        let mut words: Words =
            call.name_words().iter().map(|word| word.to_ascii_uppercase().into_bytes()).collect();
        let arguments = call.arguments.as_deref().unwrap_or_default();
        self.sequence(&call.name, arguments, &mut words, random, place);
        words
    }

    fn sequence(
        &self,
        command: &str,
        arguments: &[Argument],
        words: &mut Words,
        random: &mut Random,
        place: Place<'_>,
    ) {
        let mut count_at = None;
        for argument in arguments {
            if argument.optional && random.below(2) == 0 {
                continue;
            }
            let times = if argument.multiple { 1 + random.below(3) } else { 1 };
            if let Some(at) = count_at.take().filter(|_| random.below(8) > 0) {
                let count: &mut Vec<u8> = &mut words[at];
                *count = times.to_string().into_bytes();
            }
            for time in 0..times {
                if let Some(token) = &argument.token
                    && (time == 0 || argument.multiple_token)
                {
                    words.push(token.as_bytes().to_vec());
                }
                self.value(command, argument, words, random, place);
            }
            if argument.name == "numkeys" {
                count_at = Some(words.len() - 1);
            }
        }
    }

    fn value(
        &self,
        command: &str,
        argument: &Argument,
        words: &mut Words,
        random: &mut Random,
        place: Place<'_>,
    ) {
        match argument.kind.as_str() {
            "pure-token" => {}
            "oneof" if !argument.arguments.is_empty() => {
                let chosen = random.pick(&argument.arguments).clone();
                let chosen = Argument { optional: false, ..chosen };
                self.sequence(command, &[chosen], words, random, place);
            }
            "block" | "oneof" => {
                self.sequence(command, &argument.arguments, words, random, place);
            }
            kind => {
                let pool = self.pools.of_argument(command, &argument.name, kind);
                words.extend(self.pools.draw(pool, random, place.databases));
            }
        }
    }

    /// Does something to a call that makes it wrong, more often than not.
    fn spoil(&self, words: &mut Words, random: &mut Random, place: Place<'_>) {
        for _ in 0..=random.below(2) {
            if words.is_empty() {
                return;
            }
            let at = random.below(words.len());
            let other = random.below(words.len());
            let nasty = |random: &mut Random| self.pools.draw("nasty", random, place.databases);
            match random.below(8) {
                0 => drop(words.remove(at)),
                1 => words.insert(other, words[at].clone()),
                2 => words.swap(at, other),
                3 => words.truncate(at.max(1)),
                4 => words.extend(nasty(random)),
                5 => drop(words.splice(at..at, nasty(random))),
                6 if at > 0 => drop(words.splice(at..=at, nasty(random))),
                _ => {
                    for byte in words[at].iter_mut().filter(|_| random.below(2) == 0) {
                        *byte = match *byte {
                            b'a'..=b'z' => byte.to_ascii_uppercase(),
                            other => other.to_ascii_lowercase(),
                        };
                    }
                }
            }
        }
    }
}

/// The templates of a file for one server: those below `@all`, and below `@` and its name.
pub fn templates(text: &str, server: &str) -> Vec<Words> {
    let mut section = "";
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        if let Some(name) = line.strip_prefix('@') {
            section = name;
        } else if section == "all" || section == server || server == "every" {
            found.push(transcript::words(line).unwrap_or_else(|error| panic!("{line}: {error}")));
        }
    }
    found
}

/// The commands that templates begin with: by their first word, and by their first two.
pub fn commands_of(templates: &[Words]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for template in templates {
        let first = lower(&template[0]);
        if let Some(second) = template.get(1) {
            names.insert(format!("{first}|{}", lower(second)));
        }
        names.insert(first);
    }
    names
}

/// A word in lower case.
pub fn lower(word: &[u8]) -> String {
    String::from_utf8_lossy(word).to_ascii_lowercase()
}

fn number(word: &[u8]) -> Option<i64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// Whether the reply is about all commands.
fn is_long(words: &Words) -> bool {
    words.len() < 3 && words.first().is_some_and(|word| lower(word) == "command")
}

/// Whether HELLO gives the connection a name: Redis 7.0 does so even when it then fails.
fn names_itself(words: &Words) -> bool {
    let mut words = words.iter().map(|word| lower(word));
    words.next().is_some_and(|word| word == "hello") && words.any(|word| word == "setname")
}

/// Replaces what would make servers differ by chance, or reach into other connections' databases.
pub fn tame(words: &mut Words, random: &mut Random, place: Place<'_>) {
    let Some(first) = words.first() else { return };
    let name = lower(first);
    match name.as_str() {
        "select" | "swapdb" | "move" | "copy" => {
            for word in &mut words[1..] {
                if let Some(database) = number(word).filter(|number| (0..16).contains(number)) {
                    let own = place.databases[database as usize % place.databases.len()];
                    *word = own.to_string().into_bytes();
                }
            }
        }
        "setrange" => {
            if let Some(word) = words.get_mut(2)
                && let Some(offset) = number(word)
                && (STRING_MAX..STRING_LIMIT).contains(&offset)
            {
                *word = (offset % STRING_MAX).to_string().into_bytes();
            }
        }
        "expire" | "setex" => delay(words, 2, random),
        "pexpire" | "psetex" => delay(words, 2, random),
        "wait" => {
            if let Some(word) = words.get_mut(2)
                && number(word).is_some_and(|number| number >= 0)
            {
                *word = b"1".to_vec();
            }
        }
        // Redis makes the whole reply of so many members before it sends any.
        "srandmember" | "hrandfield" | "zrandmember" => {
            if let Some(word) = words.get_mut(2)
                && let Some(count) =
                    number(word).filter(|count| (-i64::MAX..-DRAWS_MAX).contains(count))
            {
                *word = (count % DRAWS_MAX).to_string().into_bytes();
            }
        }
        "set" | "getex" | "msetex" | "increx" => delay_options(words, random),
        "hgetex" | "hsetex" => {
            delay_options(words, random);
            tame_fields(words);
            if name == "hsetex" {
                tell_apart(words);
            }
        }
        "hexpire" | "hpexpire" => {
            delay(words, 2, random);
            tame_fields(words);
        }
        "hexpireat" | "hpexpireat" => tame_fields(words),
        _ => {}
    }
}

/// Puts off what the words EX and PX would let expire during the run.
fn delay_options(words: &mut Words, random: &mut Random) {
    for at in 1..words.len() {
        if matches!(lower(&words[at - 1]).as_str(), "ex" | "px") {
            delay(words, at, random);
        }
    }
}

/// Cuts counts of fields that are beyond all sense: Redis 8.6 dies of some.
fn tame_fields(words: &mut Words) {
    for at in 1..words.len() {
        if lower(&words[at - 1]) == "fields"
            && number(&words[at]).is_some_and(|count| count > FIELDS_MAX)
        {
            words[at] = FIELDS_MAX.to_string().into_bytes();
        }
    }
}

/// Makes words that stand behind FIELDS at even distances different: Redis 8.6 dies of an HSETEX
/// that sets a field twice.
fn tell_apart(words: &mut Words) {
    let found = words.iter().position(|word| lower(word) == "fields");
    let first = found.map_or(words.len(), |at| at + 2);
    let mut seen = BTreeSet::new();
    for at in (first..words.len()).step_by(2) {
        while !seen.insert(words[at].clone()) {
            words[at].push(b'_');
        }
    }
}

/// Puts off what would expire during the run. Redis takes the number strictly, so does this.
fn delay(words: &mut Words, at: usize, random: &mut Random) {
    let Some(word) = words.get_mut(at) else { return };
    if number(word).is_some_and(|time| (1..=SOON).contains(&time)) {
        *word = (SOON * 1000 + random.below(1_000_000_000) as i64).to_string().into_bytes();
    }
}
