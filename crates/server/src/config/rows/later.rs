//! Parameters of what this version does not have: encryption, persistence, replication, cluster,
//! scripts, eviction, collections.
//!
//! What would endanger security or data is refused; what only tunes is kept.

use crate::config::parameter::{Parameter, kept, refused};
use crate::config::shape::{BOOL, COUNT, INT, LIST, MEMORY, PORT, RATIO, Shape, TEXT, int};

const NO_TLS: &str = "connections are not encrypted";
const NO_FILES: &str = "data are kept in memory only";
const NO_REPLICAS: &str = "there is no replication";
const NO_CLUSTER: &str = "there is no cluster mode";
const NO_SCRIPTS: &str = "there are no scripts";
const NO_MODULES: &str = "there are no modules";
const NO_EVICTION: &str = "keys are not evicted";
const BY_ITSELF: &str = "it is done where keys are due, at no fixed rate";
const IN_BACKGROUND: &str = "big values are always freed in the background";
const NO_COLLECTIONS: &str = "no value is kept in a form that this is about";
const NO_FILTERS: &str = "there are no filters";
const NO_SEARCH: &str = "there is no search";
const NO_EVENTS: &str = "keyspace events are not sent";
const NO_DEFRAG: &str = "the table packs itself as it grows";

const AUTH: Shape = Shape::Word(&["no", "yes", "optional"]);
const FSYNC: Shape = Shape::Word(&["everysec", "always", "no"]);
const SANITIZE: Shape = Shape::Word(&["no", "yes", "clients"]);
const ENDPOINT: Shape = Shape::Word(&["ip", "hostname", "unknown-endpoint"]);
const PERCENT: Shape = int(0, 100);
const POLICY: Shape = Shape::Word(&[
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
]);

/// TLS.
pub const ENCRYPTION: &[Parameter] = &[
    refused("tls-port", "0", PORT, NO_TLS),
    refused("tls", "no", BOOL, NO_TLS).at_start(),
    refused("tls-cert-file", "", TEXT, NO_TLS),
    refused("tls-key-file", "", TEXT, NO_TLS),
    refused("tls-key-file-pass", "", TEXT, NO_TLS).secret(),
    refused("tls-ca-cert-file", "", TEXT, NO_TLS),
    refused("tls-ca-cert-dir", "", TEXT, NO_TLS),
    refused("tls-client-cert-file", "", TEXT, NO_TLS),
    refused("tls-client-key-file", "", TEXT, NO_TLS),
    refused("tls-client-key-file-pass", "", TEXT, NO_TLS).secret(),
    refused("tls-replication", "no", BOOL, NO_TLS),
    refused("tls-cluster", "no", BOOL, NO_TLS),
    refused("tls-allowlist", "", TEXT, NO_TLS),
    kept("tls-auth-clients", "yes", AUTH, NO_TLS),
    kept("tls-auth-clients-user", "off", TEXT, NO_TLS),
    kept("tls-auto-reload-interval", "0", COUNT, NO_TLS),
    kept("tls-dh-params-file", "", TEXT, NO_TLS),
    kept("tls-protocols", "", LIST, NO_TLS),
    kept("tls-ciphers", "", TEXT, NO_TLS),
    kept("tls-ciphersuites", "", TEXT, NO_TLS).foreign(&["tls-cipher-suites"]),
    kept("tls-prefer-server-ciphers", "no", BOOL, NO_TLS),
    kept("tls-rotation", "no", BOOL, NO_TLS),
    kept("tls-session-caching", "yes", BOOL, NO_TLS),
    kept("tls-session-cache-size", "20480", COUNT, NO_TLS),
    kept("tls-session-cache-timeout", "300", COUNT, NO_TLS),
    kept("max-new-tls-connections-per-cycle", "1", int(1, 1000), NO_TLS),
    kept("no-tls-on-admin-port", "no", BOOL, NO_TLS).at_start(),
];

