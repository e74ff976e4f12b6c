//! What the server tells about itself, where a transcript cannot say it: numbers that must move.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use tests::client::Client;
use tests::resp::{Value, encode};
use tests::server::Server;
use tests::wait;

/// The fields of INFO with their values.
fn info(client: &mut Client, sections: &str) -> BTreeMap<String, String> {
    let text = client.run(&format!("INFO {sections}")).text();
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn number(client: &mut Client, name: &str) -> f64 {
    let fields = info(client, "everything");
    let value = fields.get(name).unwrap_or_else(|| panic!("INFO has no {name}"));
    value.trim_end_matches('%').parse().unwrap_or_else(|_| panic!("{name}:{value}"))
}

/// Sends commands in one go and reads their replies.
fn pipeline(client: &mut Client, count: usize, command: impl Fn(usize) -> Vec<String>) {
    for first in (0..count).step_by(1000) {
        let batch = first..count.min(first + 1000);
        let bytes: Vec<u8> = batch.clone().flat_map(|number| encode(&command(number))).collect();
        client.send(&bytes);
        batch.for_each(|_| {
            client.read();
        });
    }
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// Fields that exporters, dashboards and clients read.
const READ_BY_TOOLS: &str = "redis_version redis_git_sha1 redis_git_dirty redis_build_id \
    dragonfly_version redis_mode os arch_bits multiplexing_api process_id run_id tcp_port \
    server_time_usec uptime_in_seconds uptime_in_days hz configured_hz lru_clock executable \
    config_file io_threads_active \
    connected_clients cluster_connections maxclients blocked_clients tracking_clients \
    pubsub_clients watching_clients clients_in_timeout_table total_watched_keys \
    total_blocking_keys total_blocking_keys_on_nokey \
    used_memory used_memory_human used_memory_rss used_memory_rss_human used_memory_peak \
    used_memory_peak_human used_memory_peak_perc used_memory_overhead used_memory_startup \
    used_memory_dataset used_memory_dataset_perc allocator_allocated allocator_active \
    allocator_resident total_system_memory total_system_memory_human used_memory_lua \
    used_memory_scripts number_of_cached_scripts number_of_functions number_of_libraries \
    maxmemory maxmemory_human maxmemory_policy allocator_frag_ratio allocator_frag_bytes \
    allocator_rss_ratio allocator_rss_bytes rss_overhead_ratio rss_overhead_bytes \
    mem_fragmentation_ratio mem_fragmentation_bytes mem_not_counted_for_evict \
    mem_replication_backlog mem_clients_slaves mem_clients_normal mem_aof_buffer mem_allocator \
    active_defrag_running lazyfree_pending_objects lazyfreed_objects \
    loading async_loading rdb_changes_since_last_save rdb_bgsave_in_progress rdb_last_save_time \
    rdb_last_bgsave_status rdb_last_bgsave_time_sec rdb_current_bgsave_time_sec \
    rdb_last_cow_size aof_enabled aof_rewrite_in_progress aof_rewrite_scheduled \
    aof_last_rewrite_time_sec aof_current_rewrite_time_sec aof_last_bgrewrite_status \
    aof_last_write_status aof_last_cow_size module_fork_in_progress \
    total_connections_received total_commands_processed instantaneous_ops_per_sec \
    total_net_input_bytes total_net_output_bytes instantaneous_input_kbps \
    instantaneous_output_kbps rejected_connections sync_full sync_partial_ok sync_partial_err \
    expired_keys expired_stale_perc expired_time_cap_reached_count expire_cycle_cpu_milliseconds \
    evicted_keys keyspace_hits keyspace_misses pubsub_channels pubsub_patterns latest_fork_usec \
    total_forks migrate_cached_sockets slave_expires_tracked_keys active_defrag_hits \
    active_defrag_misses active_defrag_key_hits active_defrag_key_misses tracking_total_keys \
    tracking_total_items tracking_total_prefixes unexpected_error_replies total_error_replies \
    total_reads_processed total_writes_processed \
    role connected_slaves master_failover_state master_replid master_replid2 master_repl_offset \
    second_repl_offset repl_backlog_active repl_backlog_size repl_backlog_first_byte_offset \
    repl_backlog_histlen \
    used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children \
    used_cpu_sys_main_thread used_cpu_user_main_thread cluster_enabled eventloop_cycles \
    eventloop_duration_sum eventloop_duration_cmd_sum instantaneous_eventloop_cycles_per_sec \
    instantaneous_eventloop_duration_usec";

#[test]
fn info_has_what_tools_read() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.run("SET k v EX 100");
    client.run("GET");
    let fields = info(&mut client, "");
    for name in READ_BY_TOOLS.split_whitespace() {
        assert!(fields.contains_key(name), "INFO has no {name}");
    }
    assert!(!fields.contains_key("cmdstat_set"));
    assert_eq!(fields["maxmemory_policy"], "noeviction");
    assert_eq!(fields["process_id"], server.pid().to_string());
    assert_eq!(fields["tcp_port"], server.port().to_string());
    assert_eq!(fields["master_replid"].len(), 40);
    assert_ne!(fields["master_replid"], fields["run_id"]);
    let ttl = fields["db0"].strip_prefix("keys=1,expires=1,avg_ttl=").unwrap();
    let ttl: i64 = ttl.strip_suffix(",subexpiry=0").unwrap().parse().unwrap();
    assert!((90_000..=100_000).contains(&ttl), "{ttl}");
    let all = info(&mut client, "all");
    assert!(all["cmdstat_set"].starts_with("calls=1,usec="), "{}", all["cmdstat_set"]);
    assert!(all["cmdstat_get"].contains("calls=0,"), "{}", all["cmdstat_get"]);
    assert!(all["cmdstat_get"].ends_with("rejected_calls=1,failed_calls=0"));
    assert_eq!(all["errorstat_ERR"], "count=1");
    let times = &all["latency_percentiles_usec_set"];
    let names: Vec<&str> = times.split(',').map(|part| part.split_once('=').unwrap().0).collect();
    assert_eq!(names, ["p50", "p99", "p99.9"]);
}

#[test]
fn sections_are_shown_in_their_order_once_and_apart() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let mut headers = |sections: &str| -> String {
        let text = client.run(&format!("INFO {sections}")).text();
        assert!(text.ends_with("\r\n") || text.is_empty());
        for (before, _) in text.match_indices("# ").filter(|(at, _)| *at > 0) {
            assert_eq!(&text[before - 4..before], "\r\n\r\n");
        }
        let headers = text.lines().filter_map(|line| line.strip_prefix("# "));
        headers.collect::<Vec<_>>().join(" ")
    };
    let default = "Server Clients Memory Persistence Stats Replication CPU Hotkeys Modules \
                   Errorstats Cluster Keyspace";
    assert_eq!((headers(""), headers("default")), (default.to_owned(), default.to_owned()));
    let all = "Server Clients Memory Persistence Stats Replication CPU Hotkeys Modules \
               Commandstats Errorstats Latencystats Cluster Keyspace";
    assert_eq!((headers("all"), headers("everything")), (all.to_owned(), all.to_owned()));
    assert_eq!(headers("default commandstats"), default.replace("Error", "Commandstats Error"));
    assert_eq!(headers("keyspace SERVER nosuch server"), "Server Keyspace");
    assert_eq!(headers("nosuch"), "");
}

