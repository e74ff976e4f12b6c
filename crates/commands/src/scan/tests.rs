//! What SCAN takes, and that a walk meets every key however the table grows.

use std::collections::BTreeSet;

use super::*;
use crate::generic::tests::{NOW, World};

fn parse(words: &str) -> Result<Request<'_>, Failure> {
    parse_over(words, Over::Keys)
}

fn parse_over(words: &str, over: Over) -> Result<Request<'_>, Failure> {
    Request::parse(words.split_whitespace().map(str::as_bytes), over)
}

#[test]
fn options_are_read() {
    let request = parse("count 5 MATCH a* TYPE string attr v MINMSZ 64 COUNT 7").expect("options");
    assert_eq!((request.count, request.steps_max()), (7, STEPS_MIN));
    let filter = request.filter;
    assert_eq!(filter.pattern, Some(&b"a*"[..]));
    assert_eq!(filter.type_name, Some(&b"string"[..]));
    assert_eq!((filter.is_volatile, filter.memory_min), (Some(true), 64));
    assert_eq!(parse("MATCH a MATCH *"), parse(""));
    assert_eq!(parse("COUNT 9223372036854775807").map(|request| request.steps_max()), {
        Ok(usize::MAX)
    });
    for (words, expected) in [
        ("COUNT", Failure::Syntax),
        ("COUNT 0", Failure::Syntax),
        ("COUNT -1", Failure::Syntax),
        ("COUNT x", Failure::NotInteger),
        ("MATCH", Failure::Syntax),
        ("FOO 1", Failure::Syntax),
        ("BUCKET 1", Failure::Syntax),
        ("ATTR a", Failure::Syntax),
        ("ATTR V", Failure::Syntax),
        ("MINMSZ -1", Failure::NotInteger),
        ("novalues", NO_VALUES),
        ("noscores COUNT", NO_SCORES),
    ] {
        assert_eq!(parse(words), Err(expected), "{words}");
    }
    for (words, over, expected) in [
        ("COUNT 3 novalues", Over::Fields, Ok(true)),
        ("NOSCORES noscores", Over::Scores, Ok(true)),
        ("MATCH novalues", Over::Fields, Ok(false)),
        ("NOVALUES", Over::Members, Err(NO_VALUES)),
        ("NOVALUES", Over::Scores, Err(NO_VALUES)),
        ("NOSCORES", Over::Fields, Err(NO_SCORES)),
        ("TYPE set", Over::Members, Err(Failure::Syntax)),
        ("MINMSZ 1", Over::Scores, Err(Failure::Syntax)),
    ] {
        let parsed = parse_over(words, over).map(|request| request.is_bare);
        assert_eq!(parsed, expected, "{words} over {over:?}");
    }
}

#[test]
fn cursors_are_read_as_strtoull_does() {
    for (word, expected) in [
        ("0", Some(0)),
        ("", Some(0)),
        ("-0", Some(0)),
        ("+5", Some(5)),
        ("007", Some(7)),
        ("-1", Some(u64::MAX)),
        ("18446744073709551615", Some(u64::MAX)),
        ("18446744073709551616", None),
        ("abc", None),
        ("12abc", None),
        (" 1", None),
        ("0 ", None),
        ("-", None),
    ] {
        assert_eq!(parse_cursor(word.as_bytes()), expected, "{word:?}");
    }
}

/// Cursor, array length (or count) and the bulks of a reply.
fn page(reply: &str) -> (u64, usize, Vec<String>) {
    let lines: Vec<&str> = reply.split('|').collect();
    assert_eq!(lines[0], "*2");
    let keys = lines[4..].chunks_exact(2).map(|pair| pair[1].to_owned()).collect();
    (lines[2].parse().expect("a cursor"), lines[3][1..].parse().expect("a count"), keys)
}

/// Scans to the end, calling `between` after each page; the keys found, and how many pages.
fn scan_all(world: &World, options: &str, mut between: impl FnMut(usize)) -> (Vec<String>, usize) {
    let (mut cursor, mut all) = (0, Vec::new());
    for pages in 1.. {
        let (next, count, keys) = page(&world.run(&format!("SCAN {cursor}{options}")));
        assert_eq!(count, keys.len());
        all.extend(keys);
        if next == 0 {
            return (all, pages);
        }
        assert!(next > cursor && next < 1 << 53);
        cursor = next;
        between(pages);
    }
    unreachable!("a scan without end")
}

