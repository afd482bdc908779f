//! Batches and the trusted fields of senders with a key, against the real binary.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, prints its counts, and is no interface"
)]

mod support;

use mallard_engine::{Config, Engine, env};
use mallard_event::{SiteId, Stored, Timestamp};
use serde_json::{Value, json};
use support::Server;
use support::http::{Client, Response};

const JSON: (&str, &str) = ("content-type", "application/json");
const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");

/// A server, a key with scope Ingest, and a folder that outlives it.
struct Lab {
    data_dir: tempfile::TempDir,
    server: Server,
    key: String,
}

impl Lab {
    fn new(variables: &[(&str, &str)]) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let server = Server::with_password(data_dir.path(), variables);
        let key = server.log_in().create_key(&json!({ "name": "importer", "scope": "Ingest" }));
        Self { data_dir, server, key }
    }

    fn send(&self, headers: &[(&str, &str)], body: &str) -> Response {
        let headers = [headers, &[("x-api-key", self.key.as_str())]].concat();
        self.server.connect().request("POST", "/api/events", &headers, body).unwrap()
    }

    fn batch(&self, events: &Value) -> Value {
        body(&self.send(&[JSON], &events.to_string()), 202)
    }

    fn stored(self, site: &str) -> Vec<Stored> {
        self.server.kill();
        let engine = Engine::open(Config::new(self.data_dir.path()), env::real()).unwrap();
        let rows = engine.events(&SiteId::parse(site).unwrap()).unwrap();
        engine.close().unwrap();
        rows
    }
}

fn body(answer: &Response, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

fn pageview(path: &str) -> Value {
    json!({ "d": "a.example", "n": "pageview", "u": format!("https://a.example{path}") })
}

fn with(path: &str, field: &str, value: Value) -> Value {
    let mut event = pageview(path);
    event[field] = value;
    event
}

#[test]
fn every_item_has_its_own_result_and_those_that_can_be_are_stored_together() {
    let lab = Lab::new(&[("MALLARD_MAX_SITES", "2")]);
    let answer = lab.batch(&json!([
        with("/1", "id", json!("one")),
        { "d": "a.example", "n": "pageview" },
        with("/bot", "user_agent", json!("Googlebot/2.1")),
        7,
        with("/2", "id", json!("one")),
        with("/3", "ip", json!("unknown")),
        with("/4", "timestamp", json!("yesterday")),
        { "domain": "b.example", "name": "signup", "url": "https://b.example/" },
        { "d": "c.example", "n": "pageview", "u": "/" },
    ]));
    let counts = ["accepted", "duplicates", "dropped", "rejected"].map(|name| answer[name].as_u64().unwrap());
    assert_eq!(counts, [2, 1, 1, 5]);
    let results = answer["results"].as_array().unwrap();
    let statuses: Vec<&str> = results.iter().map(|result| result["status"].as_str().unwrap()).collect();
    let (accepted, rejected) = ("accepted", "rejected");
    assert_eq!(
        statuses,
        [accepted, rejected, "dropped", rejected, "duplicate", rejected, rejected, accepted, rejected]
    );
    assert!(results.iter().enumerate().all(|(index, result)| result["index"] == index));
    assert_eq!(results[0], json!({ "index": 0, "status": "accepted", "id": "one", "lsn": 1 }));
    assert_eq!(results[4], json!({ "index": 4, "status": "duplicate", "id": "one", "lsn": 1 }));
    assert_eq!(results[7]["lsn"], 2);
    let error = |index: usize| results[index]["error"].as_str().unwrap().split(' ').next().unwrap().to_owned();
    assert_eq!([error(1), error(3), error(5), error(6)], ["u", "body", "ip", "timestamp"]);
    assert!(results[8]["error"].as_str().unwrap().contains("MALLARD_MAX_SITES"));

    let again = lab.batch(&json!([with("/1", "id", json!("one")), pageview("/new")]));
    assert_eq!(again["results"][0], json!({ "index": 0, "status": "duplicate", "id": "one", "lsn": 1 }));
    assert_eq!(again["results"][1]["lsn"], 3);
    let session = lab.server.log_in();
    assert_eq!(session.pageviews("a.example"), 2);
    let metrics = lab.server.get("/metrics").text();
    for line in ["mallard_events_ingested_total 3", "mallard_events_duplicate_total 2", "mallard_sites 2"] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
}

#[test]
fn lines_are_a_batch_too_and_a_malformed_one_is_rejected_alone() {
    let lab = Lab::new(&[]);
    let lines = format!("{}\n{{\n\n{}\r\n", pageview("/1"), pageview("/2"));
    let answer = body(&lab.send(&[NDJSON], &lines), 202);
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(2), &json!(1)));
    assert_eq!(answer["results"][1]["status"], "rejected");
    assert_eq!(answer["results"][2]["lsn"], 2);
}

