//! Golden bytes of every reply in both protocol versions.

use super::*;

fn written(resp3: bool, write: impl Fn(&mut Reply)) -> String {
    let mut out = b"before".to_vec();
    write(&mut Reply::new(&mut out, resp3));
    out.strip_prefix(b"before").unwrap().escape_ascii().to_string()
}

fn check(write: impl Fn(&mut Reply), resp2: &str, resp3: &str) {
    let escaped = |text: &str| text.as_bytes().escape_ascii().to_string();
    assert_eq!(written(false, &write), escaped(resp2));
    assert_eq!(written(true, &write), escaped(resp3));
}

fn check_same(write: impl Fn(&mut Reply), both: &str) {
    check(write, both, both);
}

#[test]
fn replies_that_are_the_same_in_both_versions() {
    check_same(|reply| reply.ok(), "+OK\r\n");
    check_same(|reply| reply.simple("PONG"), "+PONG\r\n");
    check_same(|reply| reply.simple("a\r\nb"), "+a  b\r\n");
    check_same(|reply| reply.error("ERR no\r\n+OK"), "-ERR no  +OK\r\n");
    check_same(|reply| reply.error_bytes(b"ERR 'x\n'"), "-ERR 'x '\r\n");
    check_same(
        |reply| reply.protocol_error(ProtocolError::ExpectedDollar(b'\n')),
        "-ERR Protocol error: expected '$', got ' '\r\n",
    );
    for value in [0, 1, 9, 10, 42, 99, 100, 999, 1000, 12345, i64::MAX, -1, -1000, i64::MIN] {
        check_same(|reply| reply.integer(value), &format!(":{value}\r\n"));
        let text = value.to_string();
        check_same(|reply| reply.bulk_integer(value), &format!("${}\r\n{text}\r\n", text.len()));
    }
    check_same(|reply| reply.array(0), "*0\r\n");
    check_same(|reply| reply.array(1_000_000), "*1000000\r\n");
}

#[test]
fn bulks_of_every_header_width() {
    for len in [0, 1, 9, 10, 11, 99, 100, 101, 998, 999, 1000, 1001, 70_000] {
        let body = "x".repeat(len);
        check_same(|reply| reply.bulk(body.as_bytes()), &format!("${len}\r\n{body}\r\n"));
    }
    let mut out = Vec::new();
    Reply::new(&mut out, true).bulk(b"\r\n\0\xff");
    assert_eq!(out, b"$4\r\n\r\n\0\xff\r\n");
}

#[test]
fn replies_that_differ_by_version() {
    check(|reply| reply.null(), "$-1\r\n", "_\r\n");
    check(|reply| reply.null_array(), "*-1\r\n", "_\r\n");
    check(|reply| reply.map(2), "*4\r\n", "%2\r\n");
    check(|reply| reply.map(600), "*1200\r\n", "%600\r\n");
    check(|reply| reply.set(12), "*12\r\n", "~12\r\n");
    check(|reply| reply.push(3), "*3\r\n", ">3\r\n");
    check(|reply| reply.boolean(true), ":1\r\n", "#t\r\n");
    check(|reply| reply.boolean(false), ":0\r\n", "#f\r\n");
    check(|reply| reply.verbatim("txt", b"hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
    check(|reply| reply.double(3.0), "$1\r\n3\r\n", ",3\r\n");
    check(|reply| reply.double(0.5), "$3\r\n0.5\r\n", ",0.5\r\n");
    check(|reply| reply.double(f64::INFINITY), "$3\r\ninf\r\n", ",inf\r\n");
    check(|reply| reply.double(f64::NEG_INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n");
    check(|reply| reply.double(f64::NAN), "$3\r\nnan\r\n", ",nan\r\n");
    check(|reply| reply.double(1234567.25), "$10\r\n1234567.25\r\n", ",1234567.25\r\n");
    let smallest = "-1.7976931348623157e+308";
    check(
        |reply| reply.double(f64::MIN),
        &format!("$24\r\n{smallest}\r\n"),
        &format!(",{smallest}\r\n"),
    );
}

#[test]
fn a_half_written_reply_is_taken_back() {
    let mut out = b"+before\r\n".to_vec();
    let mut reply = Reply::new(&mut out, false);
    assert!(reply.is_empty());
    reply.ok();
    let mark = reply.len();
    reply.array(2);
    reply.bulk(b"half");
    reply.truncate(mark);
    reply.error("ERR changed my mind");
    assert!(!reply.is_empty());
    assert!(!reply.is_resp3());
    assert_eq!(out, b"+before\r\n+OK\r\n-ERR changed my mind\r\n");
}

/// Prints nanoseconds per reply: `cargo test --release -p protocol speed -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn speed_of_bulks() {
    use std::hint::black_box;
    const REPEATS: u32 = 2_000_000;
    for len in [3, 16, 64, 512, 4096] {
        let body = vec![b'x'; len];
        let mut out = Vec::with_capacity(1 << 20);
        let begin = std::time::Instant::now();
        for _ in 0..REPEATS {
            if out.len() > 1 << 16 {
                out.clear();
            }
            Reply::new(black_box(&mut out), false).bulk(black_box(&body));
        }
        let each = begin.elapsed().as_secs_f64() * 1e9 / f64::from(REPEATS);
        eprintln!("bulk of {len}: {each:.1} ns");
    }
}

#[test]
fn counts_may_come_late() {
    let write = |items, expected, len: usize| {
        move |reply: &mut Reply| {
            reply.ok();
            let written = reply.counted(items, expected, |reply| {
                (0..len).for_each(|_| reply.bulk(b"x"));
                Ok::<_, ()>(len)
            });
            assert_eq!(written, Ok(len));
            reply.null();
        }
    };
    for expected in [0, 2, 10, 12345] {
        for len in [0, 2, 10, 1000] {
            let items = "$1\r\nx\r\n".repeat(len);
            let (resp2, resp3) = ("$-1\r\n", "_\r\n");
            let text = |marker, len, null| format!("+OK\r\n{marker}{len}\r\n{items}{null}");
            let array = write(Counted::Array, expected, len);
            check(array, &text('*', len, resp2), &text('*', len, resp3));
            let map = write(Counted::Map, expected, len);
            check(map, &text('*', len * 2, resp2), &text('%', len, resp3));
        }
    }
    check_same(
        |reply| {
            reply.ok();
            let failed = reply.counted(Counted::Array, 5, |reply| {
                reply.ok();
                Err("no")
            });
            assert_eq!(failed, Err("no"));
        },
        "+OK\r\n",
    );
}
