//! Numbers against cases seen from Redis-compatible servers, and round trips.

use proptest::prelude::*;

use super::*;

fn text(value: f64) -> String {
    let mut out = Vec::new();
    write_f64(&mut out, value);
    String::from_utf8(out).unwrap()
}

#[test]
fn integers_are_strict() {
    for (text, expected) in [
        ("0", Some(0)),
        ("7", Some(7)),
        ("-1", Some(-1)),
        ("9223372036854775807", Some(i64::MAX)),
        ("-9223372036854775808", Some(i64::MIN)),
        ("9223372036854775808", None),
        ("-9223372036854775809", None),
        ("99999999999999999999", None),
        ("100000000000000000000000000", None),
        ("", None),
        ("-", None),
        ("-0", None),
        ("00", None),
        ("01", None),
        ("-01", None),
        ("+1", None),
        (" 1", None),
        ("1 ", None),
        ("1a", None),
        ("a", None),
        ("1.0", None),
        ("--1", None),
    ] {
        assert_eq!(parse_i64(text.as_bytes()), expected, "{text:?}");
    }
}

#[test]
fn floats_are_the_whole_text() {
    for (text, expected) in [
        ("0", 0.0),
        ("5.", 5.0),
        (".5", 0.5),
        ("+5", 5.0),
        ("-1.5e3", -1500.0),
        ("1E+5", 1e5),
        ("007", 7.0),
        ("1e-310", 1e-310),
        ("0e99999", 0.0),
        ("0.000e-99999", 0.0),
        ("1.7976931348623157e308", f64::MAX),
        ("inf", f64::INFINITY),
        ("+INF", f64::INFINITY),
        ("-Infinity", f64::NEG_INFINITY),
        ("0x1p3", 8.0),
        ("0X1", 1.0),
        ("-0x1P+2", -4.0),
        ("0x1.8p0", 1.5),
        ("0x.8", 0.5),
        ("0x8.", 8.0),
        ("0x0p99999999999999999999", 0.0),
        ("0x1p-1074", f64::from_bits(1)),
        ("0x1.1p-1075", f64::from_bits(1)),
        ("0x1.fffffffffffffp1023", f64::MAX),
        ("0x0.fffffffffffffp-1022", f64::from_bits((1 << 52) - 1)),
        ("0x0.fffffffffffff8p-1022", f64::MIN_POSITIVE),
        // Ties go to even, and a bit far behind breaks the tie.
        ("0x1.00000000000008p0", 1.0),
        ("0x1.00000000000018p0", 1.0 + 2.0 * f64::EPSILON),
        ("0x1.000000000000080000000001p0", 1.0 + f64::EPSILON),
        ("0x10000000000000000000000p-88", 1.0),
    ] {
        assert_eq!(parse_f64(text.as_bytes()), Some(expected), "{text:?}");
    }
    assert!(parse_f64(b"-0").unwrap().is_sign_negative());
    for text in [
        "",
        "-",
        "+",
        ".",
        "-.",
        " 1",
        "1 ",
        "\t1",
        "1\0",
        "1a",
        "1e",
        "1e+",
        "e5",
        "1_0",
        "--1",
        "+-1",
        "nan",
        "-nan",
        "NaN(1)",
        "inff",
        "infinit",
        "1e400",
        "-1e5000",
        "1e-400",
        "0x",
        "0x.",
        "0x1p",
        "0x1p+",
        "0xg",
        "0x1.2.3",
        "0x1p1024",
        "0x1p-1075",
        "0x1p-1080",
        "1p3",
        "0x1.fffffffffffff8p1023",
        "-+inf",
        "0x-1",
        "1,5",
        "\u{661}",
    ] {
        assert_eq!(parse_f64(text.as_bytes()), None, "{text:?}");
    }
    assert_eq!(parse_f64(b"\xff"), None);
    assert_eq!(parse_f64(b"1\xff"), None);
}

