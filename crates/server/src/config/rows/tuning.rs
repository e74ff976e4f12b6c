//! Parameters that tune what other servers are made of, and which have no part here.

use crate::config::parameter::{Parameter, kept, refused};
use crate::config::shape::{BOOL, COUNT, MEMORY, RATIO, TEXT, int};

const NO_REHASH: &str = "tables never rehash: they grow in small steps";
const ALLOCATOR: &str = "the allocator is another one";
const BATCHES: &str = "commands that are read together always run as one batch";
const NO_QUEUE: &str = "there is no queue of commands: a slow reader is not read from";
const NO_FIBERS: &str = "there are no fibers";
const EPOLL: &str = "threads wait by epoll";
const IN_PLACE: &str = "commands run on the thread that read them";
const NO_QUEUES: &str = "shards are borrowed; there is no queue of transactions";
const HASH_TAGS: &str = "keys with the same hash tag always lie together";
const NO_TIERS: &str = "data are kept in memory only";
const FUZZ: &str = "the fuzzers are programs of their own";
const NO_PUBSUB: &str = "there is no publishing";

/// Of Redis and Valkey.
pub const REDIS: &[Parameter] = &[
    kept("activerehashing", "yes", BOOL, NO_REHASH),
    kept("jemalloc-bg-thread", "yes", BOOL, ALLOCATOR),
    kept("lookahead", "16", int(1, 64), BATCHES),
    kept("prefetch-batch-max-size", "16", int(0, 128), BATCHES),
    kept("min-io-threads-avoid-copy-reply", "7", COUNT, IN_PLACE),
    kept("min-string-size-avoid-copy-reply", "16384", COUNT, IN_PLACE),
    kept("min-string-size-avoid-copy-reply-threaded", "65536", COUNT, IN_PLACE),
    kept("extended-redis-compatibility", "no", BOOL, "replies are always Redis's"),
    kept("hash-seed", "", TEXT, "the hash has a random secret").at_start(),
];

/// Of Dragonfly.
pub const DRAGONFLY: &[Parameter] = &[
    kept("keys-output-limit", "0", COUNT, "KEYS tells all").at_start(),
    kept("conn-use-incoming-cpu", "no", BOOL, "a new connection goes to the emptiest thread")
        .at_start(),
    kept("force-epoll", "yes", BOOL, EPOLL).at_start(),
    kept("epoll-file-threads", "0", COUNT, EPOLL).at_start(),
    kept("uring-recv-buffer-cnt", "0", COUNT, EPOLL).at_start(),
    kept("uring-direct-table-len", "0", COUNT, EPOLL).at_start(),
    kept("uring-disable-iowait", "no", BOOL, EPOLL).at_start(),
    kept("registered-buffer-size", "512kb", MEMORY, EPOLL).at_start(),
    kept("fiber-safety-margin", "0", COUNT, NO_FIBERS).at_start(),
    kept("fiber-run-warning-threshold-ms", "0", COUNT, NO_FIBERS).at_start(),
    kept("scheduler-background-budget", "50000", COUNT, NO_FIBERS),
    kept("scheduler-background-sleep-prob", "50", int(0, 100), NO_FIBERS),
    kept("scheduler-background-warrant", "5", int(0, 100), NO_FIBERS),
    kept("shard-thread-busy-polling-usec", "0", COUNT, IN_PLACE),
    kept("pipeline-squash", "1", COUNT, BATCHES),
    kept("pipeline-squash-limit", "1073741824", COUNT_64, BATCHES),
    kept("max-squashed-cmd-num", "100", COUNT, BATCHES),
    kept("max-busy-squash-usec", "1000", COUNT, BATCHES),
    kept("log-squash-info-threshold-usec", "2147483648", COUNT_64, BATCHES),
    kept("squash-stats-latency-lower-limit", "0", COUNT, BATCHES).at_start(),
    kept("squashed-reply-size-limit", "0", MEMORY, BATCHES).at_start(),
    kept("pipeline-buffer-limit", "128mb", MEMORY, NO_QUEUE),
    kept("pipeline-queue-limit", "10000", COUNT, NO_QUEUE),
    kept("pipeline-wait-batch-usec", "0", COUNT, BATCHES),
    kept("always-flush-pipeline", "no", BOOL, BATCHES),
    kept("pipeline-prioritize-large-batches", "yes", BOOL, BATCHES).at_start(),
    kept("pipeline-parse-in-proactor", "yes", BOOL, IN_PLACE).at_start(),
    kept("enable-memcache-io-loop-v2", "yes", BOOL, IN_PLACE).at_start(),
    kept("enable-resp-io-loop-v2", "no", BOOL, IN_PLACE).at_start(),
    kept("enable-pipeline-squashing-v2", "yes", BOOL, BATCHES).at_start(),
    kept("experimental-io-loop-v2", "yes", BOOL, IN_PLACE).at_start(),
    kept("async-dispatch-quota", "100", COUNT, NO_QUEUE).at_start(),
    kept("request-cache-limit", "64mb", MEMORY, NO_QUEUE).at_start(),
    kept("max-busy-read-usec", "200", COUNT, "a turn has limits of its own"),
    kept("publish-buffer-limit", "196mb", MEMORY, NO_PUBSUB).at_start(),
    kept("pubsub-slow-subscriber-timeout-ms", "0", COUNT, NO_PUBSUB).at_start(),
    kept("disk-backpressure-folder", "", TEXT, NO_QUEUE).at_start(),
    kept("disk-backpressure-file-max-bytes", "50mb", MEMORY, NO_QUEUE).at_start(),
    kept("write-connection-throttling-sleep-usec", "0", COUNT, "no write is delayed on purpose"),
    kept("get-zero-copy", "yes", BOOL, IN_PLACE).at_start(),
    kept("mget-dedup-keys", "no", BOOL, BATCHES).at_start(),
    kept("multi-exec-squash", "yes", BOOL, BATCHES).at_start(),
    kept("pause-wait-timeout", "1", COUNT, IN_PLACE).at_start(),
    kept("lock-on-hashtags", "no", BOOL, HASH_TAGS).at_start(),
    kept("locktag-delimiter", "", TEXT, HASH_TAGS).at_start(),
    kept("locktag-skip-n-end-delimiters", "0", COUNT, HASH_TAGS).at_start(),
    kept("locktag-prefix", "", TEXT, HASH_TAGS).at_start(),
    kept("shard-round-robin-prefix", "", TEXT, HASH_TAGS).at_start(),
    kept("tx-queue-warning-len", "96", COUNT, NO_QUEUES).at_start(),
    kept("afl-loop-limit", "4294967295", COUNT_64, FUZZ).at_start(),
    kept("afl-target-port", "0", COUNT, FUZZ).at_start(),
];

