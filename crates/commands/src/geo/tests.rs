//! What the transcripts cannot see of commands on places.

use super::{COMMANDS, destination};
use crate::Failure;
use crate::generic::tests::World;

/// So many members are too many to be looked at on the way.
const MANY: usize = 9_000;

/// Members in a row to the east, some hundred metres from one to the next.
fn fill(world: &World, key: &str) {
    let places: Vec<String> =
        (0..MANY).map(|number| format!(" {} 10 m{number}", number as f64 / 1000.0)).collect();
    let command = format!("GEOADD {key}{}", places.concat());
    assert_eq!(world.run(&command), format!(":{MANY}|"));
}

#[test]
fn rows_are_sorted() {
    assert!(COMMANDS.is_sorted_by_key(|row| row.spec.name));
}

#[test]
fn what_looks_at_many_members_goes_to_the_pool_and_has_changed_nothing() {
    let mut world = World::new();
    fill(&world, "a");
    let commands = [
        "GEOSEARCH a FROMLONLAT 4 10 BYRADIUS 2000 km",
        "GEOSEARCH a FROMLONLAT 4 10 BYRADIUS 2000 km ASC COUNT 1",
        "GEOSEARCH a FROMLONLAT 4 10 BYRADIUS 2000 km COUNT 9000 ANY",
        "GEOSEARCH a FROMLONLAT 4 10 BYBOX 2000 1 km WITHDIST",
        "GEOSEARCH a BYPOLYGON 3 -1 9 12 9 4 20",
        "GEOSEARCHSTORE d a FROMLONLAT 4 10 BYRADIUS 2000 km",
        "GEORADIUS a 4 10 2000 km STORE d",
        "GEORADIUSBYMEMBER_RO a m4 2000 km DESC",
    ];
    world.may_wait = false;
    for command in commands {
        assert_eq!(world.try_run(command), Err(Failure::Detach), "{command}");
    }
    assert_eq!(world.run("EXISTS d"), ":0|");
    // What finds enough, or looks at few, is done on the way.
    for command in [
        "GEOSEARCH a FROMLONLAT 4 10 BYRADIUS 2000 km COUNT 10 ANY",
        "GEOSEARCH a FROMMEMBER m5 BYRADIUS 1 km",
        "GEOSEARCHSTORE d a FROMMEMBER m5 BYRADIUS 1 km",
    ] {
        assert!(world.try_run(command).is_ok(), "{command}");
    }
    world.may_wait = true;
    for command in commands {
        assert!(world.try_run(command).is_ok(), "{command}");
    }
    assert_eq!(world.run("ZCARD d"), format!(":{MANY}|"));
}

#[test]
fn both_forms_of_a_sorted_set_are_searched_alike() {
    let world = World::new();
    fill(&world, "large");
    let command = "FROMLONLAT 4 10 BYRADIUS 1 km WITHDIST WITHHASH";
    let found = world.run(&format!("GEOSEARCH large {command}"));
    assert_eq!(world.run("GEOSEARCHSTORE small large FROMLONLAT 4 10 BYRADIUS 2 km"), ":37|");
    assert_eq!(world.run(&format!("GEOSEARCH small {command}")), found);
}

#[test]
fn the_last_word_that_says_where_to_store_counts() {
    let find = |text: &'static str| {
        let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
        destination(6, words.len(), |index| words[index])
    };
    assert_eq!(find("georadius k 1 1 1 m"), None);
    assert_eq!(find("georadius k 1 1 1 m STORE"), None);
    assert_eq!(find("georadius k 1 1 1 m store a"), Some(("STORE", 7)));
    assert_eq!(
        find("georadius k 1 1 1 m STORE a COUNT 1 StoreDist b ASC"),
        Some(("STOREDIST", 11))
    );
    assert_eq!(find("georadius k 1 1 1 m STORE STOREDIST STORE c"), Some(("STORE", 9)));
    assert_eq!(find("georadius STORE 1 1 1 STORE x"), None);
}
