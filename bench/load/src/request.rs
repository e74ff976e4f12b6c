//! The bytes to send: a batch of request templates whose keys are written in place.
//!
//! A batch is assembled once; before each sending only the digits of its numbers change. Only the
//! mixed workload has two templates and is assembled anew for each batch. A value begins with its
//! own key, when it is long enough, so that a reader can tell whose value it got; the rest is
//! letters drawn from the seed, which compress badly.

use crate::command::{Command, Expects, Slot, Word as Patched};
use crate::key::{self, DIGITS, Distribution, KEY_BYTES, PREFIX_BYTES, Random};
use crate::options::{Options, Protocol, Workload};
use std::sync::Arc;

const KEY: &[u8; KEY_BYTES] = b"key:000000000000";
/// INCR has keys of its own, as it would fail on the filled ones.
const COUNTER: &[u8; KEY_BYTES] = b"num:000000000000";
const KEYS_PER_MULTI: usize = 10;
/// One SET to ten GETs.
const MIXED_REQUESTS: u64 = 11;

/// What the right reply to a request looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    Done,
    Integer,
    /// This integer and no other.
    Number(usize),
    Value,
    Values(usize),
    /// A value of any size.
    Text,
    /// An array of so many items, whatever they are.
    Items(usize),
    /// An array of any length.
    Array,
}

/// The requests of one thread.
pub struct Requests {
    templates: Vec<Template>,
    pipeline: usize,
    draws_per_request: u64,
    keys: Keys,
    random: Random,
    bytes: Vec<u8>,
    places: Vec<Place>,
    expects: Vec<Expect>,
}

/// Where the key numbers come from.
pub enum Keys {
    Drawn { distribution: Arc<Distribution>, first: u64, turn: usize },
    Sequence { next: u64, end: u64 },
}

/// Digits in the bytes; those of a key may also begin a value.
#[derive(Clone, Copy)]
struct Place {
    at: usize,
    slot: Slot,
    value_at: Option<usize>,
}

/// What is sent together, mostly one request.
#[derive(Default)]
struct Template {
    bytes: Vec<u8>,
    places: Vec<Place>,
    expects: Vec<Expect>,
}

