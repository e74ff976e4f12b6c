//! Entries against what they were made of.

use std::sync::Arc;

use memory::Part;
use proptest::prelude::*;
use table::Hasher;

use super::*;
use crate::packed::Encoded;

/// The string of an entry that has one.
fn text(entry: &Entry) -> Vec<u8> {
    entry.string().expect("a string").to_vec()
}

#[test]
fn a_small_pair_takes_one_block_of_header_key_and_value() {
    let entry = Entry::new(&[b'k'; 16], Value::Bytes(&[b'v'; 32]), None);
    assert_eq!(entry.memory(), 56);
    let entry = Entry::new(&[b'k'; 16], Value::Bytes(&[b'v'; 32]), Some(1));
    assert_eq!(entry.memory(), 64);
}

#[test]
fn only_canonical_integers_are_integers() {
    for text in ["0", "1", "-1", "42", "9223372036854775807", "-9223372036854775808"] {
        assert_eq!(Value::of(text.as_bytes()), Value::Int(text.parse().expect("an integer")));
    }
    for text in ["", "-", "-0", "00", "01", "+1", " 1", "1 ", "1a", "9223372036854775808"] {
        assert_eq!(Value::of(text.as_bytes()), Value::Bytes(text.as_bytes()), "{text}");
    }
}

#[test]
fn far_expiries_stay_below_never() {
    assert_eq!(tick_of(0), 0);
    assert_eq!(tick_of(u64::MAX), NEVER - 1);
    assert!(tick_of(1_800_000_000_000) < tick_of(1_800_000_000_128));
}

#[test]
fn renaming_moves_a_heap_buffer() {
    let start = |entry: &Entry| match entry.string() {
        Some(Value::Bytes(bytes)) => bytes.as_ptr(),
        other => panic!("the bytes became {other:?}"),
    };
    let entry = Entry::new(b"old", Value::Bytes(&[b'v'; EMBEDDED_MAX + 1]), Some(7));
    let before = start(&entry);
    let entry = entry.rename(b"a longer key");
    assert_eq!((start(&entry), entry.key()), (before, &b"a longer key"[..]));
    assert_eq!(entry.expires_at(), Some(7));
}

#[test]
fn a_part_is_held_on_to_and_not_copied() {
    let mut bytes = b"12345678".to_vec();
    bytes.resize(100_000, b'v');
    let block = Arc::new(bytes);
    let part = Part::of(&block, &block[8..]).expect("most of the block");
    let mut entry = Entry::new(b"key", Value::Part(part), None);
    let Some(Value::Bytes(stored)) = entry.string() else { panic!("no bytes") };
    assert_eq!(stored.as_ptr(), block[8..].as_ptr());
    assert_eq!(entry.cost_of_edit(10), 10);
    entry.edit(100_000)[0] = b'x';
    assert_eq!((block[8], block.len()), (b'v', 100_000));
    let copy = entry.copy_as(b"other");
    let sent = entry.blob().expect("a heap value");
    drop(entry);
    assert_eq!(text(&copy), &*sent);
    assert_eq!((sent[0], sent.len()), (b'x', 100_000));
}

#[derive(Clone, Debug)]
enum Step {
    Set(Vec<u8>, Option<u64>),
    SetPart(usize, Option<u64>),
    Expire(Option<u64>),
    Append(Vec<u8>),
    Write(usize, Vec<u8>),
    Stick(bool),
    Copy,
    Rename(usize),
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..100),
        2 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        1 => (0..9000usize).prop_map(|len| vec![b'x'; len]),
    ]
}

fn key_len() -> impl Strategy<Value = usize> {
    prop_oneof![0..100usize, 65_530..65_540usize]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (bytes(), any::<Option<u64>>()).prop_map(|(value, at)| Step::Set(value, at)),
        (0..9000usize, any::<Option<u64>>()).prop_map(|(len, at)| Step::SetPart(len, at)),
        any::<Option<u64>>().prop_map(Step::Expire),
        bytes().prop_map(Step::Append),
        (0..6000usize, bytes()).prop_map(|(at, value)| Step::Write(at, value)),
        any::<bool>().prop_map(Step::Stick),
        Just(Step::Copy),
        key_len().prop_map(Step::Rename),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_its_parts(
        key_len in key_len(),
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let mut key = vec![b'k'; key_len];
        let (mut value, mut at, mut sticky) = (b"first".to_vec(), None, false);
        let mut entry = Entry::new(&key, Value::of(&value), at);
        let mut copies = Vec::new();
        for step in steps {
            match step {
                Step::Set(new, expiry) => {
                    entry.set(Value::of(&new), expiry);
                    (value, at) = (new, expiry);
                }
                Step::SetPart(len, expiry) => {
                    let block = Arc::new(vec![b'p'; len]);
                    let part = Part::of(&block, &block).expect("all of it");
                    entry.set(Value::Part(part), expiry);
                    (value, at) = (block.to_vec(), expiry);
                }
                Step::Expire(expiry) => {
                    entry.set_expiry(expiry);
                    at = expiry;
                }
                Step::Append(tail) => {
                    let len = value.len();
                    entry.edit(len + tail.len())[len..].copy_from_slice(&tail);
                    value.extend_from_slice(&tail);
                }
                Step::Write(offset, new) => {
                    value.resize(value.len().max(offset + new.len()), 0);
                    entry.edit(value.len())[offset..offset + new.len()].copy_from_slice(&new);
                    value[offset..offset + new.len()].copy_from_slice(&new);
                }
                Step::Stick(on) => {
                    entry.set_sticky(on);
                    sticky = on;
                }
                Step::Copy => {
                    copies.push((entry, value.clone()));
                    entry = copies.last().expect("just added").0.copy_as(&key);
                }
                Step::Rename(len) => {
                    key = vec![b'r'; len];
                    entry = entry.rename(&key);
                }
            }
            prop_assert_eq!(entry.key(), &key[..]);
            prop_assert_eq!(text(&entry), value.clone());
            prop_assert_eq!((entry.expires_at(), entry.is_sticky()), (at, sticky));
        }
        for (copy, value) in copies {
            prop_assert_eq!(text(&copy), value);
        }
    }
}

