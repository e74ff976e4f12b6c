//! The command table at run time: every row of every family, found by name.
//!
//! Lookup is a perfect hash over the name's length and bytes: one multiplication, one load, one
//! comparison. The multiplier is searched when the server starts; the rows are constants, so the
//! search always ends the same way, and a test builds the registry.

use std::fmt::Write as _;
use std::iter;

use commands::spec::{Access, Find, Flags, KeySpec};
use commands::{Command, Handler, Spec};

use crate::families;
use crate::session::SessionHandler;

/// What runs a command.
#[derive(Clone, Copy)]
pub enum Run {
    /// A function of data: its shards are borrowed first.
    Data(Handler),
    /// A function of the connection and the server.
    Session(SessionHandler),
}

/// How a command's keys are found, decided once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum KeyShape {
    /// It has none.
    None,
    /// The first argument and no other.
    First,
    /// As the key specs say.
    Specs,
}

/// A row in the registry.
pub struct Registered {
    /// What is known of the command.
    pub spec: &'static Spec,
    /// The full name; that of a subcommand is `container|name`.
    pub name: &'static str,
    /// What runs it.
    pub run: Run,
    /// How its keys are found.
    pub keys: KeyShape,
    /// Whether its time depends on little but the length of the call.
    pub short: bool,
    /// Its place in the registry's list, subcommands included; counters use it.
    pub index: usize,
    /// Its subcommands.
    pub subcommands: Vec<Registered>,
    fingerprint: u64,
}

/// All commands.
pub struct Registry {
    commands: Vec<Registered>,
    /// Index into `commands`, or `NONE`.
    slots: Vec<u16>,
    multiplier: u64,
    shift: u32,
}

const NONE: u16 = u16::MAX;

impl Registry {
    /// Collects the rows of all families.
    pub fn new() -> Self {
        let mut len = 0;
        let mut commands: Vec<Registered> =
            commands::families().map(|row| register(row, Run::Data, "", &mut len)).collect();
        let session = families::all().map(|row| register(row, Run::Session, "", &mut len));
        commands.extend(session);
        commands.sort_by_key(|command| command.name);
        let (slots, multiplier, shift) = arrange(&commands);
        Self { commands, slots, multiplier, shift }
    }

    /// The command with this name, in any case.
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<&Registered> {
        let fingerprint = fingerprint(name);
        let slot = fingerprint.wrapping_mul(self.multiplier) >> self.shift;
        let index = self.slots[slot as usize];
        let command = self.commands.get(usize::from(index))?;
        let same = command.fingerprint == fingerprint
            && (name.len() <= WHOLE_MAX || name.eq_ignore_ascii_case(command.name.as_bytes()));
        same.then_some(command)
    }

    /// The command or, written `container|name`, the subcommand.
    pub fn find_full(&self, name: &[u8]) -> Option<&Registered> {
        match name.iter().position(|&byte| byte == b'|') {
            None => self.find(name),
            Some(bar) => self.find(&name[..bar])?.subcommand(&name[bar + 1..]),
        }
    }

    /// All commands, sorted by name.
    pub fn iter(&self) -> std::slice::Iter<'_, Registered> {
        self.commands.iter()
    }

    /// Number of commands, without subcommands.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// All commands, each before its subcommands.
    pub fn rows(&self) -> impl Iterator<Item = &Registered> {
        self.commands.iter().flat_map(|command| iter::once(command).chain(&command.subcommands))
    }
}

impl Registered {
    /// The subcommand with this name, in any case.
    pub fn subcommand(&self, name: &[u8]) -> Option<&Registered> {
        self.subcommands.iter().find(|sub| name.eq_ignore_ascii_case(sub.spec.name.as_bytes()))
    }

    /// Whether the command has the flag.
    #[inline]
    pub fn is(&self, flag: Flags) -> bool {
        self.spec.flags.contains(flag)
    }

