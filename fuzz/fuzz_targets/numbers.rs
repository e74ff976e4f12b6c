//! Texts of any bytes as numbers, and any bits as floats: what is accepted as an integer is what
//! is printed, decimal floats agree with the standard library, and every float reads back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::number::{parse_f64, parse_i64, write_f64};
use protocol::reply::Reply;

fn check_integer(text: &[u8]) {
    let plain = std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok());
    let strict = plain.filter(|value| value.to_string().as_bytes() == text);
    assert_eq!(parse_i64(text), strict);
}

fn check_float(text: &[u8]) {
    let Some(value) = parse_f64(text) else { return };
    assert!(!value.is_nan());
    let is_hexadecimal = text.iter().any(|byte| matches!(byte, b'x' | b'X'));
    if !is_hexadecimal {
        let plain: f64 = std::str::from_utf8(text).unwrap().parse().unwrap();
        assert_eq!(plain.to_bits(), value.to_bits());
    }
    check_round_trip(value);
}

fn check_round_trip(value: f64) {
    let mut text = Vec::new();
    write_f64(&mut text, value);
    assert!(text.len() <= 26);
    let read = parse_f64(&text);
    if value.is_nan() {
        assert_eq!(read, None);
    } else {
        assert_eq!(read.map(f64::to_bits), Some(value.to_bits()));
    }
    let mut reply = Vec::new();
    Reply::new(&mut reply, false).double(value);
    let expected = format!("${}\r\n{}\r\n", text.len(), String::from_utf8(text).unwrap());
    assert_eq!(reply, expected.as_bytes());
}

fuzz_target!(|data: &[u8]| {
    check_integer(data);
    check_float(data);
    if let Some(bits) = data.first_chunk() {
        check_round_trip(f64::from_bits(u64::from_le_bytes(*bits)));
    }
});
