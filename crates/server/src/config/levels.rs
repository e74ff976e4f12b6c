//! The level of the log, by Redis's names and by the numbers of Dragonfly's logger.

use super::Config;

/// Lets the log know its level.
#[allow(clippy::unnecessary_wraps, reason = "one of the functions that a change calls")]
pub fn apply(config: &Config) -> Result<(), String> {
    crate::logging::set_level(&config.log_level.read());
    Ok(())
}

fn set(config: &Config, level: &str) {
    level.clone_into(&mut config.log_level.write());
}

/// `minloglevel` as text.
pub fn min(config: &Config) -> String {
    match config.log_level.read().as_str() {
        "warning" => "1",
        "nothing" => "3",
        _ => "0",
    }
    .to_owned()
}

/// Sets `minloglevel`: zero leaves a level that shows more.
pub fn set_min(config: &Config, text: &str) -> Result<(), String> {
    match text {
        "0" if min(config) == "0" => {}
        "0" => set(config, "notice"),
        "1" => set(config, "warning"),
        _ => set(config, "nothing"),
    }
    Ok(())
}

/// `v` as text.
pub fn verbosity(config: &Config) -> String {
    match config.log_level.read().as_str() {
        "debug" => "2",
        "verbose" => "1",
        _ => "0",
    }
    .to_owned()
}

/// Sets `v`: zero leaves a level that shows less.
pub fn set_verbosity(config: &Config, text: &str) -> Result<(), String> {
    match text.parse::<i64>() {
        Ok(1) => set(config, "verbose"),
        Ok(level) if level > 1 => set(config, "debug"),
        _ if verbosity(config) != "0" => set(config, "notice"),
        _ => {}
    }
    Ok(())
}