#[test]
fn a_batchs_own_id_makes_its_retry_a_duplicate_as_a_whole() {
    let lab = Lab::new(&[]);
    let events = json!([pageview("/1"), with("/2", "id", json!("own")), pageview("/3")]).to_string();
    let key = ("idempotency-key", "import-7");
    let first = body(&lab.send(&[JSON, key], &events), 202);
    let ids = |answer: &Value| {
        let results = answer["results"].as_array().unwrap();
        results
            .iter()
            .map(|result| (result["id"].as_str().unwrap().to_owned(), result["lsn"].clone()))
            .collect::<Vec<_>>()
    };
    let expected = [("import-7:0", 1), ("own", 2), ("import-7:2", 3)].map(|(id, lsn)| (id.to_owned(), json!(lsn)));
    assert_eq!((first["accepted"].as_u64(), ids(&first)), (Some(3), expected.to_vec()));
    let second = body(&lab.send(&[JSON, key], &events), 202);
    assert_eq!((second["duplicates"].as_u64(), ids(&second)), (Some(3), expected.to_vec()));
    let long = "k".repeat(63);
    assert_eq!(lab.send(&[JSON, ("idempotency-key", &long)], &events).status, 400);
    assert_eq!(lab.server.log_in().pageviews("a.example"), 3);
}

#[test]
fn what_is_no_batch_is_refused_and_nothing_of_it_is_stored() {
    let lab = Lab::new(&[]);
    let good = pageview("/").to_string();
    let of = |count: usize| format!("[{}]", vec![good.as_str(); count].join(","));
    let large = format!("[{good}{}]", " ".repeat(1 << 20));
    for (content_type, text, status) in [
        ("application/json", format!("[{good},"), 400),
        ("application/json", good.clone(), 400),
        ("application/json", "[]".to_owned(), 400),
        ("application/x-ndjson", "\n".to_owned(), 400),
        ("application/json", of(1001), 400),
        ("application/json", large, 413),
        ("text/csv", of(1), 415),
    ] {
        let answer = lab.send(&[("content-type", content_type)], &text);
        assert_eq!(answer.status, status, "{} {}", text.len(), answer.text());
        assert!(!answer.error().is_empty(), "{}", answer.text());
    }
    let all_rejected = body(&lab.send(&[JSON], "[1,2]"), 400);
    assert_eq!((all_rejected["rejected"].as_u64(), all_rejected["results"].as_array().unwrap().len()), (Some(2), 2));
    assert_eq!(lab.server.log_in().json("/api/sites"), json!([]));
    let thousand = body(&lab.send(&[JSON], &of(1000)), 202);
    assert_eq!((&thousand["accepted"], &thousand["results"][999]["lsn"]), (&json!(1000), &json!(1000)));
    assert_eq!(lab.server.log_in().pageviews("a.example"), 1000);
}

#[test]
fn a_batch_that_does_not_fit_into_one_unit_of_the_log_is_refused_as_a_whole_and_fits_in_parts() {
    let lab = Lab::new(&[]);
    // What is two bytes in JSON is six in a stored path.
    let events: Vec<Value> =
        (0..1000).map(|number| with(&format!("/{number}/{}", "\u{fc}".repeat(330)), "r", Value::Null)).collect();
    let text = json!(events).to_string();
    assert!(text.len() < 1 << 20, "it is within the limit of a body: {}", text.len());
    let refused = lab.send(&[JSON], &text);
    assert_eq!(refused.status, 413);
    assert_eq!(
        refused.error(),
        "These events take more than 1 MiB as they are stored, and nothing was stored. Send them in smaller batches."
    );
    assert_eq!(lab.server.log_in().json("/api/sites"), json!([]));
    for part in events.chunks(250) {
        assert_eq!(lab.batch(&json!(part))["accepted"], json!(250));
    }
    assert_eq!(lab.server.log_in().pageviews("a.example"), 1000);
    // The longest that there can be, and as many of them as always fit.
    let path = format!("/{}", "\u{fc}".repeat(1000));
    let long = json!({ "props": { "k": "v".repeat(2000), "l": "w".repeat(2000) }, "r": format!("https://b.example/{}", "r".repeat(2000)) });
    let mut longest = pageview(&path);
    longest.as_object_mut().unwrap().extend(long.as_object().unwrap().clone());
    assert_eq!(lab.batch(&json!(vec![longest; 15]))["accepted"], json!(15));
}

