//! HELP of commands that have subcommands, written from their rows.

use commands::Failure;
use commands::spec::help_lines;

use crate::session::{Call, Flow};

/// Lists the subcommands of the command that is called, each with its arguments and its summary.
pub(super) fn help(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let Some(container) = call.server.registry.find(call.args.get(0)) else {
        return Err(Failure::Syntax);
    };
    let lines = help_lines(container.spec, container.subcommands.iter().map(|sub| sub.spec));
    call.reply.array(lines.len());
    lines.iter().for_each(|line| call.reply.simple(line));
    Ok(Flow::Next)
}
