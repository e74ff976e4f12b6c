//! The section about memory.

use std::sync::atomic::Ordering::Relaxed;

use keyspace::reclaim;

use super::{Measured, Page};
use crate::machine;
use crate::usage::{Usage, excess, ratio};

pub(super) fn memory(measured: &Measured, page: &mut Page) {
    let server = measured.server;
    let usage = Usage::measure(server, &measured.census);
    page.bytes("used_memory", usage.used);
    page.bytes("used_memory_rss", usage.resident);
    page.bytes("used_memory_peak", usage.peak);
    page.field("used_memory_peak_time", server.cron.peak_unix_s());
    page.field("used_memory_peak_perc", format_args!("{:.2}%", usage.peak_percent()));
    page.field("used_memory_peak_rss", usage.resident_peak);
    page.field("used_memory_overhead", usage.overhead());
    page.field("used_memory_startup", usage.started);
    page.field("used_memory_dataset", usage.dataset());
    page.field("used_memory_dataset_perc", format_args!("{:.2}%", usage.dataset_percent()));
    page.field("allocator_allocated", usage.used);
    page.field("allocator_active", usage.committed);
    page.field("allocator_resident", usage.private);
    page.bytes("total_system_memory", machine::memory_bytes().unwrap_or(0));
    scripts(page);
    page.bytes("maxmemory", server.config.memory_max.load(Relaxed));
    page.field("maxmemory_policy", "noeviction");
    let pairs = [
        ("allocator_frag", usage.committed, usage.used),
        ("allocator_rss", usage.private, usage.committed),
        ("rss_overhead", usage.resident, usage.private),
        ("mem_fragmentation", usage.resident, usage.used),
    ];
    for (name, a, b) in pairs {
        page.field(&format!("{name}_ratio"), format_args!("{:.2}", ratio(a, b)));
        page.field(&format!("{name}_bytes"), excess(a, b));
    }
    page.zeros(&[
        "mem_not_counted_for_evict",
        "mem_replication_backlog",
        "mem_total_replication_buffers",
        "mem_clients_slaves",
    ]);
    page.field("mem_clients_normal", usage.clients);
    page.zeros(&["mem_cluster_links", "mem_aof_buffer"]);
    page.field("mem_allocator", format_args!("mimalloc-{}", ::memory::version()));
    page.field("mem_overhead_tables", usage.tables);
    page.zeros(&["active_defrag_running"]);
    page.field("lazyfree_pending_objects", reclaim::pending());
    page.field("lazyfreed_objects", reclaim::freed());
}

/// There are no scripts, so they take no memory.
fn scripts(page: &mut Page) {
    page.zeros(&["used_memory_lua", "used_memory_vm_eval"]);
    page.field("used_memory_lua_human", "0B");
    page.zeros(&[
        "used_memory_scripts_eval",
        "number_of_cached_scripts",
        "number_of_functions",
        "number_of_libraries",
        "used_memory_vm_functions",
        "used_memory_vm_total",
    ]);
    page.field("used_memory_vm_total_human", "0B");
    page.zeros(&["used_memory_functions", "used_memory_scripts"]);
    page.field("used_memory_scripts_human", "0B");
}
