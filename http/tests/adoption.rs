//! The move from the original of this program, with the real binary: a server that is started on its data directory counts what
//! is there, lets its API keys in, and says what it could not take over.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, prints its counts, and is no interface"
)]

mod support;

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::{Server, Session};

const DAY: &str = "start_date=2024-01-15&end_date=2024-01-15";
/// 2024-01-15T10:00:00Z.
const TEN_US: i64 = 1_705_312_800_000_000;
/// The columns after the first five, which are texts that may be missing.
const TEXTS: [&str; 18] = [
    "hostname",
    "referrer",
    "referrer_source",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_content",
    "utm_term",
    "browser",
    "browser_version",
    "os",
    "os_version",
    "device_type",
    "screen_size",
    "country_code",
    "region",
    "city",
    "props",
];

/// A file as the original wrote it: pageviews by (visitor, minute after ten, path).
fn write(path: &Path, site: &str, views: &[(char, i64, &str)]) {
    let texts: String = TEXTS.iter().map(|name| format!("optional binary {name} (UTF8);")).collect();
    let schema = format!(
        "message schema {{ required binary site_id (UTF8); required binary visitor_id (UTF8);
         required int64 timestamp (TIMESTAMP(MICROS,false)); required binary event_name (UTF8);
         required binary pathname (UTF8); {texts} optional int64 revenue_amount (DECIMAL(12,2));
         optional binary revenue_currency (UTF8); }}"
    );
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let properties = Arc::new(WriterProperties::builder().build());
    let mut file = SerializedFileWriter::new(File::create(path).unwrap(), schema, properties).unwrap();
    let mut group = file.next_row_group().unwrap();
    let bytes = |text: &dyn Fn(&(char, i64, &str)) -> String| {
        views.iter().map(|view| ByteArray::from(text(view).into_bytes())).collect::<Vec<_>>()
    };
    let required: [Vec<ByteArray>; 4] = [
        bytes(&|_| site.to_owned()),
        bytes(&|view| view.0.to_string().repeat(64)),
        bytes(&|_| "pageview".to_owned()),
        bytes(&|view| view.2.to_owned()),
    ];
    let missing = vec![0_i16; views.len()];
    for column in 0.. {
        let Some(mut writer) = group.next_column().unwrap() else { break };
        match column {
            0 | 1 => drop(writer.typed::<ByteArrayType>().write_batch(&required[column], None, None).unwrap()),
            2 => {
                let times: Vec<i64> = views.iter().map(|view| TEN_US + view.1 * 60_000_000).collect();
                writer.typed::<Int64Type>().write_batch(&times, None, None).unwrap();
            }
            3 | 4 => drop(writer.typed::<ByteArrayType>().write_batch(&required[column - 1], None, None).unwrap()),
            23 => drop(writer.typed::<Int64Type>().write_batch(&[], Some(&missing), None).unwrap()),
            _ => drop(writer.typed::<ByteArrayType>().write_batch(&[], Some(&missing), None).unwrap()),
        }
        writer.close().unwrap();
    }
    group.close().unwrap();
    file.close().unwrap();
}

fn key_of(digit: char) -> String {
    format!("mm_{}", digit.to_string().repeat(64))
}