#[test]
fn counters_move_and_are_reset() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let before = info(&mut client, "everything");
    pipeline(&mut client, 5000, |at| vec!["SET".into(), format!("k:{at}"), "v".into()]);
    pipeline(&mut client, 300, |at| vec!["GET".into(), format!("k:{}", at + 4900)]);
    client.run("GET k:1 k:2");
    client.run("INCR k:1");
    client.run("INCRBY k:1 x");
    let after = info(&mut client, "everything");
    let moved =
        |name: &str| after[name].parse::<f64>().unwrap() - before[name].parse::<f64>().unwrap();
    assert_eq!((moved("keyspace_hits"), moved("keyspace_misses")), (100.0, 200.0));
    // Those above, and the first INFO.
    assert_eq!(moved("total_commands_processed"), 5303.0);
    assert_eq!(moved("total_error_replies"), 3.0);
    assert_eq!(moved("rdb_changes_since_last_save"), 5000.0);
    assert!(moved("total_net_input_bytes") > 5300.0 * 20.0);
    assert!(moved("total_net_output_bytes") > 5300.0 * 5.0);
    assert!(moved("used_memory") > 5000.0 * 24.0);
    assert!(after["cmdstat_set"].starts_with("calls=5000,"), "{}", after["cmdstat_set"]);
    assert!(after["cmdstat_incr"].ends_with("failed_calls=1"), "{}", after["cmdstat_incr"]);
    assert_eq!(client.run("CONFIG RESETSTAT").text(), "OK");
    let reset = info(&mut client, "everything");
    for name in ["keyspace_hits", "keyspace_misses", "total_error_replies", "expired_keys"] {
        assert_eq!(reset[name], "0", "{name}");
    }
    assert!(!reset.contains_key("cmdstat_set") && !reset.contains_key("errorstat_ERR"));
    assert!(reset["total_net_input_bytes"].parse::<u64>().unwrap() < 1000);
    assert_eq!(reset["rdb_changes_since_last_save"], after["rdb_changes_since_last_save"]);
}

