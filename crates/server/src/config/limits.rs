//! Values with a form of their own: limits of output buffers, parts of the memory, percentiles.

use std::sync::atomic::Ordering::Relaxed;

use super::Config;
use super::shape::memory;

/// How much unsent output a connection of a class may have.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct OutputLimit {
    /// Bytes beyond which it is closed at once; zero for no limit.
    pub hard_bytes: u64,
    /// Bytes beyond which it is closed when it stays there for `soft_s`; zero for no limit.
    pub soft_bytes: u64,
    /// Seconds that belong to `soft_bytes`.
    pub soft_s: u64,
}

/// The limits of all classes of connections.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct OutputLimits {
    /// Of clients.
    pub normal: OutputLimit,
    /// Of replicas.
    pub replica: OutputLimit,
    /// Of subscribers.
    pub pubsub: OutputLimit,
}

/// `client-output-buffer-limit` as text.
pub fn output(config: &Config) -> String {
    let limits = *config.output_limits.read();
    let classes = [("normal", limits.normal), ("slave", limits.replica), ("pubsub", limits.pubsub)];
    let line = |(name, limit): (&str, OutputLimit)| {
        format!("{name} {} {} {}", limit.hard_bytes, limit.soft_bytes, limit.soft_s)
    };
    classes.map(line).join(" ")
}

/// Sets the classes that `text` names; the others stay.
pub fn set_output(config: &Config, text: &str) -> Result<(), String> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let (quads, rest) = words.as_chunks::<4>();
    if !rest.is_empty() {
        return Err("Wrong number of arguments in buffer limit configuration.".to_owned());
    }
    let mut limits = *config.output_limits.read();
    for [class, hard, soft, seconds] in quads {
        let class = match class.to_ascii_lowercase().as_str() {
            "normal" => &mut limits.normal,
            "slave" | "replica" => &mut limits.replica,
            "pubsub" => &mut limits.pubsub,
            _ => {
                let text = "Invalid client class specified in buffer limit configuration.";
                return Err(text.to_owned());
            }
        };
        let bytes = |text: &str| memory(text).and_then(|bytes| u64::try_from(bytes).ok());
        let (Some(hard_bytes), Some(soft_bytes), Ok(soft_s)) =
            (bytes(hard), bytes(soft), seconds.parse())
        else {
            let text = "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
            return Err(text.to_owned());
        };
        *class = OutputLimit { hard_bytes, soft_bytes, soft_s };
    }
    *config.output_limits.write() = limits;
    Ok(())
}

/// `latency-tracking-info-percentiles` as text.
pub fn percentiles(config: &Config) -> String {
    let shown: Vec<String> = config.latency_percentiles.read().iter().map(f64::to_string).collect();
    shown.join(" ")
}

/// Sets the percentiles that INFO shows.
pub fn set_percentiles(config: &Config, text: &str) -> Result<(), String> {
    let name = "latency-tracking-info-percentiles";
    let mut percentiles = Vec::new();
    for word in text.split_ascii_whitespace() {
        let value: f64 = word.parse().map_err(|_| format!("Invalid {name} parameters"))?;
        if !(0.0..=100.0).contains(&value) {
            return Err(format!("{name} parameters should sit between [0.0,100.0]"));
        }
        percentiles.push(value);
    }
    *config.latency_percentiles.write() = percentiles;
    Ok(())
}

/// A part of a whole as text, `25%`; none if it is not written so.
fn percent(text: &str) -> Option<Result<u64, String>> {
    let number = text.strip_suffix('%')?;
    Some(match number.parse::<u64>() {
        Ok(value) if value <= 100 => Ok(value),
        Ok(_) => Err("percentage argument must be less or equal to 100".to_owned()),
        Err(_) => Err("argument must be a memory or percent value".to_owned()),
    })
}

fn part(whole: u64, percent: u64) -> u64 {
    (whole / 100).saturating_mul(percent)
}

fn bytes(text: &str) -> Result<u64, String> {
    let value = memory(text).and_then(|bytes| u64::try_from(bytes).ok());
    value.ok_or_else(|| "argument must be a memory or percent value".to_owned())
}

/// `maxmemory` as text.
pub fn memory_max(config: &Config) -> String {
    config.memory_max.load(Relaxed).to_string()
}

/// Sets `maxmemory`: bytes, or a part of what the machine or the container has.
pub fn set_memory_max(config: &Config, text: &str) -> Result<(), String> {
    let value = match percent(text) {
        Some(percent) => match crate::machine::memory_bytes() {
            Some(whole) => part(whole, percent?),
            None => return Err("the memory of this machine cannot be found out".to_owned()),
        },
        None => bytes(text).map_err(|_| "argument must be a memory value")?,
    };
    config.memory_max.store(value, Relaxed);
    settle_clients_memory(config);
    Ok(())
}

/// Sets `maxmemory-clients`: bytes, or a part of `maxmemory`.
pub fn set_clients_memory(config: &Config, text: &str) -> Result<(), String> {
    match percent(text) {
        Some(value) => config.clients_memory_percent.store(value?, Relaxed),
        None => {
            config.clients_memory_max.store(bytes(text)?, Relaxed);
            config.clients_memory_percent.store(0, Relaxed);
        }
    }
    settle_clients_memory(config);
    Ok(())
}

/// `maxmemory-clients` as text.
pub fn clients_memory(config: &Config) -> String {
    match config.clients_memory_percent.load(Relaxed) {
        0 => config.clients_memory_max.load(Relaxed).to_string(),
        percent => format!("{percent}%"),
    }
}

/// Turns a part into bytes; it changes when the whole does.
fn settle_clients_memory(config: &Config) {
    let percent = config.clients_memory_percent.load(Relaxed);
    if percent > 0 {
        let whole = config.memory_max.load(Relaxed);
        config.clients_memory_max.store(part(whole, percent), Relaxed);
    }
}
