//! Any sequence of operations on a sorted set does what it does to a map, whose members are sorted
//! at the end.
//!
//! The input is read byte by byte: an operation, then its operands. Scores are few and some are
//! special, so that many are equal.

#![no_main]

mod input;

use std::collections::BTreeMap;
use std::ops::Bound;

use input::Input;
use libfuzzer_sys::fuzz_target;
use table::Hasher;
use values::{Score, SortedSet};

/// Operations of one input.
const STEPS_MAX: usize = 400;

impl Input<'_> {
    fn score(&mut self) -> Score {
        let value = match self.byte() {
            0 => f64::INFINITY,
            1 => f64::NEG_INFINITY,
            2 => -0.0,
            3 => f64::from_bits(u64::from(self.short()) << 48 | u64::from(self.short())),
            byte => f64::from(byte) - 128.0,
        };
        Score::new(value).unwrap_or(Score::new(0.0).unwrap())
    }
}

fn member(number: u16) -> Vec<u8> {
    match number {
        0 => Vec::new(),
        _ if number.is_multiple_of(97) => vec![number as u8; usize::from(number)],
        _ => format!("m{number}").into_bytes(),
    }
}

/// A sorted set and what should be in it.
struct Pair {
    set: SortedSet,
    model: BTreeMap<Vec<u8>, Score>,
}

impl Pair {
    fn sorted(&self) -> Vec<(Score, Vec<u8>)> {
        let mut all: Vec<_> = self.model.iter().map(|(m, score)| (*score, m.clone())).collect();
        all.sort();
        all
    }

    fn add(&mut self, member: Vec<u8>, score: Score) {
        assert_eq!(self.set.add(&member, score), self.model.insert(member, score));
    }

    fn increment(&mut self, member: &[u8], by: f64) {
        let sum = |old: Option<Score>| Score::new(old?.get() + by);
        let update = self.set.update(member, sum);
        let old = self.model.get(member).copied();
        assert_eq!(update.old, old);
        assert_eq!(update.new, sum(old).or(old));
        if let Some(score) = update.new {
            self.model.insert(member.to_vec(), score);
        }
    }

    fn remove_range(&mut self, start: usize, end: usize) {
        let all = self.sorted();
        let end = end.min(all.len());
        let mut expected = all[start.min(end)..end].iter();
        let model = &mut self.model;
        self.set.remove_range(start..end, |removed| {
            let (score, member) = expected.next().unwrap();
            assert_eq!((removed.score(), removed.key()), (*score, &member[..]));
            model.remove(member);
        });
        assert!(expected.next().is_none());
    }

    fn look(&self, min: Score, max: Score) {
        let ranks = self.set.ranks_of_scores(Bound::Included(min), Bound::Excluded(max));
        let expected = self.model.values().filter(|score| **score >= min && **score < max);
        assert_eq!(ranks.len(), expected.count());
        let forth: Vec<_> = self.set.range(ranks.clone()).map(|m| m.key().to_vec()).collect();
        let mut back: Vec<_> = self.set.range(ranks).rev().map(|m| m.key().to_vec()).collect();
        back.reverse();
        assert_eq!(forth, back);
    }

    fn check(&self) {
        self.set.check_invariants();
        let all = self.set.range(0..usize::MAX).map(|m| (m.score(), m.key().to_vec()));
        assert_eq!(all.collect::<Vec<_>>(), self.sorted());
        for (rank, (_, member)) in self.sorted().into_iter().enumerate().step_by(7) {
            assert_eq!(self.set.rank(&member).map(|(rank, _)| rank), Some(rank));
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() % 9 {
            0..2 => self.add(member(input.short() % 4096), input.score()),
            2 => {
                let (from, score) = (input.short() % 4096, input.score());
                let by = f64::from(input.byte() % 5) - 2.0;
                for turn in 0..u16::from(input.byte()) * 4 {
                    let score = Score::new(score.get() + by * f64::from(turn)).unwrap_or(score);
                    self.add(member(from + turn), score);
                }
            }
            3 | 4 => self.increment(&member(input.short() % 4096), input.score().get()),
            5 => {
                let member = member(input.short() % 4096);
                let removed = self.set.remove(&member).map(|member| member.score());
                assert_eq!(removed, self.model.remove(&member));
            }
            6 => {
                let start = usize::from(input.short()) % (self.model.len() + 1);
                self.remove_range(start, start + usize::from(input.short() % 1024));
            }
            7 => {
                let last = self.model.len().saturating_sub(1);
                let rank = if input.byte() & 1 == 0 { 0 } else { last };
                self.remove_range(rank, rank + 1);
            }
            _ => self.look(input.score(), input.score()),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let mut pair = Pair { set: SortedSet::new(Hasher::new([7, 11])), model: BTreeMap::new() };
    for _ in 0..STEPS_MAX {
        if input.0.is_empty() {
            break;
        }
        pair.step(&mut input);
    }
    pair.check();
});