fn hash_of(key: &str) -> String {
    Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn stored_key(digit: char, scope: &str, revoked: bool) -> Value {
    json!({ "key_hash": hash_of(&key_of(digit)), "name": format!("key {digit}"), "scope": scope,
            "created_at": "2024-01-10T09:30:00.123456789", "revoked": revoked })
}

/// What the original leaves after an unclean stop: files of a day, one of them damaged, rows in its database.
fn leave(root: &Path) {
    let events = root.join("events/site_id=a.example/date=2024-01-15");
    fs::create_dir_all(&events).unwrap();
    write(&events.join("data_0.parquet"), "a.example", &[('a', 0, "/"), ('b', 1, "/")]);
    write(&events.join("1705312800.parquet"), "a.example", &[('a', 5, "/pricing")]);
    fs::write(events.join("cut.parquet"), b"PAR1").unwrap();
    fs::write(root.join("mallard.duckdb"), b"01234567DUCK and rows").unwrap();
    fs::write(root.join("mallard.duckdb.wal"), b"more rows").unwrap();
    fs::write(root.join(".secret"), b"a secret of the original\n").unwrap();
    let keys = [stored_key('1', "ReadOnly", false), stored_key('2', "Admin", true), stored_key('3', "Admin", false)];
    fs::write(root.join("api_keys.json"), json!(keys).to_string()).unwrap();
    // As a usual umask leaves them, and as a careless one does.
    for (name, mode) in [("", 0o755), (".secret", 0o644), ("api_keys.json", 0o666), ("mallard.duckdb", 0o644)] {
        fs::set_permissions(root.join(name), Permissions::from_mode(mode)).unwrap();
    }
}

/// What somebody else on the machine has any right to, the folder itself included.
fn open_to_others(folder: &Path) -> Vec<String> {
    let Ok(metadata) = fs::symlink_metadata(folder) else { return Vec::new() };
    let mode = metadata.permissions().mode() & 0o777;
    let mut found = Vec::new();
    if mode & 0o077 != 0 {
        found.push(format!("{} {mode:o}", folder.display()));
    }
    // A server may be at work on the folder: nobody can read what is gone by now.
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        found.extend(open_to_others(&entry.path()));
    }
    found
}

fn with_key(server: &Server, method: &str, path: &str, key: &str) -> (u16, Value) {
    let answer = server.connect().request(method, path, &[("x-api-key", key)], "").unwrap();
    (answer.status, serde_json::from_slice(&answer.body).unwrap_or_default())
}

fn figures(session: &Session<'_>) -> (u64, u64, u64) {
    let main = session.json(&format!("/api/stats/main?site_id=a.example&{DAY}"));
    let figure = |name: &str| main[name].as_u64().unwrap();
    (figure("unique_visitors"), figure("total_pageviews"), figure("visits"))
}

#[test]
fn a_server_started_on_the_directory_of_the_original_goes_on_with_it() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path();
    leave(root);
    let server = Server::with_password(root, &[]);
    let session = server.log_in();
    assert_eq!(figures(&session), (2, 3, 2));
    let pages = session.json(&format!("/api/stats/breakdown/pages?site_id=a.example&{DAY}"));
    assert_eq!(
        pages,
        json!([{ "value": "/", "visitors": 2, "pageviews": 2 }, { "value": "/pricing", "visitors": 1, "pageviews": 1 }])
    );

    // What an operator has to hear about.
    let said = |level: &str, text: &str| {
        let lines = server.start_lines().iter().filter(|line| line["level"] == level);
        lines.filter(|line| line["fields"]["message"].as_str().unwrap().contains(text)).count()
    };
    assert_eq!(said("WARN", "mallard.duckdb.original: rows that an unclean stop of the original left in it"), 1);
    assert_eq!(said("WARN", "mallard.duckdb.original.wal"), 1);
    assert_eq!(said("ERROR", "not adopted: kept as quarantine/original-"), 1);
    assert_eq!(said("INFO", "the API keys of the original were taken over"), 1);
    let health = session.json("/health/detailed");
    assert_eq!(health["status"], "degraded");
    assert!(health["degraded_reasons"].to_string().contains("not adopted: quarantine/original-"), "{health}");
    assert_eq!(fs::read(root.join("mallard.duckdb.original")).unwrap(), b"01234567DUCK and rows");
    assert_eq!(fs::read(root.join("mallard.duckdb.original.wal")).unwrap(), b"more rows");

    // Its keys, with their scopes; what was revoked stays so.
    let main = format!("/api/stats/main?site_id=a.example&{DAY}");
    for (digit, status) in [('1', 200), ('2', 401), ('3', 200), ('4', 401)] {
        assert_eq!(with_key(&server, "GET", &main, &key_of(digit)).0, status, "{digit}");
    }
    assert_eq!(with_key(&server, "GET", "/api/keys", &key_of('1')).0, 403, "it reads, and no more");
    let (status, listed) = with_key(&server, "GET", "/api/keys", &key_of('3'));
    assert_eq!((status, &listed[0]["created_at"]), (200, &json!("2024-01-10T09:30:00Z")));
    let revoked = with_key(&server, "DELETE", &format!("/api/keys/{}", hash_of(&key_of('1'))), &key_of('3'));
    assert_eq!(revoked.0, 200, "{}", revoked.1);
    assert!(!root.join("api_keys.json").exists() && root.join("api_keys.json.original").exists());

    // And it goes on.
    let event = json!({ "d": "a.example", "n": "pageview", "u": "https://a.example/new" });
    assert_eq!(server.post_event(&event).lsn(), Some(5), "three rows and the refused file have the first positions");
    assert_eq!(session.pageviews("a.example"), 1);
    server.kill();
    let server = Server::with_password(root, &[]);
    assert_eq!((figures(&server.log_in()), server.log_in().pageviews("a.example")), ((2, 3, 2), 1));
    assert_eq!(with_key(&server, "GET", &main, &key_of('1')).0, 401, "a revoked key does not come back");
    assert_eq!(with_key(&server, "GET", &main, &key_of('3')).0, 200);
    assert_eq!(fs::read(root.join(".secret")).unwrap(), b"a secret of the original\n");
    server.kill();
    assert_eq!(open_to_others(root), Vec::<String>::new());
}

