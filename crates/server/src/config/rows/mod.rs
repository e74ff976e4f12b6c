//! The table of parameters, by subject.

mod encodings;
mod later;
mod serving;
mod tuning;
mod watching;

use super::parameter::Parameter;

/// Parameters of one subject.
pub struct Group {
    /// The subject.
    pub title: &'static str,
    /// Its parameters.
    pub rows: &'static [Parameter],
}

/// All parameters.
pub static GROUPS: &[Group] = &[
    Group { title: "Addresses", rows: serving::ADDRESSES },
    Group { title: "Clients and their limits", rows: serving::CLIENTS },
    Group { title: "Security", rows: serving::SECURITY },
    Group { title: "Memory and threads", rows: serving::RESOURCES },
    Group { title: "The process and its log", rows: watching::PROCESS },
    Group { title: "Slow commands and latency", rows: watching::MONITORING },
    Group { title: "Encryption", rows: later::ENCRYPTION },
    Group { title: "Persistence", rows: later::PERSISTENCE },
    Group { title: "Replication", rows: later::REPLICATION },
    Group { title: "Cluster", rows: later::CLUSTER },
    Group { title: "Scripts and modules", rows: later::SCRIPTS },
    Group { title: "Eviction and expiry", rows: later::EVICTION },
    Group { title: "Forms of collections", rows: encodings::COLLECTIONS },
    Group { title: "Encodings of values", rows: later::ENCODINGS },
    Group { title: "Tuning of Redis and Valkey", rows: tuning::REDIS },
    Group { title: "Tuning of Dragonfly", rows: tuning::DRAGONFLY },
    Group { title: "Tiered storage of Dragonfly", rows: tuning::TIERING },
    Group { title: "Tuning of KeyDB", rows: tuning::KEYDB },
];
