//! Commands on strings, as short transcripts.

use super::COMMANDS;
use crate::Failure;
use crate::generic::tests::{NOW, World};

/// Runs commands and compares their replies, given behind ` => `.
fn check(world: &World, transcript: &str) {
    for line in transcript.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (command, expected) = line.split_once(" => ").expect("a command and its reply");
        assert_eq!(world.run(command), expected, "{command}");
    }
}

fn expiry_of(world: &World, key: &str) -> Option<u64> {
    world.get(key).expect("a key").1
}

#[test]
fn rows_are_sorted() {
    for rows in [COMMANDS, crate::throttle::COMMANDS] {
        assert!(rows.is_sorted_by_key(|row| row.spec.name));
    }
}

#[test]
fn set_and_get() {
    check(
        &World::new(),
        "GET k => $-1|
         SET k v => +OK|
         GET k => $1|v|
         SET k 12 => +OK|
         GET k => $2|12|
         STRLEN k => :2|
         STRLEN none => :0|
         SET k v NX => $-1|
         SET n v XX => $-1|
         SET k w GET => $2|12|
         SET n w GET => $-1|
         SET n x NX GET => $1|w|
         GET n => $1|w|
         SET m x NX GET => $-1|
         GET m => $1|x|
         SET k v EX 0 => -ERR invalid expire time in 'set' command|
         SET k v EX x => -ERR value is not an integer or out of range|
         SET k v EX x NX XX => -ERR syntax error|
         SET k v EXAT 1 GET => $1|w|
         GET k => $-1|
         SET k v PXAT 1 => +OK|
         GET k => $-1|
         SETNX k 1 => :1|
         SETNX k 2 => :0|
         GETSET k 3 => $1|1|
         GETSET fresh 3 => $-1|
         GETDEL fresh => $1|3|
         GETDEL fresh => $-1|
         SETEX k 0 v => -ERR invalid expire time in 'setex' command|
         PSETEX k -1 v => -ERR invalid expire time in 'psetex' command|
         GET k => $1|3|",
    );
}

#[test]
fn expiries_are_set_kept_and_dropped() {
    let world = World::new();
    let expect = |line: &str, expected: Option<u64>| {
        assert!(!world.run(line).starts_with('-'), "{line}");
        assert_eq!(expiry_of(&world, "k"), expected, "{line}");
    };
    expect("SETEX k 10 v", Some(NOW + 10_000));
    expect("SET k w KEEPTTL", Some(NOW + 10_000));
    expect("APPEND k x", Some(NOW + 10_000));
    expect("SETRANGE k 0 12", Some(NOW + 10_000));
    expect("GETEX k", Some(NOW + 10_000));
    expect("GETEX k PX 5", Some(NOW + 5));
    expect("INCR k", Some(NOW + 5));
    expect("INCRBYFLOAT k 0.5", Some(NOW + 5));
    expect("MSETEX 1 k 7 KEEPTTL", Some(NOW + 5));
    expect("INCREX k EX 9 ENX", Some(NOW + 5));
    expect("INCREX k EX 9", Some(NOW + 9000));
    expect("INCREX k BYINT 5 UBOUND 1 EX 3", Some(NOW + 9000));
    expect("INCREX k PERSIST", None);
    expect("PSETEX k 10 v", Some(NOW + 10));
    expect("GETEX k PERSIST", None);
    expect("MSETEX 1 k 7 PX 3", Some(NOW + 3));
    expect("MSET k 7", None);
    expect("SET k v EX 1", Some(NOW + 1000));
    expect("GETSET k v", None);
    expect("SET k v PXAT 1790000000007", Some(NOW + 7));
    expect("SET k v", None);
}

#[test]
fn getex_deletes_and_checks_late() {
    check(
        &World::new(),
        "GETEX none EX abc => $-1|
         GETEX none KEEPTTL => -ERR syntax error|
         SET k v => +OK|
         GETEX k EX abc => -ERR value is not an integer or out of range|
         GETEX k EX 0 => -ERR invalid expire time in 'getex' command|
         GETEX k EXAT 1 => $1|v|
         GET k => $-1|",
    );
}

