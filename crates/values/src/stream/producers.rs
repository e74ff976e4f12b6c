//! Producers that may send a message twice: the names of the messages that each has sent to a
//! stream lately, and the ids of the entries that these became.
//!
//! What is remembered of a producer is bounded by a number, and by a time since the entry's own.
//! What is out of date counts as forgotten; each new message frees what is so of its own producer
//! and of some others, so that memory does not grow with producers that are gone.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use memory::block_size;

use super::Id;

/// Other producers that are looked at for each new message.
const SWEPT: usize = 2;
/// Bytes of memory of a message besides its name's: its places in the map and in the queue, and the
/// counts of the name's users.
const MESSAGE: usize = 2 * (size_of::<Arc<[u8]>>() + size_of::<usize>()) + size_of::<Id>();

/// For how long, and how many of its messages are remembered of each producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// Seconds.
    pub seconds: u64,
    /// Messages.
    pub messages: usize,
}

impl Horizon {
    /// Redis's defaults.
    pub const DEFAULT: Self = Self { seconds: 100, messages: 100 };

    /// Whether an entry with this id is too old.
    #[inline]
    fn forgets(self, id: Id, now_ms: u64) -> bool {
        id.ms <= now_ms.saturating_sub(self.seconds.saturating_mul(1000))
    }
}

/// What is remembered at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tracked {
    /// Producers.
    pub producers: usize,
    /// Their messages.
    pub messages: usize,
}

/// The producers of a stream.
#[derive(Clone, Debug)]
pub struct Producers {
    horizon: Horizon,
    by_name: BTreeMap<Box<[u8]>, Producer>,
    /// The one that was looked at last for what is out of date.
    swept: Box<[u8]>,
    messages_added: u64,
    duplicates: u64,
}

/// A producer.
#[derive(Clone, Debug, Default)]
struct Producer {
    ids: HashMap<Arc<[u8]>, Id>,
    /// The messages in the order in which they came.
    order: VecDeque<Arc<[u8]>>,
}

impl Default for Producers {
    fn default() -> Self {
        Self::new(Horizon::DEFAULT)
    }
}

impl Producers {
    /// None so far.
    pub fn new(horizon: Horizon) -> Self {
        Self {
            horizon,
            by_name: BTreeMap::new(),
            swept: Box::default(),
            messages_added: 0,
            duplicates: 0,
        }
    }

    /// How much is remembered.
    pub fn horizon(&self) -> Horizon {
        self.horizon
    }

    /// Sets it; all is forgotten if that is a change, which it returns.
    pub fn set_horizon(&mut self, horizon: Horizon) -> bool {
        let is_other = horizon != self.horizon;
        if is_other {
            self.horizon = horizon;
            self.by_name.clear();
        }
        is_other
    }

    /// Messages that were ever remembered.
    pub fn messages_added(&self) -> u64 {
        self.messages_added
    }

    /// Messages that came once more.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// How many producers are known, remembered or out of date.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether no producer is known.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// What is remembered now.
    pub fn tracked(&self, now_ms: u64) -> Tracked {
        self.by_name.values().fold(Tracked::default(), |sum, producer| {
            let messages = producer.order.len() - producer.outdated(self.horizon, now_ms);
            Tracked {
                producers: sum.producers + usize::from(messages > 0),
                messages: sum.messages + messages,
            }
        })
    }

    /// The entry that a message has become, if that is remembered.
    pub fn find(&self, producer: &[u8], message: &[u8], now_ms: u64) -> Option<Id> {
        let id = *self.by_name.get(producer)?.ids.get(message)?;
        (!self.horizon.forgets(id, now_ms)).then_some(id)
    }

    /// Counts a message that came once more.
    pub fn count_duplicate(&mut self) {
        self.duplicates = self.duplicates.saturating_add(1);
    }

    /// Remembers which entry a message has become that [`Self::find`] does not find.
    pub fn record(&mut self, producer: &[u8], message: &[u8], id: Id, now_ms: u64) {
        self.sweep(now_ms);
        let horizon = self.horizon;
        if !self.by_name.contains_key(producer) {
            self.by_name.insert(producer.into(), Producer::default());
        }
        if let Some(producer) = self.by_name.get_mut(producer) {
            producer.drop_outdated(horizon, now_ms);
            producer.record(message, id, horizon.messages);
            self.messages_added = self.messages_added.saturating_add(1);
        }
    }

    /// Frees what is out of date of some producers, each time of others.
    fn sweep(&mut self, now_ms: u64) {
        for _ in 0..SWEPT.min(self.by_name.len()) {
            let behind = (Excluded(&*self.swept), Unbounded);
            let next = self.by_name.range::<[u8], _>(behind).next();
            let Some((name, _)) = next.or_else(|| self.by_name.first_key_value()) else { return };
            let name = name.clone();
            if let Some(producer) = self.by_name.get_mut(&name) {
                producer.drop_outdated(self.horizon, now_ms);
                if producer.order.is_empty() {
                    self.by_name.remove(&name);
                }
            }
            self.swept = name;
        }
    }

