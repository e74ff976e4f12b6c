//! The result of a run, as text for people or as one JSON object.

use crate::driver::Totals;
use std::fmt::Write;

const PERCENTILES: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];

pub fn text(totals: &Totals) -> String {
    let mut text = format!(
        "{} ops in {:.2} s, {:.0} ops/s\n",
        totals.operations,
        totals.seconds,
        operations_per_second(totals)
    );
    for (name, share) in PERCENTILES {
        let _ = write!(text, "{name} {:.1} µs, ", totals.latency.percentile_us(share));
    }
    let _ = write!(text, "max {:.1} µs\n{} hits, ", totals.latency.max_us(), totals.hits);
    let _ = write!(text, "{} misses, {} errors", totals.misses, totals.errors);
    if let Some(error) = &totals.first_error {
        let _ = write!(text, ", the first: {error}");
    }
    text
}

pub fn json(totals: &Totals) -> String {
    let mut json = format!(
        "{{\"ops\":{},\"seconds\":{:.6},\"ops_per_second\":{:.1}",
        totals.operations,
        totals.seconds,
        operations_per_second(totals)
    );
    for (name, share) in PERCENTILES {
        let _ = write!(json, ",\"{name}_us\":{:.2}", totals.latency.percentile_us(share));
    }
    let _ = write!(json, ",\"max_us\":{:.2}", totals.latency.max_us());
    let _ = write!(json, ",\"hits\":{},\"misses\":{}", totals.hits, totals.misses);
    let _ = write!(json, ",\"errors\":{}", totals.errors);
    if let Some(error) = &totals.first_error {
        let _ = write!(json, ",\"first_error\":\"{}\"", escape(error));
    }
    json.push('}');
    json
}

fn operations_per_second(totals: &Totals) -> f64 {
    totals.operations as f64 / totals.seconds.max(1e-9)
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '"' | '\\' => escaped.extend(['\\', character]),
            control if control.is_control() => {
                let _ = write!(escaped, "\\u{:04x}", u32::from(control));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_survives_any_error_text() {
        let first_error = Some("-ERR \"x\" \\ \u{1}".to_owned());
        let totals =
            Totals { operations: 3, seconds: 1.5, errors: 1, first_error, ..Totals::default() };
        let json = json(&totals);
        assert!(json.starts_with("{\"ops\":3,\"seconds\":1.500000,\"ops_per_second\":2.0"));
        assert!(json.ends_with("\"first_error\":\"-ERR \\\"x\\\" \\\\ \\u0001\"}"), "{json}");
    }
}