#[test]
fn conditions_on_values() {
    check(
        &World::new(),
        "SET k v IFEQ a => $-1|
         SET k v IFDEQ short => $-1|
         SET k hello IFNE a => +OK|
         SET k w IFEQ a => $-1|
         SET k w IFEQ a GET => $5|hello|
         SET k w IFDEQ short => -ERR must be exactly 16 hexadecimal characters|
         DIGEST k => $16|9555e8555c62dcfd|
         DIGEST none => $-1|
         SET k w IFDEQ 9555E8555C62DCFD => +OK|
         GET k => $1|w|
         DELEX k IFEQ => -ERR wrong number of arguments for 'delex' command|
         DELEX none IFDEQ short => :0|
         DELEX none IFFY x => :0|
         DELEX k IFFY x => -ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE|
         DELEX k IFDEQ short => -ERR must be exactly 16 hexadecimal characters|
         DELEX k IFNE w => :0|
         DELEX k ifeq w => :1|
         DELEX k => :0|
         SET k 5 => +OK|
         DELIFEQ k 6 => :0|
         DELIFEQ k 05 => :0|
         DELIFEQ k 5 => :1|
         DELIFEQ k 5 => :0|",
    );
}

#[test]
fn stickiness_is_set_and_stays() {
    let world = World::new();
    check(&world, "SET k v STICK => +OK|");
    check(&world, "SET k w => +OK|");
    check(&world, "SET j w => +OK|");
    check(&world, "SET j x STICK XX => +OK|");
    assert_eq!(world.get("k"), Some((b"w".to_vec(), None, true)));
    assert_eq!(world.get("j"), Some((b"x".to_vec(), None, true)));
}

#[test]
fn parts_of_strings() {
    let world = World::new();
    for line in ["SETRANGE none 536870912 x", "SETRANGE none 9223372036854775807 x"] {
        assert_eq!(world.try_run(line), Err(Failure::TooLong));
    }
    check(
        &world,
        "APPEND k 5 => :1|
         APPEND k 1 => :2|
         INCR k => :52|
         PREPEND k -1 => :4|
         GET k => $4|-152|
         PREPEND fresh a => :1|
         GETRANGE k 1 2 => $2|15|
         SUBSTR k -2 -1 => $2|52|
         GETRANGE none 0 -1 => $0||
         GETRANGE none x -1 => -ERR value is not an integer or out of range|
         SETRANGE k 1 99 => :4|
         GET k => $4|-992|
         SETRANGE k -1 x => -ERR offset is out of range|
         SETRANGE k 1 99 => :4|
         GET none => $-1|
         SETRANGE pad 2 x => :3|
         GET pad => $3|\0\0x|",
    );
}

#[test]
fn empty_words() {
    check(
        &World::new(),
        "SETRANGE none 9223372036854775807  => :0|
         GET none => $-1|
         SET k abc => +OK|
         SETRANGE k 9223372036854775807  => :3|
         APPEND k  => :3|
         SET k  => +OK|
         GET k => $0||
         INCR k => -ERR value is not an integer or out of range|
         INCRBYFLOAT k 1 => -ERR value is not a valid float|",
    );
}

#[test]
fn counters() {
    check(
        &World::new(),
        "INCR k => :1|
         INCRBY k 9223372036854775806 => :9223372036854775807|
         INCR k => -ERR increment or decrement would overflow|
         DECR k => :9223372036854775806|
         DECRBY k -1 => :9223372036854775807|
         DECRBY k -9223372036854775808 => -ERR decrement would overflow|
         INCRBY k x => -ERR value is not an integer or out of range|
         DECR fresh => :-1|
         SET k 012 => +OK|
         INCR k => -ERR value is not an integer or out of range|
         SET k 10.5 => +OK|
         INCRBYFLOAT k 0.1 => $4|10.6|
         INCRBYFLOAT k -10.6 => $1|0|
         INCR k => :1|
         INCRBYFLOAT k inf => -ERR increment would produce NaN or Infinity|
         INCRBYFLOAT k nan => -ERR value is not a valid float|
         INCRBYFLOAT none x => -ERR value is not a valid float|
         GET none => $-1|
         INCRBYFLOAT none 5e3 => $4|5000|",
    );
}

#[test]
fn increx_replies_value_and_increment() {
    check(
        &World::new(),
        "INCREX k => *2|:1|:1|
         INCREX k BYINT 5 UBOUND 3 => *2|:1|:0|
         INCREX k BYINT 5 UBOUND 3 SATURATE => *2|:3|:2|
         INCREX k BYFLOAT 0.5 => *2|$3|3.5|$3|0.5|
         INCREX k => -ERR value is not an integer or out of range|
         INCREX none LBOUND 5 => *2|:0|:0|
         GET none => $-1|
         INCREX none XX => *2|:0|:0|
         INCREX none EXAT 1 => *2|:1|:1|
         GET none => $-1|
         INCREX k BYFLOAT 1 EXAT 1 => *2|$3|4.5|$1|1|
         GET k => $-1|
         INCREX none LBOUND 5 SATURATE => *2|:5|:5|
         INCREX none NX => *2|:5|:0|
         INCREX none EX 0 => -ERR invalid expire time in 'increx' command|",
    );
}

