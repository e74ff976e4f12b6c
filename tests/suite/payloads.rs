//! Named bad inputs, replayed against the real binary: each gets the right answer and no other, the
//! server lives, serves others at once, and stays within its memory.
//!
//! Those of the files in `tests/payloads` are written out; those of numbers are made of the
//! argument trees: every number of every command, at every extreme.

mod ranges;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use tests::client::Client;
use tests::payload::{Case, End, File, all};
use tests::random::Random;
use tests::resp::Value;
use tests::server::Server;
use tests::wait;

/// The least that the files must have.
const CASES_MIN: usize = 200;
/// Longer inputs are not sent byte by byte.
const SHREDDED_MAX: usize = 300;
/// Longer inputs are sent whole only, from a thread of their own.
const CUT_MAX: usize = 256 * 1024;
/// How long a reply may take.
const REPLY_WAIT_MAX: Duration = Duration::from_secs(20);
/// How long others may wait for an answer, on a machine that is busy with other things too.
const OTHERS_WAIT_MAX: Duration = Duration::from_secs(3);
/// What need not be given back after a case.
const KEPT_MAX: u64 = 48 << 20;

/// The answer to the command behind a case.
const THE_END: &str = "ERR unknown command 'THE-END'";

/// How the bytes are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Whole,
    Pieces,
    Shreds,
    Resp3,
}

/// The server, and a client that does nothing wrong.
struct Bench {
    server: Server,
    witness: Client,
    password: bool,
}

impl Bench {
    fn start(file: &File) -> Self {
        let flags: Vec<&str> = file.flags.iter().map(String::as_str).collect();
        let server = Server::start(&flags);
        let mut witness = server.connect();
        let password = flags.contains(&"--requirepass");
        if password {
            assert_eq!(witness.run("AUTH secret"), Value::Simple("OK".into()));
        }
        Self { server, witness, password }
    }

    fn ways(&self, case: &Case) -> Vec<Way> {
        let mut ways = vec![Way::Whole];
        if case.bytes.len() <= CUT_MAX {
            ways.push(Way::Pieces);
        }
        if case.bytes.len() <= SHREDDED_MAX {
            ways.push(Way::Shreds);
        }
        if !self.password {
            ways.push(Way::Resp3);
        }
        ways
    }

    /// What is wrong after a case, if anything is.
    fn check(&mut self, case: &Case) -> Result<(), String> {
        for way in self.ways(case) {
            let before = self.server.resident_bytes();
            let mut clients = Vec::new();
            for _ in 0..case.connections {
                let mut client = self.server.connect();
                client.wait_at_most(REPLY_WAIT_MAX);
                if way == Way::Resp3 {
                    client.run("HELLO 3");
                }
                send(&mut client, case, way);
                clients.push(client);
            }
            for client in &mut clients {
                answers(client, case, way).map_err(|error| format!("{way:?}: {error}"))?;
            }
            let start = Instant::now();
            if self.witness.run("PING") != Value::Simple("PONG".into()) {
                return Err("others get wrong answers".into());
            }
            if start.elapsed() > OTHERS_WAIT_MAX {
                return Err(format!("others waited {:?}", start.elapsed()));
            }
            let grown = self.server.resident_bytes().saturating_sub(before);
            if grown > case.cap {
                return Err(format!("{way:?}: the server grew by {} KiB", grown >> 10));
            }
            for (words, pattern) in &case.after {
                let reply = self.witness.command(words);
                if !pattern.matches(&reply, false) {
                    return Err(format!("afterwards: {reply}"));
                }
            }
            drop(clients);
            self.witness.run("FLUSHALL");
            if case.cap > KEPT_MAX {
                wait::within(Duration::from_secs(30), "memory is given back", || {
                    self.server.resident_bytes() < before + KEPT_MAX
                });
            }
        }
        Ok(())
    }
}

fn send(client: &mut Client, case: &Case, way: Way) {
    let bytes = &case.bytes;
    if bytes.len() > CUT_MAX {
        // Its thread ends with the connection, if not before.
        drop(client.try_send_beside(bytes.clone()));
        return;
    }
    let mut random = Random::new(bytes.len() as u64);
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let len = match way {
            Way::Whole | Way::Resp3 => rest.len(),
            Way::Pieces => 1 + random.below(rest.len()),
            Way::Shreds => 1,
        };
        // The server may have closed the connection already.
        if client.try_send(&rest[..len]).is_err() {
            return;
        }
        rest = &rest[len..];
    }
}

fn answers(client: &mut Client, case: &Case, way: Way) -> Result<(), String> {
    let resp3 = way == Way::Resp3;
    if case.end == End::Unread {
        return Ok(());
    }
    for (index, (times, pattern)) in case.replies.iter().enumerate() {
        for time in 0..*times {
            let reply = client.try_read().ok_or(format!("closed instead of reply {index}"))?;
            if !pattern.matches(&reply, resp3) {
                return Err(format!("reply {index}, time {time}: {reply}"));
            }
        }
    }
    match case.end {
        End::Open => {
            // This is answered before login too.
            let sent = client.try_send(b"THE-END\r\n");
            match client.try_read() {
                Some(reply) if sent.is_ok() && reply.is_error(THE_END) => Ok(()),
                Some(reply) => Err(format!("one more reply: {reply}")),
                None => Err("not open afterwards".into()),
            }
        }
        End::Waits => {
            client.finish();
            rest_is_empty(client)
        }
        End::Closed | End::Unread => rest_is_empty(client),
    }
}

fn rest_is_empty(client: &mut Client) -> Result<(), String> {
    let rest = client.try_bytes_to_end().ok_or("not closed")?;
    let shown = String::from_utf8_lossy(&rest[..rest.len().min(200)]).into_owned();
    if rest.is_empty() { Ok(()) } else { Err(format!("more than expected: {shown:?}")) }
}

#[test]
fn named_bad_inputs_do_no_harm() {
    let only = std::env::var("PAYLOAD").unwrap_or_default();
    let mut report = String::new();
    let mut count = 0;
    for file in all() {
        let mut bench = Bench::start(&file);
        for case in file.cases.iter().filter(|case| case.name.contains(&only)) {
            count += 1;
            if let Err(error) = bench.check(case) {
                let _ = writeln!(report, "{}, {} ({}): {error}", file.name, case.name, case.from);
                bench = Bench::start(&file);
            }
        }
    }
    assert!(report.is_empty(), "\n{report}");
    assert!(count >= CASES_MIN || !only.is_empty(), "only {count} cases");
}

#[test]
fn cases_have_names_and_sources() {
    let mut names = std::collections::BTreeSet::new();
    for file in all() {
        for case in &file.cases {
            assert!(names.insert(case.name.clone()), "{} is there twice", case.name);
            assert!(!case.from.is_empty(), "{}: from where?", case.name);
            let any = !case.replies.is_empty() || case.end != End::Open || !case.after.is_empty();
            assert!(any || case.bytes.len() < 100, "{}: and then?", case.name);
        }
    }
}