    /// Bytes of memory besides these themselves.
    pub fn bytes(&self) -> usize {
        let mut sum = 0;
        for (name, producer) in &self.by_name {
            let messages = producer.order.iter().map(|message| MESSAGE + block_size(message.len()));
            sum += block_size(name.len()) + size_of::<Producer>() + messages.sum::<usize>();
        }
        sum
    }
}

impl Producer {
    /// How many of the oldest messages are out of date.
    fn outdated(&self, horizon: Horizon, now_ms: u64) -> usize {
        let is_outdated = |message: &&Arc<[u8]>| {
            self.ids.get(*message).is_none_or(|id| horizon.forgets(*id, now_ms))
        };
        self.order.iter().take_while(is_outdated).count()
    }

    fn drop_outdated(&mut self, horizon: Horizon, now_ms: u64) {
        let outdated = self.outdated(horizon, now_ms);
        for message in self.order.drain(..outdated) {
            self.ids.remove(&message);
        }
        if self.order.len() < self.order.capacity() / 4 {
            self.order.shrink_to_fit();
            self.ids.shrink_to_fit();
        }
    }

    fn record(&mut self, message: &[u8], id: Id, messages_max: usize) {
        let message: Arc<[u8]> = message.into();
        if self.ids.insert(Arc::clone(&message), id).is_some() {
            // It is out of date, but came behind one that is not.
            self.order.retain(|other| *other != message);
        }
        self.order.push_back(message);
        while self.order.len() > messages_max {
            if let Some(oldest) = self.order.pop_front() {
                self.ids.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    fn id(ms: u64) -> Id {
        Id::new(ms, 0)
    }

    #[test]
    fn messages_are_found_until_they_are_out_of_date() {
        let mut all = Producers::default();
        all.record(b"p", b"1", id(NOW), NOW);
        all.record(b"q", b"1", id(NOW + 1), NOW + 1);
        assert_eq!(all.find(b"p", b"1", NOW + 99_999), Some(id(NOW)));
        assert_eq!(all.find(b"p", b"1", NOW + 100_000), None);
        assert_eq!(all.find(b"q", b"1", NOW + 100_000), Some(id(NOW + 1)));
        assert_eq!((all.find(b"p", b"2", NOW), all.find(b"r", b"1", NOW)), (None, None));
        assert_eq!(all.tracked(NOW + 2), Tracked { producers: 2, messages: 2 });
        assert_eq!(all.tracked(NOW + 100_000), Tracked { producers: 1, messages: 1 });
        assert_eq!(all.tracked(NOW + 100_001), Tracked::default());
        // A message that is out of date is remembered anew.
        all.record(b"p", b"1", id(NOW + 100_000), NOW + 100_000);
        assert_eq!(all.find(b"p", b"1", NOW + 100_000), Some(id(NOW + 100_000)));
        assert_eq!(all.messages_added(), 3);
    }

    #[test]
    fn the_oldest_make_room() {
        let mut all = Producers::new(Horizon { seconds: 100, messages: 2 });
        for message in [b"1", b"2", b"3"] {
            all.record(b"p", message, id(NOW), NOW);
        }
        let found: Vec<_> =
            [b"1", b"2", b"3"].iter().map(|m| all.find(b"p", *m, NOW).is_some()).collect();
        assert_eq!(found, [false, true, true]);
        assert!(!all.set_horizon(Horizon { seconds: 100, messages: 2 }));
        assert_eq!(all.tracked(NOW).messages, 2);
        assert!(all.set_horizon(Horizon { seconds: 5, messages: 2 }));
        assert_eq!((all.tracked(NOW), all.messages_added()), (Tracked::default(), 3));
    }

    #[test]
    fn old_entries_may_be_recorded_late() {
        let mut all = Producers::default();
        all.record(b"p", b"new", id(NOW), NOW);
        all.record(b"p", b"old", id(5), NOW);
        assert_eq!(all.find(b"p", b"old", NOW), None);
        all.record(b"p", b"old", id(NOW), NOW);
        assert_eq!(all.find(b"p", b"old", NOW), Some(id(NOW)));
        assert_eq!(all.tracked(NOW), Tracked { producers: 1, messages: 2 });
    }

    #[test]
    fn producers_that_are_gone_are_freed() {
        let mut all = Producers::new(Horizon { seconds: 1, messages: 10 });
        for step in 0..10_000_u64 {
            let now = NOW + step * 10;
            all.record(&step.to_be_bytes(), b"1", id(now), now);
            assert!(all.len() < 400, "{} producers after {step}", all.len());
        }
        let bytes = all.bytes();
        assert!(bytes > 0 && bytes < 100_000, "{bytes}");
    }
}
