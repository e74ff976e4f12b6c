//! What is shown of a call where others can see it: all but passwords.

use commands::Args;

use crate::registry::Registered;

const HIDDEN: &[u8] = b"(redacted)";

/// Parameters of CONFIG SET whose values are passwords.
const SECRET_PARAMETERS: &[&[u8]] =
    &[b"requirepass", b"masterauth", b"masteruser", b"tls-key-file-pass"];

/// The words of a call, with passwords replaced.
pub fn words<'a>(command: &Registered, args: Args<'a>) -> impl Iterator<Item = &'a [u8]> {
    let name = command.name;
    args.from(0).enumerate().map(move |(index, word)| {
        let secret = match name {
            "auth" => index > 0,
            "hello" => (1..=2).any(|back| {
                index > back + 1 && args.get(index - back).eq_ignore_ascii_case(b"auth")
            }),
            "config|set" => {
                let before = args.get(index.saturating_sub(1));
                let names = |secret: &&[u8]| before.eq_ignore_ascii_case(secret);
                index > 2 && index % 2 == 1 && SECRET_PARAMETERS.iter().any(names)
            }
            _ => false,
        };
        if secret { HIDDEN } else { word }
    })
}