/// Files with data.
pub const PERSISTENCE: &[Parameter] = &[
    refused("save", "", LIST, NO_FILES),
    refused("appendonly", "no", BOOL, NO_FILES),
    refused("snapshot-cron", "", TEXT, NO_FILES),
    refused("save-schedule", "", TEXT, NO_FILES).at_start(),
    refused("preload-file", "", TEXT, NO_FILES).at_start(),
    refused("db-s3-object", "", TEXT, NO_FILES).at_start(),
    kept("backupdirname", "", TEXT, NO_FILES).at_start(),
    kept("dbfilename", "dump.rdb", TEXT, NO_FILES).protected(),
    kept("appendfilename", "appendonly.aof", TEXT, NO_FILES).at_start(),
    kept("appenddirname", "appendonlydir", TEXT, NO_FILES).at_start(),
    kept("appendfsync", "everysec", FSYNC, NO_FILES),
    kept("no-appendfsync-on-rewrite", "no", BOOL, NO_FILES),
    kept("auto-aof-rewrite-percentage", "100", COUNT, NO_FILES),
    kept("auto-aof-rewrite-min-size", "67108864", MEMORY, NO_FILES),
    kept("aof-load-truncated", "yes", BOOL, NO_FILES),
    kept("aof-load-corrupt-tail-max-size", "0", MEMORY, NO_FILES),
    kept("aof-use-rdb-preamble", "yes", BOOL, NO_FILES),
    kept("aof-timestamp-enabled", "no", BOOL, NO_FILES),
    kept("aof-disable-auto-gc", "no", BOOL, NO_FILES),
    kept("aof-rewrite-incremental-fsync", "yes", BOOL, NO_FILES),
    kept("aof-rewrite-cpulist", "", TEXT, NO_FILES).aliases(&["aof_rewrite_cpulist"]).at_start(),
    kept("bgsave-cpulist", "", TEXT, NO_FILES).aliases(&["bgsave_cpulist"]).at_start(),
    kept("rdbcompression", "yes", BOOL, NO_FILES),
    kept("rdbchecksum", "yes", BOOL, NO_FILES).at_start(),
    kept("rdb-version-check", "strict", Shape::Word(&["strict", "relaxed"]), NO_FILES),
    kept("rdb-save-incremental-fsync", "yes", BOOL, NO_FILES),
    kept("rdb-del-sync-files", "no", BOOL, NO_FILES),
    kept("sanitize-dump-payload", "no", SANITIZE, NO_FILES),
    kept("stop-writes-on-bgsave-error", "yes", BOOL, NO_FILES),
    kept("df-snapshot-format", "yes", BOOL, NO_FILES).at_start(),
    kept("compression-mode", "3", int(0, 3), NO_FILES).at_start(),
    kept("compression-level", "2", int(-100, 100), NO_FILES).at_start(),
    kept("serialization-max-chunk-size", "64kb", MEMORY, NO_FILES),
    kept("serialization-tagged-chunks", "yes", BOOL, NO_FILES).at_start(),
    kept("rdb-sbf-chunked", "yes", BOOL, NO_FILES).at_start(),
    kept("background-snapshotting", "no", BOOL, NO_FILES),
    kept("snapshot-egress-limit-bytes", "0", MEMORY, NO_FILES),
    kept("rdb-load-dry-run", "no", BOOL, NO_FILES).at_start(),
    kept("rdb-ignore-expiry", "no", BOOL, NO_FILES).at_start(),
    kept("serialize-hnsw-index", "no", BOOL, NO_FILES).at_start(),
    kept("deserialize-hnsw-index", "no", BOOL, NO_FILES).at_start(),
    kept("s3-endpoint", "", TEXT, NO_FILES).at_start(),
    kept("s3-use-https", "yes", BOOL, NO_FILES).at_start(),
    kept("s3-ec2-metadata", "no", BOOL, NO_FILES).at_start(),
    kept("s3-sign-payload", "yes", BOOL, NO_FILES).at_start(),
    kept("s3-use-helio-client", "yes", BOOL, NO_FILES).at_start(),
];