#[test]
fn a_batch_needs_a_key_that_may_send_and_reaches_only_its_sites() {
    let lab = Lab::new(&[]);
    let session = lab.server.log_in();
    let events = json!([pageview("/"), { "d": "b.example", "n": "pageview", "u": "/" }]).to_string();
    let with_key =
        |key: &str| lab.server.connect().request("POST", "/api/events", &[("x-api-key", key)], &events).unwrap();
    let nobody = lab.server.connect().request("POST", "/api/events", &[], &events).unwrap();
    assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(session.send_json("POST", "/api/events", &json!([])).status, 401, "a session sends no events");
    assert_eq!(with_key(&session.create_key(&json!({ "name": "r", "scope": "ReadOnly" }))).status, 403);
    let restricted = json!({ "name": "b", "scope": "Ingest", "sites": ["b.example"] });
    let answer = body(&with_key(&session.create_key(&restricted)), 202);
    assert_eq!(answer["results"][0]["error"], "The key is not for this site");
    assert_eq!(answer["results"][1]["status"], "accepted");
    let expired = json!({ "name": "x", "scope": "Ingest", "expires_at": "2999-01-01T00:00:00Z" });
    assert_eq!(with_key(&session.create_key(&expired)).status, 202);
}

#[test]
fn trusted_fields_say_when_where_from_and_with_what_and_backfill_has_a_salt_of_its_own() {
    let lab = Lab::new(&[]);
    let mobile =
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Safari/604.1";
    let at = Timestamp::saturating_from_micros(env::real().clock.now_us() - 3 * 86_400 * 1_000_000);
    let past = |ip: &str| {
        let mut event = pageview("/past");
        event["timestamp"] = json!(at.to_string());
        event["ip"] = json!(ip);
        event["user_agent"] = json!(mobile);
        event
    };
    let now = |ip: &str| with("/now", "ip", json!(ip));
    let events =
        json!([past("203.0.113.5"), past("203.0.113.5"), past("203.0.113.6"), now("203.0.113.5"), now("203.0.113.5")]);
    assert_eq!(lab.batch(&events)["accepted"], 5);
    let rows = lab.stored("a.example");
    let visitor = |index: usize| rows[index].event.visitor.as_str();
    assert_eq!(visitor(0), visitor(1));
    assert_ne!(visitor(0), visitor(2));
    assert_eq!(visitor(3), visitor(4));
    assert_ne!(visitor(0), visitor(3), "another day is another salt");
    assert_eq!(rows[0].event.timestamp, at);
    assert!(rows[0].received_at > at);
    assert_eq!(rows[0].event.browser.as_deref(), Some("Safari"));
    assert_eq!((rows[3].event.browser.as_deref(), rows[3].event.time_rounded), (None, Some(false)));
}

#[test]
fn a_stated_time_is_within_retention_and_not_ahead() {
    let lab = Lab::new(&[("MALLARD_RETENTION_DAYS", "30")]);
    let days = |days: i64| {
        let micros = env::real().clock.now_us() - days * 86_400 * 1_000_000;
        with("/", "timestamp", json!(micros / 1000))
    };
    let answer = lab.batch(&json!([days(29), days(31), days(-1)]));
    let results = &answer["results"];
    assert_eq!(results[0]["status"], "accepted");
    assert_eq!(results[1]["error"], "timestamp must be within the last 30 days");
    assert_eq!(results[2]["error"], "timestamp must be at most 5 minutes ahead");
}

