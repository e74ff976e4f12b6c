//! The latency monitor: when something held clients up, for how long, by the kind of event.
//!
//! Each kind keeps its newest samples, one per second at most: a second that had several keeps the
//! worst. Only what takes longer than `latency-monitor-threshold` comes here.

use std::collections::{BTreeMap, VecDeque};

use parking_lot::Mutex;

/// Samples of an event that are kept.
const SAMPLES_MAX: usize = 160;

/// The events that are noted.
pub mod event {
    /// A command.
    pub const COMMAND: &str = "command";
    /// A command that should be quick, by its flag.
    pub const FAST_COMMAND: &str = "fast-command";
    /// A sweep for expired keys.
    pub const EXPIRE_CYCLE: &str = "expire-cycle";
}

/// A second in which an event took long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample {
    /// When, in seconds of Unix time.
    pub unix_s: u64,
    /// How long, in milliseconds.
    pub ms: u64,
}

/// What is known of an event.
#[derive(Clone, Default, Debug)]
pub struct Event {
    /// The longest time since the start or the last reset.
    pub worst_ms: u64,
    /// The newest samples, oldest first.
    pub samples: VecDeque<Sample>,
}

/// A summary of an event's samples.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Samples.
    pub count: u64,
    /// The shortest of them, in milliseconds.
    pub low_ms: u64,
    /// The longest.
    pub high_ms: u64,
    /// Their mean.
    pub mean_ms: u64,
    /// The mean distance from the mean.
    pub deviation_ms: u64,
    /// Seconds since the oldest.
    pub span_s: u64,
}

/// All events.
#[derive(Default)]
pub struct Latency {
    events: Mutex<BTreeMap<&'static str, Event>>,
}

impl Event {
    fn note(&mut self, unix_s: u64, ms: u64) {
        self.worst_ms = self.worst_ms.max(ms);
        match self.samples.back_mut() {
            Some(last) if last.unix_s == unix_s => last.ms = last.ms.max(ms),
            _ => {
                if self.samples.len() == SAMPLES_MAX {
                    self.samples.pop_front();
                }
                self.samples.push_back(Sample { unix_s, ms });
            }
        }
    }

    /// A summary of the samples, if there is one.
    pub fn summary(&self, now_s: u64) -> Option<Summary> {
        let times = || self.samples.iter().map(|sample| sample.ms);
        let count = self.samples.len() as u64;
        let mean_ms = times().sum::<u64>().checked_div(count)?;
        Some(Summary {
            count,
            low_ms: times().min()?,
            high_ms: times().max()?,
            mean_ms,
            deviation_ms: times().map(|ms| ms.abs_diff(mean_ms)).sum::<u64>() / count,
            span_s: now_s.saturating_sub(self.samples.front()?.unix_s),
        })
    }

    /// The samples as a graph of letters with their ages below, for a screen of `width` columns.
    pub fn graph(&self, now_s: u64, width: usize) -> String {
        let Some(Summary { low_ms, high_ms, .. }) = self.summary(now_s) else {
            return String::new();
        };
        let samples: Vec<Sample> = self.samples.iter().copied().collect();
        let parts = samples.chunks(width.max(1));
        parts.map(|part| graph_part(part, now_s, low_ms, high_ms)).collect::<Vec<_>>().join("\n")
    }
}

/// Rows of a graph, and the letters that are a low, a middle and a high point in a row.
const ROWS: u64 = 4;
const POINTS: [char; 3] = ['_', '-', '`'];

fn graph_part(samples: &[Sample], now_s: u64, low_ms: u64, high_ms: u64) -> String {
    let levels = ROWS * POINTS.len() as u64;
    let range = (high_ms - low_ms).max(1);
    let level = |sample: &Sample| ((sample.ms - low_ms) * levels / range).min(levels - 1);
    let mut out = String::new();
    for row in (0..ROWS).rev() {
        let first = row * POINTS.len() as u64;
        out.extend(samples.iter().map(|sample| {
            let point = level(sample).checked_sub(first).and_then(|p| usize::try_from(p).ok());
            point.and_then(|point| POINTS.get(point)).copied().unwrap_or(' ')
        }));
        out.push('\n');
    }
    let ages: Vec<Vec<char>> = samples.iter().map(|sample| age(sample, now_s)).collect();
    let longest = ages.iter().map(Vec::len).max().unwrap_or(0);
    out.extend(samples.iter().map(|_| ' '));
    out.push('\n');
    for row in 0..longest {
        out.extend(ages.iter().map(|age| age.get(row).copied().unwrap_or(' ')));
        out.push('\n');
    }
    out
}

