//! Any sequence of operations on a list does what it does to a `VecDeque`, whatever the size of its
//! nodes and however many of them are compressed.

#![no_main]

use std::collections::VecDeque;

use libfuzzer_sys::fuzz_target;
use values::Value;
use values::list::{End, List, Search, Shape};

mod input;
use input::Input;

/// Operations of one input.
const STEPS_MAX: usize = 500;

/// A list and what should be in it.
struct Pair {
    list: List,
    model: VecDeque<Vec<u8>>,
}

fn end(input: &mut Input<'_>) -> End {
    if input.byte() % 2 == 0 { End::Front } else { End::Back }
}

impl Pair {
    fn push(&mut self, end: End, value: Vec<u8>) {
        self.list.push(end, Value::of(&value));
        match end {
            End::Front => self.model.push_front(value),
            End::Back => self.model.push_back(value),
        }
    }

    fn pop(&mut self, end: End) {
        let expected = match end {
            End::Front => self.model.pop_front(),
            End::Back => self.model.pop_back(),
        };
        assert_eq!(self.list.pop(end, |value| value.to_vec()), expected);
    }

    fn set(&mut self, index: usize, value: Vec<u8>) {
        assert_eq!(self.list.set(index, Value::of(&value)), index < self.model.len());
        if let Some(element) = self.model.get_mut(index) {
            *element = value;
        }
    }

    fn insert(&mut self, side: End, pivot: &[u8], value: Vec<u8>) {
        let found = self.model.iter().position(|element| element == pivot);
        assert_eq!(self.list.insert(side, Value::of(pivot), Value::of(&value)), found.is_some());
        if let Some(index) = found {
            self.model.insert(index + usize::from(side == End::Back), value);
        }
    }

    fn remove(&mut self, from: End, value: &[u8], limit: usize) {
        let matches = self.model.iter().enumerate().filter(|(_, element)| *element == value);
        let mut indexes: Vec<usize> = matches.map(|(index, _)| index).collect();
        if from == End::Front {
            indexes.truncate(limit);
        } else {
            indexes.drain(..indexes.len().saturating_sub(limit));
        }
        assert_eq!(self.list.remove(from, Value::of(value), limit), indexes.len());
        indexes.iter().rev().for_each(|index| drop(self.model.remove(*index)));
    }

    fn find(&self, from: End, value: &[u8], skip: usize) {
        let mut found = Vec::new();
        let search = Search { from, skip, limit: 2, compared_max: usize::MAX };
        self.list.positions(Value::of(value), search, |index| found.push(index));
        let matches = self.model.iter().enumerate().filter(|(_, element)| *element == value);
        let mut indexes: Vec<usize> = matches.map(|(index, _)| index).collect();
        if from == End::Back {
            indexes.reverse();
        }
        assert!(indexes.iter().skip(skip).take(2).eq(&found));
    }

    fn range(&self, from: End, index: usize, count: usize) {
        let mut found = Vec::new();
        self.list.range(from, index, count, |value| found.push(value.to_vec()));
        if from == End::Front {
            assert!(self.model.iter().skip(index).take(count).eq(&found));
        } else if index < self.model.len() {
            assert!(self.model.range(..=index).rev().take(count).eq(&found));
        } else {
            assert!(found.is_empty());
        }
    }

    fn trim(&mut self, start: usize, end: usize) {
        self.list.trim(start..end);
        self.model.truncate(end);
        self.model.drain(..start.min(self.model.len()));
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let len = self.model.len();
        match input.byte() % 12 {
            0..=2 => {
                let (end, value) = (end(input), input.text());
                (0..=input.byte() % 16).for_each(|_| self.push(end, value.clone()));
            }
            3 => {
                let (end, count) = (end(input), input.byte() % 16);
                (0..=count).for_each(|number| self.push(end, vec![number; number.into()]));
            }
            4 | 5 => {
                let end = end(input);
                (0..=input.byte() % 16).for_each(|_| self.pop(end));
            }
            6 => self.set(input.below(len + 1), input.text()),
            7 => self.insert(end(input), &input.text(), input.text()),
            8 => self.remove(end(input), &input.text(), input.below(30)),
            9 => self.find(end(input), &input.text(), input.below(4)),
            10 => self.range(end(input), input.below(len + 1), input.below(100)),
            _ => self.trim(input.below(6), len - input.below(6).min(len)),
        }
        assert_eq!(self.list.len(), self.model.len());
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let size = i64::from(input.byte() % 12) - 2;
    let shape = Shape::new(size, u64::from(input.byte() % 3));
    let mut pair = Pair { list: List::new(shape), model: VecDeque::new() };
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        pair.step(&mut input);
        pair.list.check_invariants();
    }
    pair.range(End::Front, 0, usize::MAX);
});