#[test]
fn a_scan_finds_every_key_once() {
    let world = World::new();
    let names: BTreeSet<String> = (0..5000).map(|number| format!("key:{number}")).collect();
    for name in &names {
        world.set(name, "value", None);
    }
    world.set("dead", "x", Some(NOW));
    for options in ["", " COUNT 1", " COUNT 777", " COUNT 1000000", " TYPE STRING"] {
        let (found, pages) = scan_all(&world, options, |_| ());
        assert_eq!(found.len(), names.len(), "{options}");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), names, "{options}");
        assert_eq!(pages == 1, options.ends_with("000000"), "{options}");
    }
    assert!(scan_all(&world, " TYPE list", |_| ()).0.is_empty());
    assert_eq!(scan_all(&world, " MATCH key:1?", |_| ()).0.len(), 10);
}

#[test]
fn a_scan_finds_what_stays_while_others_come_and_go() {
    let world = World::new();
    // One hash tag: all in one shard, whose table grows and shrinks meanwhile.
    let stays: BTreeSet<String> = (0..3000).map(|number| format!("{{t}}stays{number}")).collect();
    for name in &stays {
        world.set(name, "value", None);
    }
    let (found, pages) = scan_all(&world, "", |page| {
        for number in 0..200 {
            world.set(&format!("{{t}}{page}-{number}"), "x", None);
        }
        if page % 3 == 0 {
            world.run("RM 0 MATCH {t}*-* COUNT 500");
        }
    });
    assert!(pages > 100);
    let found: BTreeSet<String> = found.into_iter().collect();
    assert!(stays.is_subset(&found));
}

#[test]
fn filters_of_dragonfly() {
    let world = World::new();
    world.set("short", "1", None);
    world.set("timed", "1", Some(NOW + 1));
    world.set("long", &"x".repeat(1000), None);
    for (options, expected) in
        [("ATTR v", &["timed"][..]), ("ATTR p", &["long", "short"]), ("MINMSZ 500", &["long"])]
    {
        let mut found = scan_all(&world, &format!(" {options}"), |_| ()).0;
        found.sort_unstable();
        assert_eq!(found, expected, "{options}");
    }
}

#[test]
fn rm_deletes_what_matches() {
    let world = World::new();
    for number in 0..3000 {
        world.set(&format!("key:{number}"), "value", None);
    }
    let (mut cursor, mut removed) = (0, 0);
    loop {
        let (next, count, _) = page(&world.run(&format!("RM {cursor} MATCH key:1* COUNT 50")));
        removed += count;
        if next == 0 {
            break;
        }
        assert!((50..100).contains(&count));
        cursor = next;
    }
    assert_eq!(removed, 1111);
    assert_eq!(world.run("DBSIZE"), ":1889|");
    assert_eq!(world.run("RM x"), "-ERR invalid cursor|");
}

#[test]
fn keys_finds_all_that_match() {
    let world = World::new();
    for number in 0..1500 {
        world.set(&format!("{{same}}:{number}"), "value", None);
    }
    world.set("other", "x", None);
    world.set("dead", "x", Some(NOW));
    assert_eq!(world.run("KEYS o*"), "*1|$5|other|");
    assert_eq!(world.run("KEYS d*"), "*0|");
    let all = world.run("KEYS *");
    assert!(all.starts_with("*1501|$"));
    assert_eq!(all.matches("{same}:").count(), 1500);
}

#[test]
fn a_random_key_is_found_when_there_is_one() {
    let mut world = World::new();
    assert_eq!(world.run("RANDOMKEY"), "$-1|");
    for number in 0..500 {
        world.set(&format!("{{dead}}{number}"), "x", Some(NOW));
    }
    for may_wait in [false, true] {
        world.may_wait = may_wait;
        assert_eq!(world.run("RANDOMKEY"), "$-1|");
        world.set("{dead}living", "x", None);
        assert_eq!(world.run("RANDOMKEY"), "$12|{dead}living|");
        world.run("DEL {dead}living");
    }
    for number in 0..3 {
        world.set(&format!("k{number}"), "x", None);
    }
    let seen: BTreeSet<String> = (0..200).map(|_| world.run("RANDOMKEY")).collect();
    assert_eq!(seen.len(), 3);
}

