//! From a history that ends in a difference to a short one that does.

use tests::judge::Judge;

use super::lanes::{Lane, Pair, Sent, Setting};
use super::state;

/// Commands sent before replies are read.
const PIPELINE: usize = 50;
/// Replays that a shrinking may take.
const REPLAYS_MAX: usize = 400;

/// Plays a history on empty databases; where the first difference is, and what it is. That of the
/// databases afterwards is behind the last command.
fn replay(
    pair: &Pair,
    judge: &Judge,
    setting: &Setting,
    history: &[Sent],
) -> Option<(usize, String)> {
    pair.flush();
    let mut lane = Lane::connect(pair, setting.clone());
    let mut at = 0;
    for chunk in history.chunks(PIPELINE) {
        for chunk in chunk.split_inclusive(Sent::ends_connection) {
            let bytes: Vec<u8> = chunk.iter().flat_map(Sent::bytes).collect();
            if lane.ours.try_send(&bytes).is_err() || lane.theirs.try_send(&bytes).is_err() {
                return Some((at, "a connection was closed".into()));
            }
            for sent in chunk {
                if let Some(text) = lane.difference(pair, judge, sent) {
                    return Some((at, text));
                }
                if lane.parted {
                    return None;
                }
                at += 1;
            }
            if chunk.last().is_some_and(Sent::ends_connection) {
                lane = Lane::connect(pair, setting.clone());
            }
        }
    }
    let (mut ours, mut theirs) = (pair.ours.connect(), pair.theirs.connect());
    let text = state::compare(&mut ours, &mut theirs, &setting.databases);
    (!text.is_empty()).then_some((history.len(), text))
}

/// The shortest history found that still ends in a difference, and that difference.
pub fn shrink(
    pair: &Pair,
    judge: &Judge,
    setting: &Setting,
    history: &[Sent],
) -> Option<(Vec<Sent>, String)> {
    let mut replays = 0;
    let mut attempt = |history: &[Sent]| {
        replays += 1;
        if replays > REPLAYS_MAX { None } else { replay(pair, judge, setting, history) }
    };
    let (end, mut text) = attempt(history)?;
    let mut best = history[..(end + 1).min(history.len())].to_vec();
    let mut size = best.len().div_ceil(2);
    while size > 0 {
        let (mut at, mut removed) = (0, false);
        while at < best.len() {
            let end = (at + size).min(best.len());
            let shorter = [&best[..at], &best[end..]].concat();
            match attempt(&shorter) {
                Some((end, found)) if !shorter.is_empty() => {
                    best = shorter[..(end + 1).min(shorter.len())].to_vec();
                    text = found;
                    removed = true;
                }
                _ => at = end,
            }
        }
        if !(removed && size == 1) {
            size /= 2;
        }
    }
    Some((best, text))
}
