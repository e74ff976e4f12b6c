//! The first of many, by distance.
//!
//! Which of equally distant members come first, when only some are wanted, is decided by how Redis
//! looks for them: by the quicksort of Bentley and McIlroy, which leaves parts alone that hold none
//! of the wanted. This takes the same steps, so that the same members come out. Distances that make
//! it slow end in another algorithm, whose time is bounded.

use std::cmp::Ordering;
use std::ops::Range;

/// Fewer than that are sorted by insertion.
const INSERTION_MAX: usize = 7;
/// From more than that on, the pivot is the median of nine.
const NINTHER_MIN: usize = 40;
/// So many comparisons for each member are enough for all that is not made to be slow.
const COMPARISONS_MAX: usize = 64;

/// Puts the first `count` of the items in their order to the front. All are put in order if there
/// are no more; equal ones keep theirs then.
pub fn put_first<T>(items: &mut [T], count: usize, mut compare: impl FnMut(&T, &T) -> Ordering) {
    if count >= items.len() {
        items.sort_by(compare);
        return;
    }
    let left = items.len().saturating_mul(COMPARISONS_MAX);
    let mut sorter = Sorter { items, compare: &mut compare, left };
    if count == 0 || sorter.sort(count) {
        return;
    }
    items.select_nth_unstable_by(count, &mut compare);
    items[..count].sort_by(compare);
}

struct Sorter<'a, T, F> {
    items: &'a mut [T],
    compare: F,
    /// Comparisons that may still be made.
    left: usize,
}

impl<T, F: FnMut(&T, &T) -> Ordering> Sorter<'_, T, F> {
    fn compare(&mut self, one: usize, other: usize) -> Ordering {
        self.left = self.left.saturating_sub(1);
        (self.compare)(&self.items[one], &self.items[other])
    }

    /// Sorts until the first `count` stand where they belong. Returns whether it came to an end.
    fn sort(&mut self, count: usize) -> bool {
        let all = 0..self.items.len();
        let mut parts = Vec::from([all]);
        while let Some(part) = parts.pop() {
            if self.left == 0 {
                return false;
            }
            if part.len() < INSERTION_MAX {
                self.insert_each(part);
                continue;
            }
            let (low, high) = self.divide(part);
            // The lower part is finished first; their order makes no difference.
            for part in [high, low] {
                if part.len() > 1 && part.start < count {
                    parts.push(part);
                }
            }
        }
        true
    }

    fn insert_each(&mut self, part: Range<usize>) {
        for end in part.start + 1..part.end {
            let mut at = end;
            while at > part.start && self.compare(at - 1, at) == Ordering::Greater {
                self.items.swap(at, at - 1);
                at -= 1;
            }
        }
    }

    fn median(&mut self, [one, two, three]: [usize; 3]) -> usize {
        let last = |this: &mut Self| this.compare(one, three);
        if self.compare(one, two) == Ordering::Less {
            match self.compare(two, three) {
                Ordering::Less => two,
                _ if last(self) == Ordering::Less => three,
                _ => one,
            }
        } else {
            match self.compare(two, three) {
                Ordering::Greater => two,
                _ if last(self) == Ordering::Less => one,
                _ => three,
            }
        }
    }

    fn pivot(&mut self, Range { start, end }: Range<usize>) -> usize {
        let (len, last) = (end - start, end - 1);
        let middle = start + len / 2;
        if len <= INSERTION_MAX {
            return middle;
        }
        if len <= NINTHER_MIN {
            return self.median([start, middle, last]);
        }
        let step = len / 8;
        let low = self.median([start, start + step, start + 2 * step]);
        let middle = self.median([middle - step, middle, middle + step]);
        let high = self.median([last - 2 * step, last - step, last]);
        self.median([low, middle, high])
    }

    /// Divides a part by a pivot: what is less goes to its front, what is greater to its end.
    /// Returns these two.
    fn divide(&mut self, part: Range<usize>) -> (Range<usize>, Range<usize>) {
        let Range { start, end } = part;
        let pivot = self.pivot(part);
        self.items.swap(start, pivot);
        // Equal ones are gathered at both ends: start..equal, equal_back..end.
        let (mut equal, mut front) = (start + 1, start + 1);
        // Ends behind the last item that is still to be looked at, and behind those greater.
        let (mut back, mut equal_back) = (end, end);
        loop {
            while front < back {
                match self.compare(front, start) {
                    Ordering::Greater => break,
                    Ordering::Equal => {
                        self.items.swap(equal, front);
                        equal += 1;
                    }
                    Ordering::Less => {}
                }
                front += 1;
            }
            while front < back {
                match self.compare(back - 1, start) {
                    Ordering::Less => break,
                    Ordering::Equal => {
                        self.items.swap(back - 1, equal_back - 1);
                        equal_back -= 1;
                    }
                    Ordering::Greater => {}
                }
                back -= 1;
            }
            if front >= back {
                break;
            }
            self.items.swap(front, back - 1);
            front += 1;
            back -= 1;
        }
        let (less, greater) = (front - equal, equal_back - back);
        let moved = less.min(equal - start);
        self.exchange(start, front - moved, moved);
        let moved = greater.min(end - equal_back);
        self.exchange(front, end - moved, moved);
        (start..start + less, end - greater..end)
    }

    /// Exchanges two runs of items.
    fn exchange(&mut self, one: usize, other: usize, len: usize) {
        for at in 0..len {
            self.items.swap(one + at, other + at);
        }
    }
}