#[test]
fn a_result_that_is_stored_is_counted_as_in_redis() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for (line, changes) in [
        ("SADD set 1 2", 2),
        ("SADD stored 1", 1),
        ("SUNIONSTORE stored set", 1),
        ("SUNIONSTORE stored none", 1),
        ("SUNIONSTORE stored none", 0),
        ("RPUSH list 3 1 2", 3),
        ("SORT list STORE list", 3),
        ("GEOADD geo 13.36 38.11 Palermo 15.08 37.5 Catania", 2),
        ("GEOSEARCHSTORE found geo FROMLONLAT 15 37 BYRADIUS 200 km", 2),
        ("GEOSEARCHSTORE found geo FROMLONLAT 15 37 BYRADIUS 200 km", 2),
        ("SWAPDB 0 1", 1),
    ] {
        let before = number(&mut client, "rdb_changes_since_last_save");
        let reply = client.run(line);
        assert!(!matches!(reply, Value::Error(_)), "{line}: {reply:?}");
        let after = number(&mut client, "rdb_changes_since_last_save");
        assert_eq!(after - before, f64::from(changes), "{line}");
    }
}

#[test]
fn a_read_in_the_worker_pool_is_counted_once() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    // More members than an I/O thread visits.
    for kind in ["SADD set", "ZADD sorted"] {
        pipeline(&mut client, 20, |at| {
            let scored = kind.starts_with('Z');
            let members = (at * 1000..at * 1000 + 1000).flat_map(|number| {
                let score = scored.then(|| number.to_string());
                score.into_iter().chain([format!("member:{number}")])
            });
            words(kind).into_iter().chain(members).collect()
        });
    }
    for (line, hits, misses) in [
        ("SCARD set", 1, 0),
        ("SMEMBERS set", 1, 0),
        ("ZRANGE sorted 0 -1", 1, 0),
        ("SUNIONSTORE stored set none set", 2, 1),
        ("ZINTERCARD 2 sorted set", 2, 0),
        ("COPY set copy", 1, 0),
        ("SSCAN set 0 COUNT 20000", 1, 0),
        ("SORT sorted BY nosort GET #", 1, 0),
        ("SORT sorted ALPHA LIMIT 0 1", 1, 0),
    ] {
        let before = (number(&mut client, "keyspace_hits"), number(&mut client, "keyspace_misses"));
        let reply = client.run(line);
        assert!(!matches!(reply, Value::Error(_)), "{line}: {reply:?}");
        let after = (number(&mut client, "keyspace_hits"), number(&mut client, "keyspace_misses"));
        let counted = (after.0 - before.0, after.1 - before.1);
        assert_eq!(counted, (f64::from(hits), f64::from(misses)), "{line}");
    }
}

#[test]
fn rates_follow_the_load() {
    let server = Server::start(&[]);
    let (mut client, mut other) = (server.connect(), server.connect());
    wait::until("the rates of a loaded server are shown", || {
        pipeline(&mut client, 2000, |_| words("SET key value"));
        let fields = info(&mut other, "stats");
        let rate = |name: &str| fields[name].parse::<f64>().unwrap();
        rate("instantaneous_ops_per_sec") > 100.0
            && rate("instantaneous_input_kbps") > 1.0
            && rate("instantaneous_output_kbps") > 0.1
    });
    wait::until("the rates of an idle server are low", || {
        info(&mut other, "stats")["instantaneous_ops_per_sec"].parse::<f64>().unwrap() < 1000.0
    });
}

/// LATENCY HISTOGRAM of one command: its calls, and the cumulative counts by bound.
fn histogram(client: &mut Client, name: &str) -> (i64, Vec<(i64, i64)>) {
    let reply = client.run(&format!("LATENCY HISTOGRAM {name}")).pairs();
    assert_eq!((reply.len(), reply[0].0.text()), (1, name.to_owned()));
    let fields = reply[0].1.pairs();
    assert_eq!((fields[0].0.text(), fields[1].0.text()), ("calls".into(), "histogram_usec".into()));
    let steps = fields[1].1.pairs();
    (fields[0].1.int(), steps.iter().map(|(bound, count)| (bound.int(), count.int())).collect())
}