/// Masters and replicas.
pub const REPLICATION: &[Parameter] = &[
    refused("replicaof", "", LIST, NO_REPLICAS).aliases(&["slaveof"]).at_start(),
    refused("min-replicas-to-write", "0", COUNT, NO_REPLICAS).aliases(&["min-slaves-to-write"]),
    refused("active-replica", "no", BOOL, NO_REPLICAS).at_start(),
    refused("multi-master", "no", BOOL, NO_REPLICAS).at_start(),
    refused("replica-quorum", "0", int(-1, INT), NO_REPLICAS).at_start(),
    kept("min-replicas-max-lag", "10", COUNT, NO_REPLICAS).aliases(&["min-slaves-max-lag"]),
    kept("masterauth", "", TEXT, NO_REPLICAS).aliases(&["primaryauth"]).secret(),
    kept("masteruser", "", TEXT, NO_REPLICAS).aliases(&["primaryuser"]),
    kept("replica-read-only", "yes", BOOL, NO_REPLICAS).aliases(&["slave-read-only"]),
    kept("replica-serve-stale-data", "yes", BOOL, NO_REPLICAS).aliases(&["slave-serve-stale-data"]),
    kept("replica-priority", "100", COUNT, NO_REPLICAS).aliases(&["slave-priority"]),
    kept("replica-announced", "yes", BOOL, NO_REPLICAS),
    kept("replica-announce-ip", "", TEXT, NO_REPLICAS).aliases(&["slave-announce-ip"]),
    kept("replica-announce-port", "0", PORT, NO_REPLICAS)
        .aliases(&["slave-announce-port"])
        .foreign(&["announce-port"]),
    kept("replica-ignore-maxmemory", "yes", BOOL, NO_REPLICAS).aliases(&["slave-ignore-maxmemory"]),
    kept("replica-ignore-disk-write-errors", "no", BOOL, NO_REPLICAS),
    kept("replica-lazy-flush", "no", BOOL, NO_REPLICAS).aliases(&["slave-lazy-flush"]),
    kept("replica-full-sync-buffer-limit", "0", MEMORY, NO_REPLICAS),
    kept("replica-weighting-factor", "2", COUNT, NO_REPLICAS).at_start(),
    kept("replica-delete-expired", "yes", BOOL, NO_REPLICAS).at_start(),
    kept("replica-partial-sync", "yes", BOOL, NO_REPLICAS),
    kept("repl-backlog-size", "1048576", MEMORY, NO_REPLICAS),
    kept("repl-backlog-ttl", "3600", COUNT, NO_REPLICAS),
    kept("repl-backlog-disk-reserve", "0", MEMORY, NO_REPLICAS),
    kept("repl-timeout", "60", int(1, INT), NO_REPLICAS),
    kept("repl-ping-replica-period", "10", int(1, INT), NO_REPLICAS)
        .aliases(&["repl-ping-slave-period"]),
    kept("repl-disable-tcp-nodelay", "no", BOOL, NO_REPLICAS),
    kept("repl-diskless-load", "disabled", TEXT, NO_REPLICAS),
    kept("repl-diskless-sync", "yes", BOOL, NO_REPLICAS),
    kept("repl-diskless-sync-delay", "5", COUNT, NO_REPLICAS),
    kept("repl-diskless-sync-max-replicas", "0", COUNT, NO_REPLICAS),
    kept("repl-rdb-channel", "no", BOOL, NO_REPLICAS),
    kept("dual-channel-replication-enabled", "no", BOOL, NO_REPLICAS),
    kept("enable-keydb-fastsync", "no", BOOL, NO_REPLICAS),
    kept("multi-master-no-forward", "no", BOOL, NO_REPLICAS),
    kept("propagation-error-behavior", "ignore", TEXT, NO_REPLICAS),
    kept("import-mode", "no", BOOL, NO_REPLICAS),
    kept("break-replication-on-master-restart", "no", BOOL, NO_REPLICAS).at_start(),
    kept("replication-acks-interval", "1000", COUNT, NO_REPLICAS).at_start(),
    kept("replication-timeout", "30000", COUNT, NO_REPLICAS),
    kept("replication-stream-output-limit", "1mb", MEMORY, NO_REPLICAS).at_start(),
    kept("replication-dispatch-threshold", "1500", COUNT, NO_REPLICAS).at_start(),
    kept("master-connect-timeout-ms", "20000", COUNT, NO_REPLICAS).at_start(),
    kept("master-reconnect-timeout-ms", "1000", COUNT, NO_REPLICAS).at_start(),
    kept("shard-repl-backlog-len", "0", COUNT, NO_REPLICAS).at_start(),
    kept("shard-repl-backlog-time-ms", "5000", COUNT, NO_REPLICAS).at_start(),
    kept("shard-repl-backlog-max-bytes", "0", MEMORY, NO_REPLICAS).at_start(),
    kept("journal-omit-redundant-writes", "yes", BOOL, NO_REPLICAS).at_start(),
    kept("info-replication-valkey-compatible", "yes", BOOL, NO_REPLICAS).at_start(),
    kept("replicaof-no-one-start-journal", "yes", BOOL, NO_REPLICAS).at_start(),
    kept("experimental-cascaded-partial-sync", "no", BOOL, NO_REPLICAS).at_start(),
    kept("experimental-replicaof-v2", "yes", BOOL, NO_REPLICAS).at_start(),
];