enum Word<'a> {
    Text(&'a [u8]),
    Key(&'a [u8; KEY_BYTES]),
    Value(&'a [u8]),
    Patched(&'a Patched),
}

impl Requests {
    pub fn new(options: &Options, keys: Keys, seed: u64) -> Self {
        let templates = templates(options);
        let mut random = Random::new(seed);
        random.next();
        let mut requests = Self {
            templates,
            pipeline: options.pipeline,
            draws_per_request: options.draws_per_request(),
            keys,
            random,
            bytes: Vec::new(),
            places: Vec::new(),
            expects: Vec::new(),
        };
        requests.assemble(requests.pipeline);
        requests
    }

    /// Makes the next batch: its bytes and the replies it must get. Empty when keys have run out.
    pub fn next_batch(&mut self) -> (&[u8], &[Expect]) {
        let count = match self.keys {
            Keys::Drawn { .. } => self.pipeline,
            Keys::Sequence { next, end } => {
                self.pipeline.min(((end - next) / self.draws_per_request) as usize)
            }
        };
        let replies = self.templates.first().map_or(1, |template| template.expects.len());
        if self.templates.len() > 1 || self.expects.len() != count * replies {
            self.assemble(count);
        }
        let mut number = 0;
        for place in &self.places {
            if place.slot.draws {
                number = self.keys.next(&mut self.random);
            }
            let digits = place.at..place.at + place.slot.width;
            key::write_digits(&mut self.bytes[digits.clone()], place.slot.shown(number));
            if let Some(value_at) = place.value_at {
                self.bytes.copy_within(digits.start - PREFIX_BYTES..digits.end, value_at);
            }
        }
        if self.places.is_empty() {
            self.keys.skip(count as u64);
        }
        (&self.bytes, &self.expects)
    }

    fn assemble(&mut self, count: usize) {
        self.bytes.clear();
        self.places.clear();
        self.expects.clear();
        for _ in 0..count {
            let template = match self.templates.as_slice() {
                [only] => only,
                [set, get, ..] => {
                    if self.random.below(MIXED_REQUESTS) == 0 {
                        set
                    } else {
                        get
                    }
                }
                [] => unreachable!("each workload has a template"),
            };
            let base = self.bytes.len();
            self.bytes.extend_from_slice(&template.bytes);
            self.places.extend(template.places.iter().map(|place| Place {
                at: base + place.at,
                slot: place.slot,
                value_at: place.value_at.map(|at| base + at),
            }));
            self.expects.extend_from_slice(&template.expects);
        }
    }
}

impl Keys {
    /// The keys of thread `thread`: drawn from all, or its part of the sequence.
    pub fn of_thread(options: &Options, thread: usize, distribution: Arc<Distribution>) -> Self {
        let (thread, threads) = (thread as u64, options.threads as u64);
        if options.fill {
            let draws = options.draws_per_request();
            let bound = |part: u64| options.first + options.keys / draws * part / threads * draws;
            return Self::Sequence { next: bound(thread), end: bound(thread + 1) };
        }
        let turn = Random::new(options.seed ^ thread << 32).next() as usize;
        Self::Drawn { distribution, first: options.first, turn }
    }

    fn next(&mut self, random: &mut Random) -> u64 {
        match self {
            Self::Drawn { distribution, first, turn } => *first + distribution.draw(random, turn),
            Self::Sequence { next, .. } => {
                *next += 1;
                *next - 1
            }
        }
    }

    /// Counts requests that take no number.
    fn skip(&mut self, count: u64) {
        if let Self::Sequence { next, .. } = self {
            *next += count;
        }
    }
}

impl Template {
    fn new(protocol: Protocol, words: &[Word<'_>], expect: Expect) -> Self {
        let mut template = Self::default();
        template.add(protocol, words, expect);
        template
    }

    /// Appends a request.
    fn add(&mut self, protocol: Protocol, words: &[Word<'_>], expect: Expect) {
        self.expects.push(expect);
        if protocol == Protocol::Resp {
            self.bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
        }
        for word in words {
            match word {
                Word::Text(content) => {
                    self.push(protocol, content);
                }
                Word::Key(key) => {
                    let at = self.push(protocol, *key) + PREFIX_BYTES;
                    self.places.push(Place { at, slot: Slot::plain(DIGITS), value_at: None });
                }
                Word::Value(content) => {
                    let at = self.push(protocol, content);
                    if let Some(place) = self.places.last_mut() {
                        place.value_at = (content.len() >= KEY_BYTES).then_some(at);
                    }
                }
                Word::Patched(Patched { text, slots }) => {
                    let base = self.push(protocol, text);
                    let place = |&(at, slot)| Place { at: base + at, slot, value_at: None };
                    self.places.extend(slots.iter().map(place));
                }
            }
        }
    }

    /// Appends a word, framed where the protocol frames words; returns where its content begins.
    fn push(&mut self, protocol: Protocol, content: &[u8]) -> usize {
        if protocol == Protocol::Resp {
            self.bytes.extend_from_slice(format!("${}\r\n", content.len()).as_bytes());
        }
        let at = self.bytes.len();
        self.bytes.extend_from_slice(content);
        if protocol == Protocol::Resp {
            self.bytes.extend_from_slice(b"\r\n");
        }
        at
    }
}

fn templates(options: &Options) -> Vec<Template> {
    if let (Some(Command { requests }), Some(Expects(expects))) =
        (&options.command, &options.expects)
    {
        let mut template = Template::default();
        for (words, expect) in requests.iter().zip(expects) {
            let words: Vec<_> = words.iter().map(Word::Patched).collect();
            template.add(options.protocol, &words, *expect);
        }
        return vec![template];
    }
    let value = value(options);
    let make = |workload| match options.protocol {
        Protocol::Resp => resp_template(options, workload, &value),
        Protocol::Memcache => memcache_template(options, workload, &value),
    };
    match options.workload {
        _ if options.fill => vec![make(Workload::Set)],
        Workload::Mixed => vec![make(Workload::Set), make(Workload::Get)],
        workload => vec![make(workload)],
    }
}

fn value(options: &Options) -> Vec<u8> {
    let mut random = Random::new(options.seed ^ 0x76_616C_7565);
    (0..options.value_bytes).map(|_| b"abcdefghijklmnop"[random.below(16) as usize]).collect()
}

fn resp_template(options: &Options, workload: Workload, value: &[u8]) -> Template {
    use Word::{Key, Text, Value};
    let expire_ms = options.expire_ms.map(|expire_ms| expire_ms.to_string());
    let (words, expect) = match workload {
        Workload::Set => {
            let mut words = vec![Text(b"SET"), Key(KEY), Value(value)];
            if let Some(expire_ms) = &expire_ms {
                words.extend([Text(b"PX"), Text(expire_ms.as_bytes())]);
            }
            (words, Expect::Done)
        }
        Workload::Get | Workload::Mixed => (vec![Text(b"GET"), Key(KEY)], Expect::Value),
        Workload::Ping => (vec![Text(b"PING")], Expect::Done),
        Workload::Incr => (vec![Text(b"INCR"), Key(COUNTER)], Expect::Integer),
        Workload::Mset10 => {
            let mut words = vec![Text(b"MSET")];
            (0..KEYS_PER_MULTI).for_each(|_| words.extend([Key(KEY), Value(value)]));
            (words, Expect::Done)
        }
        Workload::Mget10 => {
            let mut words = vec![Text(b"MGET")];
            words.extend((0..KEYS_PER_MULTI).map(|_| Key(KEY)));
            (words, Expect::Values(KEYS_PER_MULTI))
        }
    };
    Template::new(Protocol::Resp, &words, expect)
}

fn memcache_template(options: &Options, workload: Workload, value: &[u8]) -> Template {
    use Word::{Key, Text, Value};
    let expire_seconds = options.expire_ms.map_or(0, |expire_ms| expire_ms.div_ceil(1000));
    let middle = format!(" 0 {expire_seconds} {}\r\n", value.len());
    let end = Text(b"\r\n");
    let (words, expect) = match workload {
        Workload::Set => {
            let middle = Text(middle.as_bytes());
            (vec![Text(b"set "), Key(KEY), middle, Value(value), end], Expect::Done)
        }
        Workload::Mget10 => {
            let mut words = vec![Text(b"get")];
            (0..KEYS_PER_MULTI).for_each(|_| words.extend([Text(b" "), Key(KEY)]));
            words.push(end);
            (words, Expect::Values(KEYS_PER_MULTI))
        }
        Workload::Ping => (vec![Text(b"version\r\n")], Expect::Done),
        _ => (vec![Text(b"get "), Key(KEY), end], Expect::Value),
    };
    Template::new(Protocol::Memcache, &words, expect)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Spread;

    fn batch(options: &Options) -> (String, Vec<Expect>) {
        let distribution = Arc::new(Distribution::new(Spread::Hot, options.keys));
        let keys = Keys::of_thread(options, 0, distribution);
        let mut requests = Requests::new(options, keys, 1);
        let (bytes, expects) = requests.next_batch();
        (String::from_utf8(bytes.to_vec()).unwrap(), expects.to_vec())
    }

    #[test]
    fn set_carries_its_key_in_the_value() {
        let options =
            Options { workload: Workload::Set, first: 42, value_bytes: 16, ..Options::default() };
        let (text, expects) = batch(&options);
        let key = "key:000000000042";
        assert_eq!(text, format!("*3\r\n$3\r\nSET\r\n$16\r\n{key}\r\n$16\r\n{key}\r\n"));
        assert_eq!(expects, [Expect::Done]);
    }

    #[test]
    fn fill_ends_with_a_shorter_batch() {
        let options =
            Options { fill: true, keys: 5, pipeline: 3, expire_ms: Some(7), ..Options::default() };
        let distribution = Arc::new(Distribution::new(Spread::Uniform, 5));
        let keys = Keys::of_thread(&options, 0, distribution);
        let mut requests = Requests::new(&options, keys, 1);
        for expected in [3, 2, 0, 0] {
            let (bytes, expects) = requests.next_batch();
            assert_eq!(expects.len(), expected);
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            assert_eq!(text.matches("$2\r\nPX\r\n$1\r\n7\r\n").count(), expected);
        }
    }

    #[test]
    fn multi_key_and_memcache() {
        let options = Options { workload: Workload::Mget10, ..Options::default() };
        let (text, expects) = batch(&options);
        assert!(text.starts_with("*11\r\n$4\r\nMGET\r\n$16\r\nkey:000000000000\r\n"));
        assert_eq!(expects, [Expect::Values(10)]);
        let options = Options { protocol: Protocol::Memcache, workload: Workload::Set, ..options };
        let (text, _) = batch(&options);
        assert!(text.starts_with("set key:000000000000 0 0 64\r\nkey:000000000000"), "{text}");
        assert_eq!(text.len(), "set key:000000000000 0 0 64\r\n".len() + 64 + 2);
    }

    #[test]
    fn commands_have_their_numbers_patched() {
        let mut options = Options {
            command: Some("ZADD z {2} m{=3+7} {~2} m{3}".parse().unwrap()),
            expects: Some(Expects(vec![Expect::Integer])),
            fill: true,
            keys: 6,
            pipeline: 2,
            ..Options::default()
        };
        // Draws 0 to 5: three of them in each request.
        let text = batch(&options).0.replace("\r\n", " ");
        assert!(text.starts_with("*6 $4 ZADD $1 z $2 00 $4 m007 $2 "), "{text}");
        assert!(text.contains(" $4 m002 *6 $4 ZADD $1 z $2 03 $4 m010 $2 "), "{text}");
        assert!(text.ends_with(" $4 m005 "), "{text}");
        options.command = Some("LPOP l".parse().unwrap());
        let distribution = Arc::new(Distribution::new(Spread::Uniform, 6));
        let keys = Keys::of_thread(&options, 0, distribution);
        let mut requests = Requests::new(&options, keys, 1);
        let counts: Vec<_> = (0..4).map(|_| requests.next_batch().1.len()).collect();
        assert_eq!(counts, [2, 2, 2, 0]);
    }

    #[test]
    fn commands_are_sent_together() {
        let options = Options {
            command: Some("LPOP l ; DEL {1} {1}".parse().unwrap()),
            expects: Some("value;integer".parse().unwrap()),
            fill: true,
            keys: 6,
            pipeline: 2,
            ..Options::default()
        };
        let distribution = Arc::new(Distribution::new(Spread::Uniform, 6));
        let mut requests = Requests::new(&options, Keys::of_thread(&options, 0, distribution), 1);
        let (first, second) =
            ("*2 $4 LPOP $1 l *3 $3 DEL $1 0 $1 1 ", "*2 $4 LPOP $1 l *3 $3 DEL $1 2 $1 3 ");
        let (bytes, expects) = requests.next_batch();
        let text = String::from_utf8(bytes.to_vec()).unwrap().replace("\r\n", " ");
        assert_eq!(text, [first, second].concat());
        let pair = [Expect::Value, Expect::Integer];
        assert_eq!(expects, [pair, pair].concat());
        assert_eq!(requests.next_batch().1, pair);
        assert!(requests.next_batch().1.is_empty());
    }

    #[test]
    fn mixed_is_one_set_to_ten_gets() {
        let options = Options { workload: Workload::Mixed, pipeline: 5500, ..Options::default() };
        let (_, expects) = batch(&options);
        let sets = expects.iter().filter(|expect| **expect == Expect::Done).count();
        assert!((400..600).contains(&sets), "{sets}");
    }
}
