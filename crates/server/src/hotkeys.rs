//! Which keys cost most: the state behind HOTKEYS.
//!
//! While a session runs, each command is counted for its keys, by time and by bytes on the network.
//! Memory is bounded by the Space-Saving algorithm (Metwally and others, 2005): there are
//! [`COUNTERS`] counters, and a key that has none takes over the smallest one. So a key whose share
//! is larger than one in so many is always among them. What a counter was worth when a key took it
//! over is remembered and not shown.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use parking_lot::Mutex;

/// Keys that are counted at a time, per metric.
const COUNTERS: usize = 1024;

/// What a session is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Whether time is counted.
    pub cpu: bool,
    /// Whether bytes are counted.
    pub net: bool,
    /// Keys to show.
    pub count: usize,
    /// Milliseconds after which counting ends by itself; never if zero.
    pub duration_ms: u64,
    /// One in so many commands is counted for its keys.
    pub ratio: u64,
}

/// Processor time of the process, in milliseconds.
#[derive(Clone, Copy, Default, Debug)]
pub struct Cpu {
    /// In its own code.
    pub user_ms: u64,
    /// In the kernel.
    pub system_ms: u64,
}

/// Sums of a session.
#[derive(Clone, Copy, Default, Debug)]
pub struct Sums {
    /// Nanoseconds of all commands with keys.
    pub all_nanos: u64,
    /// Bytes of all commands with keys.
    pub all_bytes: u64,
    /// Bytes of the commands that were counted for their keys.
    pub bytes: u64,
}

/// A session: running, or over and still to be looked at.
pub struct Session {
    /// What it was asked for.
    pub wish: Wish,
    /// When it began, in milliseconds of Unix time.
    pub since_ms: u64,
    /// When it ended, if it did.
    pub until_ms: Option<u64>,
    /// The process's time when it began.
    pub cpu_since: Cpu,
    /// The process's time when it ended.
    pub cpu_until: Option<Cpu>,
    /// Its sums.
    pub sums: Sums,
    by_nanos: Top,
    by_bytes: Top,
    random: u64,
}

/// The session, if there is one, and whether commands must be noted.
#[derive(Default)]
pub struct HotKeys {
    active: AtomicBool,
    session: Mutex<Option<Session>>,
}

impl HotKeys {
    /// Whether commands are to be noted. False at almost all times.
    #[inline]
    pub fn is_active(&self) -> bool {
        self.active.load(Relaxed)
    }

    /// Notes a command with keys: what it took, and the bytes of its request and its reply. They
    /// are shared out evenly among its keys.
    #[cold]
    pub fn note<'a>(
        &self,
        keys: impl ExactSizeIterator<Item = &'a [u8]>,
        nanos: u64,
        bytes: u64,
        now_ms: u64,
    ) {
        let count = keys.len() as u64;
        let mut session = self.session.lock();
        let Some(session) = session.as_mut().filter(|_| count > 0 && self.is_active()) else {
            return;
        };
        if session.is_due(now_ms) {
            // Its end is filled in by whoever looks next.
            self.active.store(false, Relaxed);
            return;
        }
        session.sums.all_nanos += nanos;
        session.sums.all_bytes += bytes;
        if !session.is_chosen() {
            return;
        }
        session.sums.bytes += bytes;
        for key in keys {
            if session.wish.cpu {
                session.by_nanos.add(key, nanos / count);
            }
            if session.wish.net {
                session.by_bytes.add(key, bytes / count);
            }
        }
    }

    /// Begins a session; whether none was running.
    pub fn start(&self, wish: Wish, now_ms: u64, cpu: Cpu) -> bool {
        let mut session = self.session.lock();
        self.end_if_due(&mut session, now_ms, cpu);
        if session.as_ref().is_some_and(|session| session.until_ms.is_none()) {
            return false;
        }
        *session = Some(Session::new(wish, now_ms, cpu));
        self.active.store(true, Relaxed);
        true
    }

    /// Ends the session; whether one was running.
    pub fn stop(&self, now_ms: u64, cpu: Cpu) -> bool {
        let mut session = self.session.lock();
        self.end_if_due(&mut session, now_ms, cpu);
        let Some(session) = session.as_mut().filter(|session| session.until_ms.is_none()) else {
            return false;
        };
        self.active.store(false, Relaxed);
        session.end(now_ms, cpu);
        true
    }

    /// Forgets the session; false while one is running.
    pub fn reset(&self, now_ms: u64, cpu: Cpu) -> bool {
        let mut session = self.session.lock();
        self.end_if_due(&mut session, now_ms, cpu);
        let is_running = session.as_ref().is_some_and(|session| session.until_ms.is_none());
        if !is_running {
            *session = None;
        }
        !is_running
    }

    /// Looks at the session.
    pub fn look<R>(&self, now_ms: u64, cpu: Cpu, with: impl FnOnce(&Session) -> R) -> Option<R> {
        let mut session = self.session.lock();
        self.end_if_due(&mut session, now_ms, cpu);
        session.as_ref().map(with)
    }

    fn end_if_due(&self, session: &mut Option<Session>, now_ms: u64, cpu: Cpu) {
        if let Some(session) = session.as_mut().filter(|session| session.is_due(now_ms)) {
            self.active.store(false, Relaxed);
            session.end(session.since_ms + session.wish.duration_ms, cpu);
        }
    }
}

