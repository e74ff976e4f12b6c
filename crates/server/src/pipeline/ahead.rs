//! Loading ahead the members that the next commands look up.
//!
//! Entries are in the cache when their commands run, but the members of a large collection are not,
//! and each look-up would wait for memory twice. Where several commands in a row are about one such
//! collection, or one command is about several members, all are loaded before the first is looked
//! up. That needs the collection's shard, which is taken a moment earlier than it would be.

use commands::KeyAt;
use commands::spec::Members;
use values::{Entry, ahead};

use super::{Hand, Pending, Turn};

/// Commands in a row that are looked at together.
const CALLS_MAX: usize = 16;

impl Pending {
    /// Whether the command looks members up.
    #[inline]
    pub(super) fn looks_members_up(&self) -> bool {
        self.command.is_some_and(|command| command.spec.members.is_some())
    }
}

impl Turn<'_> {
    /// Starts to load the members of the next commands, as far as they are about one collection.
    /// Returns for how many commands that has been seen to.
    pub(super) fn load_members(&self, calls: &[Pending], hand: &mut Hand) -> usize {
        let first = calls.first().and_then(|call| self.members_of(call));
        let Some((key, members)) = first else { return 1 };
        let alike = calls.iter().take(CALLS_MAX).map_while(|call| {
            let (other, members) = self.members_of(call)?;
            (other.hash == key.hash).then_some((call, members))
        });
        let count = alike.clone().count();
        let has_one =
            calls.first().is_none_or(|call| call.args.len() <= members.first + members.step);
        if count < 2 && has_one || hand.granted.is_some() {
            return count;
        }
        let Ok(shard) = hand.take_one(self.server, key.shard()) else { return count };
        let Some(call) = calls.first() else { return count };
        let key = key.of(self.words(call).1);
        if let Some(entry) = shard.db_ref(self.session.db).peek(&key, self.now_ms) {
            let words = alike.flat_map(|(call, members)| {
                self.words(call).1.from(members.first).step_by(members.step)
            });
            ahead::load(Entry::form_of(&entry), words);
        }
        count
    }

    /// The only key of a command that looks members up, and where these stand.
    fn members_of(&self, call: &Pending) -> Option<(KeyAt, Members)> {
        let members = call.command?.spec.members?;
        match self.batch.keys.get(call.keys.clone())? {
            [key] => Some((*key, members)),
            _ => None,
        }
    }
}
