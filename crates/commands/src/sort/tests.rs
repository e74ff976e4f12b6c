//! What SORT is asked for, where its keys are, and that many elements come out as few do.

use super::*;
use crate::generic::tests::World;

fn parse(words: &str) -> Result<Plan<'_>, Failure> {
    Plan::parse(words.split_whitespace().map(str::as_bytes), true)
}

#[test]
fn rows_are_sorted() {
    assert!(COMMANDS.is_sorted_by_key(|row| row.spec.name));
}

#[test]
fn words_are_read() {
    let plan = parse("by w* get # GET x* limit 2 -7 desc alpha STORE d").expect("a plan");
    assert!(matches!(plan.by, By::Made(_)));
    assert!(plan.is_alpha && plan.is_descending && plan.stores);
    assert_eq!((plan.offset, plan.count, plan.width(), plan.lookups(5)), (2, -7, 2, 8));
    assert_eq!(parse("BY nosort BY w*").map(|plan| plan.by), Ok(By::Place));
    assert_eq!(parse("BY w* BY nosort").map(|plan| plan.by), Ok(By::Place));
    for words in ["LIMIT", "LIMIT 1", "BY", "GET", "STORE", "x", "LIMIT 1 2 3", "ASC x"] {
        assert_eq!(parse(words), Err(Failure::Syntax), "{words}");
    }
    for words in ["LIMIT a b", "LIMIT 1 b", "LIMIT 9223372036854775808 1"] {
        assert_eq!(parse(words), Err(Failure::NotInteger), "{words}");
    }
    let may_not = Plan::parse(["STORE", "d"].into_iter().map(str::as_bytes), false);
    assert_eq!(may_not, Err(Failure::Syntax));
}

#[test]
fn windows_stay_within_the_elements() {
    let (least, most) = ("-9223372036854775808", "9223372036854775807");
    for (offset, count, expected) in [
        ("0", "-1", 0..5),
        ("1", "2", 1..3),
        ("-3", "2", 0..2),
        ("3", "9", 3..5),
        ("5", "1", 5..5),
        ("9", "-1", 5..5),
        ("0", "0", 0..0),
        (most, most, 5..5),
        (least, least, 0..5),
        ("1", most, 1..5),
    ] {
        let words = format!("LIMIT {offset} {count}");
        assert_eq!(parse(&words).map(|plan| plan.window(5)), Ok(expected), "{words}");
    }
}

#[test]
fn the_destination_is_behind_the_last_store() {
    for (call, expected) in [
        ("sort a", None),
        ("sort a store b", Some(3)),
        ("sort a STORE b store c", Some(5)),
        ("sort a by store get store", None),
        ("sort a limit store store store d", Some(6)),
        ("sort a store", None),
        ("sort a store b store", Some(3)),
        ("sort a store store", Some(3)),
        ("sort store", None),
    ] {
        let words: Vec<&[u8]> = call.split(' ').map(str::as_bytes).collect();
        assert_eq!(destination(words.len(), |index| words[index]), expected, "{call}");
    }
}

/// A world with numbers in a list, a set and a sorted set, and what other keys say of them.
fn filled(count: u32) -> World {
    let world = World::new();
    for number in 0..count {
        // No two are equal, as the divisor is a prime.
        let mixed = u64::from(number) * 7919 % 1_000_003;
        world.run(&format!("RPUSH list {mixed}"));
        world.set(&format!("w{mixed}"), &(count - number).to_string(), None);
    }
    world
}

/// The elements of an array of bulk strings.
fn texts(reply: &str) -> Vec<&str> {
    reply.split('|').skip(2).step_by(2).collect()
}

#[test]
fn many_keys_are_looked_up_as_few_are() {
    for count in [10, 200, 3000, 60_000] {
        let world = filled(count);
        let own = world.run("SORT list BY nosort");
        let own = texts(&own);
        assert_eq!(own.len(), count as usize);
        let turned: Vec<&str> = own.iter().rev().copied().collect();
        assert!(texts(&world.run("SORT list BY w*")) == turned, "{count} by others");
        assert_eq!(texts(&world.run("SORT list BY w* DESC LIMIT 0 3")), own[..3]);
        let weights = world.run("SORT list BY w* GET w* GET # LIMIT 0 2");
        assert_eq!(texts(&weights), ["1", turned[0], "2", turned[1]]);
        assert_eq!(world.run("SORT list BY w* GET w* STORE to"), format!(":{count}|"));
        let stored = world.run("SORT to BY nosort DESC LIMIT 0 2");
        assert_eq!(texts(&stored), [count.to_string(), (count - 1).to_string()]);
        let mut numbers: Vec<u32> = own.iter().map(|text| text.parse().unwrap()).collect();
        numbers.sort_unstable();
        let sorted: Vec<String> = numbers.iter().map(u32::to_string).collect();
        assert!(texts(&world.run("SORT list")) == sorted, "{count}");
        assert_eq!(texts(&world.run("SORT list LIMIT 2 3")), sorted[2..5]);
    }
}

#[test]
fn few_keys_are_borrowed_alone_and_many_one_by_one() {
    let (few, mut many) = (filled(20), filled(60_000));
    for (world, line, walks) in [(&few, "SORT list BY w*", false), (&many, "SORT list BY w*", true)]
    {
        let refused = world.refusals(line);
        let walked = refused.contains(&Failure::Walk);
        assert_eq!(walked, walks, "{line}");
        let needs = |refusal: &Failure| matches!(refusal, Failure::Needs(of) if of.len() <= 21);
        assert_eq!(refused.iter().any(needs), !walks, "{line}");
    }
    assert!(many.refusals("SORT list").is_empty());
    let here = ["SORT list", "SORT list DESC LIMIT 7 50000", "SORT list BY nosort GET # GET none"];
    let here = here.map(|line| (line, many.run(line)));
    many.may_wait = false;
    for (line, expected) in here {
        assert_eq!(many.refusals(line), [Failure::Walk], "{line}");
        assert!(many.run(line) == expected, "{line}");
    }
    assert_eq!(many.try_run("SORT list STORE to"), Err(Failure::Detach));
}
