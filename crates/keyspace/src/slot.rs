//! Cluster slots: CRC16 of the key, or of its hash tag.
//!
//! The slot of a key is CRC-16/XMODEM modulo 16,384, as the Redis Cluster specification says. Where
//! the key has a `{tag}` that is not empty, only the first such tag counts, so that keys with one
//! tag live together. The sum is computed eight bytes at a step from eight tables.

/// Slots of a cluster.
pub const SLOTS: u16 = 16_384;
/// Neighbouring slots in one shard.
pub const SLOTS_PER_SHARD: u16 = 16;

const POLYNOMIAL: u16 = 0x1021;

/// `TABLES[n][b]`: what a byte `b` adds to the sum when `n` more bytes follow it.
static TABLES: [[u16; 256]; 8] = tables();

const fn tables() -> [[u16; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 0x8000 == 0 { sum << 1 } else { sum << 1 ^ POLYNOMIAL };
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
    }
    let mut step = 1;
    while step < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before: u16 = tables[step - 1][byte];
            tables[step][byte] = before << 8 ^ tables[0][(before >> 8) as usize];
            byte += 1;
        }
        step += 1;
    }
    tables
}

fn crc16(bytes: &[u8]) -> u16 {
    let mut sum = 0u16;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let [high, low] = sum.to_be_bytes();
        let [a, b, c, d, e, f, g, h] = *word;
        let at = |table: usize, byte: u8| TABLES[table][usize::from(byte)];
        sum = at(7, a ^ high) ^ at(6, b ^ low) ^ at(5, c) ^ at(4, d);
        sum ^= at(3, e) ^ at(2, f) ^ at(1, g) ^ at(0, h);
    }
    for &byte in rest {
        sum = sum << 8 ^ TABLES[0][usize::from((sum >> 8) as u8 ^ byte)];
    }
    sum
}

/// The slot of a key.
#[inline]
pub fn slot_of(key: &[u8]) -> u16 {
    crc16(hash_tag(key)) % SLOTS
}

/// The part of a key that decides its slot.
#[inline]
fn hash_tag(key: &[u8]) -> &[u8] {
    // For keys of usual length this loop beats a call.
    let open = if key.len() <= 32 {
        key.iter().position(|&byte| byte == b'{')
    } else {
        memchr::memchr(b'{', key)
    };
    match open {
        None => key,
        Some(open) => {
            let inside = &key[open + 1..];
            match memchr::memchr(b'}', inside) {
                None | Some(0) => key,
                Some(close) => &inside[..close],
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_redis_cluster() {
        for (key, slot) in [
            ("123456789", 0x31C3),
            ("", 0),
            ("foo", 12182),
            ("bar", 5061),
            ("foo{}{bar}", 8363),
            ("foo{{bar}}zap", slot_of(b"{bar")),
            ("{user1000}.following", slot_of(b"user1000")),
            ("a long key with no tag at all, of many words", 0),
        ] {
            let expected = if slot == 0 { bytewise(hash_tag(key.as_bytes())) } else { slot };
            assert_eq!(slot_of(key.as_bytes()), expected % SLOTS, "{key}");
        }
    }

    fn bytewise(bytes: &[u8]) -> u16 {
        bytes.iter().fold(0, |sum: u16, &byte| {
            (0..8).fold(sum ^ u16::from(byte) << 8, |sum, _| {
                if sum & 0x8000 == 0 { sum << 1 } else { sum << 1 ^ POLYNOMIAL }
            })
        })
    }

    #[test]
    fn eight_bytes_at_a_step_give_the_same_sum() {
        let bytes: Vec<u8> = (0..=255).collect();
        for len in 0..=bytes.len() {
            assert_eq!(crc16(&bytes[..len]), bytewise(&bytes[..len]), "{len} bytes");
        }
    }
}
