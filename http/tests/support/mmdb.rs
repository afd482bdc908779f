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
    database_of(&[([203, 0, 113], data)])
}

/// A database in which each of these networks of 256 addresses has its data and nothing else has any.
pub(crate) fn database_of(networks: &[([u8; 3], &Value<'_>)]) -> Vec<u8> {
    // The two sides of each node: another node, or the place of data.
    let mut nodes: Vec<[Option<Side>; 2]> = vec![[None, None]];
    let mut data = Vec::new();
    for ([first, second, third], value) in networks {
        let prefix = u32::from_be_bytes([*first, *second, *third, 0]);
        let mut node = 0;
        for depth in 0..24 {
            let side = usize::from(prefix >> (31 - depth) & 1 == 1);
            let next = match (nodes[node][side], depth) {
                (Some(Side::Node(next)), _) => next,
                (_, 23) => {
                    nodes[node][side] = Some(Side::Data(data.len()));
                    break;
                }
                _ => {
                    nodes.push([None, None]);
                    nodes[node][side] = Some(Side::Node(nodes.len() - 1));
                    nodes.len() - 1
                }
            };
            node = next;
        }
        encode(value, &mut data);
    }
    let mut file = Vec::new();
    for side in nodes.iter().flatten() {
        // Nothing is the number of nodes; data lies behind a separator of 16 bytes.
        let record = match side {
            None => nodes.len(),
            Some(Side::Node(node)) => *node,
            Some(Side::Data(place)) => nodes.len() + 16 + place,
        };
        file.extend(&u32::try_from(record).unwrap().to_be_bytes()[1..]);
    }
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    let metadata = Map(vec![
        ("binary_format_major_version", U16(2)),
        ("binary_format_minor_version", U16(0)),
        ("build_epoch", U64(1)),
        ("database_type", Text("Test-City")),
        ("description", Map(vec![])),
        ("ip_version", U16(4)),
        ("languages", Array(vec![Text("en")])),
        ("node_count", U32(u8::try_from(nodes.len()).unwrap())),
        ("record_size", U16(24)),
    ]);
    encode(&metadata, &mut file);
    file
}

#[derive(Clone, Copy)]
enum Side {
    Node(usize),
    Data(usize),
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
