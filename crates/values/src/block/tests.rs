//! Blocks of all lengths, and what fits into them.

use proptest::prelude::*;

use super::*;

const AT: u64 = 1_800_000_000_123;

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|index| index as u8 ^ 0x5a).collect()
}

/// Lengths around those at which a head changes, and any others.
fn len() -> impl Strategy<Value = usize> {
    prop_oneof![0..20usize, 120..135usize, 250..260usize, 0..70_000usize]
}

fn expiry() -> impl Strategy<Value = Option<u64>> {
    proptest::option::of(prop_oneof![Just(0), Just(EXPIRY_MAX), 0..EXPIRY_MAX])
}

proptest! {
    #[test]
    fn a_member_is_what_it_was_made_of(len in len(), first in expiry(), second in expiry()) {
        let member = bytes(len);
        let mut block = Block::of_member(&member, first);
        prop_assert_eq!((block.key(), block.expires_at()), (&member[..], first));
        Plain::set_expiry(&mut block, second);
        prop_assert_eq!((block.key(), block.expires_at()), (&member[..], second));
    }

    #[test]
    fn a_field_is_what_it_was_made_of(
        field in len(),
        values in proptest::collection::vec((len(), expiry(), expiry()), 1..6),
    ) {
        let field = bytes(field);
        let mut block = Block::of_field(&field, b"first", None);
        for (len, at, then) in values {
            let value = bytes(len);
            block.set(&value, at);
            prop_assert_eq!((block.key(), block.value()), (&field[..], &value[..]));
            prop_assert_eq!(block.expires_at(), at);
            Paired::set_expiry(&mut block, then);
            prop_assert_eq!((block.key(), block.value()), (&field[..], &value[..]));
            prop_assert_eq!(block.expires_at(), then);
        }
    }

    #[test]
    fn a_ranked_member_is_what_it_was_made_of(len in len(), score: f64, other: f64) {
        prop_assume!(!score.is_nan() && !other.is_nan());
        let member = bytes(len);
        let scores = [Score::new(score).expect("a number"), Score::new(other).expect("a number")];
        let mut block = Block::of_ranked(&member, scores[0]);
        prop_assert_eq!((block.key(), block.score()), (&member[..], scores[0]));
        block.set_score(scores[1]);
        prop_assert_eq!((block.key(), block.score()), (&member[..], scores[1]));
        prop_assert_eq!(block.expires_at(), None);
        // SAFETY: the block outlives the link.
        let link = unsafe { Link::new(&block) };
        prop_assert_eq!(link.look().address(), block.address());
    }
}

#[test]
fn members_of_sixteen_bytes_take_small_blocks() {
    assert_eq!(Block::of_member(&bytes(16), None).memory(), 24);
    assert_eq!(Block::of_member(&bytes(16), Some(AT)).memory(), 24);
    assert_eq!(Block::of_member(&bytes(23), None).memory(), 24);
    assert_eq!(Block::of_field(&bytes(16), &bytes(16), None).memory(), 40);
    assert_eq!(Block::of_field(&bytes(16), &bytes(16), Some(AT)).memory(), 40);
    let score = Score::new(1.5).expect("a number");
    assert_eq!(Block::of_ranked(&bytes(16), score).memory(), 32);
    assert_eq!(Block::of_member(b"", None).memory(), 8);
}

#[test]
fn what_fits_the_class_stays_where_it_is() {
    let mut block = Block::of_field(b"field", b"0123456789", None);
    let same = block.address();
    block.set(b"0123456789abcdef0", None);
    assert_eq!(block.address(), same, "17 to 24 bytes are one class");
    block.set(b"0123456789a", Some(AT));
    assert_eq!((block.address(), block.value()), (same, &b"0123456789a"[..]));
    assert_eq!(block.expires_at(), Some(AT));
}

#[test]
fn expiry_is_to_the_millisecond() {
    let block = Block::of_member(b"m", Some(AT));
    assert!(!block.is_expired(AT - 1) && block.is_expired(AT));
    assert_eq!(Block::of_member(b"m", Some(u64::MAX)).expires_at(), Some(EXPIRY_MAX));
}
