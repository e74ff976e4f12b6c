//! Loading members ahead: what several look-ups in one collection will need is brought into the
//! cache at once, so that they wait for memory together and not one after the other.

#![forbid(unsafe_code)]

use crate::block::Shape;
use crate::entry::Form;
use crate::members::Members;

/// Members that are loaded at a time.
pub const MEMBERS_MAX: usize = 32;
/// A collection of fewer members is likely to be in the cache.
const LEN_MIN: usize = 2048;

/// Starts to load these members of a collection, as far as there are such, at most
/// [`MEMBERS_MAX`].
pub fn load<'m>(form: Form<'_>, members: impl Iterator<Item = &'m [u8]>) {
    match form {
        Form::Set(set) => load_from(set, members),
        Form::Hash(hash) => load_from(hash, members),
        Form::SortedSet(set) => load_from(set.members(), members),
        _ => {}
    }
}

fn load_from<'m, S: Shape>(collection: &Members<S>, members: impl Iterator<Item = &'m [u8]>) {
    if collection.len() < LEN_MIN {
        return;
    }
    let mut probes = [None; MEMBERS_MAX];
    let mut free = probes.iter_mut();
    // Not a loop: members come from several iterators, which are faster from inside.
    members.take(MEMBERS_MAX).for_each(|member| {
        if let Some(probe) = free.next() {
            *probe = collection.probe(collection.hasher().hash_member(member));
        }
    });
    probes.iter().flatten().for_each(|probe| probe.prefetch_item());
}
