//! A stream beside a plain map of its entries, through random changes.

use std::collections::BTreeMap;

use super::{Id, NodeLimits, References, Removal, Stream, Trim, Until};

type Plain = BTreeMap<Id, Vec<Vec<u8>>>;

/// Numbers by chance, always the same.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % bound
    }
}

fn words(chance: &mut Chance) -> Vec<Vec<u8>> {
    let fields = 1 + chance.below(3);
    let own = chance.below(4) == 0;
    let mut words = Vec::new();
    for number in 0..fields {
        let suffix = if own { chance.below(1000) } else { 0 };
        words.push(format!("field{number}:{suffix}").into_bytes());
        words.push(vec![b'v'; chance.below(200) as usize]);
    }
    words
}

fn id_after(last: Id, chance: &mut Chance) -> Id {
    let later = 1 << (1 + chance.below(20));
    match chance.below(3) {
        0 => Id::new(last.ms + 1 + chance.below(later), chance.below(5)),
        _ => Id::new(last.ms, last.seq + 1 + chance.below(300)),
    }
}

fn any_id(plain: &Plain, last: Id, chance: &mut Chance) -> Id {
    let ids: Vec<Id> = plain.keys().copied().collect();
    let near = match ids.len() as u64 {
        0 => last,
        len => ids[chance.below(len) as usize],
    };
    match chance.below(4) {
        0 => near.next().unwrap_or(near),
        1 => near.previous().unwrap_or(near),
        _ => near,
    }
}

fn check(stream: &Stream, plain: &Plain, from: Id, to: Id) {
    let read = |item: super::Item<'_>| {
        assert_eq!(item.field_count(), item.fields().count());
        let words = item.fields().flat_map(|(name, value)| [name.to_vec(), value.to_vec()]);
        (item.id, words.collect::<Vec<_>>())
    };
    let mut expected: Vec<(Id, Vec<Vec<u8>>)> = Vec::new();
    if from <= to {
        expected.extend(plain.range(from..=to).map(|(id, words)| (*id, words.clone())));
    }
    assert_eq!(stream.range(from, to).map(read).collect::<Vec<_>>(), expected);
    expected.reverse();
    assert_eq!(stream.range_back(from, to).map(read).collect::<Vec<_>>(), expected);
}

fn remove_below(plain: &mut Plain, until: Until) -> u64 {
    let before = plain.len();
    match until {
        Until::Len(len) => {
            while plain.len() as u64 > len {
                plain.pop_first();
            }
        }
        Until::Id(id) => plain.retain(|own, _| *own >= id),
    }
    (before - plain.len()) as u64
}

#[test]
fn a_stream_is_what_a_plain_map_is() {
    for (seed, entries) in [(1, 3), (2, 10), (3, 100), (4, usize::MAX)] {
        let limits = NodeLimits { bytes: 4096, entries };
        let chance = &mut Chance(seed);
        let (mut stream, mut plain) = (Stream::default(), Plain::new());
        for _ in 0..4000 {
            let any = any_id(&plain, stream.last_id(), chance);
            match chance.below(20) {
                0..10 => {
                    let (id, words) = (id_after(stream.last_id(), chance), words(chance));
                    stream.append(id, words.iter().map(Vec::as_slice), limits);
                    plain.insert(id, words);
                }
                10..17 => assert_eq!(stream.remove(any), plain.remove(&any).is_some()),
                17 if chance.below(8) == 0 => {
                    let until = match chance.below(2) {
                        0 => Until::Len(chance.below(plain.len() as u64 + 2)),
                        _ => Until::Id(any),
                    };
                    let references = References::Keep;
                    let trim = Trim { until, approximate: false, limit: 0, references };
                    assert_eq!(stream.trim(&trim), remove_below(&mut plain, until));
                }
                _ => check(&stream, &plain, any, any_id(&plain, any, chance)),
            }
            assert_eq!(stream.len(), plain.len());
            assert_eq!(stream.get(any).is_some(), plain.contains_key(&any));
            assert_eq!(stream.first_id(), plain.keys().next().copied());
            assert_eq!(stream.last_entry_id(), plain.keys().next_back().copied());
        }
        check(&stream, &plain, Id::MIN, Id::MAX);
    }
}

#[test]
fn an_approximate_trim_takes_whole_nodes() {
    let limits = NodeLimits { bytes: 4096, entries: 10 };
    let mut stream = Stream::default();
    for number in 1..=45 {
        stream.append(Id::new(number, 0), [b"f".as_slice(), b"v"].into_iter(), limits);
    }
    assert_eq!(stream.node_count(), 5);
    let trim =
        |until, limit| Trim { until, approximate: true, limit, references: References::Keep };
    assert_eq!(stream.trim(&trim(Until::Len(36), 0)), 0);
    assert_eq!(stream.trim(&trim(Until::Len(35), 0)), 10);
    assert_eq!(stream.trim(&trim(Until::Id(Id::new(41, 0)), 20)), 20);
    assert_eq!(stream.trim(&trim(Until::Id(Id::new(41, 0)), 0)), 10);
    assert_eq!((stream.len(), stream.first_id()), (5, Some(Id::new(41, 0))));
    assert_eq!(stream.trim(&trim(Until::Len(0), 0)), 5);
    assert_eq!((stream.len(), stream.first_id()), (0, None));
    stream.append(Id::new(46, 0), [b"f".as_slice(), b"v"].into_iter(), limits);
    assert_eq!(stream.len(), 1);
}

