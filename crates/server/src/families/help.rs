//! HELP of commands that have subcommands, written from their rows.

use commands::Failure;
use commands::spec::arguments::join;

use crate::session::{Call, Flow};

/// Columns of a terminal.
const WIDTH: usize = 80;
/// What a line begins with that goes on with a call's syntax, but for a space.
const CONTINUED: &str = "       ";

/// Lists the subcommands of the command that is called, each with its arguments and its summary.
pub(super) fn help(call: &mut Call<'_>) -> Result<Flow, Failure> {
    let Some(container) = call.server.registry.find(call.args.get(0)) else {
        return Err(Failure::Syntax);
    };
    let title = container.name.to_ascii_uppercase();
    let mut lines =
        vec![format!("{title} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")];
    if container.spec.accepts(1) {
        lines.push("(no subcommand)".into());
        lines.push(format!("    {}", container.spec.docs.summary));
    }
    let (own, others): (Vec<_>, Vec<_>) =
        container.subcommands.iter().partition(|sub| sub.spec.name == "help");
    for sub in others.into_iter().chain(own) {
        let mut line = sub.spec.name.to_ascii_uppercase();
        for word in join(sub.spec.docs.arguments).split_whitespace() {
            if line.len() + word.len() >= WIDTH {
                lines.push(std::mem::replace(&mut line, CONTINUED.into()));
            }
            line.push(' ');
            line.push_str(word);
        }
        lines.push(line);
        lines.push(format!("    {}", sub.spec.docs.summary));
    }
    call.reply.array(lines.len());
    lines.iter().for_each(|line| call.reply.simple(line));
    Ok(Flow::Next)
}