/// Cluster mode.
pub const CLUSTER: &[Parameter] = &[
    refused("cluster-enabled", "no", BOOL, NO_CLUSTER).at_start(),
    refused("cluster-mode", "", TEXT, NO_CLUSTER).at_start(),
    kept("cluster-config-file", "nodes.conf", TEXT, NO_CLUSTER).at_start(),
    kept("cluster-port", "0", PORT, NO_CLUSTER).at_start(),
    kept("cluster-databases", "1", int(1, INT), NO_CLUSTER).at_start(),
    kept("cluster-node-timeout", "15000", COUNT, NO_CLUSTER),
    kept("cluster-announce-ip", "", TEXT, NO_CLUSTER),
    kept("cluster-announce-hostname", "", TEXT, NO_CLUSTER),
    kept("cluster-announce-human-nodename", "", TEXT, NO_CLUSTER),
    kept("cluster-announce-port", "0", PORT, NO_CLUSTER),
    kept("cluster-announce-tls-port", "0", PORT, NO_CLUSTER),
    kept("cluster-announce-bus-port", "0", PORT, NO_CLUSTER),
    kept("cluster-announce-client-ipv4", "", TEXT, NO_CLUSTER),
    kept("cluster-announce-client-ipv6", "", TEXT, NO_CLUSTER),
    kept("cluster-announce-client-port", "0", PORT, NO_CLUSTER),
    kept("cluster-announce-client-tls-port", "0", PORT, NO_CLUSTER),
    kept("cluster-preferred-endpoint-type", "ip", ENDPOINT, NO_CLUSTER),
    kept("cluster-require-full-coverage", "yes", BOOL, NO_CLUSTER),
    kept("cluster-allow-reads-when-down", "no", BOOL, NO_CLUSTER),
    kept("cluster-allow-pubsubshard-when-down", "yes", BOOL, NO_CLUSTER),
    kept("cluster-allow-replica-migration", "yes", BOOL, NO_CLUSTER),
    kept("cluster-migration-barrier", "1", COUNT, NO_CLUSTER),
    kept("cluster-link-sendbuf-limit", "0", MEMORY, NO_CLUSTER),
    kept("cluster-blacklist-ttl", "60", COUNT, NO_CLUSTER),
    kept("cluster-config-save-behavior", "sync", TEXT, NO_CLUSTER),
    kept("cluster-manual-failover-timeout", "5000", COUNT, NO_CLUSTER),
    kept("cluster-message-gossip-perc", "10", COUNT, NO_CLUSTER),
    kept("cluster-replica-no-failover", "no", BOOL, NO_CLUSTER)
        .aliases(&["cluster-slave-no-failover"]),
    kept("cluster-replica-validity-factor", "10", COUNT, NO_CLUSTER)
        .aliases(&["cluster-slave-validity-factor"]),
    kept("cluster-slot-migration-handoff-max-lag-bytes", "1048576", MEMORY, NO_CLUSTER),
    kept("cluster-slot-migration-write-pause-timeout", "10000", COUNT, NO_CLUSTER),
    kept("cluster-slot-migration-log-max-len", "1000", COUNT, NO_CLUSTER),
    kept("slot-migration-max-failover-repl-bytes", "0", MEMORY, NO_CLUSTER),
    kept("cluster-node-id", "", TEXT, NO_CLUSTER).at_start(),
    kept("experimental-cluster-shard-by-slot", "no", BOOL, NO_CLUSTER).at_start(),
    kept("cluster-search", "no", BOOL, NO_CLUSTER).at_start(),
    kept("cluster-coordinator-connect-timeout-ms", "3000", COUNT, NO_CLUSTER).at_start(),
    kept("cluster-coordinator-response-timeout-ms", "3000", COUNT, NO_CLUSTER).at_start(),
    kept("cluster-flush-decommit-memory", "no", BOOL, NO_CLUSTER).at_start(),
    kept("migration-finalization-timeout-ms", "30000", COUNT, NO_CLUSTER),
    kept("slot-migration-connection-timeout-ms", "2000", COUNT, NO_CLUSTER).at_start(),
    kept("slot-migration-throttle-us", "0", COUNT, NO_CLUSTER),
    kept("migration-buckets-serialization-threshold", "10", COUNT, NO_CLUSTER).at_start(),
    kept("migration-buckets-sleep-usec", "500", COUNT, NO_CLUSTER).at_start(),
    kept("migration-buckets-cpu-budget", "0.2", RATIO, NO_CLUSTER).at_start(),
];

