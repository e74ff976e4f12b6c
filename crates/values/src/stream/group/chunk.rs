//! Pending entries whose ids follow each other, packed.
//!
//! ```text
//! ids    5-0 5-1 5-2 6-0 6-1 7-0 8-0         16 bytes each, ascending
//! runs   |-- alice, 1000, 1 --|- bob, 1007, 2 -|      one for all that were delivered together
//! ```
//!
//! Entries mostly are delivered many at a time to one consumer, so a run says for all of them what
//! is known of each. Invariants: the lengths of the runs add up to the number of ids, no run is
//! empty, and no two neighbours say the same.

use super::{Delivery, Owner};
use crate::stream::Id;

/// Entries of a full chunk.
pub const FULL: usize = 128;

/// Up to so many ids are looked up one by one; more are removed in one pass over the chunk.
const FEW: usize = 8;

/// Pending entries whose ids follow each other.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    ids: Vec<Id>,
    runs: Vec<Run>,
    /// No entry that somebody owns was delivered before.
    pub earliest: u64,
}

/// Entries one behind the other of which the same is known.
#[derive(Clone, Copy, Debug)]
struct Run {
    time: u64,
    count: u64,
    owner: Owner,
    len: u32,
}

impl Run {
    fn new(delivery: Delivery, len: usize) -> Self {
        let Delivery { owner, time, count } = delivery;
        Self { time, count, owner, len: short(len) }
    }

    fn delivery(&self) -> Delivery {
        Delivery { owner: self.owner, time: self.time, count: self.count }
    }

    fn len(&self) -> usize {
        self.len as usize
    }

    fn says(&self, delivery: Delivery) -> bool {
        self.delivery() == delivery
    }
}