/// Of Dragonfly's tiers.
pub const TIERING: &[Parameter] = &[
    refused("tiered-prefix", "", TEXT, NO_TIERS).at_start(),
    kept("tiered-max-file-size", "0", MEMORY, NO_TIERS).at_start(),
    kept("tiering-disk-storage-initial-size", "256mb", MEMORY, NO_TIERS).at_start(),
    kept("tiered-min-value-size", "64", MEMORY, NO_TIERS),
    kept("tiered-offload-threshold", "0.5", RATIO, NO_TIERS),
    kept("tiered-upload-threshold", "0.1", RATIO, NO_TIERS),
    kept("tiered-min-ttl-to-offload-ms", "5000", COUNT, NO_TIERS),
    kept("tiered-experimental-cooling", "yes", BOOL, NO_TIERS),
    kept("tiered-storage-write-depth", "200", COUNT, NO_TIERS).at_start(),
    kept("tiered-max-pending-stash-bytes", "256kb", MEMORY, NO_TIERS),
    kept("tiered-experimental-hash-support", "no", BOOL, NO_TIERS),
    kept("tiered-experimental-list-support", "no", BOOL, NO_TIERS),
    kept("list-tiering-threshold", "0", COUNT, NO_TIERS).at_start(),
    kept("list-tiering-prefetch-depth", "0", COUNT, NO_TIERS).at_start(),
    kept("backing-file-direct", "yes", BOOL, NO_TIERS).at_start(),
];

/// Of KeyDB.
pub const KEYDB: &[Parameter] = &[
    refused("storage-provider", "", TEXT, NO_TIERS).at_start(),
    kept("storage-provider-options", "", TEXT, NO_TIERS).at_start(),
    kept("storage-cache-mode", "", TEXT, NO_TIERS).at_start(),
    kept("storage-flush-period", "0", COUNT, NO_TIERS).at_start(),
    kept("maxstorage", "0", MEMORY, NO_TIERS).at_start(),
    kept("server-thread-affinity", "no", BOOL, "the system places threads").at_start(),
    kept("min-clients-per-thread", "0", COUNT, IN_PLACE).at_start(),
    kept("active-client-balancing", "yes", BOOL, IN_PLACE).at_start(),
    kept("overload-protect-percent", "0", int(0, 200), "no load is shed"),
    kept("maxclients-reserved", "0", COUNT, "maxclients holds for all"),
    kept("soft-shutdown", "no", BOOL, "the process ends when asked to"),
    kept("enable-async-commands", "no", BOOL, IN_PLACE).at_start(),
    kept("use-fork", "no", BOOL, "nothing forks").at_start(),
];

const COUNT_64: crate::config::shape::Shape = int(0, i64::MAX);