#[test]
fn histograms_count_every_call() {
    const BOUNDS: &[i64] = &[1, 2, 4, 8, 16, 33, 66, 132, 264, 528, 1056, 2113, 4227, 8454, 16908];
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut client = server.connect_resp3();
    pipeline(&mut client, 1000, |_| words("SET key value"));
    client.run("DEBUG SLEEP 0.02");
    let (calls, steps) = histogram(&mut client, "set");
    assert_eq!((calls, steps.last().unwrap().1), (1000, 1000));
    assert!(steps.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1), "{steps:?}");
    assert!(steps.iter().all(|(bound, _)| *bound > 16908 || BOUNDS.contains(bound)), "{steps:?}");
    let (calls, steps) = histogram(&mut client, "debug");
    assert!(calls == 1 && steps.len() == 1 && steps[0].0 >= 16_908, "{steps:?}");
    client.run("CONFIG GET maxclients");
    client.run("CONFIG SET latency-tracking no");
    client.run("SET key value");
    assert_eq!(histogram(&mut client, "set").0, 1000);
    let config = client.run("LATENCY HISTOGRAM config nosuch");
    let names: Vec<String> = config.pairs().iter().map(|(name, _)| name.text()).collect();
    assert_eq!(names[0], "config|get");
    client.run("CONFIG SET latency-tracking yes");
    client.run("CONFIG RESETSTAT");
    assert!(client.run("LATENCY HISTOGRAM set").pairs().is_empty());
}

/// The words of the entries of a log, the newest first.
fn logged(client: &mut Client, command: &str) -> Vec<String> {
    let reply = client.run(command);
    reply.items().iter().map(|entry| entry.items()[3].texts().join(" ")).collect()
}

#[test]
fn slow_commands_are_logged() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut client = server.connect();
    client.run("CLIENT SETNAME sleeper");
    client.run("CONFIG SET slowlog-log-slower-than 10000");
    client.run("PING");
    client.run("DEBUG SLEEP 0.02");
    client.run("PING");
    let reply = client.run("SLOWLOG GET");
    let entry = reply.items()[0].items();
    assert_eq!((reply.items().len(), entry.len(), entry[0].int()), (1, 6, 0));
    assert!(entry[1].int() > 1_700_000_000 && (19_000..5_000_000).contains(&entry[2].int()));
    assert_eq!(entry[3].texts(), ["DEBUG", "SLEEP", "0.02"]);
    assert!(entry[4].text().starts_with("127.0.0.1:") && entry[5].text() == "sleeper");

    client.run("CONFIG SET slowlog-log-slower-than 0");
    client.run("SLOWLOG RESET");
    client.run("GET nokey");
    client.run("AUTH secret");
    client.run("HELLO 2 AUTH user secret");
    client.run("CONFIG SET requirepass \"\" maxclients 9999");
    client.run(&format!("MGET {}", ["k"; 40].join(" ")));
    client.run(&format!("SET k {}", "x".repeat(200)));
    let expected = [
        format!("SET k {}... (72 more bytes)", "x".repeat(128)),
        format!("MGET {} ... (10 more arguments)", ["k"; 30].join(" ")),
        "CONFIG SET requirepass (redacted) maxclients 9999".into(),
        "HELLO 2 AUTH (redacted) (redacted)".into(),
        "AUTH (redacted)".into(),
        "GET nokey".into(),
        "SLOWLOG RESET".into(),
    ];
    assert_eq!(logged(&mut client, "SLOWLOG GET -1"), expected);
    client.run("CONFIG SET slowlog-max-len 3");
    client.run("PING");
    assert_eq!(client.run("SLOWLOG LEN").int(), 3);
    client.run("CONFIG SET slowlog-log-slower-than -1");
    client.run("SLOWLOG RESET");
    client.run("PING");
    assert_eq!(client.run("SLOWLOG LEN").int(), 0);
}

