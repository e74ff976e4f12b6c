//! Words of any bytes, written as a person would write them, are read back from the line; lines of
//! any bytes never give words that are longer than the line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::inline::split_line;

/// The words in double quotes, every byte that is not plain as `\xHH`.
fn quoted(words: &[&[u8]]) -> Vec<u8> {
    let mut line = Vec::new();
    for word in words {
        line.extend_from_slice(b" \"");
        for byte in *word {
            if byte.is_ascii_alphanumeric() {
                line.push(*byte);
            } else {
                line.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
            }
        }
        line.push(b'"');
    }
    line
}

fuzz_target!(|data: &[u8]| {
    if let Ok(words) = split_line(data) {
        assert!(words.iter().map(Vec::len).sum::<usize>() <= data.len());
    }
    let words: Vec<&[u8]> = data.split(|byte| *byte == b' ').collect();
    assert_eq!(split_line(&quoted(&words)).as_deref().ok(), Some(&words_of(&words)[..]));
});

fn words_of(words: &[&[u8]]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.to_vec()).collect()
}