/// A number of entries; a chunk never has more than a few hundred.
fn short(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

impl Chunk {
    /// A chunk with entries of one delivery, whose ids ascend.
    pub fn new(ids: &[Id], delivery: Delivery) -> Self {
        let runs = vec![Run::new(delivery, ids.len())];
        Self { ids: ids.to_vec(), runs, earliest: delivery.owned_since() }
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// The entry with the smallest id.
    pub fn first(&self) -> Option<Id> {
        self.ids.first().copied()
    }

    /// The entry with the largest id.
    pub fn last(&self) -> Option<Id> {
        self.ids.last().copied()
    }

    /// Where an entry is, or where it would be.
    pub fn position(&self, id: Id) -> Result<usize, usize> {
        // Entries are acknowledged in the order of their delivery, mostly.
        if self.ids.first() == Some(&id) { Ok(0) } else { self.ids.binary_search(&id) }
    }

    /// What is known of the entry at `index`.
    pub fn get(&self, index: usize) -> Option<Delivery> {
        let (run, _) = self.run_at(index);
        self.runs.get(run).map(Run::delivery)
    }

    /// The run of the entry at `index`, and how many entries of it come before that.
    fn run_at(&self, index: usize) -> (usize, usize) {
        let mut before = index;
        for (number, run) in self.runs.iter().enumerate() {
            if before < run.len() {
                return (number, before);
            }
            before -= run.len();
        }
        (self.runs.len(), before)
    }

    /// Adds entries of one delivery behind all others; their ids ascend.
    pub fn append(&mut self, ids: &[Id], delivery: Delivery) {
        self.ids.extend_from_slice(ids);
        match self.runs.last_mut() {
            Some(run) if run.says(delivery) => run.len += short(ids.len()),
            _ => self.runs.push(Run::new(delivery, ids.len())),
        }
    }

    /// Adds an entry at `index`.
    pub fn insert(&mut self, index: usize, id: Id, delivery: Delivery) {
        self.ids.insert(index, id);
        let (number, before) = self.run_at(index);
        self.insert_run(number, before, Run::new(delivery, 1));
        self.join(number.saturating_sub(1), number + 2);
    }

    /// Puts a run into another one, or before it, so that `before` entries of that come first.
    fn insert_run(&mut self, number: usize, before: usize, new: Run) {
        match self.runs.get_mut(number) {
            Some(run) if before > 0 => {
                let behind = Run { len: run.len - short(before), ..*run };
                run.len = short(before);
                self.runs.splice(number + 1..number + 1, [new, behind]);
            }
            _ => self.runs.insert(number.min(self.runs.len()), new),
        }
    }

    /// Sets what is known of the entry at `index`, and returns what was.
    pub fn replace(&mut self, index: usize, delivery: Delivery) -> Option<Delivery> {
        let (number, before) = self.run_at(index);
        let old = self.runs.get(number)?.delivery();
        if old != delivery {
            self.shorten(number);
            self.insert_run(number, before, Run::new(delivery, 1));
            self.runs.retain(|run| run.len > 0);
            self.join(number.saturating_sub(1), number + 2);
        }
        Some(old)
    }

    /// Takes the entry at `index` out.
    pub fn remove(&mut self, index: usize) -> Option<Delivery> {
        let (number, _) = self.run_at(index);
        let old = self.runs.get(number)?.delivery();
        self.ids.remove(index);
        self.shorten(number);
        if self.runs[number].len == 0 {
            self.runs.remove(number);
            self.join(number.saturating_sub(1), number);
        }
        Some(old)
    }

    fn shorten(&mut self, number: usize) {
        if let Some(run) = self.runs.get_mut(number) {
            run.len -= 1;
        }
    }

    /// Makes one of neighbours that say the same, from run `first` to run `last`.
    fn join(&mut self, first: usize, last: usize) {
        let mut number = last.min(self.runs.len().saturating_sub(1));
        while number > first {
            let behind = self.runs[number];
            let ahead = &mut self.runs[number - 1];
            if ahead.says(behind.delivery()) {
                ahead.len += behind.len;
                self.runs.remove(number);
            }
            number -= 1;
        }
    }

    /// Takes entries out, of which the ids ascend. `gone` hears of each delivery and of how many of
    /// its entries are taken.
    pub fn remove_all(&mut self, wanted: &[Id], mut gone: impl FnMut(Delivery, usize)) {
        if wanted == self.ids {
            self.runs.iter().for_each(|run| gone(run.delivery(), run.len()));
            self.ids.clear();
            self.runs.clear();
        } else if wanted.len() <= FEW {
            for id in wanted {
                let delivery = self.position(*id).ok().and_then(|index| self.remove(index));
                delivery.into_iter().for_each(|delivery| gone(delivery, 1));
            }
        } else {
            let mut wanted = wanted.iter().peekable();
            let is_wanted = |id: Id, _| {
                while wanted.next_if(|wanted| **wanted < id).is_some() {}
                wanted.next_if(|wanted| **wanted == id).is_some()
            };
            self.remove_if(is_wanted, gone);
        }
    }

    /// Takes all entries of a consumer out.
    pub fn remove_of(&mut self, owner: Owner) {
        self.remove_if(|_, run| run == owner, |_, _| ());
    }

    /// Takes entries out that `is_wanted` chooses by id and owner, asked in ascending order.
    fn remove_if(
        &mut self,
        mut is_wanted: impl FnMut(Id, Owner) -> bool,
        mut gone: impl FnMut(Delivery, usize),
    ) {
        let Self { ids, runs, .. } = self;
        let (mut read, mut kept) = (0, 0);
        for run in runs.iter_mut() {
            let (end, kept_before) = (read + run.len(), kept);
            for index in read..end {
                let id = ids[index];
                if !is_wanted(id, run.owner) {
                    ids[kept] = id;
                    kept += 1;
                }
            }
            let left = kept - kept_before;
            if left < run.len() {
                gone(run.delivery(), run.len() - left);
            }
            run.len = short(left);
            read = end;
        }
        ids.truncate(kept);
        runs.retain(|run| run.len > 0);
        self.join(0, usize::MAX);
    }

    /// Cuts the entries from `index` on off.
    pub fn split_off(&mut self, index: usize) -> Self {
        let (number, before) = self.run_at(index);
        let mut runs = self.runs.split_off(number.min(self.runs.len()));
        if let Some(cut) = runs.first_mut().filter(|_| before > 0) {
            self.runs.push(Run { len: short(before), ..*cut });
            cut.len -= short(before);
        }
        Self { ids: self.ids.split_off(index), runs, earliest: self.earliest }
    }

    /// Takes all entries of another chunk, whose ids are larger.
    pub fn absorb(&mut self, other: &Self) {
        let joined = self.runs.len().saturating_sub(1);
        self.ids.extend_from_slice(&other.ids);
        self.runs.extend_from_slice(&other.runs);
        self.join(joined, joined + 1);
        self.earliest = self.earliest.min(other.earliest);
    }

    /// Gives memory back that many removed entries have left.
    pub fn shrink(&mut self) {
        if self.ids.capacity() / 4 > self.ids.len() {
            self.ids.shrink_to(self.ids.len() * 2);
        }
        if self.runs.capacity() / 4 > self.runs.len() {
            self.runs.shrink_to(self.runs.len() * 2);
        }
    }

    /// When the first entry that somebody owns was delivered.
    pub fn exact_earliest(&self) -> u64 {
        self.runs.iter().map(|run| run.delivery().owned_since()).min().unwrap_or(u64::MAX)
    }

    /// The consumers of its runs, and how many entries these have.
    pub fn owners(&self) -> impl Iterator<Item = (Owner, usize)> {
        self.runs.iter().map(|run| (run.owner, run.len()))
    }

    /// The entries from `index` on.
    pub fn iter_from(&self, index: usize) -> Entries<'_> {
        let (number, before) = self.run_at(index);
        let runs = self.runs.get(number..).unwrap_or_default();
        let left = runs.first().map_or(0, |run| run.len() - before);
        Entries { ids: self.ids.get(index..).unwrap_or_default(), runs, left }
    }

    /// The entries.
    pub fn iter(&self) -> Entries<'_> {
        self.iter_from(0)
    }

    /// Bytes of memory beside the chunk itself.
    pub fn memory(&self) -> usize {
        self.ids.capacity() * size_of::<Id>() + self.runs.capacity() * size_of::<Run>()
    }

    #[cfg(test)]
    pub fn check(&self) {
        let total: usize = self.runs.iter().map(Run::len).sum();
        assert_eq!(total, self.ids.len(), "runs cover the ids");
        assert!(self.runs.iter().all(|run| run.len > 0), "no run is empty");
        assert!(self.runs.windows(2).all(|pair| !pair[0].says(pair[1].delivery())), "runs differ");
        assert!(self.ids.is_sorted(), "ids ascend");
        assert!(self.earliest <= self.exact_earliest(), "nothing is earlier");
    }
}

/// Entries of a chunk in ascending order.
#[derive(Clone, Debug)]
pub struct Entries<'c> {
    ids: &'c [Id],
    runs: &'c [Run],
    /// Entries of the first run that are still to come.
    left: usize,
}

impl Iterator for Entries<'_> {
    type Item = (Id, Delivery);

    fn next(&mut self) -> Option<Self::Item> {
        let (id, ids) = self.ids.split_first()?;
        if self.left == 0 {
            self.runs = self.runs.get(1..)?;
            self.left = self.runs.first()?.len();
        }
        self.left -= 1;
        self.ids = ids;
        Some((*id, self.runs.first()?.delivery()))
    }
}
