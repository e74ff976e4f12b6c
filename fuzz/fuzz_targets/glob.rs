//! Patterns and texts of any bytes: the matcher agrees with a slow one that tries everything.
//!
//! The first byte of the input says how much of the rest is the pattern.

#![no_main]

use keyspace::glob;
use libfuzzer_sys::fuzz_target;

/// The slow matcher takes exponential time in the number of stars, so there are few of them.
const STARS_MAX: usize = 6;
const TEXT_LEN_MAX: usize = 40;

/// Whether the whole of `text` matches: what Redis's documentation says, tried in all ways.
fn slow(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], text) => text.is_empty(),
        ([b'*', rest @ ..], text) => (0..=text.len()).any(|skipped| slow(rest, &text[skipped..])),
        (_, []) => false,
        ([b'?', rest @ ..], [_, text @ ..]) => slow(rest, text),
        ([b'[', rest @ ..], [byte, text @ ..]) => {
            let (members, negated, rest) = class(rest);
            members[usize::from(*byte)] != negated && slow(rest, text)
        }
        ([b'\\', escaped, rest @ ..], [byte, text @ ..]) => escaped == byte && slow(rest, text),
        ([plain, rest @ ..], [byte, text @ ..]) => plain == byte && slow(rest, text),
    }
}

/// The same for any text: Redis knows two patterns for an empty one.
fn expected(pattern: &[u8], text: &[u8]) -> bool {
    if text.is_empty() { matches!(pattern, [] | [b'*']) } else { slow(pattern, text) }
}

/// The members of a class, whether they are excluded, and the pattern behind it.
fn class(pattern: &[u8]) -> ([bool; 256], bool, &[u8]) {
    let mut members = [false; 256];
    let negated = pattern.first() == Some(&b'^');
    let mut at = usize::from(negated);
    while at < pattern.len() && pattern[at] != b']' {
        let left = pattern.len() - at;
        if pattern[at] == b'\\' && left >= 2 {
            members[usize::from(pattern[at + 1])] = true;
            at += 2;
        } else if left >= 3 && pattern[at + 1] == b'-' {
            let (from, to) = (pattern[at].min(pattern[at + 2]), pattern[at].max(pattern[at + 2]));
            (from..=to).for_each(|byte| members[usize::from(byte)] = true);
            at += 3;
        } else {
            members[usize::from(pattern[at])] = true;
            at += 1;
        }
    }
    (members, negated, &pattern[(at + 1).min(pattern.len())..])
}

fuzz_target!(|data: &[u8]| {
    let [choice, rest @ ..] = data else { return };
    let (pattern, text) = rest.split_at(usize::from(*choice) % (rest.len() + 1));
    let found = glob::matches(pattern, text);
    let stars = pattern.iter().filter(|byte| **byte == b'*').count();
    if stars <= STARS_MAX && text.len() <= TEXT_LEN_MAX {
        assert_eq!(found, expected(pattern, text), "{pattern:?} {text:?}");
    }
});
