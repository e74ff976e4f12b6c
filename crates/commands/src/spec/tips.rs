//! Tips: what clients and proxies may like to know of a command's replies, and of how to send it
//! to many servers. COMMAND INFO shows them as they stand here.

/// The same call on the same data may be answered otherwise.
pub const NONDETERMINISTIC: &str = "nondeterministic_output";
/// As before, but only the order differs.
pub const NONDETERMINISTIC_ORDER: &str = "nondeterministic_output_order";
/// To be sent to all servers, replicas too.
pub const TO_ALL_NODES: &str = "request_policy:all_nodes";
/// To be sent to all masters.
pub const TO_ALL_SHARDS: &str = "request_policy:all_shards";
/// To be parted by keys, and sent to their masters.
pub const TO_SHARDS_OF_KEYS: &str = "request_policy:multi_shard";
/// Where to send it is not said by a rule.
pub const TO_SPECIAL: &str = "request_policy:special";
/// Of many replies the least counts.
pub const REPLY_MIN: &str = "response_policy:agg_min";
/// Many replies are to be added.
pub const REPLY_SUM: &str = "response_policy:agg_sum";
/// It has succeeded when it has everywhere.
pub const REPLY_ALL_SUCCEEDED: &str = "response_policy:all_succeeded";
/// How to join many replies is not said by a rule.
pub const REPLY_SPECIAL: &str = "response_policy:special";
