//! LCS: the longest common subsequence of two strings, its length, or where its pieces stand.
//!
//! The textbook table of lengths is filled row by row, but kept as two rows of lengths and one bit
//! per cell, which says where the way back goes when the two bytes differ:
//!
//! ```text
//!          m y n e w      bytes equal              take both, go up and left
//!        0 0 0 0 0 0      bit set, above > left    go up
//!      o 0 0 0 0 0 0      bit not set              go left
//!      h 0 0 0 0 0 0
//!      m 0 1 1 1 1 1
//! ```
//!
//! So the memory is a thirty-second of what Redis takes, but its limit is kept, for it is also what
//! bounds the time.

use protocol::number::parse_i64;
use protocol::reply::Reply;

use super::ranges::STRING_LEN_MAX;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Cells of the table that are filled on the way; more of them are filled in the worker pool.
const QUICK_CELLS_MAX: usize = 1_000_000;
/// Bytes of a cell in Redis.
const REDIS_CELL: usize = size_of::<u32>();
const LEN_AND_IDX: Failure =
    Failure::text("ERR If you want both the length and indexes, please just use IDX.");
const TOO_LARGE: Failure =
    Failure::text("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");

/// Options of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Options {
    len: bool,
    idx: bool,
    match_len_min: usize,
    with_match_len: bool,
}

const NOT_STRINGS: Failure = Failure::text("ERR The specified keys must contain string values");

/// A piece that both strings have, as indexes of its first and last byte in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Match {
    a: (usize, usize),
    b: (usize, usize),
}

/// The longest common subsequence.
#[derive(Debug, Default, PartialEq, Eq)]
struct Common {
    bytes: Vec<u8>,
    /// From the ends of the strings to their starts.
    matches: Vec<Match>,
}

pub(super) fn lcs(ctx: &mut Context<'_>) -> Outcome {
    let lens = (value_len(ctx, 0)?, value_len(ctx, 1)?);
    let options = Options::parse(ctx.args.from(3))?;
    let cells = cells(lens.0, lens.1)?;
    if cells > QUICK_CELLS_MAX && !ctx.may_wait {
        return Err(Failure::Detach);
    }
    let (a, b) = (value(ctx, 0)?, value(ctx, 1)?);
    let reply = &mut ctx.reply;
    if options.len {
        reply.integer(i64::from(Rows::new(&b).fill(&a, |_, _| ())));
        return Ok(());
    }
    let common = Common::of(&a, &b);
    if options.idx {
        common.show_matches(reply, options);
    } else {
        reply.bulk(&common.bytes);
    }
    Ok(())
}

fn value_len(ctx: &mut Context<'_>, index: usize) -> Result<usize, Failure> {
    let (key, now_ms) = (ctx.key(index), ctx.now_ms);
    let Some(entry) = ctx.db(&key).get(&key, now_ms) else { return Ok(0) };
    entry.string().map(|value| value.len()).ok_or(NOT_STRINGS)
}

/// A copy, because the keys may live in different shards. The limit on cells bounds it.
fn value(ctx: &mut Context<'_>, index: usize) -> Result<Vec<u8>, Failure> {
    let (key, now_ms) = (ctx.key(index), ctx.now_ms);
    let Some(entry) = ctx.db(&key).read(&key, now_ms) else { return Ok(Vec::new()) };
    entry.string().map(|value| value.to_vec()).ok_or(NOT_STRINGS)
}

/// Cells of the table for strings of these lengths, if Redis would make it.
fn cells(a: usize, b: usize) -> Result<usize, Failure> {
    let cells = a.saturating_add(1).checked_mul(b.saturating_add(1));
    let fits =
        |cells: &usize| cells.checked_mul(REDIS_CELL).is_some_and(|bytes| bytes <= STRING_LEN_MAX);
    cells.filter(fits).ok_or(TOO_LARGE)
}

