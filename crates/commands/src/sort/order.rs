//! What comes before what: the order of elements, and the window of it that is asked for.
//!
//! Every element gets a rank, a number whose order is that of the elements as far as a number can
//! tell: a float's bits turned so that they sort, or the first eight bytes of a text. Ranks are
//! sorted without a look at the elements; only runs of equal ranks are then sorted by the rest.
//! Bytes that all texts begin with are left out of their ranks.

use std::cmp::Ordering;
use std::ops::Range;

use values::Value;

use crate::failure::{Failure, shown};

/// An element that should count as a number and does not.
const NO_NUMBER: Failure = Failure::text("ERR One or more scores can't be converted into double");
/// A window of less than one in so many elements is cut out before it is sorted.
const WINDOW_SMALL: usize = 4;

/// What elements are ordered by.
pub(super) enum Weights<'w> {
    /// Themselves, as numbers.
    Own,
    /// Themselves, as texts.
    OwnTexts,
    /// Numbers, one for each.
    Numbers(Vec<f64>),
    /// Texts, one for each that has one; the others come first.
    Texts(Vec<Option<Value<'w>>>),
}

impl Weights<'_> {
    /// The elements themselves, as numbers or as texts.
    pub(super) fn own(is_alpha: bool) -> Self {
        if is_alpha { Self::OwnTexts } else { Self::Own }
    }
}

/// An element's rank, and its index.
#[derive(Clone, Copy, Debug)]
struct Ranked {
    rank: u64,
    index: usize,
}