#[test]
fn many_keys() {
    check(
        &World::new(),
        "MSET a 1 b 2 a 3 => +OK|
         MGET a b c a => *4|$1|3|$1|2|$-1|$1|3|
         MSET a 1 b => -ERR wrong number of arguments for 'mset' command|
         MSETNX c 1 a => -ERR wrong number of arguments for 'msetnx' command|
         MSETNX c 1 a 2 => :0|
         MSETNX c 1 c 2 => :1|
         MGET a c => *2|$1|3|$1|2|
         MSETEX x a 1 => -ERR invalid numkeys value|
         MSETEX 0 a 1 => -ERR invalid numkeys value|
         MSETEX 2147483648 a 1 => -ERR invalid numkeys value|
         MSETEX 2147483647 a 1 => -ERR wrong number of key-value pairs|
         MSETEX 2 a 1 b => -ERR wrong number of key-value pairs|
         MSETEX 1 a 1 b => -ERR syntax error|
         MSETEX 1 a 1 NX XX => -ERR syntax error|
         MSETEX 1 a 1 EX 0 => -ERR invalid expire time in 'msetex' command|
         MSETEX 2 a 9 d 9 XX => :0|
         MSETEX 2 d 9 a 9 NX => :0|
         MSETEX 2 d 7 e 8 NX EX 5 => :1|
         MGET a d e => *3|$1|3|$1|7|$1|8|
         MSETEX 2 d 7 f 8 EXAT 1 => :1|
         MGET d f => *2|$-1|$-1|",
    );
}

#[test]
fn common_subsequences() {
    let mut world = World::new();
    check(
        &world,
        "MSET a ohmytext b mynewtext => +OK|
         LCS a b => $6|mytext|
         LCS a b LEN => :6|
         LCS a b IDX MINMATCHLEN 4 => *4|$7|matches|*1|*2|*2|:4|:7|*2|:5|:8|$3|len|:6|
         LCS a none => $0||
         LCS a b LEN IDX => -ERR If you want both the length and indexes, please just use IDX.|
         SETRANGE a 20000 x => :20001|
         SETRANGE b 6710 x => :6711|
         LCS a b => -ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len|
         SET b 1 => +OK|
         SETRANGE b 99 1 => :100|",
    );
    world.may_wait = false;
    assert_eq!(world.try_run("LCS a b LEN"), Err(Failure::Detach));
    world.may_wait = true;
    check(&world, "LCS a b LEN => :98|");
}

#[test]
fn a_wide_gap_is_filled_elsewhere() {
    let mut world = World::new();
    world.may_wait = false;
    assert_eq!(world.try_run("SETRANGE k 5000000 x"), Err(Failure::Detach));
    assert_eq!(world.get("k"), None);
    world.may_wait = true;
    check(&world, "SETRANGE k 5000000 x => :5000001|");
    world.may_wait = false;
    check(&world, "SETRANGE k 5000000 y => :5000001|");
}

#[test]
fn throttling() {
    let mut world = World::new();
    check(
        &world,
        "CL.THROTTLE k 1 1 10 => *5|:0|:2|:1|:-1|:11|
         CL.THROTTLE k 1 1 10 => *5|:0|:2|:0|:-1|:21|
         CL.THROTTLE k 1 1 10 => *5|:1|:2|:0|:11|:21|
         CL.THROTTLE k 1 1 10 0 => *5|:0|:2|:0|:-1|:21|
         CL.THROTTLE k 1 1 10 3 => *5|:1|:2|:0|:-1|:21|
         CL.THROTTLE k 1 0 10 => -ERR value is not an integer or out of range|
         CL.THROTTLE k 1 1 0 => -ERR zero rates are not supported|
         CL.THROTTLE k x 1 1 => -ERR value is not an integer or out of range|
         CL.THROTTLE fresh 1 1 10 0 => *5|:0|:2|:2|:-1|:0|
         GET fresh => $-1|",
    );
    assert_eq!(expiry_of(&world, "k"), Some(NOW + 20_000));
    world.now_ms += 20_000;
    check(&world, "GET k => $-1|");
    check(&world, "SET k text => +OK|");
    check(&world, "CL.THROTTLE k 1 1 10 => -ERR value is not an integer or out of range|");
}
