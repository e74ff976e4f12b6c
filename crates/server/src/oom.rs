//! How readily the kernel ends this process when the machine runs out of memory: `oom-score-adj`.

use parking_lot::{Mutex, RwLock};

use crate::config::Config;

const PATH: &str = "/proc/self/oom_score_adj";
/// What the configuration takes; the kernel knows half of it, and relative ones may need all.
const VALUE_MAX: i32 = 2000;
const KERNEL_MAX: i32 = 1000;

/// The configuration of the score, and what it was before.
#[derive(Default)]
pub struct OomScore {
    /// `no`, `yes` (relative), `relative` or `absolute`.
    pub mode: RwLock<String>,
    /// For a master, for a replica, for a child. The first is ours.
    values: RwLock<[i32; 3]>,
    /// The score before we changed it; nothing while it is not ours.
    base: Mutex<Option<i32>>,
}

/// `oom-score-adj-values` as text.
pub fn values(config: &Config) -> String {
    config.oom_score.values.read().map(|value| value.to_string()).join(" ")
}

/// Sets `oom-score-adj-values`. Only [`apply`] changes the score.
pub fn set_values(config: &Config, text: &str) -> Result<(), String> {
    let values: Vec<&str> = text.split_ascii_whitespace().collect();
    let values: [&str; 3] = values.try_into().map_err(|_| "wrong number of arguments")?;
    let mut new = [0; 3];
    for (new, value) in new.iter_mut().zip(values) {
        *new = value
            .parse()
            .ok()
            .filter(|value| (-VALUE_MAX..=VALUE_MAX).contains(value))
            .ok_or_else(|| format!("each value must be between -{VALUE_MAX} and {VALUE_MAX}"))?;
    }
    *config.oom_score.values.write() = new;
    Ok(())
}

/// Changes the score as the configuration says.
pub fn apply(config: &Config) -> Result<(), String> {
    let failed = |error| format!("Failed to set {PATH}: {error}");
    let mode = config.oom_score.mode.read().clone();
    let mut base = config.oom_score.base.lock();
    if mode == "no" {
        return match base.take() {
            Some(before) => write(before).map_err(failed),
            None => Ok(()),
        };
    }
    let before = match *base {
        Some(before) => before,
        None => read().map_err(|error| format!("Failed to read {PATH}: {error}"))?,
    };
    let [value, ..] = *config.oom_score.values.read();
    let score = if mode == "absolute" { value } else { value.saturating_add(before) };
    write(score).map_err(failed)?;
    *base = Some(before);
    Ok(())
}

fn read() -> std::io::Result<i32> {
    let text = std::fs::read_to_string(PATH)?;
    text.trim().parse().map_err(std::io::Error::other)
}

fn write(score: i32) -> std::io::Result<()> {
    std::fs::write(PATH, score.clamp(-KERNEL_MAX, KERNEL_MAX).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_three_in_range() {
        let config = Config::new();
        assert_eq!(values(&config), "0 200 800");
        for wrong in ["", "1 2", "1 2 3 4", "a 2 3", "-2001 1 1", "1 1 2001"] {
            assert!(set_values(&config, wrong).is_err(), "{wrong}");
        }
        assert_eq!(values(&config), "0 200 800");
        assert_eq!(set_values(&config, "-2000 0  2000"), Ok(()));
        assert_eq!(values(&config), "-2000 0 2000");
    }

    #[test]
    fn a_score_that_is_not_ours_is_left_alone() {
        assert_eq!(apply(&Config::new()), Ok(()));
    }
}