/// The elements that come at the places of `window`, in their order, by their indexes.
pub(super) fn order(
    elements: &[Value<'_>],
    weights: &Weights<'_>,
    descending: bool,
    window: Range<usize>,
) -> Result<Vec<usize>, Failure> {
    let direct = |ordering: Ordering| if descending { ordering.reverse() } else { ordering };
    let get = |index: usize| elements.get(index).copied().unwrap_or(Value::Int(0));
    let own = |a: usize, b: usize| direct(compare(get(a), get(b)));
    let ranked = rank_all(elements, weights, descending)?;
    Ok(match weights {
        Weights::Texts(texts) => {
            let text = |index: usize| texts.get(index).copied().flatten();
            // As Redis has it, elements of equal weight stay in their places.
            sorted(ranked, window, |a, b| {
                direct(compare_some(text(a), text(b))).then_with(|| a.cmp(&b))
            })
        }
        _ => sorted(ranked, window, own),
    })
}

fn rank_all(
    elements: &[Value<'_>],
    weights: &Weights<'_>,
    descending: bool,
) -> Result<Vec<Ranked>, Failure> {
    let mut ranked = Vec::with_capacity(elements.len());
    let mut add = |rank: u64| {
        let rank = if descending { !rank } else { rank };
        ranked.push(Ranked { rank, index: ranked.len() });
    };
    match weights {
        Weights::Own => {
            for element in elements {
                add(rank_of_number(number(*element)?));
            }
        }
        Weights::OwnTexts => {
            let same = common_len(elements);
            elements.iter().for_each(|element| add(rank_of_text(*element, same)));
        }
        Weights::Numbers(numbers) => numbers.iter().for_each(|number| add(rank_of_number(*number))),
        Weights::Texts(texts) => {
            texts.iter().for_each(|text| add(text.map_or(0, |text| rank_of_text(text, 0))));
        }
    }
    Ok(ranked)
}

/// Sorts what lies in the window. `tie` decides between equal ranks.
fn sorted(
    mut ranked: Vec<Ranked>,
    window: Range<usize>,
    tie: impl Fn(usize, usize) -> Ordering,
) -> Vec<usize> {
    let Range { start, end } = window;
    if start >= end || end > ranked.len() {
        return Vec::new();
    }
    let wanted = end.saturating_sub(start);
    if wanted < ranked.len() / WINDOW_SMALL {
        let by_all =
            |a: &Ranked, b: &Ranked| a.rank.cmp(&b.rank).then_with(|| tie(a.index, b.index));
        if end < ranked.len() {
            ranked.select_nth_unstable_by(end, by_all);
            ranked.truncate(end);
        }
        if start > 0 {
            ranked.select_nth_unstable_by(start, by_all);
            ranked.drain(..start);
        }
        sort(&mut ranked, tie);
    } else {
        sort(&mut ranked, tie);
        ranked.truncate(end);
        ranked.drain(..start);
    }
    ranked.into_iter().map(|ranked| ranked.index).collect()
}

fn sort(ranked: &mut [Ranked], tie: impl Fn(usize, usize) -> Ordering) {
    ranked.sort_unstable_by_key(|ranked| ranked.rank);
    for run in ranked.chunk_by_mut(|a, b| a.rank == b.rank).filter(|run| run.len() > 1) {
        run.sort_unstable_by(|a, b| tie(a.index, b.index));
    }
}

/// The order of texts, which is that of their bytes.
fn compare(a: Value<'_>, b: Value<'_>) -> Ordering {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) if a == b => Ordering::Equal,
        (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
        _ => a.with_bytes(|a| b.with_bytes(|b| a.cmp(b))),
    }
}

/// What has no text comes first.
fn compare_some(a: Option<Value<'_>>, b: Option<Value<'_>>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => compare(a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

/// The number that a weight or an element counts as. As in Redis 8 it ends at a zero byte, nothing
/// is zero, and there is neither a hexadecimal form nor a space before it.
pub(super) fn number(value: Value<'_>) -> Result<f64, Failure> {
    let text = match value {
        #[expect(clippy::cast_precision_loss, reason = "a double is what it is to be")]
        Value::Int(number) => return Ok(number as f64),
        Value::Bytes(bytes) => shown(bytes),
        Value::Part(part) => shown(part.bytes()),
    };
    if text.is_empty() {
        return Ok(0.0);
    }
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    number.filter(|number| !number.is_nan()).ok_or(NO_NUMBER)
}

/// A number whose order among unsigned numbers is that of the float, which is no NaN.
fn rank_of_number(number: f64) -> u64 {
    const SIGN: u64 = 1 << 63;
    // A negative zero is no other number than zero.
    let bits = (number + 0.0).to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

/// Bytes that all texts begin with. An integer has no bytes to look at, so it has none in common.
fn common_len(texts: &[Value<'_>]) -> usize {
    let Some(Value::Bytes(first)) = texts.first() else { return 0 };
    texts.iter().fold(first.len(), |len, text| match text {
        Value::Bytes(bytes) => {
            let same = first.iter().zip(*bytes).take(len).take_while(|(a, b)| a == b);
            same.count()
        }
        _ => 0,
    })
}

/// The first bytes of a text, behind those that all have in common, as a number.
fn rank_of_text(text: Value<'_>, common: usize) -> u64 {
    text.with_bytes(|bytes| {
        let bytes = bytes.get(common..).unwrap_or_default();
        match bytes.first_chunk::<8>() {
            Some(first) => u64::from_be_bytes(*first),
            None => {
                let mut first = [0; 8];
                for (to, from) in first.iter_mut().zip(bytes) {
                    *to = *from;
                }
                u64::from_be_bytes(first)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values<'a>(texts: &[&'a str]) -> Vec<Value<'a>> {
        texts.iter().map(|text| Value::of(text.as_bytes())).collect()
    }

    fn ordered(texts: &[&str], weights: &Weights<'_>, descending: bool) -> Vec<String> {
        let indexes = order(&values(texts), weights, descending, 0..texts.len()).unwrap();
        indexes.into_iter().map(|index| texts[index].to_owned()).collect()
    }

    #[test]
    fn numbers_are_read_as_redis_8_does() {
        for (text, expected) in [
            ("", Some(0.0)),
            ("\0x", Some(0.0)),
            ("1\0x", Some(1.0)),
            ("007", Some(7.0)),
            ("-0", Some(0.0)),
            ("+5", Some(5.0)),
            ("5.", Some(5.0)),
            (".5", Some(0.5)),
            ("1E+2", Some(100.0)),
            ("1e400", Some(f64::INFINITY)),
            ("-1e400", Some(f64::NEG_INFINITY)),
            ("1e-400", Some(0.0)),
            ("iNf", Some(f64::INFINITY)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("nan", None),
            ("-nan", None),
            (".", None),
            ("1e", None),
            (" 1", None),
            ("1 ", None),
            ("0x10", None),
            ("--5", None),
            ("1_0", None),
            ("1,5", None),
        ] {
            assert_eq!(number(Value::of(text.as_bytes())).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn ranks_sort_as_what_they_stand_for() {
        let floats = [f64::NEG_INFINITY, -1e300, -1.5, -1e-320, 0.0, 1e-320, 2.0, f64::INFINITY];
        assert!(floats.map(rank_of_number).is_sorted_by(|a, b| a < b));
        assert_eq!(rank_of_number(-0.0), rank_of_number(0.0));
        let texts = values(&["", "-1", "10", "2", "a", "a\x01", "aaaaaaaaa", "b", "\u{7ff}"]);
        assert!(texts.iter().map(|text| rank_of_text(*text, 0)).is_sorted());
        assert_eq!(rank_of_text(Value::Bytes(b""), 0), rank_of_text(Value::Bytes(b"\0\0"), 0));
        assert_eq!(rank_of_text(Value::Bytes(b"ab"), 1), u64::from(b'b') << 56);
        for (texts, expected) in
            [(&["abc", "abd", "ab"][..], 2), (&["abc", "x"], 0), (&["7", "7"], 0), (&[], 0)]
        {
            assert_eq!(common_len(&values(texts)), expected);
        }
    }

    #[test]
    fn ties_are_broken_by_text_and_texts_of_weights_by_place() {
        let zeros = ["0.0", "-0", "0", "-0.0"];
        assert_eq!(ordered(&zeros, &Weights::Own, false), ["-0", "-0.0", "0", "0.0"]);
        assert_eq!(ordered(&zeros, &Weights::Own, true), ["0.0", "0", "-0.0", "-0"]);
        let texts = ["prefixed-b", "prefixed-a", "", "\0", "prefixed-", "10", "9"];
        let sorted = ["", "\0", "10", "9", "prefixed-", "prefixed-a", "prefixed-b"];
        assert_eq!(ordered(&texts, &Weights::OwnTexts, false), sorted);
        let same = Weights::Numbers(vec![1.0; 4]);
        assert_eq!(ordered(&["3", "1", "2", "10"], &same, false), ["1", "10", "2", "3"]);
        let weight = |text: &'static str| Some(Value::of(text.as_bytes()));
        let texts = || Weights::Texts(vec![weight("x"), None, weight(""), None, weight("x")]);
        let five = ["3", "1", "2", "10", "0"];
        assert_eq!(ordered(&five, &texts(), false), ["1", "10", "2", "3", "0"]);
        assert_eq!(ordered(&five, &texts(), true), ["3", "0", "2", "1", "10"]);
    }

    #[test]
    fn a_window_is_what_lies_there_when_all_is_sorted() {
        let numbers: Vec<String> =
            (0..200_u64).map(|n| (n * 7919 % 101).to_string()).chain(["1.0".into()]).collect();
        let texts: Vec<&str> = numbers.iter().map(String::as_str).collect();
        let elements = values(&texts);
        for weights in [Weights::Own, Weights::OwnTexts] {
            for descending in [false, true] {
                let all = ordered(&texts, &weights, descending);
                for window in [0..0, 0..1, 5..9, 199..201, 200..201, 3..180, 0..201] {
                    let part = order(&elements, &weights, descending, window.clone()).unwrap();
                    let part: Vec<_> = part.into_iter().map(|at| texts[at].to_owned()).collect();
                    assert_eq!(part, all[window.clone()], "{window:?} of {descending}");
                }
            }
        }
    }
}