impl Session {
    fn new(wish: Wish, now_ms: u64, cpu: Cpu) -> Self {
        Self {
            wish,
            since_ms: now_ms,
            until_ms: None,
            cpu_since: cpu,
            cpu_until: None,
            sums: Sums::default(),
            by_nanos: Top::default(),
            by_bytes: Top::default(),
            random: now_ms | 1,
        }
    }

    fn is_due(&self, now_ms: u64) -> bool {
        let duration_ms = self.wish.duration_ms;
        self.until_ms.is_none() && duration_ms > 0 && now_ms >= self.since_ms + duration_ms
    }

    fn end(&mut self, now_ms: u64, cpu: Cpu) {
        self.until_ms = Some(now_ms);
        self.cpu_until = Some(cpu);
    }

    /// Whether a command is one of those that are counted for their keys.
    fn is_chosen(&mut self) -> bool {
        // A generator of Marsaglia's; only its spread matters.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random.is_multiple_of(self.wish.ratio)
    }

    /// The keys that took most time, with nanoseconds.
    pub fn by_nanos(&self) -> Vec<(Arc<[u8]>, u64)> {
        self.by_nanos.first(self.wish.count)
    }

    /// The keys that had most bytes.
    pub fn by_bytes(&self) -> Vec<(Arc<[u8]>, u64)> {
        self.by_bytes.first(self.wish.count)
    }
}

/// Counters of the keys that have most.
#[derive(Default)]
struct Top {
    places: HashMap<Arc<[u8]>, usize>,
    counters: Vec<Counter>,
    /// The counters in the order of their sums.
    order: BTreeSet<(u64, usize)>,
}

struct Counter {
    key: Arc<[u8]>,
    sum: u64,
    /// Of the sum, what other keys brought.
    inherited: u64,
}

impl Top {
    fn add(&mut self, key: &[u8], amount: u64) {
        if let Some(&place) = self.places.get(key) {
            let counter = &mut self.counters[place];
            self.order.remove(&(counter.sum, place));
            counter.sum += amount;
            self.order.insert((counter.sum, place));
            return;
        }
        let key: Arc<[u8]> = key.into();
        let (place, inherited) = match self.order.first().copied() {
            Some(smallest) if self.counters.len() >= COUNTERS => {
                self.order.remove(&smallest);
                let (sum, place) = smallest;
                self.places.remove(&self.counters[place].key);
                (place, sum)
            }
            _ => (self.counters.len(), 0),
        };
        let sum = inherited + amount;
        let counter = Counter { key: key.clone(), sum, inherited };
        if place == self.counters.len() {
            self.counters.push(counter);
        } else {
            self.counters[place] = counter;
        }
        self.places.insert(key, place);
        self.order.insert((sum, place));
    }