#[test]
fn a_data_directory_that_others_could_read_is_closed_to_them_at_every_start() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::with_password(home.path(), &[]);
    server.log_in();
    server.kill();
    // As a backup tool restores it with its own umask.
    let loosened = ["", ".secret", "STORE", "control", "control/sessions", "wal"];
    for name in loosened {
        let path = home.path().join(name);
        let mode = if path.is_dir() { 0o755 } else { 0o644 };
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert_eq!(open_to_others(home.path()).len(), loosened.len());
    Server::with_password(home.path(), &[]).kill();
    assert_eq!(open_to_others(home.path()), Vec::<String>::new());
}

#[test]
fn keys_that_cannot_be_read_are_named_and_nothing_else_is_kept_from_working() {
    let home = tempfile::tempdir().unwrap();
    leave(home.path());
    fs::write(home.path().join("api_keys.json"), "[{").unwrap();
    let server = Server::with_password(home.path(), &[]);
    let warned = |line: &Value| {
        line["level"] == "WARN"
            && line["fields"]["message"].as_str().unwrap().starts_with("api_keys.json cannot be read")
    };
    assert!(server.start_lines().iter().any(warned), "{:?}", server.start_lines());
    assert_eq!(figures(&server.log_in()), (2, 3, 2));
    assert!(home.path().join("api_keys.json").exists(), "it stays as it is");
}

#[test]
fn a_secret_shorter_than_16_bytes_is_refused_and_repair_makes_another() {
    let home = tempfile::tempdir().unwrap();
    leave(home.path());
    fs::write(home.path().join(".secret"), b"fifteen bytes..\n").unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"));
        command.env_clear().envs([("MALLARD_HOST", "127.0.0.1"), ("MALLARD_PORT", "0")]);
        let output = command.env("MALLARD_DATA_DIR", home.path()).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = run(&[]);
    assert_eq!(code, Some(74), "{text}");
    assert!(text.contains(".secret") && text.contains("it holds 15 bytes, and a secret has at least 16"), "{text}");
    let own = Server::with_password(home.path(), &[("MALLARD_SECRET", "a secret of its own operator")]);
    assert_eq!(figures(&own.log_in()), (2, 3, 2), "one from the environment is used instead");
    own.kill();
    assert_eq!(run(&["repair"]).0, Some(0));
    let server = Server::with_password(home.path(), &[]);
    assert_eq!(figures(&server.log_in()), (2, 3, 2));
    assert_eq!(fs::read(home.path().join(".secret")).unwrap().len(), 64, "a new one, of random bytes");
}
