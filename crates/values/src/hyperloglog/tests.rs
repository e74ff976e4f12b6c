//! Values against plain registers, sparse against dense ones, and strings that are no values.

use proptest::prelude::*;

use super::*;

/// Redis's default of `hll-sparse-max-bytes`.
const SPARSE_MAX: usize = 3000;

fn raised(buffer: &mut Vec<u8>, mark: Mark, sparse_max: usize) -> bool {
    raise(buffer, mark, sparse_max, &mut Cursor::default()).unwrap()
}

fn registers_of(bytes: &[u8]) -> Vec<u8> {
    all_registers(parse(bytes).unwrap()).unwrap().collect()
}

fn count_of(bytes: &[u8]) -> u64 {
    count(parse(bytes).unwrap()).unwrap()
}

fn dense() -> Vec<u8> {
    let mut value = empty().to_vec();
    assert_eq!(to_dense(&mut value), Ok(true));
    assert_eq!(to_dense(&mut value), Ok(false));
    value
}

fn value(body: &[u8]) -> Vec<u8> {
    [&empty()[..HEADER], body].concat()
}

fn any_mark() -> impl Strategy<Value = Mark> {
    let index = prop_oneof![0..40_u16, 0..REGISTERS as u16, Just(REGISTERS as u16 - 1)];
    let value = prop_oneof![20 => 1..4_u8, 10 => 1..=32_u8, 1 => 33..=51_u8];
    (index, value).prop_map(|(index, value)| Mark { index, value })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 64 }))]

    #[test]
    fn any_value_is_a_row_of_registers(
        marks in prop::collection::vec(any_mark(), 0..400),
        sparse_max in prop_oneof![Just(0), 18..1500_usize, Just(SPARSE_MAX)],
    ) {
        let mut model = vec![0; REGISTERS];
        let (mut first, mut second) = (empty().to_vec(), dense());
        for mark in marks {
            let old = &mut model[usize::from(mark.index)];
            let grows = mark.value > *old;
            *old = mark.value.max(*old);
            prop_assert_eq!(raised(&mut first, mark, sparse_max), grows);
            prop_assert_eq!(raised(&mut second, mark, sparse_max), grows);
            prop_assert!(first.len() <= sparse_max.max(18) || first.len() == DENSE_LEN);
        }
        prop_assert_eq!(&registers_of(&first), &model);
        prop_assert_eq!(&registers_of(&second), &model);
        prop_assert_eq!(count_of(&first), count_of(&second));
        to_dense(&mut first).unwrap();
        prop_assert_eq!(&first[HEADER..], &second[HEADER..]);
    }

    #[test]
    fn a_union_has_the_larger_registers(
        sets in prop::collection::vec(
            (prop::collection::vec(any_mark(), 0..200), any::<bool>()),
            1..8,
        ),
        sparse_max in prop_oneof![18..600_usize, Just(SPARSE_MAX)],
    ) {
        let mut model = vec![0; REGISTERS];
        let mut values = Vec::new();
        for (marks, is_dense) in sets {
            let mut value = if is_dense { dense() } else { empty().to_vec() };
            for mark in marks {
                raised(&mut value, mark, sparse_max);
            }
            for (most, register) in model.iter_mut().zip(registers_of(&value)) {
                *most = register.max(*most);
            }
            values.push(value);
        }
        let union = || {
            let mut union = Union::default();
            values.iter().for_each(|value| union.add(parse(value).unwrap()).unwrap());
            union
        };
        let mut dense = registers::ZERO;
        let joined = union().join(&mut dense);
        let mut target = values[0].clone();
        cache(&mut target, 7);
        prop_assert_eq!(cached(&target), Some(7));
        // One register after the other, each looked for from the beginning.
        let mut slow = target.clone();
        for (index, value) in (0..).zip(model.iter().copied()).filter(|(_, value)| *value > 0) {
            raised(&mut slow, Mark { index, value }, sparse_max);
        }
        store(&mut target, &joined, &dense, sparse_max).unwrap();
        prop_assert_eq!(cached(&target), None);
        prop_assert_eq!(&registers_of(&target), &model);
        prop_assert_eq!(union().count(), count_of(&target));
        if values.iter().all(|value| value.len() != DENSE_LEN) {
            prop_assert_eq!(&target[HEADER..], &slow[HEADER..]);
        }
    }

    #[test]
    fn no_body_does_harm(
        body in prop::collection::vec(any::<u8>(), 0..300),
        marks in prop::collection::vec(any_mark(), 0..20),
        sparse_max in 0..2000_usize,
    ) {
        let mut value = value(&body);
        let is_whole = sparse::each_run(&body, |_, _| ()).is_ok();
        prop_assert_eq!(count(parse(&value).unwrap()).is_ok(), is_whole);
        for mark in marks {
            let _ = raise(&mut value, mark, sparse_max, &mut Cursor::default());
        }
        let _ = Union::default().add(parse(&value).unwrap());
        prop_assert!(to_dense(&mut value).is_ok() || parse(&value).is_some());
    }
}

