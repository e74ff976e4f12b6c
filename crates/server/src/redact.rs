//! What is shown of a call where others can see it: all but passwords.

use commands::Args;

use crate::registry::Registered;

const HIDDEN: &[u8] = b"(redacted)";

/// Parameters of CONFIG SET whose values are secret.
const SECRET_PARAMETERS: &[&str] = &[
    "requirepass",
    "password",
    "masterauth",
    "masteruser",
    "primaryauth",
    "primaryuser",
    "tls-key-file-pass",
    "tls-client-key-file-pass",
];

/// The words of a call, with secrets replaced.
pub fn words<'a>(command: &Registered, args: Args<'a>) -> impl Iterator<Item = &'a [u8]> {
    let name = command.name;
    let login = if name == "hello" { login_at(args) } else { None };
    args.from(0).enumerate().map(move |(index, word)| {
        let secret = match name {
            "auth" => index > 0,
            "hello" => login.is_some_and(|at| index == at + 1 || index == at + 2),
            "config|set" => index > 2 && index % 2 == 1 && is_secret(args.get(index - 1)),
            _ => false,
        };
        if secret { HIDDEN } else { word }
    })
}

/// Where AUTH stands in a call of HELLO, and is no client's name.
fn login_at(args: Args<'_>) -> Option<usize> {
    let mut index = 2;
    while index < args.len() {
        let word = args.get(index);
        if word.eq_ignore_ascii_case(b"auth") {
            return Some(index);
        }
        index += if word.eq_ignore_ascii_case(b"setname") { 2 } else { 1 };
    }
    None
}

/// Whether a parameter's value is secret, however its name is written.
fn is_secret(name: &[u8]) -> bool {
    let name = String::from_utf8_lossy(name).to_ascii_lowercase().replace('_', "-");
    SECRET_PARAMETERS.contains(&name.as_str())
}
