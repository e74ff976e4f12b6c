//! Parameters of serving clients: addresses, limits, security, memory, threads.

use crate::config::address::{bind, set_bind};
use crate::config::limits;
use crate::config::parameter::{Parameter, kept, number, refused, shaped, special, text};
use crate::config::shape::{BOOL, COUNT, INT, LIST, MEMORY, PORT, Shape, TEXT, int};
use crate::{listening, oom, process};

const NO_LISTENER: &str = "there is no such listener";
const NO_MULTIPATH: &str = "connections are plain TCP";
const NO_BUFFER: &str = "an idle connection owns no buffer";
const ALL_SERVE: &str = "every thread serves connections";
const NO_PLACES: &str = "the system places threads";
const NO_USERS: &str = "there are no users but the default one";
const ONE_USER: &str = "there is the default user alone, and the process keeps its own";
const NO_MARKS: &str = "sockets are not marked";
const OUTPUT: &str = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60";
const FROM_1_MIB: Shape = Shape::Memory(1 << 20, i64::MAX);
const CHANNELS: Shape = Shape::Word(&["allchannels", "resetchannels"]);
const SCORE: Shape = Shape::Word(&["no", "yes", "relative", "absolute"]);
const WHO: Shape = Shape::Word(&["no", "yes", "local"]);

/// Where the server listens.
pub const ADDRESSES: &[Parameter] = &[
    number("port", "6379", (-1, 65_535), |c| &c.port)
        .about("TCP port; 0 for none, -1 for any free one.")
        .apply(listening::apply_port),
    special("bind", "* -::*", LIST, bind, set_bind)
        .about("Addresses to listen on; * for all; - before one that the machine may not have.")
        .apply(listening::apply_bind),
    text("unixsocket", "", TEXT, |c| &c.unix_socket)
        .about("Path of a unix socket to listen on.")
        .at_start(),
    shaped("unixsocketperm", "0", Shape::Octal, |c| &c.unix_socket_mode)
        .about("Permissions of the unix socket, in octal; 0 for those of the process.")
        .at_start(),
    number("tcp-backlog", "511", (1, INT), |c| &c.backlog)
        .about("Connections that may wait to be accepted.")
        .at_start(),
    refused("admin-port", "0", PORT, NO_LISTENER).at_start(),
    refused("memcached-port", "0", PORT, NO_LISTENER).at_start(),
    refused("rdma-port", "0", PORT, NO_LISTENER).at_start(),
    refused("expose-http-api", "no", BOOL, "HTTP is not served").at_start(),
    kept("admin-bind", "", TEXT, NO_LISTENER).at_start(),
    kept("admin-nopass", "no", BOOL, NO_LISTENER).at_start(),
    kept("primary-port-http-enabled", "no", BOOL, "HTTP is not served").at_start(),
    kept("unixsocketgroup", "", TEXT, "the socket belongs to the group of the process").at_start(),
    kept("bind-source-addr", "", TEXT, "the server connects to nobody"),
    kept("socket-mark-id", "0", COUNT, NO_MARKS).at_start(),
    kept("mptcp", "no", BOOL, NO_MULTIPATH).at_start(),
    kept("repl-mptcp", "no", BOOL, NO_MULTIPATH).at_start(),
    kept("rdma-bind", "", LIST, NO_LISTENER).at_start(),
    kept("rdma-rx-size", "1048576", MEMORY, NO_LISTENER).at_start(),
    kept("rdma-completion-vector", "-1", int(-1, INT), NO_LISTENER).at_start(),
];