/// Every line but the last four was seen from valkey-server 8.0.1, which writes as Redis 8 does.
#[test]
fn floats_are_laid_out_as_redis_does() {
    for (value, expected) in [
        (0.0, "0"),
        (3.0, "3"),
        (-17.0, "-17"),
        (1e17, "100000000000000000"),
        (4_611_686_018_427_387_904.0, "4611686018427387904"),
        (-4_611_686_018_427_387_904.0, "-4611686018427387904"),
        (4_611_686_018_427_388_928.0, "4611686018427389000"),
        (9_223_372_036_854_775_807.0, "9223372036854776000"),
        (1e19, "1e+19"),
        (1.2e19, "1.2e+19"),
        (1e20, "1e+20"),
        (123_456_789_012_345_680_000.0, "123456789012345680000"),
        (1e21, "1e+21"),
        (1e22, "1e+22"),
        (3.0e25, "3e+25"),
        (1.234567e25, "1.234567e+25"),
        (-1e100, "-1e+100"),
        (f64::MAX, "1.7976931348623157e+308"),
        (0.1, "0.1"),
        (0.1234567, "0.1234567"),
        (0.12345678901, "0.12345678901"),
        (1234.5678, "1234.5678"),
        (99999.5, "99999.5"),
        (12345.678901, "12345.678901"),
        (12345.6789012, "1.23456789012e+4"),
        (12345.67890123, "1.234567890123e+4"),
        (1_700_000_000.123456, "1700000000.123456"),
        (0.000025, "0.000025"),
        (0.000001, "0.000001"),
        (0.0000015, "1.5e-6"),
        (0.00001234, "1.234e-5"),
        (1.5e-7, "1.5e-7"),
        (-1.5e-7, "-1.5e-7"),
        (1e-310, "1e-310"),
        (5e-324, "5e-324"),
        (-0.0, "-0"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::NAN, "nan"),
    ] {
        assert_eq!(text(value), expected);
    }
}

/// The float in hexadecimal, exactly, by its bits.
fn hexadecimal(value: f64) -> String {
    let bits = value.to_bits();
    let sign = if value.is_sign_negative() { "-" } else { "" };
    let (fraction, exponent) = (bits & ((1 << 52) - 1), (bits >> 52 & 0x7ff) as i64);
    if exponent == 0 {
        format!("{sign}0x0.{fraction:013x}p-1022")
    } else {
        format!("{sign}0x1.{fraction:013X}P{}", exponent - 1023)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn integers_read_back(value: i64) {
        prop_assert_eq!(parse_i64(value.to_string().as_bytes()), Some(value));
    }

    #[test]
    fn integers_are_accepted_only_as_printed(text in "[-+ ]?[0-9]{0,21}x?") {
        let expected = text.parse::<i64>().ok().filter(|value| value.to_string() == text);
        prop_assert_eq!(parse_i64(text.as_bytes()), expected);
    }

    #[test]
    fn floats_read_back(bits: u64) {
        let value = f64::from_bits(bits);
        prop_assume!(!value.is_nan());
        let text = text(value);
        prop_assert!(text.len() <= 26, "{}", text);
        prop_assert_eq!(parse_f64(text.as_bytes()).map(f64::to_bits), Some(bits));
    }

    #[test]
    fn short_decimals_keep_their_digits(units in -1_000_000_i64..1_000_000, places in 0_u32..7) {
        let value = units as f64 / 10_f64.powi(places as i32);
        prop_assert_eq!(parse_f64(text(value).as_bytes()), Some(value));
        if value.abs() >= 0.001 && value.abs() < 10_000.0 {
            prop_assert_eq!(text(value), value.to_string());
        }
    }

    #[test]
    fn hexadecimal_reads_back(bits: u64) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        prop_assert_eq!(parse_f64(hexadecimal(value).as_bytes()), Some(value));
    }

    #[test]
    fn hexadecimal_rounds_as_the_hardware_does(mantissa: u64, exponent in -300_i32..300) {
        let expected = mantissa as f64 * 2_f64.powi(exponent);
        let text = format!("0x{mantissa:x}p{exponent}");
        prop_assert_eq!(parse_f64(text.as_bytes()), Some(expected));
    }
}
