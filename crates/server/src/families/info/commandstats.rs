//! The sections about commands: how often, how long, with which errors.

use std::fmt::Write as _;

use super::{Measured, Page};

pub(super) fn commands(measured: &Measured, page: &mut Page) {
    let server = measured.server;
    for command in server.registry.rows() {
        let totals = server.stats.totals(command.index);
        if totals.calls + totals.failed + totals.rejected == 0 {
            continue;
        }
        let us = totals.nanos / 1000;
        let per_call = totals.nanos as f64 / 1000.0 / totals.calls.max(1) as f64;
        page.field(
            &format!("cmdstat_{}", command.name),
            format_args!(
                "calls={},usec={us},usec_per_call={per_call:.2},rejected_calls={},failed_calls={}",
                totals.calls, totals.rejected, totals.failed
            ),
        );
    }
}

pub(super) fn errors(measured: &Measured, page: &mut Page) {
    for (code, count) in measured.server.stats.errors() {
        page.field(&format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

pub(super) fn latencies(measured: &Measured, page: &mut Page) {
    let server = measured.server;
    let percentiles = server.config.latency_percentiles.read().clone();
    for command in server.registry.rows() {
        let times = server.stats.totals(command.index).times;
        if times.count() == 0 {
            continue;
        }
        let mut shown = String::new();
        for percent in &percentiles {
            let separator = if shown.is_empty() { "" } else { "," };
            // Writing to a string does not fail.
            let _ = write!(shown, "{separator}p{percent}={:.3}", times.percentile(*percent));
        }
        page.field(&format!("latency_percentiles_usec_{}", command.name), shown);
    }
}