/// What clients may do and use.
pub const CLIENTS: &[Parameter] = &[
    number("maxclients", "10000", (1, u32::MAX as i64), |c| &c.clients_max)
        .about("Connections at a time.")
        .apply(process::apply_clients_max),
    number("timeout", "0", (0, INT), |c| &c.timeout_s)
        .about("Seconds after which an idle client is closed; 0 for never."),
    number("tcp-keepalive", "300", (0, INT), |c| &c.keepalive_s)
        .about("Seconds of silence after which a connection is probed; 0 for never."),
    special("client-output-buffer-limit", OUTPUT, LIST, limits::output, limits::set_output)
        .about("Unsent output: class, bytes at most, bytes allowed for a time, that time in s."),
    shaped("client-query-buffer-limit", "1gb", FROM_1_MIB, |c| &c.query_buffer_max)
        .about("Bytes of a request that is not complete yet."),
    shaped("proto-max-bulk-len", "512mb", FROM_1_MIB, |c| &c.settings.string_len_max)
        .about("Bytes of the longest argument and the longest string.")
        .foreign(&["max-bulk-len"]),
    special("maxmemory-clients", "0", TEXT, limits::clients_memory, limits::set_clients_memory)
        .about("Memory of all clients' buffers, in bytes or % of maxmemory; 0 for automatic."),
    kept("max-new-connections-per-cycle", "10", int(1, 1000), "as many as a turn has time for"),
    kept("max-multi-bulk-len", "1048576", COUNT, "the limit is always 1048576").at_start(),
    kept("max-client-iobuf-len", "32768", MEMORY, NO_BUFFER).at_start(),
    kept("iobuf-min-shrink-interval-sec", "30", COUNT, NO_BUFFER).at_start(),
    kept("tcp-nodelay", "yes", BOOL, "replies are never held back").at_start(),
    kept("tcp-user-timeout", "0", COUNT, "tcp-keepalive and the system's default decide")
        .at_start(),
    kept("send-timeout", "0", COUNT, "client-output-buffer-limit decides"),
    kept("enable-tcp-defer-accept", "yes", BOOL, "a connection is taken at once").at_start(),
    kept("tracking-table-max-keys", "1000000", COUNT, "keys are not tracked for clients yet"),
    kept("availability-zone", "", TEXT, "no command shows it yet"),
];

/// Who may do what.
pub const SECURITY: &[Parameter] = &[
    text("requirepass", "", TEXT, |c| &c.password)
        .about("Password that clients must give with AUTH; empty for none.")
        .foreign(&["password"])
        .secret(),
    shaped("protected-mode", "yes", BOOL, |c| &c.protected_mode)
        .about("Without a password, and listening everywhere, take only this machine's clients."),
    text("enable-debug-command", "no", WHO, |c| &c.debug_command)
        .about("Who may use DEBUG: no, local (from this machine) or yes.")
        .at_start(),
    text("enable-protected-configs", "no", WHO, |c| &c.protected_configs)
        .about("Who may change protected parameters: no, local (from this machine) or yes.")
        .at_start(),
    refused("aclfile", "", TEXT, NO_USERS).at_start(),
    refused("user", "", LIST, ONE_USER).file_only().at_start(),
    refused("rename-command", "", LIST, "commands keep their names").file_only().at_start(),
    refused("restricted-commands", "", TEXT, "commands cannot be kept to a listener").at_start(),
    refused("command-alias", "", TEXT, "commands keep their names").at_start(),
    kept("acl-pubsub-default", "resetchannels", CHANNELS, NO_USERS),
    kept("acllog-max-len", "128", COUNT, NO_USERS),
    kept("hide-user-data-from-log", "yes", BOOL, "the log never holds keys or values"),
    kept("managed-service-info", "no", BOOL, "nothing is hidden"),
];

/// Memory, threads, databases.
pub const RESOURCES: &[Parameter] = &[
    special("maxmemory", "0", TEXT, limits::memory_max, limits::set_memory_max)
        .about("Memory to use, in bytes or % of the machine or container; 0 for no limit."),
    number("threads", "0", (0, 1024), |c| &c.threads)
        .about("Threads that serve connections; 0 for one per core.")
        .aliases(&["io-threads"])
        .foreign(&["proactor-threads", "server-threads"])
        .at_start(),
    refused("databases", "16", int(1, INT), "there are always 16").foreign(&["dbnum"]).at_start(),
    kept("io-threads-do-reads", "no", BOOL, "every thread reads, runs and writes").at_start(),
    kept("io-threads-always-active", "no", BOOL, "threads sleep when there is nothing to do")
        .at_start(),
    kept("num-shards", "0", COUNT, "there are always 1024").at_start(),
    kept("conn-io-threads", "0", COUNT, ALL_SERVE).at_start(),
    kept("conn-io-thread-start", "0", COUNT, ALL_SERVE).at_start(),
    kept("server-cpulist", "", TEXT, NO_PLACES).aliases(&["server_cpulist"]).at_start(),
    kept("bio-cpulist", "", TEXT, NO_PLACES).aliases(&["bio_cpulist"]).at_start(),
    kept("proactor-affinity-mode", "", TEXT, NO_PLACES).at_start(),
    text("oom-score-adj", "no", SCORE, |c| &c.oom_score.mode)
        .about(
            "Whether the kernel is told how readily to end this process: no, yes or relative \
             (added to what it has), absolute.",
        )
        .apply(oom::apply),
    special("oom-score-adj-values", "0 200 800", LIST, oom::values, oom::set_values)
        .about("What it is told, for a master, a replica and a child; only the first counts.")
        .apply(oom::apply),
    kept("disable-thp", "yes", BOOL, "there is no fork that huge pages would slow down").at_start(),
];
