//! The words of XDELEX, XACKDEL and XNACK behind `IDS`: how many ids follow, and these.

use protocol::number::parse_i64;
use smallvec::SmallVec;
use values::stream::{Id, References};

use super::{ids, references_of};
use crate::context::Args;
use crate::failure::Failure;

/// Ids of a command; a few need no memory of their own.
pub type Ids = SmallVec<[Id; 16]>;

/// Reads the words from one to before another as ids, so that a bad one is found before anything
/// is done.
pub fn read_ids(args: Args<'_>, first: usize, count: usize) -> Result<Ids, Failure> {
    args.from(first).take(count).map(|word| ids::exact(word, 0)).collect()
}

/// Where the ids stand.
#[derive(Clone, Copy, Debug)]
pub struct IdWords {
    /// The first one's word.
    pub first: usize,
    /// How many there are.
    pub count: usize,
}

impl IdWords {
    /// Reads `IDS` and the number at `index`, behind which the ids stand; `None` if another word
    /// stands there.
    pub fn at(args: Args<'_>, index: usize) -> Result<Option<Self>, Failure> {
        let (number, first) = (index.saturating_add(1), index.saturating_add(2));
        if !args.get(index).eq_ignore_ascii_case(b"IDS") || number >= args.len() {
            return Ok(None);
        }
        let count = parse_i64(args.get(number)).and_then(|count| usize::try_from(count).ok());
        let count = count
            .filter(|count| *count > 0)
            .ok_or(Failure::text("ERR Number of IDs must be a positive integer"))?;
        if count > args.len().saturating_sub(first) {
            let text = "ERR The `numids` parameter must match the number of arguments";
            return Err(Failure::text(text));
        }
        Ok(Some(Self { first, count }))
    }

    /// The word behind the last id.
    pub fn end(&self) -> usize {
        self.first.saturating_add(self.count)
    }

    /// The error of a command without ids.
    pub const MISSING: Failure = Failure::text("ERR IDS option is required");
}

/// Reads the options of XDELEX and XACKDEL from a word on.
pub fn references_and_ids(args: Args<'_>, from: usize) -> Result<(References, IdWords), Failure> {
    let (mut references, mut ids, mut index) = (None, None, from);
    while index < args.len() {
        let word = args.get(index);
        let chosen = references_of(word).filter(|_| references.is_none());
        if chosen.is_some() {
            references = chosen;
            index = index.saturating_add(1);
        } else {
            let found = IdWords::at(args, index)?.ok_or(Failure::Syntax)?;
            index = found.end();
            ids = Some(found);
        }
    }
    Ok((references.unwrap_or_default(), ids.ok_or(IdWords::MISSING)?))
}
