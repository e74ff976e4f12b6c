//! Sets of integers against a `BTreeSet`.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn add(set: &mut Vec<u8>, number: i64) -> bool {
    match insert(set, number) {
        Insertion::Present => return false,
        Insertion::Splice(splice) => splice.apply(set),
        Insertion::Rewrite(bytes) => *set = bytes,
    }
    true
}

#[test]
fn the_width_is_that_of_the_widest() {
    let mut set = Vec::new();
    for (number, len) in [(1, 2), (-32_768, 5), (32_768, 10), (-2_147_483_649, 21)] {
        assert!(add(&mut set, number));
        assert_eq!(set.len(), len);
    }
    let found: Vec<i64> = numbers(&set).collect();
    assert_eq!(found, [-2_147_483_649, -32_768, 1, 32_768]);
    let mut set = Vec::new();
    (0..10).for_each(|number| assert!(add(&mut set, number)));
    assert_eq!(set.len(), 11);
    for number in [i64::MIN, -129, -128, 127, 128, 8_388_607, 8_388_608, i64::MAX] {
        assert_eq!(get(&of(&[number]), 0), Some(number));
    }
}

#[test]
fn bytes_that_are_no_such_set_are_refused() {
    let cases: &[&[u8]] = &[&[0], &[9], &[3, 0, 0], &[2, 1], &[2, 1, 0, 1, 0], &[2, 2, 0, 1, 0]];
    for case in cases {
        assert!(check(case).is_err(), "{case:?}");
    }
    assert_eq!((check(&[]), check(&[8]), check(&[2, 1, 0])), (Ok(0), Ok(0), Ok(1)));
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => -40..40i64,
        1 => any::<i16>().prop_map(i64::from),
        1 => any::<i32>().prop_map(i64::from),
        1 => any::<i64>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn it_is_a_set(steps in proptest::collection::vec((0..3u8, number()), 0..200)) {
        let (mut set, mut model) = (Vec::new(), BTreeSet::new());
        for (kind, number) in steps {
            prop_assert_eq!(contains(&set, number), model.contains(&number));
            if kind > 0 {
                prop_assert_eq!(add(&mut set, number), model.insert(number));
            } else {
                let splice = remove(&set, number);
                prop_assert_eq!(splice.is_some(), model.remove(&number));
                splice.iter().for_each(|splice| splice.apply(&mut set));
            }
            prop_assert_eq!(check(&set), Ok(model.len()));
        }
        prop_assert!(numbers(&set).eq(model.iter().copied()));
        prop_assert_eq!(get(&set, model.len()), None);
    }

    #[test]
    fn any_bytes_are_checked_without_a_panic(bytes in proptest::collection::vec(0..9u8, 0..40)) {
        if let Ok(len) = check(&bytes) {
            prop_assert_eq!(numbers(&bytes).len(), len);
        }
    }
}