impl Options {
    fn parse<'a>(mut words: impl Iterator<Item = &'a [u8]>) -> Result<Self, Failure> {
        let mut options = Self::default();
        while let Some(word) = words.next() {
            if word.eq_ignore_ascii_case(b"IDX") {
                options.idx = true;
            } else if word.eq_ignore_ascii_case(b"LEN") {
                options.len = true;
            } else if word.eq_ignore_ascii_case(b"WITHMATCHLEN") {
                options.with_match_len = true;
            } else if word.eq_ignore_ascii_case(b"MINMATCHLEN") {
                let word = words.next().ok_or(Failure::Syntax)?;
                let len = parse_i64(word).ok_or(Failure::NotInteger)?;
                options.match_len_min = usize::try_from(len).unwrap_or(0);
            } else {
                return Err(Failure::Syntax);
            }
        }
        if options.len && options.idx { Err(LEN_AND_IDX) } else { Ok(options) }
    }
}

/// The row of the table that is being filled. Lengths fit 32 bits, because `cells` does.
struct Rows<'b> {
    b: &'b [u8],
    /// The row above, overwritten from the left; one shorter than in the textbook, which has a
    /// column of zeros at the left.
    lengths: Vec<u32>,
}

impl<'b> Rows<'b> {
    fn new(b: &'b [u8]) -> Self {
        Self { b, lengths: vec![0; b.len()] }
    }

    /// Fills the table. `up` is told the cells from which the way back goes up if the bytes differ.
    fn fill(mut self, a: &[u8], mut up: impl FnMut(usize, usize)) -> u32 {
        for (i, &byte) in a.iter().enumerate() {
            let (mut diagonal, mut left) = (0_u32, 0);
            for (j, (&other, cell)) in self.b.iter().zip(&mut self.lengths).enumerate() {
                let above = *cell;
                let differs = byte != other;
                if differs && above > left {
                    up(i, j);
                }
                // A cell is at most one more than the one above it, so this cannot overflow.
                left = if differs { above.max(left) } else { diagonal.wrapping_add(1) };
                diagonal = above;
                *cell = left;
            }
        }
        self.lengths.last().copied().unwrap_or(0)
    }
}

impl Common {
    fn of(a: &[u8], b: &[u8]) -> Self {
        const BITS: usize = u64::BITS as usize;
        let width = b.len();
        let mut ups = vec![0_u64; a.len().saturating_mul(width).div_ceil(BITS)];
        // Within the limit on cells, so it does not overflow.
        let place = |i: usize, j: usize| {
            let cell = i.wrapping_mul(width).wrapping_add(j);
            (cell / BITS, cell % BITS)
        };
        let len = Rows::new(b).fill(a, |i, j| {
            let (word, bit) = place(i, j);
            if let Some(word) = ups.get_mut(word) {
                *word |= 1 << bit;
            }
        });
        let goes_up = |i: usize, j: usize| {
            let (word, bit) = place(i, j);
            ups.get(word).is_some_and(|word| word >> bit & 1 == 1)
        };
        Self::walk_back(a, b, len as usize, goes_up)
    }

    fn walk_back(a: &[u8], b: &[u8], len: usize, goes_up: impl Fn(usize, usize) -> bool) -> Self {
        let mut common = Self { bytes: Vec::with_capacity(len), matches: Vec::new() };
        let mut current: Option<Match> = None;
        let (mut rest_a, mut rest_b) = (a, b);
        while let (Some((&last_a, before_a)), Some((&last_b, before_b))) =
            (rest_a.split_last(), rest_b.split_last())
        {
            let (i, j) = (before_a.len(), before_b.len());
            if last_a == last_b {
                common.bytes.push(last_a);
                let (end_a, end_b) = current.map_or((i, j), |found| (found.a.1, found.b.1));
                current = Some(Match { a: (i, end_a), b: (j, end_b) });
                (rest_a, rest_b) = (before_a, before_b);
                continue;
            }
            common.matches.extend(current.take());
            if goes_up(i, j) {
                rest_a = before_a;
            } else {
                rest_b = before_b;
            }
        }
        common.matches.extend(current);
        common.bytes.reverse();
        common
    }

    fn show_matches(&self, reply: &mut Reply<'_>, options: Options) {
        let long_enough = |found: &&Match| found.len() >= options.match_len_min;
        reply.map(2);
        reply.bulk(b"matches");
        reply.array(self.matches.iter().filter(long_enough).count());
        for found in self.matches.iter().filter(long_enough) {
            reply.array(if options.with_match_len { 3 } else { 2 });
            for (first, last) in [found.a, found.b] {
                reply.array(2);
                reply.count(first);
                reply.count(last);
            }
            if options.with_match_len {
                reply.count(found.len());
            }
        }
        reply.bulk(b"len");
        reply.count(self.bytes.len());
    }
}