/// Registers of which one is large.
fn registers_at(index: u16) -> Dense {
    let mut dense = registers::ZERO;
    registers::set(&mut dense, Mark { index, value: 63 });
    dense
}

#[test]
fn both_ways_of_merging_agree() {
    let mut value = dense();
    let mut number = 1_u64;
    for byte in &mut value[HEADER..] {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *byte = (number >> 56) as u8;
    }
    let work = || {
        let mut planes = Planes::new();
        let Some(Form::Dense(dense)) = parse(&value) else { panic!("no dense value") };
        planes.merge(dense);
        let mut packed = registers::ZERO;
        planes.pack(&mut packed);
        assert_eq!(&packed, dense);
        let mut joined = registers::ZERO;
        registers::join(&mut joined, &[dense, &registers_at(7), &registers_at(9), dense]);
        (planes.histogram(), joined, planes)
    };
    let wide = work();
    registers::allow_wide(false);
    assert!(!registers::is_wide());
    let plain = work();
    registers::allow_wide(true);
    assert!(wide == plain);
    let mut histogram = Histogram::new();
    (0..REGISTERS).for_each(|index| histogram.add(plain.2.get(index), 1));
    assert_eq!(histogram, plain.0);
}

#[test]
fn strings_that_are_no_values() {
    let cases: &[&[u8]] = &[
        b"",
        b"HYLL",
        b"HYLL\x01\0\0\0\0\0\0\0\0\0\0",
        b"hyll\x01\0\0\0\0\0\0\0\0\0\0\0",
        b"HYLL\x02\0\0\0\0\0\0\0\0\0\0\0",
        b"HYLL\0\0\0\0\0\0\0\0\0\0\0\0",
    ];
    for case in cases {
        assert!(parse(case).is_none(), "{case:?}");
    }
    assert!(parse(&dense()[1..]).is_none());
    assert!(parse(&[dense(), vec![0]].concat()).is_none());
    assert!(parse(&dense()).is_some());
}

#[test]
fn runs_that_do_not_add_up() {
    let cases: &[&[u8]] = &[&[], &[0x7f], &[0x7f, 0xfe], &[0x7f, 0xff, 0], &[0x7f, 0xff, 0x80]];
    for case in cases {
        assert_eq!(count(parse(&value(case)).unwrap()), Err(Corrupt), "{case:?}");
        assert_eq!(to_dense(&mut value(case)), Err(Corrupt), "{case:?}");
    }
    // A register that no run has, and one whose run lacks a byte.
    let mark = Mark { index: 16_000, value: 1 };
    for case in [&[0x40, 0][..], &[0x7f]] {
        let got = raise(&mut value(case), mark, SPARSE_MAX, &mut Cursor::default());
        assert_eq!(got, Err(Corrupt), "{case:?}");
    }
    let mark = Mark { index: 16_000, value: 33 };
    let got = raise(&mut value(&[0x7f, 0xff, 0]), mark, SPARSE_MAX, &mut Cursor::default());
    assert_eq!(got, Err(Corrupt));
}

#[test]
fn equal_neighbours_are_joined_as_redis_does() {
    let mut value = empty().to_vec();
    for index in [5, 7, 6, 8, 9, 4] {
        assert!(raised(&mut value, Mark { index, value: 2 }, SPARSE_MAX));
    }
    assert_eq!(&value[HEADER..], [0x03, 0x84, 0x87, 0x84, 0x7f, 0xf5]);
    assert!(raised(&mut value, Mark { index: 6, value: 3 }, SPARSE_MAX));
    assert_eq!(registers_of(&value)[3..11], [0, 2, 2, 3, 2, 2, 2, 0]);
}

#[test]
fn known_hashes() {
    // What Redis makes of these elements.
    let mut value = empty().to_vec();
    let elements = [&b"a"[..], b"b", b"c", b"", b"12345678", b"123456789"];
    assert_eq!(add(&mut value, elements.into_iter(), SPARSE_MAX), (6, Ok(())));
    let wanted = b"W1\x84I\xc0\x80CW\x84E\x04\x88HR\x84K\xfb\x80BZ";
    assert_eq!(&value[HEADER..], wanted);
    assert_eq!(count_of(&value), 6);
}

#[test]
fn estimates_beyond_all_integers() {
    let full = [empty()[..HEADER].to_vec(), vec![0xff; registers::BYTES]].concat();
    let mut full = full;
    full[ENCODING_AT] = DENSE;
    assert_eq!(count_of(&full), 1 << 63);
    assert_eq!(count_of(&dense()), 0);
}
