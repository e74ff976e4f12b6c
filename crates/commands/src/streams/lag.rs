//! How far a group is in its stream, counted as far as that can be known.
//!
//! A stream counts the entries that were ever added to it. Where nothing was deleted behind an id,
//! the entries up to that id can be counted from that, and so can those that a group has not read.

use values::stream::{Group, Id, Stream};

/// What is counted of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    len: u64,
    first_id: Id,
    last_id: Id,
    max_deleted_id: Id,
    entries_added: u64,
}

impl Counts {
    /// What is counted of a stream.
    pub fn of(stream: &Stream) -> Self {
        Self {
            len: stream.len() as u64,
            first_id: stream.first_id().unwrap_or_default(),
            last_id: stream.last_id(),
            max_deleted_id: stream.max_deleted_id(),
            entries_added: stream.entries_added(),
        }
    }

    /// Whether entries may be missing behind an id.
    fn has_gaps_behind(&self, id: Id) -> bool {
        self.len > 0 && self.max_deleted_id != Id::MIN && id <= self.max_deleted_id
    }

    /// How many entries were ever added up to an id, if that can be known.
    fn added_until(&self, id: Id) -> Option<u64> {
        let before_first = self.entries_added.wrapping_sub(self.len);
        if self.entries_added == 0 {
            return Some(0);
        }
        if self.len == 0 && id <= self.last_id {
            return Some(self.entries_added);
        }
        if id != Id::MIN && id < self.max_deleted_id {
            return None;
        }
        if id == self.last_id {
            return Some(self.entries_added);
        }
        let is_whole = self.max_deleted_id == Id::MIN || self.max_deleted_id < self.first_id;
        if id > self.last_id || !is_whole || id > self.first_id {
            return None;
        }
        Some(if id < self.first_id { before_first } else { before_first.wrapping_add(1) })
    }

    /// How many entries a group has not read, if that can be known.
    pub fn lag(&self, group: &Group) -> Option<i64> {
        if self.entries_added == 0 || self.len == 0 {
            return Some(0);
        }
        if group.last_id < self.first_id && self.max_deleted_id < self.first_id {
            return Some(self.len.cast_signed());
        }
        let read = match group.entries_read {
            Some(read) if !self.has_gaps_behind(group.last_id) => read,
            _ => self.added_until(group.last_id)?,
        };
        Some(self.entries_added.wrapping_sub(read).cast_signed())
    }

    /// Moves a group on to the next entry that it reads.
    #[inline]
    pub fn read(&self, group: &mut Group, id: Id) {
        let is_known = group.last_id >= self.first_id && !self.has_gaps_behind(group.last_id);
        match group.entries_read {
            Some(read) if is_known => group.entries_read = Some(read.wrapping_add(1)),
            _ if self.entries_added > 0 => group.entries_read = self.added_until(id),
            _ => (),
        }
        group.last_id = id;
    }
}
