//! Collections on many connections at once: nothing is lost or doubled on its way from one to the
//! other, and what takes long keeps nobody waiting.

use super::*;

const KEYS: [&str; 4] = ["a", "b", "c", "d"];
const MEMBERS: usize = 100;
/// Members of a large collection.
const MANY: usize = 300_000;
/// A generous limit, for loaded machines: all that is measured takes longer in one piece.
const LIMIT: Duration = Duration::from_secs(1);

/// Two different keys, and an end of a list.
fn draw(random: &mut Random) -> (&'static str, &'static str, &'static str) {
    let from = random.below(KEYS.len());
    let to = (from + 1 + random.below(KEYS.len() - 1)) % KEYS.len();
    (KEYS[from], KEYS[to], ["LEFT", "RIGHT"][random.below(2)])
}

/// A command whose words begin so and go on with numbers.
fn with_numbers(start: &[&str], numbers: std::ops::Range<usize>) -> Vec<String> {
    let start = start.iter().map(|word| (*word).to_owned());
    start.chain(numbers.map(|number| number.to_string())).collect()
}

#[test]
fn elements_that_move_between_lists_are_neither_lost_nor_doubled() {
    let server = Server::start(&["--threads", "4"]);
    let mut client = server.connect();
    client.command(&with_numbers(&["RPUSH", "a"], 0..MEMBERS));
    on_connections(&server, 6, |number, mut client| {
        let mut random = Random::new(number as u64);
        for _ in 0..1500 {
            let (from, to, end) = draw(&mut random);
            client.command(&["LMOVE", from, to, end, "LEFT"]);
        }
    });
    let mut elements: Vec<usize> = KEYS
        .iter()
        .flat_map(|key| client.run(&format!("LRANGE {key} 0 -1")).texts())
        .map(|text| text.parse().unwrap())
        .collect();
    elements.sort_unstable();
    assert_eq!(elements, (0..MEMBERS).collect::<Vec<_>>());
}

#[test]
fn a_union_sees_each_member_while_it_moves() {
    let server = Server::start(&["--threads", "4"]);
    server.connect().command(&with_numbers(&["SADD", "a"], 0..MEMBERS));
    let look = |mut client: Client| {
        for _ in 0..1500 {
            assert_eq!(client.run("SUNION a b c d").items().len(), MEMBERS);
            assert_eq!(client.run("SINTERCARD 2 a b").int(), 0);
        }
    };
    beside(&server, 4, look, |_, client| {
        let mut random = Random::new(Instant::now().elapsed().as_nanos() as u64);
        for _ in 0..50 {
            let (from, to, _) = draw(&mut random);
            let member = random.below(MEMBERS).to_string();
            client.command(&["SMOVE", from, to, &member]);
        }
    });
}

#[test]
fn long_commands_on_collections_let_others_be_served() {
    let server = Server::start(&["--threads", "1"]);
    let mut client = server.connect();
    for first in (0..MANY).step_by(1000) {
        client.command(&with_numbers(&["SADD", "set"], first..first + 1000));
        client.command(&with_numbers(&["RPUSH", "list"], first..first + 1000));
        let pairs = (first..first + 1000).flat_map(|n| [n.to_string(), format!("m{n}")]);
        let pairs: Vec<String> = pairs.collect();
        for start in [["ZADD", "zset"], ["HSET", "hash"]] {
            client.command(&[&start.map(str::to_owned)[..], &pairs].concat());
        }
    }
    for command in [
        "SMEMBERS set",
        "SUNION set set",
        "SINTERSTORE {set}2 set set",
        "HGETALL hash",
        "LRANGE list 0 -1",
        "LPOS list nothing",
        "ZRANGE zset 0 -1 WITHSCORES",
        "ZUNIONSTORE {zset}2 2 zset zset",
        "SORT list",
        "SORT set BY nosort GET # LIMIT 0 200000",
        "COPY hash {hash}2",
        "SRANDMEMBER set -200000",
        "DEL set list hash zset {set}2 {zset}2 {hash}2",
    ] {
        let worst = worst_ping(&server, |mut client| {
            let reply = client.run(command);
            assert!(!matches!(reply, Value::Error(_)), "{command}: {reply:?}");
        });
        assert!(worst < LIMIT, "{worst:?} during {command}");
    }
    assert_eq!(client.run("DBSIZE").int(), 0);
}

#[test]
fn members_drawn_without_end_take_no_memory() {
    let server = Server::start(&["--threads", "1"]);
    let mut client = server.connect();
    client.command(&with_numbers(&["SADD", "set"], 0..1000));
    let pairs: Vec<String> = (0..1000).flat_map(|n| [n.to_string(), n.to_string()]).collect();
    for start in [["ZADD", "zset"], ["HSET", "hash"]] {
        client.command(&[&start.map(str::to_owned)[..], &pairs].concat());
    }
    let used = |client: &mut Client| {
        let info = client.run("INFO memory").text();
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        line.unwrap().parse::<u64>().unwrap()
    };
    let before = used(&mut client);
    for command in ["SRANDMEMBER set", "HRANDFIELD hash", "ZRANDMEMBER zset"] {
        let mut drawer = server.connect();
        drawer.send(format!("{command} -4000000000000\r\n").as_bytes());
        let mut bytes = Vec::new();
        while bytes.len() < 4 * 1024 * 1024 {
            bytes.extend(drawer.some_bytes());
        }
        assert!(bytes.starts_with(b"*4000000000000\r\n$"), "{command}");
        assert_eq!(client.run("PING"), Value::Simple("PONG".into()));
        let more = used(&mut client).saturating_sub(before);
        assert!(more < 64 * 1024 * 1024, "{more} bytes more for {command}");
    }
}
