//! The parser against hand-made cases, against every way to cut its input, and against a slow
//! parser that knows only whole input.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use proptest::prelude::*;

use super::*;

type Command = Vec<Vec<u8>>;

/// All commands of a stream, and the error or the rest without a whole command that ends it.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    commands: Vec<Command>,
    end: Result<Vec<u8>, ProtocolError>,
}

/// Feeds `pieces` one after the other, as a connection does.
fn feed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limits: &Limits) -> Outcome {
    let mut parser = Parser::default();
    let mut buf: Vec<u8> = Vec::new();
    let mut commands = Vec::new();
    // An argument of an earlier command, which the parser must leave alone.
    let foreign = Arg { start: 77, len: 88 };
    let mut args = vec![foreign];
    for piece in pieces {
        buf.extend_from_slice(piece);
        loop {
            match parser.parse(&buf, limits, &mut args) {
                Err(error) => return Outcome { commands, end: Err(error) },
                Ok(Parsed::Incomplete) => {
                    assert_eq!(parser.is_idle(), buf.is_empty());
                    break;
                }
                Ok(Parsed::Command { consumed }) => {
                    let range = |arg: &Arg| {
                        let start = arg.start as usize;
                        buf[..consumed][start..start + arg.len as usize].to_vec()
                    };
                    commands.push(args[1..].iter().map(range).collect());
                    buf.drain(..consumed);
                }
                Ok(Parsed::Inline { consumed, args: words }) => {
                    assert_eq!(args.len(), 1);
                    commands.push(words);
                    buf.drain(..consumed);
                }
            }
            assert!(parser.is_idle());
            assert_eq!(args[0], foreign);
            args.truncate(1);
        }
    }
    Outcome { commands, end: Ok(buf) }
}

fn feed_whole(bytes: &[u8], limits: &Limits) -> Outcome {
    feed([bytes], limits)
}

/// Whole, cut in two at every place, and byte by byte: the same outcome.
fn check_all_cuts(bytes: &[u8], limits: &Limits) -> Outcome {
    let whole = feed_whole(bytes, limits);
    for cut in 0..=bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(feed([head, tail], limits), whole, "cut at {cut}");
    }
    assert_eq!(feed(bytes.chunks(1), limits), whole, "byte by byte");
    whole
}

fn check_commands(bytes: &[u8], expected: &[&[&[u8]]]) {
    let outcome = check_all_cuts(bytes, &Limits::default());
    assert_eq!(outcome.end, Ok(Vec::new()), "{}", bytes.escape_ascii());
    assert_eq!(outcome.commands, expected, "{}", bytes.escape_ascii());
}

fn check_error(bytes: &[u8], limits: &Limits, text: &str) {
    let error = check_all_cuts(bytes, limits).end.expect_err(text);
    assert_eq!(error.to_string(), format!("Protocol error: {text}"), "{}", bytes.escape_ascii());
}

