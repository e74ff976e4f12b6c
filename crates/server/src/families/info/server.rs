//! The sections about the process and its surroundings.

use std::fs::File;
use std::io::Read as _;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{SystemTime, UNIX_EPOCH};

use xxhash_rust::xxh3::Xxh3Default;

use super::super::hotkeys::cpu as cpu_now;
use super::{Measured, Page};
use crate::clients::ClientFlags;
use crate::system;
use crate::{REDIS_VERSION, VERSION};

/// How often a second things are done that nobody asks for.
const HZ: u32 = 10;
/// Bits of the clock that Redis shows as its clock of use.
const USE_CLOCK: u64 = (1 << 24) - 1;

pub(super) fn server(measured: &Measured, page: &mut Page) {
    let server = measured.server;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let uptime_s = server.started.elapsed().as_secs();
    page.field("redis_version", REDIS_VERSION);
    page.field("redis_git_sha1", "00000000");
    page.field("redis_git_dirty", 0);
    page.field("redis_build_id", build_id());
    page.field("dragonfly_version", VERSION);
    page.field("redis_mode", "standalone");
    page.field("os", system::name());
    page.field("arch_bits", usize::BITS);
    page.field("monotonic_clock", "POSIX clock_gettime");
    page.field("multiplexing_api", "epoll");
    page.field("process_id", std::process::id());
    page.field("process_supervised", &**server.config.supervised.read());
    page.field("run_id", &server.run_id);
    page.field("tcp_port", server.config.port.load(Relaxed));
    page.field("server_time_usec", now.as_micros());
    page.field("uptime_in_seconds", uptime_s);
    page.field("uptime_in_days", uptime_s / 86_400);
    page.field("hz", HZ);
    page.field("configured_hz", HZ);
    page.field("lru_clock", now.as_secs() & USE_CLOCK);
    let executable = std::env::current_exe().unwrap_or_default();
    page.field("executable", executable.display());
    let file = server.config.file.as_ref().map(|(path, _)| path.display().to_string());
    page.field("config_file", file.unwrap_or_default());
    page.field("thread_count", server.threads);
    page.field("io_threads_active", u8::from(server.threads > 1));
    listeners(measured, page);
}

fn listeners(measured: &Measured, page: &mut Page) {
    let config = &measured.server.config;
    let mut number = 0;
    let mut listener = |value: String| {
        page.field(&format!("listener{number}"), value);
        number += 1;
    };
    let port = config.port.load(Relaxed);
    if port != 0 {
        let addresses: String =
            config.bind.read().iter().map(|address| format!("bind={address},")).collect();
        listener(format!("name=tcp,{addresses}port={port}"));
    }
    let path = config.unix_socket.read();
    if !path.is_empty() {
        listener(format!("name=unix,bind={path}"));
    }
}

/// A number that another build of the program does not have: a hash of its file.
fn build_id() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| {
        let mut hash = Xxh3Default::new();
        let mut part = vec![0; 64 * 1024];
        // Where the file cannot be read, the number says as much as was read.
        if let Ok(mut program) = std::env::current_exe().and_then(File::open) {
            while let Ok(count @ 1..) = program.read(&mut part) {
                hash.update(&part[..count]);
            }
        }
        format!("{:x}", hash.digest())
    })
}

pub(super) fn clients(measured: &Measured, page: &mut Page) {
    let server = measured.server;
    let most = server.config.clients_max.load(Relaxed);
    page.field("connected_clients", server.clients.len());
    page.zeros(&["cluster_connections"]);
    page.field("maxclients", most);
    page.field("max_clients", most);
    let blocked = server.clients.all().into_iter().filter(|c| c.is(ClientFlags::BLOCKED)).count();
    page.field("blocked_clients", blocked);
    page.zeros(&[
        "tracking_clients",
        "pubsub_clients",
        "watching_clients",
        "clients_in_timeout_table",
        "total_watched_keys",
        "total_blocking_keys",
        "total_blocking_keys_on_nokey",
    ]);
}

/// Data are in memory only: nothing is loaded or saved, and nothing of that ever failed.
pub(super) fn persistence(measured: &Measured, page: &mut Page) {
    page.zeros(&[
        "loading",
        "async_loading",
        "current_cow_peak",
        "current_cow_size",
        "current_cow_size_age",
    ]);
    page.field("current_fork_perc", "0.00");
    page.zeros(&["current_save_keys_processed", "current_save_keys_total"]);
    page.field("rdb_changes_since_last_save", measured.census.stats.changes);
    page.zeros(&["rdb_bgsave_in_progress"]);
    page.field("rdb_last_save_time", measured.server.started_unix_s);
    page.field("rdb_last_bgsave_status", "ok");
    page.field("rdb_last_bgsave_time_sec", -1);
    page.field("rdb_current_bgsave_time_sec", -1);
    page.zeros(&[
        "rdb_saves",
        "rdb_last_cow_size",
        "rdb_last_load_keys_expired",
        "rdb_last_load_keys_loaded",
        "aof_enabled",
        "aof_rewrite_in_progress",
        "aof_rewrite_scheduled",
    ]);
    page.field("aof_last_rewrite_time_sec", -1);
    page.field("aof_current_rewrite_time_sec", -1);
    page.field("aof_last_bgrewrite_status", "ok");
    page.zeros(&["aof_rewrites", "aof_rewrites_consecutive_failures"]);
    page.field("aof_last_write_status", "ok");
    page.zeros(&["aof_last_cow_size", "module_fork_in_progress", "module_fork_last_cow_size"]);
}

/// A master without replicas, whose journal has no bytes.
pub(super) fn replication(measured: &Measured, page: &mut Page) {
    page.field("role", "master");
    page.zeros(&["connected_slaves"]);
    page.field("master_failover_state", "no-failover");
    page.field("master_replid", &measured.server.replication_id);
    page.field("master_replid2", "0".repeat(40));
    page.zeros(&["master_repl_offset"]);
    page.field("second_repl_offset", -1);
    page.zeros(&[
        "repl_backlog_active",
        "repl_backlog_size",
        "repl_backlog_first_byte_offset",
        "repl_backlog_histlen",
    ]);
}

pub(super) fn cpu(_: &Measured, page: &mut Page) {
    let times = system::cpu_times().unwrap_or_default();
    let main = system::main_thread_times().unwrap_or_default();
    for (name, seconds) in [
        ("used_cpu_sys", times.system_s),
        ("used_cpu_user", times.user_s),
        ("used_cpu_sys_children", times.children_system_s),
        ("used_cpu_user_children", times.children_user_s),
        ("used_cpu_sys_main_thread", main.system_s),
        ("used_cpu_user_main_thread", main.user_s),
    ] {
        page.field(name, format_args!("{seconds:.6}"));
    }
}

/// Nothing, unless HOTKEYS has a session.
pub(super) fn hotkeys(measured: &Measured, page: &mut Page) {
    let hotkeys = &measured.server.hotkeys;
    let session = hotkeys.look(measured.now_ms, cpu_now(), |session| {
        (session.until_ms.is_none(), session.sums.all_nanos)
    });
    if let Some((is_running, nanos)) = session {
        page.field("hotkeys-tracking-active", u8::from(is_running));
        page.field("hotkeys-cmd-cpu-time", nanos / 1000);
    }
}

pub(super) fn cluster(_: &Measured, page: &mut Page) {
    page.zeros(&["cluster_enabled"]);
}
