//! Places from databases that `tests/support/mmdb.rs` writes.

use std::io::Write;

use tempfile::NamedTempFile;

use super::*;

#[path = "../../../tests/support/mmdb.rs"]
mod mmdb;
use mmdb::Value::{Map, Text};
use mmdb::{boulder, database};

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