fn encode(args: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

#[test]
fn commands_are_the_same_however_they_are_cut() {
    check_commands(b"", &[]);
    check_commands(b"*1\r\n$4\r\nPING\r\n", &[&[b"PING"]]);
    check_commands(b"*2\r\n$3\r\nGET\r\n$0\r\n\r\n", &[&[b"GET", b""]]);
    check_commands(b"*1\r\n$2\r\n\r\n\r\n", &[&[b"\r\n"]]);
    check_commands(b"*0\r\n*-1\r\n*-5\r\n", &[&[], &[], &[]]);
    check_commands(
        b"PING\r\nset k \"a\\x20b\"\n\r\n\n",
        &[&[b"PING"], &[b"set", b"k", b"a b"], &[], &[]],
    );
    check_commands(b"$3 x\r\n\xff\0\n", &[&[b"$3", b"x"], &[b"\xff\0"]]);
    check_commands(
        b"*0\r\nPING\r\n*3\r\n$3\r\nSET\r\n$10\r\n0123456789\r\n$1\r\n*\r\n\
          GET k\n*1\r\n$1\r\n$\r\n",
        &[&[], &[b"PING"], &[b"SET", b"0123456789", b"*"], &[b"GET", b"k"], &[b"$"]],
    );
}

#[test]
fn lengths_around_the_short_path() {
    for len in [0_usize, 1, 9, 10, 99, 100, 999, 1000, 1001, 65_536, 100_000] {
        let args = vec![b"SET".to_vec(), vec![b'x'; len], vec![b'\r'; len], b"end".to_vec()];
        let bytes = encode(&args);
        let whole = feed_whole(&bytes, &Limits::default());
        assert_eq!(whole, Outcome { commands: vec![args], end: Ok(Vec::new()) });
        for piece in [7, 1000, 4096] {
            assert_eq!(feed(bytes.chunks(piece), &Limits::default()), whole);
        }
    }
    for count in [1_usize, 9, 10, 99, 100, 999, 1000, 5000] {
        let args = vec![b"a".to_vec(); count];
        let bytes = encode(&args);
        let whole = feed_whole(&bytes, &Limits::default());
        assert_eq!(whole.commands, [args]);
        assert_eq!(feed(bytes.chunks(1), &Limits::default()), whole);
    }
}

#[test]
fn errors_have_the_words_of_redis() {
    let limits = Limits::default();
    let multibulk = "invalid multibulk length";
    for line in ["", "01", "-0", "+1", " 1", "1 ", "1x", "x", "1048577", "3000000000", "--1"] {
        check_error(format!("*{line}\r\n").as_bytes(), &limits, multibulk);
    }
    check_error(b"*99999999999999999999\r\n", &limits, multibulk);
    check_error(b"*1\rx", &limits, multibulk);
    let bulk = "invalid bulk length";
    for line in ["", "00", "-1", "-0", "+1", "1 ", "x", "536870913", "99999999999999999999"] {
        check_error(format!("*1\r\n${line}\r\n").as_bytes(), &limits, bulk);
    }
    check_error(b"*1\r\n$3\r3", &limits, bulk);
    check_error(b"*1\r\nfoo\r\n", &limits, "expected '$', got 'f'");
    check_error(b"*2\r\n$1\r\na\r\n*1\r\n", &limits, "expected '$', got '*'");
    check_error(b"*1\r\n$3\r\nabcXX", &limits, "expected CRLF after bulk");
    check_error(b"*1\r\n$3\r\nabcd\r\n", &limits, "expected CRLF after bulk");
    check_error(b"get \"a\r\n", &limits, "unbalanced quotes in request");
    let wide = Limits { bulk_len_max: usize::MAX, ..limits };
    check_error(b"*1\r\n$4294967296\r\n", &wide, "command longer than 4 GiB");
}

#[test]
fn an_error_comes_after_the_commands_before_it() {
    let outcome = check_all_cuts(b"PING\r\n*1\r\n$1\r\na\r\n*1\r\n:1\r\n", &Limits::default());
    assert_eq!(outcome.commands, [vec![b"PING".to_vec()], vec![b"a".to_vec()]]);
    assert_eq!(outcome.end, Err(ProtocolError::ExpectedDollar(b':')));
}

#[test]
fn the_offending_byte_is_sent_as_it_came() {
    let mut out = Vec::new();
    ProtocolError::ExpectedDollar(0xff).write_to(&mut out);
    assert_eq!(out, b"Protocol error: expected '$', got '\xff'");
}

#[test]
fn strangers_may_send_less() {
    let limits = Limits::BEFORE_LOGIN;
    let args = "unauthenticated multibulk length";
    check_error(b"*11\r\n", &limits, args);
    check_error(b"*2000000000\r\n", &limits, args);
    check_error(b"*3000000000\r\n", &limits, "invalid multibulk length");
    check_error(b"*1\r\n$16385\r\n", &limits, "unauthenticated bulk length");
    check_error(b"*1\r\n$536870913\r\n", &limits, "invalid bulk length");
    let largest = encode(&vec![vec![b'x'; 16_384]; 10]);
    assert_eq!(feed_whole(&largest, &limits).commands.len(), 1);
    let tight = Limits { bulk_len_max: 5, args_max: 2, ..limits };
    check_error(b"*1\r\n$6\r\n", &tight, "invalid bulk length");
    check_error(b"*3\r\n", &tight, "invalid multibulk length");
}

#[test]
fn endless_lines_are_cut_off_at_the_same_byte_however_they_arrive() {
    let limits = Limits { inline_len_max: 8, ..Limits::default() };
    check_error(b"*23456789", &limits, "too big mbulk count string");
    check_error(b"*23456789\r\n", &limits, "too big mbulk count string");
    check_error(b"*1\r\n$23456789\r\n", &limits, "too big bulk count string");
    check_error(b"123456789\n", &limits, "too big inline request");
    assert_eq!(check_all_cuts(b"12345678\n", &limits).commands, [[b"12345678".to_vec()]]);
    assert_eq!(check_all_cuts(b"12345678", &limits).end, Ok(b"12345678".to_vec()));

    let defaults = Limits::default();
    for (head, error) in [
        ("*", ProtocolError::MultibulkLineTooLong),
        ("*1\r\n$", ProtocolError::BulkLineTooLong),
        ("", ProtocolError::InlineTooLong),
    ] {
        let mut bytes = head.as_bytes().to_vec();
        let marker = usize::from(!head.is_empty());
        bytes.resize(head.len() - marker + 65_536, b'1');
        assert_eq!(feed(bytes.chunks(1), &defaults).end, Ok(bytes.clone()));
        bytes.push(b'1');
        assert_eq!(feed(bytes.chunks(1), &defaults).end, Err(error));
        assert_eq!(feed_whole(&bytes, &defaults).end, Err(error));
    }
}

#[test]
fn announced_sizes_reserve_nothing() {
    let mut args = Vec::new();
    let mut parser = Parser::default();
    let bytes = b"*1048576\r\n$536870912\r\nabc";
    let parsed = parser.parse(bytes, &Limits::default(), &mut args);
    assert_eq!(parsed, Ok(Parsed::Incomplete));
    assert_eq!(args.capacity(), 0);
}

#[test]
fn arg_gives_its_bytes_or_none() {
    assert_eq!(Arg { start: 1, len: 2 }.of(b"abcd"), b"bc");
    assert_eq!(Arg { start: 3, len: 2 }.of(b"abcd"), b"");
    assert_eq!(Arg { start: u32::MAX, len: u32::MAX }.of(b"abcd"), b"");
}

/// The grammar once more, for a whole stream and with no thought of speed.
fn reference(bytes: &[u8], limits: &Limits) -> Outcome {
    let mut commands = Vec::new();
    let mut rest = bytes;
    loop {
        match reference_command(rest, limits) {
            Ok(Some((command, consumed))) => {
                commands.push(command);
                rest = &rest[consumed..];
            }
            Ok(None) => return Outcome { commands, end: Ok(rest.to_vec()) },
            Err(error) => return Outcome { commands, end: Err(error) },
        }
    }
}

fn reference_command(
    bytes: &[u8],
    limits: &Limits,
) -> Result<Option<(Command, usize)>, ProtocolError> {
    let Some(first) = bytes.first() else { return Ok(None) };
    if *first != b'*' {
        let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
        if end > limits.inline_len_max {
            return Err(ProtocolError::InlineTooLong);
        }
        if end == bytes.len() {
            return Ok(None);
        }
        let line = &bytes[..end];
        let words = split_line(line.strip_suffix(b"\r").unwrap_or(line))?;
        return Ok(Some((words, end + 1)));
    }
    let kind = LengthLine::MULTIBULK;
    let Some((count, mut at)) = reference_length(bytes, 0, kind, limits)? else {
        return Ok(None);
    };
    if limits.before_login && count > 10 && count <= i64::from(i32::MAX) {
        return Err(ProtocolError::UnauthenticatedMultibulkLength);
    }
    if count > limits.args_max as i64 {
        return Err(ProtocolError::InvalidMultibulkLength);
    }
    let mut command = Command::new();
    for _ in 0..count {
        match bytes.get(at) {
            None => return Ok(None),
            Some(b'$') => {}
            Some(other) => return Err(ProtocolError::ExpectedDollar(*other)),
        }
        let Some((len, start)) = reference_length(bytes, at, LengthLine::BULK, limits)? else {
            return Ok(None);
        };
        if len < 0 || len > limits.bulk_len_max as i64 {
            return Err(ProtocolError::InvalidBulkLength);
        }
        if limits.before_login && len > 16_384 {
            return Err(ProtocolError::UnauthenticatedBulkLength);
        }
        let end = start + len as usize;
        if bytes.len() < end + 2 {
            return Ok(None);
        }
        if &bytes[end..end + 2] != b"\r\n" {
            return Err(ProtocolError::MissingBulkEnd);
        }
        command.push(bytes[start..end].to_vec());
        at = end + 2;
    }
    Ok(Some((command, at)))
}

fn reference_length(
    bytes: &[u8],
    start: usize,
    kind: LengthLine,
    limits: &Limits,
) -> Result<Option<(i64, usize)>, ProtocolError> {
    let line = &bytes[start..];
    let end = line.iter().position(|&byte| byte == b'\r').unwrap_or(line.len());
    if end > limits.inline_len_max {
        return Err(kind.too_long);
    }
    if line.len() < end + 2 {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&line[1..end]).into_owned();
    match text.parse::<i64>() {
        Ok(value) if line[end + 1] == b'\n' && value.to_string() == text => {
            Ok(Some((value, start + end + 2)))
        }
        _ => Err(kind.invalid),
    }
}

/// Streams that are mostly sound, with a byte changed, lost or added here and there.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let arg = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..20),
        2 => prop::collection::vec(any::<u8>(), 95..105),
        1 => (990_usize..1010).prop_map(|len| vec![b'v'; len]),
    ];
    let command = prop_oneof![
        6 => prop::collection::vec(arg, 0..12).prop_map(|args| encode(&args)),
        1 => "[ -~]{0,40}\r?\n".prop_map(String::into_bytes),
        1 => "[*$][-+0-9]{0,3}\r\n".prop_map(String::into_bytes),
    ];
    let change =
        (any::<prop::sample::Index>(), 0_u8..4, prop::sample::select(&b"*$\r\n-09x\xff"[..]));
    (prop::collection::vec(command, 0..6), prop::collection::vec(change, 0..3)).prop_map(
        |(commands, changes)| {
            let mut bytes = commands.concat();
            for (place, kind, byte) in changes {
                if bytes.is_empty() {
                    break;
                }
                let place = place.index(bytes.len());
                match kind {
                    0 => bytes.truncate(place),
                    1 => bytes[place] = byte,
                    2 => bytes.insert(place, byte),
                    _ => drop(bytes.remove(place)),
                }
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_slow_parser(
        bytes in streams(),
        pieces in prop::collection::vec(1_usize..40, 1..8),
        before_login: bool,
        tight: bool,
    ) {
        let inline_len_max = if tight { 12 } else { 65_536 };
        let limits = Limits { before_login, inline_len_max, ..Limits::default() };
        let expected = reference(&bytes, &limits);
        prop_assert_eq!(&feed_whole(&bytes, &limits), &expected);
        prop_assert_eq!(&feed(bytes.chunks(1), &limits), &expected);
        let mut rest = bytes.as_slice();
        let cut = pieces.iter().cycle().map_while(|&len| {
            let (piece, after) = rest.split_at(len.min(rest.len()));
            rest = after;
            (!piece.is_empty()).then_some(piece)
        });
        prop_assert_eq!(&feed(cut, &limits), &expected);
    }
}

/// Nanoseconds per command of a stream that holds `count` commands, the best of a few rounds.
fn measure(stream: &[u8], count: usize) -> f64 {
    let rounds = 200_000 / count;
    let mut args = Vec::with_capacity(4096);
    let mut parser = Parser::default();
    let limits = Limits::default();
    let mut best = f64::MAX;
    for _ in 0..5 {
        let begin = Instant::now();
        for _ in 0..rounds {
            args.clear();
            let mut rest = black_box(stream);
            while let Ok(Parsed::Command { consumed }) = parser.parse(rest, &limits, &mut args) {
                rest = &rest[consumed..];
            }
            black_box(&args);
        }
        best = best.min(begin.elapsed().as_secs_f64() * 1e9 / (rounds * count) as f64);
    }
    best
}

/// Run with `cargo test --release -p protocol speed -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn speed_of_common_commands() {
    let command = |lens: &[usize]| {
        let args: Command = lens.iter().map(|&len| vec![b'x'; len]).collect();
        encode(&args)
    };
    let mut report = String::new();
    for (name, lens) in [
        ("PING", [4].as_slice()),
        ("GET", &[3, 16]),
        ("SET 64", &[3, 16, 64]),
        ("SET 900", &[3, 16, 900]),
        ("SET 2000", &[3, 16, 2000]),
        ("HSET of seven", &[4, 3, 12, 5, 120, 64, 7]),
    ] {
        let nanoseconds = measure(&command(lens).repeat(32), 32);
        writeln!(report, "{name}: {nanoseconds:.1} ns").unwrap();
    }
    // Lengths no branch predictor can learn.
    let mut seed = 1_usize;
    let mut below = |limit: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % limit
    };
    let mixed = |_| command(&[3, 4 + below(20), [5, 50, 500][below(3)] + below(5)]);
    let mixed: Vec<u8> = (0..10_000).flat_map(mixed).collect();
    writeln!(report, "SET of mixed lengths: {:.1} ns", measure(&mixed, 10_000)).unwrap();
    eprintln!("{report}");
}

#[test]
fn the_end_of_an_argument_is_known_with_its_length() {
    let bytes = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5000\r\n";
    let (mut parser, mut args) = (Parser::default(), Vec::new());
    for cut in 0..bytes.len() - 1 {
        let parsed = parser.parse(&bytes[..cut], &Limits::LOGGED_IN, &mut args);
        assert_eq!(parsed, Ok(Parsed::Incomplete));
        assert!(parser.wanted() <= 22, "{} at {cut}", parser.wanted());
    }
    let mut whole = bytes.to_vec();
    let wanted = bytes.len() + 5000 + 2;
    while whole.len() < wanted {
        assert_eq!(parser.parse(&whole, &Limits::LOGGED_IN, &mut args), Ok(Parsed::Incomplete));
        assert_eq!(parser.wanted(), wanted);
        whole.resize(wanted.min(whole.len() + 700), b'v');
    }
    whole.truncate(wanted - 2);
    whole.extend(b"\r\n");
    let parsed = parser.parse(&whole, &Limits::LOGGED_IN, &mut args);
    assert_eq!(parsed, Ok(Parsed::Command { consumed: wanted }));
    assert_eq!(parser.wanted(), 0);
}