    /// The keys with the most, at most so many, without what others brought.
    fn first(&self, count: usize) -> Vec<(Arc<[u8]>, u64)> {
        let mut found: Vec<_> = self
            .counters
            .iter()
            .map(|counter| (counter.key.clone(), counter.sum - counter.inherited))
            .collect();
        found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        found.truncate(count);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISH: Wish = Wish { cpu: true, net: true, count: 3, duration_ms: 0, ratio: 1 };

    fn shown(keys: &[(Arc<[u8]>, u64)]) -> Vec<(String, u64)> {
        keys.iter().map(|(key, sum)| (String::from_utf8_lossy(key).into_owned(), *sum)).collect()
    }

    #[test]
    fn a_session_counts_from_start_to_stop() {
        let (hot, cpu) = (HotKeys::default(), Cpu::default());
        let note = |keys: &[&str], nanos, bytes| {
            hot.note(keys.iter().map(|key| key.as_bytes()), nanos, bytes, 150);
        };
        note(&["early"], 1, 1);
        assert!(!hot.stop(1, cpu) && hot.look(1, cpu, |_| ()).is_none() && hot.reset(1, cpu));
        assert!(hot.start(WISH, 100, cpu) && !hot.start(WISH, 110, cpu) && !hot.reset(110, cpu));
        note(&["a"], 3000, 30);
        note(&["a", "b"], 2000, 21);
        note(&[], 9, 9);
        assert!(hot.stop(200, cpu) && !hot.is_active());
        note(&["late"], 1, 1);
        hot.look(300, cpu, |session| {
            assert_eq!((session.since_ms, session.until_ms), (100, Some(200)));
            assert_eq!((session.sums.all_nanos, session.sums.all_bytes), (5000, 51));
            assert_eq!(shown(&session.by_nanos()), [("a".into(), 4000), ("b".into(), 1000)]);
            assert_eq!(shown(&session.by_bytes()), [("a".into(), 40), ("b".into(), 10)]);
        })
        .unwrap();
        assert!(hot.reset(300, cpu) && hot.look(300, cpu, |_| ()).is_none());
    }

    #[test]
    fn a_session_ends_when_its_time_is_over() {
        let (hot, cpu) = (HotKeys::default(), Cpu::default());
        assert!(hot.start(Wish { duration_ms: 1000, ..WISH }, 100, cpu));
        hot.note([&b"a"[..]].into_iter(), 1, 1, 1100);
        assert!(!hot.is_active());
        let (until, keys) = hot.look(5000, cpu, |s| (s.until_ms, s.by_nanos().len())).unwrap();
        assert_eq!((until, keys), (Some(1100), 0));
        assert!(!hot.stop(5000, cpu) && hot.start(WISH, 6000, cpu));
    }

    #[test]
    fn one_in_so_many_commands_is_counted_for_its_keys() {
        let (hot, cpu) = (HotKeys::default(), Cpu::default());
        assert!(hot.start(Wish { ratio: 10, ..WISH }, 100, cpu));
        (0..10_000).for_each(|_| hot.note([&b"a"[..]].into_iter(), 1, 1, 150));
        let sums = hot.look(200, cpu, |session| session.sums).unwrap();
        assert_eq!(sums.all_bytes, 10_000);
        assert!((700..1300).contains(&sums.bytes), "{}", sums.bytes);
    }

    #[test]
    fn heavy_keys_are_found_among_very_many() {
        let mut top = Top::default();
        for number in 0..100_000u64 {
            top.add(format!("light:{number}").as_bytes(), 1);
            top.add(format!("heavy:{}", number % 5).as_bytes(), 1);
        }
        assert!(top.counters.len() == COUNTERS && top.places.len() == COUNTERS);
        assert_eq!(top.order.len(), COUNTERS);
        let found = shown(&top.first(5));
        assert!(found.iter().all(|(key, _)| key.starts_with("heavy:")), "{found:?}");
        assert!(found.iter().all(|(_, sum)| (19_000..=20_000).contains(sum)), "{found:?}");
    }
}
