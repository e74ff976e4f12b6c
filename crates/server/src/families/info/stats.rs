//! The sections about what happened, and about the databases.

use super::{Measured, Page};

/// Bytes of a kilobyte, in the rates of the network.
const KILOBYTE: f64 = 1024.0;

pub(super) fn stats(measured: &Measured, page: &mut Page) {
    let Measured { server, counts, .. } = measured;
    let rates = server.cron.rates();
    page.field("total_connections_received", counts.accepted);
    page.field("total_commands_processed", server.stats.calls());
    page.field("instantaneous_ops_per_sec", rates.commands.round());
    page.field("total_net_input_bytes", counts.traffic.bytes_in);
    page.field("total_net_output_bytes", counts.traffic.bytes_out);
    page.zeros(&["total_net_repl_input_bytes", "total_net_repl_output_bytes"]);
    for (name, rate) in [("input", rates.bytes_in), ("output", rates.bytes_out)] {
        let kilobytes = format!("{:.2}", rate / KILOBYTE);
        page.field(&format!("instantaneous_{name}_kbps"), kilobytes);
    }
    page.field("instantaneous_input_repl_kbps", "0.00");
    page.field("instantaneous_output_repl_kbps", "0.00");
    page.field("rejected_connections", counts.refused);
    page.zeros(&["sync_full", "sync_partial_ok", "sync_partial_err"]);
    page.field("expired_keys", counts.expired);
    page.field("expired_subkeys", counts.expired_members);
    // A sweep removes all that is due, or stops at a limit, which is counted.
    page.field("expired_stale_perc", "0.00");
    let (expire_nanos, expire_capped) = server.cron.expiry();
    page.field("expired_time_cap_reached_count", expire_capped);
    page.field("expire_cycle_cpu_milliseconds", expire_nanos / 1_000_000);
    page.zeros(&[
        "evicted_keys",
        "evicted_clients",
        "evicted_scripts",
        "total_eviction_exceeded_time",
        "current_eviction_exceeded_time",
    ]);
    page.field("keyspace_hits", counts.hits);
    page.field("keyspace_misses", counts.misses);
    page.zeros(&[
        "pubsub_channels",
        "pubsub_patterns",
        "pubsubshard_channels",
        "latest_fork_usec",
        "total_forks",
        "migrate_cached_sockets",
        "slave_expires_tracked_keys",
        "active_defrag_hits",
        "active_defrag_misses",
        "active_defrag_key_hits",
        "active_defrag_key_misses",
        "total_active_defrag_time",
        "current_active_defrag_time",
        "tracking_total_keys",
        "tracking_total_items",
        "tracking_total_prefixes",
        "unexpected_error_replies",
    ]);
    let errors: u64 = server.stats.errors().iter().map(|(_, count)| count).sum();
    page.field("total_error_replies", errors);
    page.field("total_reads_processed", counts.traffic.reads);
    page.field("total_writes_processed", counts.traffic.writes);
    // Every thread serves connections, so none of this is done by others for them.
    page.zeros(&["io_threaded_reads_processed", "io_threaded_writes_processed"]);
    page.field("client_query_buffer_limit_disconnections", counts.over_input);
    page.field("client_output_buffer_limit_disconnections", counts.over_output);
    loops(measured, page);
    page.zeros(&[
        "dump_payload_sanitizations",
        "acl_access_denied_cmd",
        "acl_access_denied_key",
        "acl_access_denied_channel",
    ]);
}

/// The threads' loops: their turns, and how much of their time goes to commands.
fn loops(measured: &Measured, page: &mut Page) {
    let Measured { server, counts, .. } = measured;
    let rows = server.registry.rows();
    let command_nanos: u64 = rows.map(|row| server.stats.totals(row.index).nanos).sum();
    page.field("eventloop_cycles", counts.turns);
    page.field("eventloop_duration_sum", counts.turn_nanos / 1000);
    page.field("eventloop_duration_cmd_sum", command_nanos / 1000);
    let rates = server.cron.rates();
    let turn_us = if rates.turns > 0.0 { rates.turn_nanos / rates.turns / 1000.0 } else { 0.0 };
    page.field("instantaneous_eventloop_cycles_per_sec", rates.turns.round());
    page.field("instantaneous_eventloop_duration_usec", turn_us.round());
}

pub(super) fn keyspace(measured: &Measured, page: &mut Page) {
    for (number, db) in measured.census.dbs.iter().enumerate() {
        if db.keys > 0 {
            let (keys, expires, ttl) = (db.keys, db.volatile, db.mean_left_ms());
            let subexpiry = db.holders;
            let value =
                format!("keys={keys},expires={expires},avg_ttl={ttl},subexpiry={subexpiry}");
            page.field(&format!("db{number}"), value);
        }
    }
}