impl Match {
    fn len(&self) -> usize {
        self.a.1.saturating_sub(self.a.0).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(a: &str, b: &str, options: &str) -> String {
        let words = options.split_ascii_whitespace().map(str::as_bytes);
        let options = Options::parse(words).unwrap();
        let mut out = Vec::new();
        let common = Common::of(a.as_bytes(), b.as_bytes());
        common.show_matches(&mut Reply::new(&mut out, true), options);
        String::from_utf8(out).unwrap().replace("\r\n", " ")
    }

    #[test]
    fn golden() {
        let common = Common::of(b"ohmytext", b"mynewtext");
        assert_eq!(common.bytes, b"mytext");
        let tail = Match { a: (4, 7), b: (5, 8) };
        let head = Match { a: (2, 3), b: (0, 1) };
        assert_eq!(common.matches, [tail, head]);
        assert_eq!(Rows::new(b"mynewtext").fill(b"ohmytext", |_, _| ()), 6);
    }

    #[test]
    fn golden_replies() {
        assert_eq!(
            shown("ohmytext", "mynewtext", "IDX"),
            "%2 $7 matches *2 *2 *2 :4 :7 *2 :5 :8 *2 *2 :2 :3 *2 :0 :1 $3 len :6 "
        );
        assert_eq!(
            shown("ohmytext", "mynewtext", "IDX MINMATCHLEN 4 WITHMATCHLEN"),
            "%2 $7 matches *1 *3 *2 :4 :7 *2 :5 :8 :4 $3 len :6 "
        );
        assert_eq!(shown("", "abc", "IDX"), "%2 $7 matches *0 $3 len :0 ");
    }

    #[test]
    fn options() {
        assert_eq!(Options::parse([&b"LEN"[..], b"IDX"].into_iter()), Err(LEN_AND_IDX));
        assert_eq!(Options::parse([&b"MINMATCHLEN"[..]].into_iter()), Err(Failure::Syntax));
        let words = [&b"minmatchlen"[..], b"x"].into_iter();
        assert_eq!(Options::parse(words), Err(Failure::NotInteger));
        let words = [&b"minmatchlen"[..], b"-3"].into_iter();
        assert_eq!(Options::parse(words), Ok(Options::default()));
        assert_eq!(Options::parse([&b"FOO"[..]].into_iter()), Err(Failure::Syntax));
    }

    #[test]
    fn limits() {
        assert_eq!(cells(0, 0), Ok(1));
        assert_eq!(cells(STRING_LEN_MAX / 4 - 1, 0), Ok(STRING_LEN_MAX / 4));
        assert_eq!(cells(STRING_LEN_MAX / 4, 0), Err(TOO_LARGE));
        assert_eq!(cells(usize::MAX, usize::MAX), Err(TOO_LARGE));
    }

    /// The textbook's table, and Redis's way through it.
    fn slow(a: &[u8], b: &[u8]) -> Common {
        let mut table = vec![vec![0_u32; b.len() + 1]; a.len() + 1];
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                table[i][j] = if a[i - 1] == b[j - 1] {
                    table[i - 1][j - 1] + 1
                } else {
                    table[i - 1][j].max(table[i][j - 1])
                };
            }
        }
        let len = table[a.len()][b.len()] as usize;
        Common::walk_back(a, b, len, |i, j| table[i][j + 1] > table[i + 1][j])
    }

    #[test]
    fn equals_the_textbook() {
        let mut state = 1_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        };
        for _ in 0..300 {
            let letters = 1 + random(4);
            let mut text = || -> Vec<u8> {
                let len = random(150);
                (0..len).map(|_| b'a' + random(letters) as u8).collect()
            };
            let (a, b) = (text(), text());
            let (fast, slow) = (Common::of(&a, &b), slow(&a, &b));
            assert_eq!(fast, slow);
            let pieces: usize = fast.matches.iter().map(Match::len).sum();
            assert_eq!(pieces, fast.bytes.len());
            assert_eq!(Rows::new(&b).fill(&a, |_, _| ()) as usize, fast.bytes.len());
        }
    }
}