/// Six entries in nodes of two; a group has got all but the last `left`, and acknowledged some.
fn delivered(left: usize, acknowledged: &[u64]) -> Stream {
    let mut stream = Stream::default();
    let limits = NodeLimits { bytes: 4096, entries: 2 };
    let ids: Vec<Id> = (1..=6).map(|number| Id::new(number, 0)).collect();
    for id in &ids {
        stream.append(*id, [b"f".as_slice(), b"v"].into_iter(), limits);
    }
    let got = &ids[..ids.len() - left];
    assert!(stream.groups.create(b"g", Id::MIN, None));
    let group = stream.groups.get_mut(b"g").unwrap();
    let owner = group.create_consumer(b"c", 1).unwrap();
    group.deliver(owner, got, 1);
    group.last_id = got[got.len() - 1];
    let acknowledged: Vec<Id> = acknowledged.iter().map(|number| Id::new(*number, 0)).collect();
    assert_eq!(group.acknowledge(&acknowledged), acknowledged.len());
    stream
}

#[test]
fn groups_have_a_say_in_what_is_trimmed() {
    use References::{Acknowledged, Delete, Keep};
    type Case = (usize, &'static [u64], Until, bool, u64, References, &'static [u64], usize);
    let (len, id) = (Until::Len, |number| Until::Id(Id::new(number, 0)));
    // As Redis 8.6 has it: what is left, and how much of that or of the rest is pending.
    let cases: &[Case] = &[
        (0, &[3, 4, 5], len(2), false, 0, Acknowledged, &[1, 2, 6], 3),
        (0, &[3, 4, 5], len(4), true, 0, Acknowledged, &[1, 2, 5, 6], 3),
        (0, &[2, 3], len(4), true, 0, Acknowledged, &[1, 4, 5, 6], 4),
        (0, &[2, 3], len(0), true, 1, Acknowledged, &[1, 2, 3, 4, 5, 6], 4),
        (0, &[2, 3], len(0), true, 2, Acknowledged, &[1, 3, 4, 5, 6], 4),
        (0, &[2, 3], len(0), true, 3, Acknowledged, &[1, 4, 5, 6], 4),
        (0, &[2, 3, 5], id(5), true, 0, Acknowledged, &[1, 4, 5, 6], 3),
        (3, &[1, 2], len(0), false, 0, Acknowledged, &[3, 4, 5, 6], 1),
        (3, &[1, 2], id(2), true, 0, Acknowledged, &[2, 3, 4, 5, 6], 1),
        (0, &[], len(3), true, 0, Delete, &[4, 5, 6], 3),
        (0, &[], len(3), false, 0, Keep, &[4, 5, 6], 6),
        (0, &[], len(3), true, 0, Keep, &[3, 4, 5, 6], 6),
    ];
    for (left, acknowledged, until, approximate, limit, references, expected, pending) in cases {
        let mut stream = delivered(*left, acknowledged);
        let (until, approximate, limit) = (*until, *approximate, *limit);
        let trim = Trim { until, approximate, limit, references: *references };
        assert_eq!(stream.trim(&trim), 6 - expected.len() as u64, "{trim:?}");
        let ids: Vec<u64> = stream.range(Id::MIN, Id::MAX).map(|item| item.id.ms).collect();
        assert_eq!((ids.as_slice(), stream.groups.pending()), (*expected, *pending), "{trim:?}");
    }
}

#[test]
fn groups_have_a_say_in_what_is_deleted() {
    use References::{Acknowledged, Delete, Keep};
    let mut stream = delivered(1, &[2]);
    let mut remove = |number, references| stream.remove_with(Id::new(number, 0), references);
    assert_eq!(remove(1, Acknowledged), Removal::Needed);
    assert_eq!(remove(2, Acknowledged), Removal::Done);
    assert_eq!(remove(2, Acknowledged), Removal::Absent);
    assert_eq!(remove(6, Acknowledged), Removal::Needed);
    assert_eq!(remove(1, Keep), Removal::Done);
    // What is pending goes, also where the entry has gone before.
    assert_eq!(remove(1, Delete), Removal::Absent);
    assert_eq!(remove(3, Delete), Removal::Done);
    assert_eq!((stream.len(), stream.groups.pending()), (3, 2));
}

#[test]
fn an_entry_takes_few_bytes() {
    let limits = NodeLimits { bytes: 4096, entries: 100 };
    let mut stream = Stream::default();
    for number in 0..1_000_000 {
        let id = Id::new(1_700_000_000_000 + number / 300, number % 300 + 1);
        stream.append(id, [b"f".as_slice(), &[b'v'; 16]].into_iter(), limits);
    }
    let bytes = stream.memory() as f64 / stream.len() as f64;
    assert!(bytes <= 22.0, "{bytes} bytes");
}