/// Scripts, functions, modules.
pub const SCRIPTS: &[Parameter] = &[
    refused("loadmodule", "", LIST, NO_MODULES).file_only().at_start(),
    kept("enable-module-command", "no", Shape::Word(&["no", "yes", "local"]), NO_MODULES)
        .at_start(),
    kept("busy-reply-threshold", "5000", COUNT, NO_SCRIPTS).aliases(&["lua-time-limit"]),
    kept("default-lua-flags", "", TEXT, NO_SCRIPTS).at_start(),
    kept("lua-auto-async", "no", BOOL, NO_SCRIPTS).at_start(),
    kept("lua-allow-undeclared-auto-correct", "no", BOOL, NO_SCRIPTS).at_start(),
    kept("lua-undeclared-keys-shas", "", TEXT, NO_SCRIPTS),
    kept("lua-float-as-int-shas", "", TEXT, NO_SCRIPTS),
    kept("lua-resp2-legacy-float", "no", BOOL, NO_SCRIPTS).at_start(),
    kept("interpreter-per-thread", "10", COUNT, NO_SCRIPTS).at_start(),
    kept("lua-mem-gc-threshold", "10000000", MEMORY, NO_SCRIPTS),
    kept("luagc", "", TEXT, NO_SCRIPTS).at_start(),
    kept("lua-enable-redis-log", "no", BOOL, NO_SCRIPTS).at_start(),
    kept("multi-eval-squash-buffer", "8096", MEMORY, NO_SCRIPTS).at_start(),
    kept("migrate-connections", "yes", BOOL, NO_SCRIPTS).at_start(),
];

