//! A small `MaxMind` database, written in version 2.0 of the format: a binary tree over the address, records of 24 bits, then the
//! data section, then the metadata.

/// Values of the data section.
pub(crate) enum Value<'a> {
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
pub(crate) fn database(data: &Value<'_>) -> Vec<u8> {
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

/// A place in Colorado.
pub(crate) fn boulder() -> Value<'static> {
    Map(vec![
        ("city", Map(vec![names("Boulder")])),
        ("country", Map(vec![("iso_code", Text("US")), names("United States")])),
        ("subdivisions", Array(vec![Map(vec![names("Colorado")]), Map(vec![names("Boulder County")])])),
    ])
}
