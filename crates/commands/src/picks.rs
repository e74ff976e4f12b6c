//! Random members of a collection: what SRANDMEMBER, HRANDFIELD and ZRANDMEMBER ask for, and those
//! that are each drawn among all, as often as asked for.
//!
//! SRANDMEMBER, HRANDFIELD and ZRANDMEMBER with a negative count may ask for more replies than
//! there is memory. Where they are more than the collection has members, these are copied once, as
//! replies, and those to send are drawn from the copy while the other side takes them.

use protocol::output::{SOURCE_SLICE, Source};
use protocol::reply::Reply;

use crate::context::Context;
use crate::failure::Failure;
use crate::random::Random;

/// More pairs are refused, because a reply counts both halves of each.
const PAIRS_MAX: u64 = i64::MAX.unsigned_abs() / 2;
const TOO_MANY_PAIRS: Failure = Failure::text("ERR value is out of range");

/// How many members are drawn.
#[derive(Clone, Copy)]
pub enum Draw {
    /// So many different ones, or all if there are fewer.
    Different(usize),
    /// So many, of which each is drawn from all.
    Independent(usize),
}

impl Draw {
    /// What the word behind the key asks for.
    pub fn parse(ctx: &Context<'_>) -> Result<Self, Failure> {
        let count = ctx.int(2)?;
        if count == i64::MIN {
            return Err(Failure::NO_OPPOSITE);
        }
        let times = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        Ok(if count < 0 { Self::Independent(times) } else { Self::Different(times) })
    }

    /// The same where the word `pairs` may follow; whether it does.
    pub fn parse_with(ctx: &Context<'_>, pairs: &[u8]) -> Result<(Self, bool), Failure> {
        let draw = Self::parse(ctx)?;
        match ctx.args.len() {
            3 => Ok((draw, false)),
            4 if !ctx.args.get(3).eq_ignore_ascii_case(pairs) => Err(Failure::Syntax),
            4 if draw.times() as u64 > PAIRS_MAX => Err(TOO_MANY_PAIRS),
            4 => Ok((draw, true)),
            _ => Err(Failure::Syntax),
        }
    }

    fn times(self) -> usize {
        match self {
            Self::Different(times) | Self::Independent(times) => times,
        }
    }
}

/// Shows `count` members of a collection that has `len`, each drawn from all: `one` shows some
/// member, `all` adds all of them. Their number must have been announced.
pub fn repeated(
    reply: &mut Reply<'_>,
    (count, len): (usize, usize),
    mut random: Random,
    mut one: impl FnMut(&mut Random, &mut Reply<'_>),
    all: impl FnOnce(&mut Picks),
) {
    if count <= len {
        (0..count).for_each(|_| one(&mut random, reply));
        return;
    }
    let mut picks = Picks { replies: Vec::new(), ends: Vec::new(), resp3: reply.is_resp3() };
    all(&mut picks);
    picks.draw(count as u64, random, reply);
}

/// Members as replies, to draw from.
pub struct Picks {
    replies: Vec<u8>,
    /// Where each reply ends.
    ends: Vec<usize>,
    resp3: bool,
}

impl Picks {
    /// Adds a member, as `write` replies it.
    pub fn push(&mut self, write: impl FnOnce(&mut Reply<'_>)) {
        write(&mut Reply::new(&mut self.replies, self.resp3));
        self.ends.push(self.replies.len());
    }

    /// Draws `count` members: the first at once, so that few are a reply like any other.
    fn draw(self, count: u64, random: Random, reply: &mut Reply<'_>) {
        if self.ends.is_empty() {
            return;
        }
        let (mut first, mut drawing) = (Vec::new(), Drawing { picks: self, left: count, random });
        let more = drawing.fill(&mut first);
        reply.encoded(&first);
        if more {
            reply.source(Box::new(drawing));
        }
    }

    fn get(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before));
        let end = self.ends.get(index).copied().unwrap_or_default();
        self.replies.get(start.copied().unwrap_or_default()..end).unwrap_or_default()
    }
}

/// Drawing that goes on while the replies are sent.
struct Drawing {
    picks: Picks,
    left: u64,
    random: Random,
}

impl Source for Drawing {
    fn fill(&mut self, to: &mut Vec<u8>) -> bool {
        let end = to.len().saturating_add(SOURCE_SLICE);
        while self.left > 0 && to.len() < end {
            let bound = self.picks.ends.len() as u128;
            let index = u128::from(self.random.draw()).saturating_mul(bound) >> u64::BITS;
            to.extend_from_slice(self.picks.get(usize::try_from(index).unwrap_or_default()));
            self.left = self.left.saturating_sub(1);
        }
        self.left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_members_are_drawn() {
        let mut out = Vec::new();
        let mut reply = Reply::new(&mut out, false);
        reply.array(30_000);
        let one = |_: &mut Random, _: &mut Reply<'_>| panic!("more than there are");
        let all = |picks: &mut Picks| {
            (0..3).for_each(|number| picks.push(|reply| reply.integer(number)));
        };
        repeated(&mut reply, (30_000, 3), Random::new(1), one, all);
        assert_eq!(out.len(), b"*30000\r\n".len() + 30_000 * b":0\r\n".len());
        for digit in b"012" {
            let count = out[8..].iter().filter(|byte| *byte == digit).count();
            assert!((9_000..11_000).contains(&count), "{count} times {digit}");
        }
    }
}