#[test]
fn a_busy_shard_ends_a_page_or_sends_the_command_away() {
    let mut world = World::new();
    for number in 0..3000 {
        world.set(&format!("key:{number}"), "value", None);
    }
    world.may_wait = false;
    assert_eq!(world.try_run("SCAN 0 COUNT 10001"), Err(Failure::Detach));
    let busy = world.keyspace.borrow_blocking(5);
    let (cursor, _, keys) = page(&world.run("SCAN 0 COUNT 5000"));
    assert_eq!(Position::of_cursor(cursor), Position::of_shard(5));
    assert!(!keys.is_empty());
    for line in [format!("SCAN {cursor}"), format!("RM {cursor}"), "KEYS *".into()] {
        assert_eq!(world.try_run(&line), Err(Failure::Detach), "{line}");
    }
    assert!(world.run("RANDOMKEY").contains("key:"));
    drop(busy);
    assert!(!page(&world.run(&format!("SCAN {cursor}"))).2.is_empty());
}

/// Walks over a key's members to the end, calling `between` after each page.
fn walk_members(world: &World, call: &str, mut between: impl FnMut(usize)) -> (Vec<String>, usize) {
    let (mut cursor, mut all) = (0, Vec::new());
    for pages in 1.. {
        let (next, count, found) = page(&world.run(&call.replace("CURSOR", &cursor.to_string())));
        assert_eq!(count, found.len());
        all.extend(found);
        if next == 0 {
            return (all, pages);
        }
        assert!(next > cursor && next < 1 << 53);
        cursor = next;
        between(pages);
    }
    unreachable!("a walk without end")
}

#[test]
fn members_that_stay_are_met_while_others_come_and_go() {
    let world = World::new();
    let stays: BTreeSet<String> = (0..3000).map(|number| format!("stays{number}")).collect();
    for (call, add, remove) in [
        ("SSCAN key CURSOR", "SADD key ", "SREM key "),
        ("ZSCAN key CURSOR NOSCORES", "ZADD key 1 ", "ZREM key "),
        ("HSCAN key CURSOR NOVALUES", "HSET key v ", "HDEL key "),
    ] {
        // A field stands before its value.
        let add = |name: &str| match add.strip_suffix("v ") {
            Some(add) => world.run(&format!("{add}{name} v")),
            None => world.run(&format!("{add}{name}")),
        };
        stays.iter().for_each(|name| assert_eq!(add(name), ":1|"));
        let (found, pages) = walk_members(&world, call, |_| ());
        assert_eq!(found.len(), stays.len(), "{call}");
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), stays, "{call}");
        assert!(pages > 200, "{call}: {pages}");
        let (found, pages) = walk_members(&world, call, |page| {
            let name = |number: usize| format!("{}-{number}", page / 30);
            if page / 30 % 2 == 0 {
                (0..200).for_each(|number| drop(add(&name(number))));
            } else if page % 30 == 0 {
                let gone = (0..200).map(|number| format!("{}-{number}", page / 30 - 1));
                gone.for_each(|name| drop(world.run(&format!("{remove}{name}"))));
            }
        });
        assert!(pages > 100);
        let found: BTreeSet<String> = found.into_iter().collect();
        assert!(stays.is_subset(&found), "{call}");
        let whole = call.replace("CURSOR", "0 COUNT 1000000");
        assert_eq!(page(&world.run(&whole)).0, 0);
        let (found, _) = walk_members(&world, &format!("{call} MATCH stays29?? COUNT 7"), |_| ());
        assert_eq!(found.len(), 100);
        assert!(page(&world.run(&call.replace("CURSOR", "18446744073709551615"))).2.is_empty());
        world.run("DEL key");
    }
}

#[test]
fn a_large_page_is_the_pools() {
    let mut world = World::new();
    (0..COUNT_SHORT_MAX).for_each(|number| drop(world.run(&format!("SADD key m{number}"))));
    world.may_wait = false;
    let all = "SSCAN key 0 COUNT 9223372036854775807";
    assert!(world.try_run(all).is_ok());
    world.run("SADD key another");
    assert_eq!(world.try_run(all), Err(Failure::Detach));
    assert!(world.try_run("SSCAN key 0 COUNT 10000").is_ok());
}
