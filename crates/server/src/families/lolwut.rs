//! LOLWUT: a picture, and the version below it, which tools read.

use commands::spec::arguments::integer;
use commands::spec::{Flags, Group};
use commands::{Command, Failure};
use protocol::number::parse_i64;

use crate::REDIS_VERSION;
use crate::session::{Call, Flow, SessionHandler};

/// The rows of this family.
pub static COMMANDS: &[Command<SessionHandler>] =
    &[Command::<SessionHandler>::new("lolwut", -1, lolwut)
        .flags(Flags::READONLY.union(Flags::FAST))
        .docs(Group::Server, "5.0.0", "Shows a picture, and the version below it.")
        .args(&[integer("version").after("VERSION").opt()])];

const PICTURE: &str = r"
         .--.   .--.
   .----'    \ /    '----.
   '--------._o_.--------'
   .--------' 8 '--------.
   '----.    /8\    .----'
         '--' 8 '--'
              8
              8
              '
";

/// There is one picture; a version of it may be asked for, but is the same.
fn lolwut(call: &mut Call<'_>) -> Result<Flow, Failure> {
    if call.args.len() > 2 && call.args.get(1).eq_ignore_ascii_case(b"version") {
        parse_i64(call.args.get(2)).ok_or(Failure::NotInteger)?;
    }
    let text = format!("{PICTURE}\nRedis ver. {REDIS_VERSION}\n");
    call.reply.verbatim("txt", text.as_bytes());
    Ok(Flow::Next)
}
