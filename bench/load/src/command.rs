//! A command given as text, with places for numbers, such as `ZADD z {~9} mem:{=12}`.
//!
//! `{12}` is the next number in twelve digits. `{=12}` is the last number once more, `{=6+99}` that
//! number plus 99. With `~`, as in `{~9}`, the number is scattered: always the same for the same
//! number, but in no order, and never with a zero in front; `{=~9+1}` scatters the number plus 1,
//! which is another one altogether. A place has a fixed number of digits, so that they can be
//! written over the ones before.
//!
//! Several commands are parted by a `;` between blanks. They are sent in this order, one after the
//! other, and the expectations of their replies are parted by `;`, too.

use crate::key::Random;
use crate::request::Expect;
use std::str::FromStr;

/// No number has more digits.
const WIDTH_MAX: usize = 12;

/// The words of a command, or of several that are always sent together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub requests: Vec<Vec<Word>>,
}

/// What their replies look like, one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expects(pub Vec<Expect>);

/// A word and the digits in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub text: Vec<u8>,
    pub slots: Vec<(usize, Slot)>,
}

/// Digits that are written anew before each sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub width: usize,
    /// Whether it takes the next number, or the last one once more.
    pub draws: bool,
    plus: u64,
    /// The least number of this width, when numbers are scattered over all of them.
    scattered_from: Option<u64>,
}

impl Slot {
    /// The next number, as it is.
    pub const fn plain(width: usize) -> Self {
        Self { width, draws: true, plus: 0, scattered_from: None }
    }

    /// What it shows of a number.
    pub fn shown(&self, number: u64) -> u64 {
        match self.scattered_from {
            Some(least) => least + Random::new(number + self.plus).next() % (9 * least),
            None => number + self.plus,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (text, draws) = text.strip_prefix('=').map_or((text, true), |rest| (rest, false));
        let (text, scattered) = text.strip_prefix('~').map_or((text, false), |rest| (rest, true));
        let (width, plus) = text.split_once('+').unwrap_or((text, "0"));
        let (width, plus) = (width.parse().ok()?, plus.parse().ok()?);
        if !(1..=WIDTH_MAX).contains(&width) || plus >= ten_to(WIDTH_MAX) {
            return None;
        }
        Some(Self { width, draws, plus, scattered_from: scattered.then(|| ten_to(width - 1)) })
    }
}

impl Command {
    /// How many numbers its requests take.
    pub fn draws(&self) -> usize {
        self.slots().filter(|slot| slot.draws).count()
    }

    /// Whether all numbers up to `last` fit in their places.
    pub fn has_room_for(&self, last: u64) -> bool {
        let mut plain = self.slots().filter(|slot| slot.scattered_from.is_none());
        plain.all(|slot| last + slot.plus < ten_to(slot.width))
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.requests.iter().flatten().flat_map(|word| word.slots.iter().map(|(_, slot)| slot))
    }
}

impl FromStr for Command {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let words: Vec<_> = text.split_whitespace().collect();
        let request = |words: &[&str]| words.iter().map(|word| Word::parse(word)).collect();
        let requests = words.split(|word| *word == ";").map(request).collect::<Option<Vec<_>>>();
        let command = Self { requests: requests.ok_or(())? };
        // The first place has no number before it that it could repeat.
        let first_draws = command.slots().next().is_none_or(|slot| slot.draws);
        let whole = first_draws && command.requests.iter().all(|words| !words.is_empty());
        whole.then_some(command).ok_or(())
    }
}

impl FromStr for Expects {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        text.split(';').map(str::parse).collect::<Result<_, ()>>().map(Self)
    }
}

impl Word {
    fn parse(mut rest: &str) -> Option<Self> {
        let mut word = Self { text: Vec::new(), slots: Vec::new() };
        while let Some((before, after)) = rest.split_once('{') {
            let (inside, after) = after.split_once('}')?;
            let slot = Slot::parse(inside)?;
            word.text.extend_from_slice(before.as_bytes());
            word.slots.push((word.text.len(), slot));
            word.text.resize(word.text.len() + slot.width, b'0');
            rest = after;
        }
        word.text.extend_from_slice(rest.as_bytes());
        Some(word)
    }
}

impl FromStr for Expect {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let Some((kind, count)) = text.split_once(':') else {
            return match text {
                "done" => Ok(Self::Done),
                "integer" => Ok(Self::Integer),
                "value" => Ok(Self::Value),
                "text" => Ok(Self::Text),
                "array" => Ok(Self::Array),
                _ => Err(()),
            };
        };
        let count = count.parse().map_err(|_| ())?;
        match kind {
            "integer" => Ok(Self::Number(count)),
            "values" => Ok(Self::Values(count)),
            "items" => Ok(Self::Items(count)),
            _ => Err(()),
        }
    }
}

fn ten_to(power: usize) -> u64 {
    (0..power).fold(1, |product, _| product * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found() {
        let command: Command = "ZADD z {~9} mem:{=12} {=6+99}x".parse().unwrap();
        assert_eq!(command.draws(), 1);
        let [words] = command.requests.as_slice() else { panic!("one request") };
        let texts: Vec<_> = words.iter().map(|word| word.text.as_slice()).collect();
        let expected: [&[u8]; 5] = [b"ZADD", b"z", b"000000000", b"mem:000000000000", b"000000x"];
        assert_eq!(texts, expected);
        let slots: Vec<_> = words.iter().flat_map(|word| word.slots.clone()).collect();
        assert_eq!(slots.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 4, 0]);
        assert_eq!((slots[1].1.shown(7), slots[2].1.shown(7)), (7, 106));
        for number in 0..1000 {
            assert!((100_000_000..1_000_000_000).contains(&slots[0].1.shown(number)));
        }
        assert!(command.has_room_for(999_900) && !command.has_room_for(999_901));
    }

    #[test]
    fn several_commands_share_their_numbers() {
        let command: Command = "GET a ; SET {~3} {=~3+1} {=~3}".parse().unwrap();
        assert_eq!((command.requests.len(), command.draws()), (2, 1));
        let shown = |number| command.slots().map(|slot| slot.shown(number)).collect::<Vec<_>>();
        let (here, there) = (shown(7), shown(8));
        assert_eq!((here[0], here[1]), (here[2], there[0]));
        assert_ne!(here[0], here[1]);
        let expects: Expects = "done;integer:2;array".parse().unwrap();
        assert_eq!(expects.0, [Expect::Done, Expect::Number(2), Expect::Array]);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["GET a ;", "; GET a", "GET {=1} ; GET {1}", "GET a ; ; GET a"] {
            assert!(text.parse::<Command>().is_err(), "{text}");
        }
        for text in ["", "GET {", "GET {x}", "GET {0}", "GET {13}", "GET {=12}", "GET {6+}"] {
            assert!(text.parse::<Command>().is_err(), "{text}");
        }
        for text in ["", "done:1", "values", "values:x", "integer:", "text:", "values:-1"] {
            assert!(text.parse::<Expect>().is_err(), "{text}");
        }
        assert!("done;".parse::<Expects>().is_err());
        assert_eq!("integer:1".parse(), Ok(Expect::Number(1)));
    }
}
