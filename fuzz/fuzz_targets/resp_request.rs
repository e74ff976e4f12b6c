//! Requests of any bytes: the parser never panics, gives only ranges inside the bytes it was
//! shown, and finds the same commands and the same error however the bytes are cut.
//!
//! The first three bytes of the input choose the limits and the cut, the rest is the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::error::ProtocolError;
use protocol::request::{Arg, Limits, Parsed, Parser};

type Command = Vec<Vec<u8>>;

/// The commands of a stream, and its error or the number of bytes left over.
type Outcome = (Vec<Command>, Result<usize, ProtocolError>);

fn limits(choice: u8) -> Limits {
    let base = if choice & 1 == 0 { Limits::LOGGED_IN } else { Limits::BEFORE_LOGIN };
    let inline_len_max = if choice & 2 == 0 { base.inline_len_max } else { 16 };
    let bulk_len_max = if choice & 4 == 0 { base.bulk_len_max } else { usize::MAX };
    Limits { inline_len_max, bulk_len_max, ..base }
}

fn copy(command: &[u8], arg: &Arg) -> Vec<u8> {
    let start = arg.start as usize;
    let end = start + arg.len as usize;
    assert!(end + 2 <= command.len(), "an argument and its CRLF lie within the command");
    assert_eq!(&command[end..end + 2], b"\r\n");
    command[start..end].to_vec()
}

fn feed<'a>(pieces: impl Iterator<Item = &'a [u8]>, limits: &Limits) -> Outcome {
    let mut parser = Parser::default();
    let mut buf: Vec<u8> = Vec::new();
    let mut args: Vec<Arg> = Vec::new();
    let mut commands = Vec::new();
    for piece in pieces {
        buf.extend_from_slice(piece);
        loop {
            let consumed = match parser.parse(&buf, limits, &mut args) {
                Err(error) => return (commands, Err(error)),
                Ok(Parsed::Incomplete) => {
                    assert_eq!(parser.is_idle(), buf.is_empty());
                    break;
                }
                Ok(Parsed::Command { consumed }) => {
                    commands.push(args.iter().map(|arg| copy(&buf[..consumed], arg)).collect());
                    consumed
                }
                Ok(Parsed::Inline { consumed, args: words }) => {
                    assert!(args.is_empty());
                    assert!(words.iter().map(Vec::len).sum::<usize>() <= consumed);
                    commands.push(words);
                    consumed
                }
            };
            assert!(consumed > 0 && parser.is_idle());
            buf.drain(..consumed);
            args.clear();
        }
    }
    (commands, Ok(buf.len()))
}

fuzz_target!(|data: &[u8]| {
    let [choice, high, low, stream @ ..] = data else { return };
    let limits = limits(*choice);
    let cut = usize::from(u16::from_be_bytes([*high, *low])) % (stream.len() + 1);
    let (head, tail) = stream.split_at(cut);
    let whole = feed([stream].into_iter(), &limits);
    assert_eq!(feed([head, tail].into_iter(), &limits), whole);
    assert_eq!(feed(stream.chunks(1 + usize::from(choice >> 3)), &limits), whole);
});
