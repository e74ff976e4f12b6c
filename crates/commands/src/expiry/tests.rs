//! Which options of EXPIRE go together, and when a deadline is past or too far.

use super::*;

const NOW: i64 = 1_790_000_000_000;

fn condition(words: &str) -> Result<Condition, String> {
    let words = words.split_whitespace().map(str::as_bytes);
    Condition::of(words).map_err(|failure| failure.to_string())
}

#[test]
fn conflicting_options_are_refused() {
    let with_nx = "ERR NX and XX, GT or LT options at the same time are not compatible";
    let gt_lt = "ERR GT and LT options at the same time are not compatible";
    for (words, expected) in [
        ("NX XX", with_nx),
        ("nx gt", with_nx),
        ("LT nX", with_nx),
        ("NX GT LT", with_nx),
        ("GT LT", gt_lt),
        ("xx lt gt", gt_lt),
        ("FOO", "ERR Unsupported option FOO"),
        ("NX XX foo", "ERR Unsupported option foo"),
        ("foo\0bar", "ERR Unsupported option foo"),
    ] {
        assert_eq!(condition(words), Err(expected.into()), "{words:?}");
    }
    for words in ["", "NX", "nx nx", "XX GT", "XX LT", "gt GT xx"] {
        assert!(condition(words).is_ok(), "{words:?}");
    }
}

#[test]
fn conditions_compare_with_the_expiry_so_far() {
    // Each with: no expiry so far, then one that is earlier, equal and later than the new one.
    for (words, expected) in [
        ("", [true, true, true, true]),
        ("NX", [true, false, false, false]),
        ("XX", [false, true, true, true]),
        ("GT", [false, true, false, false]),
        ("LT", [true, false, false, true]),
        ("XX GT", [false, true, false, false]),
        ("XX LT", [false, false, false, true]),
    ] {
        let condition = condition(words).expect("options that go together");
        let so_far = [None, Some(NOW - 1), Some(NOW), Some(NOW + 1)];
        assert_eq!(so_far.map(|current| condition.allows(current, NOW)), expected, "{words:?}");
    }
}

#[test]
fn deadlines_may_be_past_but_not_overflow() {
    use Unit::{Millis, Seconds};
    for (count, unit, from, expected) in [
        (10, Seconds, NOW, Some(NOW + 10_000)),
        (10, Millis, NOW, Some(NOW + 10)),
        (-10, Seconds, NOW, Some(NOW - 10_000)),
        (0, Seconds, NOW, Some(NOW)),
        (i64::MIN, Millis, NOW, Some(i64::MIN + NOW)),
        (i64::MAX, Millis, 0, Some(i64::MAX)),
        (i64::MAX, Millis, 1, None),
        (i64::MAX / 1000, Seconds, 0, Some(i64::MAX / 1000 * 1000)),
        (i64::MAX / 1000, Seconds, NOW, None),
        (i64::MAX / 1000 + 1, Seconds, 0, None),
        (i64::MIN / 1000, Seconds, 0, Some(i64::MIN / 1000 * 1000)),
        (i64::MIN / 1000 - 1, Seconds, 0, None),
    ] {
        assert_eq!(deadline(count, unit, from), expected, "{count} {unit:?} from {from}");
    }
}

#[test]
fn seconds_are_rounded_to_the_nearest() {
    for (ms, expected) in [
        (0, 0),
        (499, 0),
        (500, 1),
        (9_999_999_999_499, 9_999_999_999),
        (9_999_999_999_500, 10_000_000_000),
    ] {
        assert_eq!(rounded_seconds(ms), expected, "{ms}");
    }
}
