//! BY and GET: patterns that name other keys, each with an element in the place of its `*`.
//!
//! ```text
//! GET weight_*         the string at weight_<element>
//! GET object_*->name   the field `name` of the hash at object_<element>
//! GET #                the element itself
//! GET fixed            nothing, as no element can stand in it
//! ```

use values::Value;

use crate::failure::shown;

/// What GET gives for an element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Get<'a> {
    /// The element.
    Element,
    /// What a key holds.
    Made(Pattern<'a>),
    /// Nothing.
    Nothing,
}

impl<'a> Get<'a> {
    pub(super) fn of(word: &'a [u8]) -> Self {
        match shown(word) {
            b"#" => Self::Element,
            _ => Pattern::of(word).map_or(Self::Nothing, Self::Made),
        }
    }
}

/// A pattern that makes keys of elements.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pattern<'a> {
    before: &'a [u8],
    behind: &'a [u8],
    /// The field to read, where the key is that of a hash.
    pub(super) field: Option<&'a [u8]>,
}

impl<'a> Pattern<'a> {
    /// Reads a pattern; without a `*` it is none. As in Redis, `*` and `->` count up to a zero byte
    /// only, and an arrow needs a field behind it.
    pub(super) fn of(word: &'a [u8]) -> Option<Self> {
        const ARROW: &[u8] = b"->";
        let text = shown(word);
        let star = text.iter().position(|byte| *byte == b'*')?;
        let (before, rest) = word.split_at_checked(star)?;
        let rest = rest.get(1..)?;
        let counted = text.get(star..)?.get(1..)?;
        let arrow = counted.windows(ARROW.len()).position(|two| two == ARROW);
        let field_at = arrow.map(|at| at.saturating_add(ARROW.len()));
        match (arrow, field_at.filter(|at| *at < counted.len())) {
            (Some(arrow), Some(at)) => {
                Some(Self { before, behind: rest.get(..arrow)?, field: rest.get(at..) })
            }
            _ => Some(Self { before, behind: rest, field: None }),
        }
    }

    /// Makes the key of an element, in the place of what `name` was.
    pub(super) fn make(&self, element: Value<'_>, name: &mut Vec<u8>) {
        name.clear();
        name.extend_from_slice(self.before);
        element.with_bytes(|bytes| name.extend_from_slice(bytes));
        name.extend_from_slice(self.behind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_a_star_and_perhaps_a_field() {
        for (word, expected) in [
            ("w_*", Some(("w_", "", None))),
            ("*", Some(("", "", None))),
            ("a*b", Some(("a", "b", None))),
            ("**", Some(("", "*", None))),
            ("h*->f", Some(("h", "", Some("f")))),
            ("h*:x->f*", Some(("h", ":x", Some("f*")))),
            ("h*->", Some(("h", "->", None))),
            ("h*->->", Some(("h", "", Some("->")))),
            ("h*->f->g", Some(("h", "", Some("f->g")))),
            ("h->x*", Some(("h->x", "", None))),
            ("h*->f\0g", Some(("h", "", Some("f\0g")))),
            ("h*\0->f", Some(("h", "\0->f", None))),
            ("h\0*", None),
            ("nosort", None),
            ("", None),
        ] {
            let expected = expected.map(|(before, behind, field)| Pattern {
                before: before.as_bytes(),
                behind: behind.as_bytes(),
                field: field.map(str::as_bytes),
            });
            assert_eq!(Pattern::of(word.as_bytes()), expected, "{word:?}");
        }
        assert_eq!(Get::of(b"#"), Get::Element);
        assert_eq!(Get::of(b"#\0x"), Get::Element);
        assert_eq!(Get::of(b"##"), Get::Nothing);
    }
}
