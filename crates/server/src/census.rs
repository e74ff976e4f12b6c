//! What is in the shards, summed: one walk over all of them, for commands that tell about the
//! server. Each shard is held only while it is looked at, so the sums are of no one moment.

use keyspace::db::Stats;
use keyspace::{DATABASES, Db, Keyspace, SHARDS};

/// Keys of a database that are looked at for the mean time to live, about,
const KEYS_SAMPLED: u64 = 1000;
/// keys of one table among them,
const TABLE_KEYS_SAMPLED: u64 = 4;
/// and buckets of it at most, where few keys expire.
const BUCKETS_SAMPLED: usize = 64;

/// What is known of the data.
#[derive(Clone, Default, Debug)]
pub struct Census {
    /// What happened to all databases.
    pub stats: Stats,
    /// The databases.
    pub dbs: [Tables; DATABASES],
}

/// What is known of a database.
#[derive(Clone, Copy, Default, Debug)]
pub struct Tables {
    /// Keys.
    pub keys: u64,
    /// Keys that have an expiry.
    pub volatile: u64,
    /// Keys some members of which have one.
    pub holders: u64,
    /// Bytes of its tables, without the entries.
    pub bytes: u64,
    sampled: u64,
    left_ms: u128,
}

impl Tables {
    /// The mean time that keys with an expiry have left, estimated from some of them.
    pub fn mean_left_ms(&self) -> u64 {
        let mean = self.left_ms.checked_div(u128::from(self.sampled)).unwrap_or(0);
        u64::try_from(mean).unwrap_or(u64::MAX)
    }

    fn add(&mut self, db: &Db, now_ms: u64) {
        self.keys += db.len() as u64;
        self.volatile += db.volatile() as u64;
        self.holders += db.holders() as u64;
        self.bytes += db.table_memory() as u64;
        let enough = KEYS_SAMPLED.min(self.sampled + TABLE_KEYS_SAMPLED);
        let mut next = (db.volatile() > 0).then_some(0);
        for _ in 0..BUCKETS_SAMPLED {
            let Some(from) = next.filter(|_| self.sampled < enough) else { break };
            next = db.scan(from, now_ms, |entry| {
                if let Some(at) = entry.expires_at() {
                    self.sampled += 1;
                    self.left_ms += u128::from(at.saturating_sub(now_ms));
                }
            });
        }
    }
}

impl Census {
    /// Walks all shards, waiting for those that are busy: not on a thread that serves connections.
    pub fn take(keyspace: &'static Keyspace, now_ms: u64) -> Self {
        let mut census = Self::default();
        for number in 0..SHARDS {
            let mut shard = keyspace.borrow_blocking(number as u16);
            for (number, db) in shard.dbs() {
                census.stats += db.stats;
                if !db.is_empty() {
                    census.dbs[usize::from(number)].add(db, now_ms);
                }
            }
        }
        census
    }

    /// Keys of all databases.
    pub fn keys(&self) -> u64 {
        self.dbs.iter().map(|db| db.keys).sum()
    }

    /// Bytes of all tables, without the entries.
    pub fn table_bytes(&self) -> u64 {
        self.dbs.iter().map(|db| db.bytes).sum()
    }
}