#[test]
fn large_requests_and_replies_are_logged() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.run("CONFIG SET commandlog-request-larger-than 1000 commandlog-reply-larger-than 2000");
    client.run(&format!("SET small {}", "x".repeat(100)));
    client.run(&format!("SET middle {}", "x".repeat(1500)));
    client.run(&format!("SET large {}", "x".repeat(3000)));
    for key in ["small", "middle", "large"] {
        client.run(&format!("GET {key}"));
    }
    let requests = logged(&mut client, "COMMANDLOG GET -1 large-request");
    let keys: Vec<&str> = requests.iter().map(|words| &words[..9]).collect();
    assert_eq!(keys, ["SET large", "SET middl"]);
    assert_eq!(logged(&mut client, "COMMANDLOG GET -1 large-reply"), ["GET large"]);
    let reply = client.run("COMMANDLOG GET 1 large-reply");
    assert_eq!(reply.items()[0].items()[2].int(), 3000 + 9);
    assert_eq!(client.run("SLOWLOG LEN").int(), client.run("COMMANDLOG LEN slow").int());
}

#[test]
fn events_that_take_long_are_noted() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut client = server.connect();
    client.run("CONFIG SET latency-monitor-threshold 10");
    client.run("DEBUG SLEEP 0.03");
    let latest = client.run("LATENCY LATEST");
    let event = latest.items()[0].items();
    assert_eq!((latest.items().len(), event[0].text()), (1, "command".into()));
    assert!((29..5000).contains(&event[2].int()) && event[3].int() >= event[2].int());
    let history = client.run("LATENCY HISTORY command");
    assert!(history.items()[0].items()[1].int() >= 29);
    assert!(client.run("LATENCY GRAPH command").text().starts_with("command - high "));
    assert!(client.run("LATENCY DOCTOR").text().contains("1. command: 1 times"));
    assert_eq!(client.run("LATENCY RESET command nosuch").int(), 1);
    client.run("CONFIG SET latency-monitor-threshold 1");
    // All are due at once, and a sweep has no more to do later.
    client.run("DEBUG SET-ACTIVE-EXPIRE 0");
    pipeline(&mut client, 200_000, |at| words(&format!("SET k:{at} v PX 1")));
    wait::until("the last one is expired", || client.run("EXISTS k:199999").int() == 0);
    client.run("DEBUG SET-ACTIVE-EXPIRE 1");
    wait::until("a sweep with much to do is noted", || {
        logged_events(&mut client).contains(&"expire-cycle".to_owned())
    });
}

fn logged_events(client: &mut Client) -> Vec<String> {
    let latest = client.run("LATENCY LATEST");
    latest.items().iter().map(|event| event.items()[0].text()).collect()
}

#[test]
fn memory_of_keys_is_what_they_take() {
    const KEYS: usize = 200_000;
    let server = Server::start(&[]);
    let mut client = server.connect();
    let before = number(&mut client, "used_memory");
    pipeline(&mut client, KEYS, |at| vec!["SET".into(), format!("key:{at:012}"), "x".repeat(32)]);
    wait::until("what was used is published", || {
        number(&mut client, "used_memory") - before > KEYS as f64 * 50.0
    });
    let grown = number(&mut client, "used_memory") - before;
    let usages = (0..100).map(|at| client.run(&format!("MEMORY USAGE key:{at:012}")).int());
    let mean = usages.sum::<i64>() as f64 / 100.0;
    let expected = grown / KEYS as f64;
    assert!((mean / expected - 1.0).abs() < 0.15, "{mean} bytes a key, in fact {expected}");
    client.run(&format!("SET big {}", "x".repeat(100_000)));
    let big = client.run("MEMORY USAGE big").int();
    assert!((100_000..140_000).contains(&big), "{big}");
    let fields = info(&mut client, "memory");
    let bytes = |name: &str| fields[name].parse::<f64>().unwrap();
    assert!(bytes("used_memory_dataset") > KEYS as f64 * 48.0);
    assert!(bytes("used_memory_overhead") + bytes("used_memory_dataset") == bytes("used_memory"));
    assert!(bytes("used_memory_peak") >= bytes("used_memory"));
    assert!(bytes("used_memory_rss") > bytes("used_memory"));
    assert!(bytes("total_system_memory") > bytes("used_memory_rss"));
}

#[test]
fn purging_gives_memory_back() {
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut client = server.connect();
    client.run("DEBUG POPULATE 500000 key 100");
    let full = server.resident_bytes();
    client.run("FLUSHALL");
    wait::until("what was flushed is freed", || {
        number(&mut client, "lazyfree_pending_objects") == 0.0
    });
    assert_eq!(client.run("MEMORY PURGE").text(), "OK");
    let left = server.resident_bytes();
    assert!(left < full / 3, "{left} bytes of {full} are left");
}