#[derive(Clone, Debug)]
enum Edit {
    Splice(usize, usize, Vec<u8>),
    Run(Vec<u8>),
    Expire(Option<u64>),
    Rename(usize),
    Copy,
}

fn edit() -> impl Strategy<Value = Edit> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        6 => (any::<usize>(), any::<usize>(), bytes()).prop_map(|(a, n, b)| Edit::Splice(a, n, b)),
        1 => bytes().prop_map(Edit::Run),
        1 => any::<Option<u64>>().prop_map(Edit::Expire),
        1 => (0..100usize).prop_map(Edit::Rename),
        1 => Just(Edit::Copy),
    ]
}

proptest! {
    #[test]
    fn a_run_follows_its_splices(edits in proptest::collection::vec(edit(), 1..60)) {
        let mut entry = Entry::packed(b"key", Kind::PackedHash, b"", None);
        let (mut run, mut at) = (Vec::new(), None);
        entry.set_members_expire(true);
        for edit in edits {
            match edit {
                Edit::Splice(from, removed, bytes) => {
                    let from = from % (run.len() + 1);
                    let to = from + removed % (run.len() - from + 1);
                    // A text that is no integer, whatever the bytes are.
                    let item = [b"x", &bytes[..]].concat();
                    let item = Encoded::of(Value::Bytes(&item));
                    let splice = Splice::new(from..to, [item]);
                    splice.apply(&mut run);
                    entry.splice(&splice);
                    prop_assert!(entry.members_expire());
                }
                Edit::Run(bytes) => {
                    entry.set_run(Kind::PackedHash, &bytes);
                    prop_assert!(!entry.members_expire());
                    entry.set_members_expire(true);
                    run = bytes;
                }
                Edit::Expire(expiry) => {
                    entry.set_expiry(expiry);
                    at = expiry;
                }
                Edit::Rename(len) => entry = entry.rename(&vec![b'r'; len]),
                Edit::Copy => entry = entry.copy_as(b"copy"),
            }
            prop_assert_eq!(entry.run(), &run[..]);
            prop_assert_eq!((entry.kind(), entry.expires_at()), (Kind::PackedHash, at));
        }
        entry.set(Value::Int(7), None);
        prop_assert_eq!((entry.string(), entry.members_expire()), (Some(Value::Int(7)), false));
    }
}

#[test]
fn a_box_moves_and_is_copied_with_its_entry() {
    let mut hash = Hash::new(Hasher::new([1, 2]));
    hash.set(b"field", b"value", crate::Expiry::At(1_800_000_000_000), 0);
    let mut entry = Entry::boxed(b"key", Box::new(hash), None);
    entry.set_members_expire(true);
    assert_eq!(Item::due(&entry), tick_of(1_800_000_000_000));
    entry.set_expiry(Some(1_790_000_000_000));
    assert_eq!(Item::due(&entry), tick_of(1_790_000_000_000));
    let entry = entry.rename(&[b'k'; 100]);
    let mut copy = entry.copy_as(b"copy");
    drop(entry);
    assert!(copy.boxed_mut::<Set>().is_none() && copy.members_expire());
    let hash = copy.boxed_mut::<Hash>().expect("a hash");
    assert_eq!(hash.get(b"field", 0).map(|field| field.value().to_vec()), Some(b"value".to_vec()));
    assert_eq!(copy.drop_expired(1_800_000_000_000, 10), 1);
    assert!(copy.form().is_empty() && copy.memory() < 1000);
    copy.set_boxed(Box::new(List::default()));
    copy.set_run(Kind::IntSet, b"");
    assert_eq!((copy.form().type_name(), copy.string()), ("set", None));
}
