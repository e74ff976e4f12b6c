//! A set against a `BTreeMap` of expiries. What sets share with hashes is tested there.

use std::collections::BTreeMap;

use proptest::prelude::*;
use table::Hasher;

use super::*;

fn member(number: u16) -> Vec<u8> {
    format!("member:{number}").into_bytes()
}

fn expiry() -> impl Strategy<Value = Expiry> {
    prop_oneof![
        3 => Just(Expiry::Keep),
        1 => Just(Expiry::Never),
        1 => (1..2000u64).prop_map(Expiry::At),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_a_map_to_expiries(
        steps in proptest::collection::vec((0..600u16, 0..3u8, expiry()), 1..2000),
    ) {
        let mut set = Set::new(Hasher::new([5, 6]));
        let mut model: BTreeMap<Vec<u8>, Option<u64>> = BTreeMap::new();
        for (now, (number, kind, expiry)) in steps.into_iter().enumerate() {
            let (member, now) = (member(number), now as u64);
            let old = model.get(&member).copied().filter(|at| at.is_none_or(|at| at > now));
            prop_assert_eq!(set.contains(&member, now), old.is_some());
            if kind > 0 {
                prop_assert_eq!(set.add(&member, expiry, now), old.is_none());
                let at = match expiry {
                    Expiry::Keep => old.flatten(),
                    Expiry::Never => None,
                    Expiry::At(at) => Some(at),
                };
                model.insert(member.clone(), at);
                let found = set.get(&member, 0).map(|member| member.expires_at());
                prop_assert_eq!(found.flatten(), at);
            } else {
                prop_assert_eq!(set.remove(&member, now).is_some(), old.is_some());
                model.remove(&member);
            }
            prop_assert_eq!(set.len(), model.len());
        }
        set.check_invariants();
    }
}

#[test]
fn samples_of_every_size_are_even() {
    const MEMBERS: u16 = 400;
    let mut set = Set::new(Hasher::new([5, 6]));
    (0..MEMBERS).for_each(|number| assert!(set.add(&member(number), Expiry::Never, 0)));
    let mut state: u64 = 9;
    let mut random = || {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (state ^ state >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9)
    };
    for count in [1, 10, 25, 26, 200, 390] {
        let mut counts: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
        let rounds = 40_000 / count;
        for _ in 0..rounds {
            set.sample(count, 0, &mut random, |member| {
                *counts.entry(member.key().to_vec()).or_default() += 1;
            });
        }
        let mean = (rounds * count) as f64 / f64::from(MEMBERS);
        let sum: f64 = counts.values().map(|&n| (f64::from(n) - mean).powi(2)).sum();
        let expected = mean * (1.0 - count as f64 / f64::from(MEMBERS));
        let uneven = sum / f64::from(MEMBERS) / expected;
        assert_eq!(counts.len(), usize::from(MEMBERS));
        assert!((0.7..1.4).contains(&uneven), "samples of {count}: {uneven:.2}");
    }
}

/// A copy of a set is filled in the order of hashes, which must neither cost memory nor time.
#[test]
fn a_set_filled_from_another_is_as_small() {
    let mut set = Set::new(Hasher::new([5, 6]));
    (0..60_000).for_each(|number| assert!(set.add(&member(number), Expiry::Never, 0)));
    let mut copy = Set::new(Hasher::new([5, 6]));
    for member in set.iter(0) {
        copy.add(member.key(), Expiry::Never, 0);
    }
    copy.check_invariants();
    let (one, other) = (set.memory() as f64, copy.memory() as f64);
    assert!(other < one * 1.1, "{one} bytes, and its copy {other}");
}