#[test]
fn hot_keys_are_found() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    assert_eq!(client.run("HOTKEYS START METRICS 2 CPU NET COUNT 8").text(), "OK");
    pipeline(&mut client, 3000, |at| match at % 3 {
        0 => words("SET hot:1 value"),
        1 => words("GET hot:1"),
        _ => vec!["GET".into(), format!("cold:{at}")],
    });
    pipeline(&mut client, 500, |_| words("GET hot:2"));
    client.run("SET alone v");
    client.run("MGET hot:1 hot:2");
    client.run("HOTKEYS STOP");
    client.run("SET hot:3 v");
    let reply = client.run("HOTKEYS GET");
    let fields: BTreeMap<String, Value> =
        reply.items()[0].pairs().into_iter().map(|(name, value)| (name.text(), value)).collect();
    let names = |field: &str| -> Vec<String> {
        fields[field].items().chunks(2).map(|pair| pair[0].text()).collect()
    };
    let by_bytes = names("by-net-bytes");
    assert_eq!((by_bytes.len(), &by_bytes[..2]), (8, &["hot:1".into(), "hot:2".into()][..]));
    // The machine may have stopped the thread for a while in any command.
    assert!(names("by-cpu-time-us").contains(&"hot:1".into()), "{fields:?}");
    // The commands with their replies; of MGET half.
    let bytes = fields["by-net-bytes"].items()[1].int();
    let (set, get, mget) = (35 + 5, 24 + 11, (36 + 20) / 2);
    assert_eq!(bytes, 1000 * (set + get) + mget);
    assert!(fields["net-bytes-all-commands-all-slots"].int() > bytes);
}

#[test]
fn shutdown_ends_the_process() {
    for command in ["SHUTDOWN", "SHUTDOWN NOSAVE", "SHUTDOWN SAVE FORCE", "SHUTDOWN NOW NOSAVE"] {
        let mut server = Server::start(&[]);
        let mut client = server.connect();
        client.send_command(&words(command));
        assert!(client.read_to_end().is_empty(), "{command} has a reply");
        assert!(server.wait_for_end().success(), "{command}");
        server.forget();
    }
}

#[test]
fn a_crash_that_is_asked_for_happens() {
    for (command, signal) in [("DEBUG SEGFAULT", 11), ("DEBUG PANIC", 6)] {
        let mut server = Server::start(&["--enable-debug-command", "yes"]);
        server.connect().send_command(&words(command));
        assert_eq!(server.wait_for_end().signal(), Some(signal), "{command}");
        server.forget();
    }
    let server = Server::start(&[]);
    for command in ["DEBUG SEGFAULT", "DEBUG PANIC"] {
        assert!(server.connect().run(command).is_error("ERR DEBUG command not allowed"));
    }
    assert_eq!(server.connect().run("PING").text(), "PONG");
}

#[test]
fn keys_that_expired_stay_while_expiry_is_off() {
    const LONG: Duration = Duration::from_millis(500);
    let server = Server::start(&["--enable-debug-command", "yes"]);
    let mut client = server.connect();
    for (off, on) in [
        ("DEBUG SET-ACTIVE-EXPIRE 0", "DEBUG SET-ACTIVE-EXPIRE 1"),
        ("DEBUG PAUSE-CRON 1", "DEBUG PAUSE-CRON 0"),
    ] {
        client.run(off);
        client.run("SET key value PX 1");
        // Several sweeps would come in this time.
        std::thread::sleep(LONG);
        assert_eq!(client.run("DBSIZE").int(), 1, "{off}");
        client.run(on);
        wait::until("the key is removed", || client.run("DBSIZE").int() == 0);
    }
}

#[test]
fn the_digest_of_many_keys_is_that_of_redis() {
    let flags = ["--enable-debug-command", "yes"];
    let (ours, theirs) = (Server::start(&flags), Server::start_other("redis-server", &flags));
    let digest = |server: &Server| {
        let mut client = server.connect();
        pipeline(&mut client, 3000, |at| match at % 4 {
            0 => words(&format!("SET key:{at} {}", "v".repeat(at % 300))),
            1 => words(&format!("SET key:{at} {at} EX 1000")),
            2 => words(&format!("APPEND key:{} more", at - 1)),
            _ => words(&format!("SELECT {}", at % 16)),
        });
        client.run("SELECT 3");
        (client.run("DEBUG DIGEST").text(), client.run("DEBUG DIGEST-VALUE key:5 key:8").texts())
    };
    assert_eq!(digest(&ours), digest(&theirs));
}
