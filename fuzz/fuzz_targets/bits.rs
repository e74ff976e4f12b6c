//! Bits are counted and found in any run of bytes, wherever it lies in memory, as one would by
//! looking at each.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&start, bytes)) = data.split_first() else { return };
    let bytes = bytes.get(usize::from(start)..).unwrap_or(bytes);
    let expected: u64 = bytes.iter().map(|byte| u64::from(byte.count_ones())).sum();
    assert_eq!(bulk::count(bytes), expected);
    for is_set in [false, true] {
        let is_wanted = |at: &u64| (bytes[(at / 8) as usize] & (0x80 >> (at % 8)) != 0) == is_set;
        let expected = (0..bytes.len() as u64 * 8).find(is_wanted);
        assert_eq!(bulk::first(bytes, is_set), expected);
    }
});
