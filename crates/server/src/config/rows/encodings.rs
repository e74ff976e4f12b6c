//! Parameters that say up to what size collections stay in their smaller forms.

use crate::config::parameter::{Parameter, number, shaped};
use crate::config::shape::MEMORY;

const INT: i64 = i32::MAX as i64;

/// Forms of lists, sets, hashes, sorted sets, streams and HyperLogLogs.
pub const COLLECTIONS: &[Parameter] = &[
    number("hash-max-listpack-entries", "512", (0, i64::MAX), |c| &c.settings.limits.hash_fields)
        .about("Fields of a packed hash.")
        .aliases(&["hash-max-ziplist-entries"]),
    shaped("hash-max-listpack-value", "64", MEMORY, |c| &c.settings.limits.hash_bytes)
        .about("Bytes of the longest field or value of a packed hash.")
        .aliases(&["hash-max-ziplist-value"]),
    number("list-max-listpack-size", "-2", (-INT, INT), |c| &c.settings.limits.list_size)
        .about("Elements of a list's node; -1 to -5: 4, 8, 16, 32 or 64 KiB of them.")
        .aliases(&["list-max-ziplist-size"]),
    number("list-compress-depth", "0", (0, INT), |c| &c.settings.limits.list_depth)
        .about("Nodes at each end of a list that are not compressed; 0: none is compressed."),
    number("set-max-intset-entries", "512", (0, i64::MAX), |c| &c.settings.limits.set_integers)
        .about("Members of a set that is kept as sorted integers."),
    number("set-max-listpack-entries", "128", (0, i64::MAX), |c| &c.settings.limits.set_members)
        .about("Members of a packed set."),
    number("set-max-listpack-value", "64", (0, i64::MAX), |c| &c.settings.limits.set_bytes)
        .about("Bytes of the longest member of a packed set."),
    number("zset-max-listpack-entries", "128", (0, i64::MAX), |c| {
        &c.settings.limits.sorted_set_members
    })
    .about("Members of a packed sorted set.")
    .aliases(&["zset-max-ziplist-entries"]),
    shaped("zset-max-listpack-value", "64", MEMORY, |c| &c.settings.limits.sorted_set_bytes)
        .about("Bytes of the longest member of a packed sorted set.")
        .aliases(&["zset-max-ziplist-value"]),
    shaped("stream-node-max-bytes", "4096", MEMORY, |c| &c.settings.limits.stream_node_bytes)
        .about("Bytes of a stream's node; 0: as many as its entries have."),
    number("stream-node-max-entries", "100", (0, i64::MAX), |c| {
        &c.settings.limits.stream_node_entries
    })
    .about("Entries of a stream's node; 0: as many as fit into its bytes."),
    shaped("hll-sparse-max-bytes", "3000", MEMORY, |c| &c.settings.limits.hyperloglog_bytes)
        .about("Bytes of a sparse HyperLogLog, its header included."),
    number("stream-idmp-duration", "100", (1, 86_400), |c| &c.settings.limits.stream_idmp_seconds)
        .about("Seconds for which a new stream remembers the messages of its producers."),
    number("stream-idmp-maxsize", "100", (1, 10_000), |c| &c.settings.limits.stream_idmp_messages)
        .about("Messages of each producer that a new stream remembers."),
];