/// Making room, and keys whose time is up.
pub const EVICTION: &[Parameter] = &[
    refused("maxmemory-policy", "noeviction", POLICY, NO_EVICTION),
    refused("cache-mode", "no", BOOL, NO_EVICTION).at_start(),
    refused("notify-keyspace-events", "", TEXT, NO_EVENTS),
    kept("maxmemory-samples", "5", int(1, 64), NO_EVICTION),
    kept("maxmemory-eviction-tenacity", "10", PERCENT, NO_EVICTION),
    kept("lfu-log-factor", "10", COUNT, NO_EVICTION),
    kept("lfu-decay-time", "1", COUNT, NO_EVICTION),
    kept("force-eviction-percent", "0", PERCENT, NO_EVICTION),
    kept("delete-on-evict", "no", BOOL, NO_EVICTION).at_start(),
    kept("rss-oom-deny-ratio", "0", RATIO, "maxmemory alone decides"),
    kept("table-growth-margin", "0.15", RATIO, "the table grows in small steps").at_start(),
    kept("eviction-memory-budget-threshold", "0.1", RATIO, NO_EVICTION).at_start(),
    kept("enable-heartbeat-eviction", "yes", BOOL, NO_EVICTION),
    kept("enable-heartbeat-rss-eviction", "yes", BOOL, NO_EVICTION),
    kept("max-eviction-per-heartbeat", "100", COUNT, NO_EVICTION),
    kept("max-segment-to-consider", "4", COUNT, NO_EVICTION),
    kept("active-expire-effort", "1", int(1, 10), BY_ITSELF),
    kept("lazyexpire-nested-arbitrary-keys", "yes", BOOL, BY_ITSELF),
    kept("hz", "10", int(0, INT), BY_ITSELF),
    kept("dynamic-hz", "yes", BOOL, BY_ITSELF),
    kept("background-heartbeat", "no", BOOL, BY_ITSELF).at_start(),
    kept("lazyfree-lazy-eviction", "no", BOOL, IN_BACKGROUND),
    kept("lazyfree-lazy-expire", "no", BOOL, IN_BACKGROUND),
    kept("lazyfree-lazy-server-del", "no", BOOL, IN_BACKGROUND),
    kept("lazyfree-lazy-user-del", "no", BOOL, IN_BACKGROUND),
    kept("lazyfree-lazy-user-flush", "no", BOOL, IN_BACKGROUND),
    kept("unlink-experimental-async", "yes", BOOL, IN_BACKGROUND).at_start(),
    kept("activedefrag", "no", BOOL, NO_DEFRAG),
    kept("active-defrag-cycle-min", "1", int(1, 99), NO_DEFRAG),
    kept("active-defrag-cycle-max", "25", int(1, 99), NO_DEFRAG),
    kept("active-defrag-cycle-us", "500", COUNT, NO_DEFRAG),
    kept("active-defrag-ignore-bytes", "104857600", MEMORY, NO_DEFRAG),
    kept("active-defrag-max-scan-fields", "1000", int(1, INT), NO_DEFRAG),
    kept("active-defrag-threshold-lower", "10", int(0, 1000), NO_DEFRAG),
    kept("active-defrag-threshold-upper", "100", int(0, 1000), NO_DEFRAG),
    kept("mem-defrag-threshold", "0.7", RATIO, NO_DEFRAG).at_start(),
    kept("mem-defrag-check-sec-interval", "60", COUNT, NO_DEFRAG).at_start(),
    kept("mem-defrag-waste-threshold", "0.2", RATIO, NO_DEFRAG).at_start(),
    kept("mem-defrag-page-utilization-threshold", "0.8", RATIO, NO_DEFRAG).at_start(),
    kept("disable-json-defragmentation", "no", BOOL, NO_DEFRAG).at_start(),
];

/// How other values are kept.
pub const ENCODINGS: &[Parameter] = &[
    kept("vset-force-single-threaded-execution", "no", BOOL, NO_COLLECTIONS),
    kept("semi-ordered-set-bucket-size", "0", COUNT, NO_COLLECTIONS),
    kept("listpack-max-field-len", "64", COUNT, NO_COLLECTIONS).at_start(),
    kept("listpack-max-bytes", "1024", MEMORY, NO_COLLECTIONS).at_start(),
    kept("list-compress-dict-threshold", "0", COUNT, NO_COLLECTIONS).at_start(),
    kept("list-compress-level", "-1", int(-100, 100), NO_COLLECTIONS).at_start(),
    kept("use-oah-set", "yes", BOOL, NO_COLLECTIONS).at_start(),
    kept("container-iteration-yield-interval-usec", "500", COUNT, NO_COLLECTIONS).at_start(),
    kept("huffman-table", "", TEXT, NO_COLLECTIONS).at_start(),
    kept("experimental-flat-json", "no", BOOL, NO_COLLECTIONS).at_start(),
    kept("jsonpathv2", "yes", BOOL, NO_COLLECTIONS).at_start(),
    kept("cf-bucket-size", "2", COUNT, NO_FILTERS),
    kept("cf-initial-size", "1024", COUNT, NO_FILTERS),
    kept("cf-max-iterations", "20", COUNT, NO_FILTERS),
    kept("cf-expansion-factor", "1", COUNT, NO_FILTERS),
    kept("cf-max-expansions", "32", COUNT, NO_FILTERS),
    kept("maxsearchresults", "1000000", COUNT, NO_SEARCH),
    kept("search-query-string-bytes", "10240", COUNT, NO_SEARCH),
    kept("search-reject-legacy-field", "yes", BOOL, NO_SEARCH).at_start(),
    kept("use-numeric-range-tree", "yes", BOOL, NO_SEARCH).at_start(),
    kept("subset-knn-search-threshold", "8192", COUNT, NO_SEARCH).at_start(),
];