/// How long ago a sample was taken: `5s`, `12m`, `3h`, `2d`.
fn age(sample: &Sample, now_s: u64) -> Vec<char> {
    let seconds = now_s.saturating_sub(sample.unix_s);
    let (number, unit) = match seconds {
        0..60 => (seconds, 's'),
        60..3600 => (seconds / 60, 'm'),
        3600..86_400 => (seconds / 3600, 'h'),
        _ => (seconds / 86_400, 'd'),
    };
    number.to_string().chars().chain([unit]).collect()
}

impl Latency {
    /// Notes that an event took long.
    #[cold]
    pub fn note(&self, event: &'static str, unix_s: u64, ms: u64) {
        self.events.lock().entry(event).or_default().note(unix_s, ms);
    }

    /// All events by their names.
    pub fn events(&self) -> Vec<(&'static str, Event)> {
        self.events.lock().iter().map(|(name, event)| (*name, event.clone())).collect()
    }

    /// The event with this name.
    pub fn event(&self, name: &[u8]) -> Option<Event> {
        let events = self.events.lock();
        events.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, event)| event.clone())
    }

    /// Forgets an event; whether it was known.
    pub fn forget(&self, name: &[u8]) -> bool {
        let mut events = self.events.lock();
        let before = events.len();
        events.retain(|known, _| known.as_bytes() != name);
        events.len() < before
    }

    /// Forgets all events; how many there were.
    pub fn forget_all(&self) -> usize {
        std::mem::take(&mut *self.events.lock()).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_keeps_its_worst_and_old_samples_go() {
        let latency = Latency::default();
        latency.note(event::COMMAND, 5, 30);
        latency.note(event::COMMAND, 5, 20);
        latency.note(event::COMMAND, 6, 10);
        let command = latency.event(b"command").unwrap_or_default();
        assert_eq!(command.samples, [Sample { unix_s: 5, ms: 30 }, Sample { unix_s: 6, ms: 10 }]);
        (100..300).for_each(|second| latency.note(event::COMMAND, second, 1));
        let command = latency.event(b"command").unwrap_or_default();
        assert_eq!((command.samples.len(), command.worst_ms), (SAMPLES_MAX, 30));
        assert_eq!(command.samples.front(), Some(&Sample { unix_s: 140, ms: 1 }));
    }

    #[test]
    fn events_are_forgotten() {
        let latency = Latency::default();
        latency.note(event::COMMAND, 5, 30);
        latency.note(event::EXPIRE_CYCLE, 5, 30);
        assert!(!latency.forget(b"nosuch") && latency.forget(b"command"));
        assert!(latency.event(b"command").is_none());
        assert_eq!((latency.forget_all(), latency.forget_all()), (1, 0));
    }

    #[test]
    fn a_summary_tells_of_all_samples() {
        let mut event = Event::default();
        assert_eq!(event.summary(9), None);
        [10, 20, 60].into_iter().enumerate().for_each(|(at, ms)| event.note(at as u64, ms));
        let (count, low_ms, high_ms, mean_ms, deviation_ms, span_s) = (3, 10, 60, 30, 20, 9);
        let expected = Summary { count, low_ms, high_ms, mean_ms, deviation_ms, span_s };
        assert_eq!(event.summary(9), Some(expected));
    }

    #[test]
    fn a_graph_has_rows_of_points_and_ages_below() {
        let mut event = Event::default();
        assert_eq!(event.graph(9, 80), "");
        [10, 20, 40, 130].into_iter().enumerate().for_each(|(at, ms)| event.note(at as u64, ms));
        let graph = event.graph(60, 80);
        let expected = ["   `", "    ", "  _ ", "_-  ", "    ", "1555", "m987", " sss", ""];
        assert_eq!(graph.split('\n').collect::<Vec<_>>(), expected);
    }
}
