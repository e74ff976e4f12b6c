//! What the transcripts cannot see of commands on sorted sets.

use super::COMMANDS;
use crate::Failure;
use crate::generic::tests::World;

/// So many members are too many to be visited on the way.
const MANY: usize = 9_000;

fn fill(world: &World, key: &str) {
    let pairs: String = (0..MANY).map(|number| format!(" {number} m{number}")).collect();
    assert_eq!(world.run(&format!("ZADD {key}{pairs}")), format!(":{MANY}|"));
}

#[test]
fn rows_are_sorted() {
    assert!(COMMANDS.is_sorted_by_key(|row| row.spec.name));
}

#[test]
fn what_visits_many_members_goes_to_the_pool_and_has_changed_nothing() {
    let mut world = World::new();
    fill(&world, "a");
    fill(&world, "b");
    let commands = [
        "ZRANGE a 0 -1",
        "ZRANGEBYSCORE a -inf +inf",
        "ZREVRANGEBYLEX a + -",
        "ZRANDMEMBER a 9000",
        "ZRANDMEMBER a -9000",
        "ZUNION 2 a b",
        "ZINTER 2 a b",
        "ZINTERCARD 2 a b",
        "ZDIFF 2 a b",
        "ZRANGESTORE d a 0 -1",
        "ZUNIONSTORE d 2 a b",
        "ZINTERSTORE d 2 a b",
        "ZDIFFSTORE d 2 a b",
        "ZREMRANGEBYRANK a 0 -1",
        "ZREMRANGEBYSCORE a -inf +inf",
        "ZREMRANGEBYLEX a - +",
        "ZPOPMIN a 9000",
        "ZPOPMAX a 9000",
        "ZMPOP 1 a MIN COUNT 9000",
    ];
    world.may_wait = false;
    for command in commands {
        assert_eq!(world.try_run(command), Err(Failure::Detach), "{command}");
    }
    assert_eq!(world.run("ZCARD a"), format!(":{MANY}|"));
    assert_eq!(world.run("ZCARD d"), ":0|");
    // What shows, counts or takes few of many is done on the way.
    for command in ["ZRANGE a 100 110", "ZCOUNT a 5 8000", "ZRANDMEMBER a 5", "ZPOPMAX b 3"] {
        assert!(world.try_run(command).is_ok(), "{command}");
    }
    world.may_wait = true;
    for command in commands {
        assert!(world.try_run(command).is_ok(), "{command}");
    }
}

#[test]
fn members_by_chance_are_members() {
    let world = World::new();
    fill(&world, "a");
    for (command, count) in [("ZRANDMEMBER a 500", 500), ("ZRANDMEMBER a -20000", 20_000)] {
        let reply = world.run(command);
        let mut members: Vec<&str> =
            reply.split('|').filter(|part| part.starts_with('m')).collect();
        assert_eq!(members.len(), count);
        let is_member = |member: &&str| member[1..].parse::<usize>().is_ok_and(|n| n < MANY);
        assert!(members.iter().all(is_member));
        members.sort_unstable();
        members.dedup();
        assert!(members.len() > count / 4, "{} different", members.len());
    }
}
