//! The databases of these tests are written here, in version 2.0 of the format: a binary tree over the address, records
//! of 24 bits, then the data section, then the metadata.

use std::io::Write;

use tempfile::NamedTempFile;

use super::*;

/// Values of the data section.
enum Value<'a> {
    Text(&'a str),
    U16(u8),
    U32(u8),
    U64(u8),
    Map(Vec<(&'a str, Value<'a>)>),
    Array(Vec<Value<'a>>),
}
use Value::{Array, Map, Text, U16, U32, U64};

fn small(length: usize) -> u8 {
    u8::try_from(length).ok().filter(|length| *length < 29).unwrap()
}

fn encode(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Text(text) => {
            out.push(2 << 5 | small(text.len()));
            out.extend(text.as_bytes());
        }
        // Integers take only the bytes that they need: here, one. Types from 8 on are written as extended types.
        U16(number) => out.extend([5 << 5 | 1, *number]),
        U32(number) => out.extend([6 << 5 | 1, *number]),
        U64(number) => out.extend([1, 9 - 7, *number]),
        Map(pairs) => {
            out.push(7 << 5 | small(pairs.len()));
            for (key, value) in pairs {
                encode(&Text(key), out);
                encode(value, out);
            }
        }
        Array(values) => {
            out.extend([small(values.len()), 11 - 7]);
            for value in values {
                encode(value, out);
            }
        }
    }
}

/// A database in which 203.0.113.0/24 has `data` and nothing else has any.
fn database(data: &Value<'_>) -> Vec<u8> {
    const PREFIX: u32 = u32::from_be_bytes([203, 0, 113, 0]);
    const NODES: u32 = 24;
    let mut file = Vec::new();
    for depth in 0..NODES {
        // The next node; after the last one, the first byte of the data section, behind its separator of 16 bytes.
        let towards = if depth + 1 < NODES { depth + 1 } else { NODES + 16 };
        let is_right = PREFIX >> (31 - depth) & 1 == 1;
        let [left, right] = if is_right { [NODES, towards] } else { [towards, NODES] };
        file.extend(left.to_be_bytes()[1..].iter().chain(&right.to_be_bytes()[1..]));
    }
    file.extend([0; 16]);
    encode(data, &mut file);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    let metadata = Map(vec![
        ("binary_format_major_version", U16(2)),
        ("binary_format_minor_version", U16(0)),
        ("build_epoch", U64(1)),
        ("database_type", Text("Test-City")),
        ("description", Map(vec![])),
        ("ip_version", U16(4)),
        ("languages", Array(vec![Text("en")])),
        ("node_count", U32(24)),
        ("record_size", U16(24)),
    ]);
    encode(&metadata, &mut file);
    file
}

fn names(english: &str) -> (&str, Value<'_>) {
    ("names", Map(vec![("de", Text("Anderswo")), ("en", Text(english))]))
}

fn boulder() -> Value<'static> {
    Map(vec![
        ("city", Map(vec![names("Boulder")])),
        ("country", Map(vec![("iso_code", Text("US")), names("United States")])),
        ("subdivisions", Array(vec![Map(vec![names("Colorado")]), Map(vec![names("Boulder County")])])),
    ])
}

fn load(bytes: &[u8], precision: Precision) -> Geo {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    Geo::load(Some(file.path()), precision)
}

fn place(geo: &Geo, address: &str) -> [Option<String>; 3] {
    let place = geo.place(address.parse().unwrap());
    [place.country_code, place.region, place.city].map(|text| text.map(String::from))
}

const NOWHERE: [Option<String>; 3] = [None, None, None];

#[test]
fn a_known_address_has_country_first_subdivision_and_city_in_english() {
    let geo = load(&database(&boulder()), Precision::City);
    assert!(geo.is_loaded());
    let expected = ["US", "Colorado", "Boulder"].map(|text| Some(text.to_owned()));
    assert_eq!(place(&geo, "203.0.113.77"), expected);
    assert_eq!(place(&geo, "203.0.114.77"), NOWHERE);
    assert_eq!(place(&geo, "2001:db8::1"), NOWHERE, "the file has no IPv6 addresses");
}

#[test]
fn precision_cuts_what_is_stored() {
    let bytes = database(&boulder());
    let at = |precision| place(&load(&bytes, precision), "203.0.113.77").map(|text| text.is_some());
    assert_eq!(at(Precision::City), [true, true, true]);
    assert_eq!(at(Precision::Region), [true, true, false]);
    assert_eq!(at(Precision::Country), [true, false, false]);
    assert_eq!(at(Precision::None), [false, false, false]);
    assert!(!load(&bytes, Precision::None).is_loaded());
}

#[test]
fn a_country_file_gives_countries() {
    let geo = load(&database(&Map(vec![("country", Map(vec![("iso_code", Text("NZ"))]))])), Precision::City);
    assert_eq!(place(&geo, "203.0.113.1"), [Some("NZ".to_owned()), None, None]);
}

#[test]
fn a_missing_or_broken_file_costs_only_the_places() {
    let missing = Geo::load(Some(Path::new("no/such/file.mmdb")), Precision::City);
    let whole = database(&boulder());
    let broken = [load(b"", Precision::City), load(b"not a database", Precision::City), missing];
    for geo in broken {
        assert!(!geo.is_loaded());
        assert_eq!(place(&geo, "203.0.113.77"), NOWHERE);
    }
    let damaged_data = [&whole[..24 * 6 + 16], &[0xff; 12], &whole[24 * 6 + 28..]].concat();
    assert_eq!(place(&load(&damaged_data, Precision::City), "203.0.113.77"), NOWHERE);
}
