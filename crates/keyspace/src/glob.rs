//! Redis's glob patterns: `*`, `?`, `[a-c]`, `[^x]` and `\` before a character that means itself.
//!
//! The matcher goes back to the last star only, so its work is bounded by pattern length times text
//! length, whatever the pattern.

/// Whether the whole of `text` matches `pattern`. An empty text matches a single star or nothing:
/// Redis knows no other pattern for it.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    if text.is_empty() {
        return matches!(pattern, [] | [b'*']);
    }
    let (mut rest, mut left) = (pattern, text);
    // Where to go on when what follows the last star does not fit: the star takes one byte more.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', after @ ..] = rest {
            if after.is_empty() {
                return true;
            }
            retry = Some((after, left));
            rest = after;
            continue;
        }
        let step = match left {
            [] if rest.is_empty() => return true,
            [] => return false,
            [byte, after @ ..] => match_one(rest, *byte).map(|rest| (rest, after)),
        };
        (rest, left) = match (step, retry) {
            (Some(next), _) => next,
            (None, Some((pattern, [_, text @ ..]))) => {
                retry = Some((pattern, text));
                (pattern, text)
            }
            (None, _) => return false,
        };
    }
}

/// Matches one byte, and returns the pattern behind it.
fn match_one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [] => None,
        [b'?', rest @ ..] => Some(rest),
        [b'[', rest @ ..] => match_class(rest, byte),
        [b'\\', escaped, rest @ ..] => (*escaped == byte).then_some(rest),
        [plain, rest @ ..] => (*plain == byte).then_some(rest),
    }
}

/// Matches one byte against the class that `pattern` begins inside of. As in Redis, a class that is
/// not closed ends with the pattern.
fn match_class(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    let (negated, mut rest) = match pattern {
        [b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut found = false;
    loop {
        rest = match rest {
            [] => break,
            [b']', after @ ..] => {
                rest = after;
                break;
            }
            [b'\\', escaped, after @ ..] => {
                found |= *escaped == byte;
                after
            }
            [from, b'-', to, after @ ..] => {
                found |= (*from.min(to)..=*from.max(to)).contains(&byte);
                after
            }
            [plain, after @ ..] => {
                found |= *plain == byte;
                after
            }
        };
    }
    (found != negated).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_in_redis() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("**", "abc", true),
            ("**", "", false),
            ("", "", true),
            ("", "a", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("h[ae]llo", "hello", true),
            ("h[^e]llo", "hello", false),
            ("h[^e]llo", "hallo", true),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("h[a-", "ha", true),
            ("h[]llo", "hello", false),
            ("a\\*c", "a*c", true),
            ("a\\*c", "abc", false),
            ("a\\", "a\\", true),
            ("[\\]]", "]", true),
            ("*:*:end", "a:b:c:end", true),
            ("*abc", "ababc", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("user:*", "user:", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_do_not_explode() {
        let pattern = "a*".repeat(2000) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(5000).as_bytes()));
    }
}
