//! Cluster commands, which a server that is no part of a cluster refuses. Clients ask in order to
//! find out.

use commands::spec::arguments::{integer, string};
use commands::spec::{Flags, Group, tips};
use commands::{Command, Failure};

use super::no_subcommand;
use crate::session::{Call, Flow, SessionHandler};

/// The rows of this family.
pub static COMMANDS: &[Command<SessionHandler>] = &[
    Command::<SessionHandler>::new("asking", 1, refuse)
        .flags(Flags::FAST)
        .docs(Group::Cluster, "3.0.0", "Announces a command that was sent on by -ASK.")
        .complexity("O(1)")
        .categories(&["connection"]),
    Command::<SessionHandler>::new("cluster", -2, no_subcommand)
        .docs(Group::Cluster, "3.0.0", "Commands about the cluster.")
        .complexity("that of the subcommand")
        .subcommands(SUBCOMMANDS),
    Command::<SessionHandler>::new("readonly", 1, refuse)
        .flags(Flags::LOADING.union(Flags::STALE).union(Flags::FAST))
        .docs(Group::Cluster, "3.0.0", "Lets a connection read from a replica in a cluster.")
        .complexity("O(1)")
        .categories(&["connection"]),
    Command::<SessionHandler>::new("readwrite", 1, refuse)
        .flags(Flags::LOADING.union(Flags::STALE).union(Flags::FAST))
        .docs(Group::Cluster, "3.0.0", "Takes READONLY back.")
        .complexity("O(1)")
        .categories(&["connection"]),
];

static SUBCOMMANDS: &[Command<SessionHandler>] = &[
    Command::<SessionHandler>::new("countkeysinslot", 3, refuse)
        .flags(Flags::STALE)
        .docs(Group::Cluster, "3.0.0", "Counts the keys of a slot.")
        .complexity("O(1)")
        .args(&[integer("slot")]),
    Command::<SessionHandler>::new("getkeysinslot", 4, refuse)
        .flags(Flags::STALE)
        .docs(Group::Cluster, "3.0.0", "Lists keys of a slot.")
        .complexity("O(N) with N the number of keys asked for")
        .tips(&[tips::NONDETERMINISTIC])
        .args(&[integer("slot"), integer("count")]),
    Command::<SessionHandler>::new("help", 2, refuse)
        .flags(Flags::LOADING.union(Flags::STALE))
        .docs(Group::Cluster, "5.0.0", "Lists the subcommands.")
        .complexity("O(1)"),
    Command::<SessionHandler>::new("info", 2, refuse)
        .flags(Flags::STALE)
        .docs(Group::Cluster, "3.0.0", "Tells the state of the cluster.")
        .complexity("O(1)")
        .tips(&[tips::NONDETERMINISTIC]),
    Command::<SessionHandler>::new("keyslot", 3, refuse)
        .flags(Flags::STALE)
        .docs(Group::Cluster, "3.0.0", "Tells the slot of a key.")
        .complexity("O(N) with N the length of the key")
        .args(&[string("key")]),
    Command::<SessionHandler>::new("links", 2, refuse)
        .flags(Flags::STALE)
        .docs(Group::Cluster, "7.0.0", "Lists the connections between nodes.")
        .complexity("O(N) with N the number of nodes")
        .tips(&[tips::NONDETERMINISTIC]),
    Command::<SessionHandler>::new("myid", 2, refuse)
        .flags(Flags::STALE)
        .docs(Group::Cluster, "3.0.0", "Tells the name of the node.")
        .complexity("O(1)"),
    Command::<SessionHandler>::new("nodes", 2, refuse)
        .flags(Flags::STALE)
        .docs(Group::Cluster, "3.0.0", "Describes the nodes, as they keep it themselves.")
        .complexity("O(N) with N the number of nodes")
        .tips(&[tips::NONDETERMINISTIC]),
    Command::<SessionHandler>::new("shards", 2, refuse)
        .flags(Flags::STALE)
        .docs(Group::Cluster, "7.0.0", "Tells which nodes serve which slots, by shards.")
        .complexity("O(N) with N the number of nodes")
        .tips(&[tips::NONDETERMINISTIC]),
    Command::<SessionHandler>::new("slots", 2, refuse)
        .flags(Flags::STALE)
        .docs(Group::Cluster, "3.0.0", "Tells which nodes serve which slots.")
        .complexity("O(N) with N the number of nodes")
        .history(&[("4.0.0", "Names of nodes."), ("7.0.0", "More about how nodes are reached.")])
        .deprecated("7.0.0", "`CLUSTER SHARDS`")
        .tips(&[tips::NONDETERMINISTIC]),
];

fn refuse(_: &mut Call<'_>) -> Result<Flow, Failure> {
    Err(Failure::text("ERR This instance has cluster support disabled"))
}