    /// Calls `found` with the index of each key among the words of a call.
    #[inline]
    pub fn key_words<'a>(
        &self,
        words: usize,
        word: impl Fn(usize) -> &'a [u8] + Copy,
        mut found: impl FnMut(usize, Access),
    ) {
        match self.keys {
            KeyShape::None => {}
            KeyShape::First => {
                if words > 1 {
                    found(1, self.spec.keys[0].access);
                }
            }
            KeyShape::Specs => {
                for spec in self.spec.keys {
                    spec.indexes(words, word, |index| found(index, spec.access));
                }
            }
        }
    }
}

fn register<H: Copy>(
    row: &'static Command<H>,
    run: fn(H) -> Run,
    container: &str,
    len: &mut usize,
) -> Registered {
    let name: &'static str = if container.is_empty() {
        row.spec.name
    } else {
        let mut full = String::from(container);
        let _ = write!(full, "|{}", row.spec.name);
        Box::leak(full.into_boxed_str())
    };
    let index = *len;
    *len += 1;
    let subcommands =
        row.subcommands.iter().map(|sub| register(sub, run, row.spec.name, len)).collect();
    let keys = shape(row.spec.keys);
    let fingerprint = fingerprint(name.as_bytes());
    let short = keys == KeyShape::First && row.spec.flags.intersects(Flags::FAST | Flags::SHORT);
    let (spec, run) = (&row.spec, run(row.run));
    Registered { spec, name, run, keys, short, index, subcommands, fingerprint }
}

fn shape(specs: &[KeySpec]) -> KeyShape {
    match specs {
        [] => KeyShape::None,
        [KeySpec { begin: 1, find: Find::Range { last: 0, .. }, .. }] => KeyShape::First,
        _ => KeyShape::Specs,
    }
}

/// A name of up to so many bytes has the fingerprint of no other, but for characters that no
/// command's name has.
const WHOLE_MAX: usize = 7;

/// Length and bytes of a name in one word, letters in one case; of a long name some bytes.
#[inline]
fn fingerprint(name: &[u8]) -> u64 {
    let bytes = match name.len() {
        0 => 0,
        len @ 1..=3 => {
            u64::from(name[0]) | u64::from(name[len / 2]) << 8 | u64::from(name[len - 1]) << 16
        }
        len @ 4..=7 => {
            let (first, last) = (name.first_chunk::<4>(), name[len - 4..].first_chunk::<4>());
            let word =
                |half: Option<&[u8; 4]>| u64::from(u32::from_le_bytes(*half.unwrap_or(&[0; 4])));
            word(first) | word(last) << 32
        }
        len => {
            let (first, last) = (name.first_chunk::<8>(), name[len - 8..].first_chunk::<8>());
            let word = |half: Option<&[u8; 8]>| u64::from_le_bytes(*half.unwrap_or(&[0; 8]));
            (word(first) | CASE) ^ (word(last) | CASE).rotate_left(23)
        }
    };
    (bytes | CASE) ^ (name.len() as u64) << 56
}

/// The bit that tells small from capital letters, in each byte.
const CASE: u64 = 0x2020_2020_2020_2020;

/// A multiplier and a table without collisions for these names.
fn arrange(commands: &[Registered]) -> (Vec<u16>, u64, u32) {
    let mut bits = 11;
    let mut multiplier: u64 = 0x9E37_79B9_7F4A_7C15;
    loop {
        for _ in 0..256 {
            multiplier = multiplier.wrapping_mul(0xD134_2543_DE82_EF95) | 1;
            let shift = u64::BITS - bits;
            let mut slots = vec![NONE; 1 << bits];
            let fits = (0u16..).zip(commands).all(|(index, command)| {
                let hash = command.fingerprint.wrapping_mul(multiplier) >> shift;
                std::mem::replace(&mut slots[hash as usize], index) == NONE
            });
            if fits {
                return (slots, multiplier, shift);
            }
        }
        bits += 1;
        assert!(bits < 20, "two commands have one fingerprint");
    }
}

#[cfg(test)]
mod tests;