#[test]
fn on_single_events_trusted_fields_need_a_key_too() {
    let lab = Lab::new(&[("MALLARD_SITE_IDS", "a.example")]);
    let event = with("/", "timestamp", json!("2020-01-01T00:00:00Z")).to_string();
    let send = |headers: &[(&str, &str)], body: &str| {
        lab.server.connect().request("POST", "/api/event", headers, body).unwrap()
    };
    assert_eq!(send(&[], &event).status, 202, "without a key it is not even read");
    let key = [("x-api-key", lab.key.as_str()), ("origin", "https://elsewhere.example")];
    let past = with("/past", "timestamp", json!("2024-01-31T12:00:00Z")).to_string();
    assert_eq!(send(&key, &past).status, 202, "a key spares the check of the Origin");
    let ill = send(&key, &with("/", "ip", json!("unknown")).to_string());
    assert_eq!((ill.status, ill.error().starts_with("ip ")), (400, true));
    let rows = lab.stored("a.example");
    assert!(rows[0].event.timestamp > Timestamp::parse("2024-02-01T00:00:00Z").unwrap());
    assert_eq!(rows[1].event.timestamp, Timestamp::parse("2024-01-31T12:00:00Z").unwrap());
}

#[test]
fn users_are_known_only_by_a_hash_and_only_where_the_site_wants_it() {
    const USER: &str = "user-raw-marker@example.org";
    let lab = Lab::new(&[("MALLARD_SECRET", "0123456789abcdef")]);
    let session = lab.server.log_in();
    let event = with("/", "user_id", json!(USER));
    assert_eq!(lab.batch(&json!([event]))["accepted"], 1);
    let changed = session.send_json("PUT", "/api/sites/a.example", &json!({ "identify_users": true }));
    assert_eq!(body(&changed, 200)["identify_users"], true);
    assert_eq!(lab.batch(&json!([event]))["accepted"], 1);
    assert_eq!(lab.server.post_event(&event).status, 202, "without a key nobody is identified");
    let wal = lab.data_dir.path().join("wal");
    for file in std::fs::read_dir(wal).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(USER.len()).any(|window| window == USER.as_bytes()));
    }
    let hashes: Vec<Option<String>> =
        lab.stored("a.example").iter().map(|row| row.event.user_hash.as_deref().map(str::to_owned)).collect();
    // Computed with Python's hmac module.
    let expected = "ab39432e82f2e966a1434b704c43386fbe2bc348925579ad46f6ce21ff5f57c9";
    assert_eq!(hashes, [None, Some(expected.to_owned()), None]);
}

/// A batch whose body the server is waiting for.
fn begun(server: &Server, key: &str, body: &str) -> Client {
    let mut client = server.connect();
    let head = format!("content-type: application/json\r\nx-api-key: {key}\r\ncontent-length: {}\r\n", body.len());
    let request = format!("POST /api/events HTTP/1.1\r\nhost: localhost\r\n{head}expect: 100-continue\r\n\r\n");
    client.send(request.as_bytes()).unwrap();
    assert_eq!(client.read_response().unwrap().status, 100);
    client
}

#[test]
fn a_fifth_batch_waits_unread_for_the_other_four_and_is_refused_after_a_while() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let key = server.log_in().create_key(&json!({ "name": "k", "scope": "Ingest" }));
    let batch = json!([pageview("/")]).to_string();
    let mut four: Vec<Client> = (0..4).map(|_| begun(&server, &key, &batch)).collect();
    let headers = [("content-type", "application/json"), ("x-api-key", key.as_str())];
    let refused = server.connect().request("POST", "/api/events", &headers, &batch).unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    assert_eq!(refused.error(), "Too busy to store events. Try again in a moment.");
    let event = json!({ "d": "a.example", "n": "pageview", "u": "/" });
    assert_eq!(server.post_event(&event).status, 202, "events of visitors do not wait for batches");

    four[0].send(batch.as_bytes()).unwrap();
    assert_eq!(four[0].read_response().unwrap().status, 202);
    let mut fifth = begun(&server, &key, &batch);
    fifth.send(batch.as_bytes()).unwrap();
    assert_eq!(fifth.read_response().unwrap().status, 202, "there is a place again");
    assert_eq!(server.metric("mallard_events_ingested_total"), 3);
}
