//! The OpenAPI document against the running binary: every operation that can be asked without harm is asked, and every
//! answer must be one that the document describes: its status, its content type, and each field of its body.

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

use serde_json::{Value, json};
use support::http::Response;
use support::{Server, Session};

/// The document of a server.
struct Document(Value);

impl Document {
    fn of(server: &Server) -> Self {
        let answer = server.get("/api/openapi.json");
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
        Self(serde_json::from_slice(&answer.body).unwrap())
    }

    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.0.pointer(reference.trim_start_matches('#')).expect(reference),
            None => value,
        }
    }

    /// Checks an answer to `method` on the path as it stands in the document.
    fn check(&self, method: &str, path: &str, answer: &Response) {
        let place = format!("{method} {path} {}", answer.status);
        let operation = &self.0["paths"][path][method.to_lowercase()];
        let described = self.resolved(&operation["responses"][answer.status.to_string()]);
        assert!(described.is_object(), "{place} is not described: {}", answer.text());
        let content = described["content"].as_object();
        let Some(content) = content else { return assert!(answer.body.is_empty(), "{place} has a body") };
        let content_type = answer.header("content-type").unwrap_or_default().split(';').next().unwrap();
        let media = content.get(content_type).unwrap_or_else(|| panic!("{place}: {content_type} is not described"));
        if content_type == "application/json" {
            let body: Value = serde_json::from_slice(&answer.body).unwrap();
            self.matches(&media["schema"], &body, &place);
        }
    }

    /// Checks `value` against the part of JSON Schema that the document uses. Every field must be described.
    fn matches(&self, schema: &Value, value: &Value, place: &str) {
        let schema = self.resolved(schema);
        let types: Vec<&str> = match &schema["type"] {
            Value::String(name) => vec![name],
            Value::Array(names) => names.iter().map(|name| name.as_str().unwrap()).collect(),
            _ => panic!("{place}: the schema has no type"),
        };
        assert!(types.iter().any(|name| is_of_type(name, value)), "{place}: {value} is not {types:?}");
        if let Some(allowed) = schema["enum"].as_array() {
            assert!(allowed.contains(value), "{place}: {value} is not one of {allowed:?}");
        }
        if let Some(minimum) = schema["minimum"].as_f64().filter(|_| value.is_number()) {
            assert!(value.as_f64().unwrap() >= minimum, "{place}: {value} is below {minimum}");
        }
        for item in value.as_array().into_iter().flatten() {
            self.matches(&schema["items"], item, &format!("{place}[]"));
        }
        let (Some(fields), Some(properties)) = (value.as_object(), schema["properties"].as_object()) else { return };
        for (name, field) in fields {
            let property = properties.get(name).unwrap_or_else(|| panic!("{place}: {name} is not described"));
            self.matches(property, field, &format!("{place}.{name}"));
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            assert!(fields.contains_key(name.as_str().unwrap()), "{place}: {name} is missing");
        }
    }
}

fn is_of_type(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("unknown type {other}"),
    }
}

const SITE: &str = "a.example";

fn store_events(server: &Server) {
    for event in [
        json!({ "d": SITE, "n": "pageview", "u": "https://a.example/one?utm_source=x", "r": "https://b.example/", "w": 1280 }),
        json!({ "d": SITE, "n": "Purchase", "u": "https://a.example/two", "ra": "12.50", "rc": "EUR" }),
    ] {
        assert_eq!(server.post_event(&event).status, 202);
    }
}

/// Every GET operation with parameters that it takes, then with one that it refuses.
fn ask_every_get(document: &Document, session: &Session<'_>) -> usize {
    let mut asked = 0;
    for (path, item) in document.0["paths"].as_object().unwrap() {
        if item.get("get").is_none() {
            continue;
        }
        let values = values_of(document, &item["get"], "dimension");
        let values = if values.is_empty() { vec![String::new()] } else { values };
        for value in values {
            let concrete = path.replace("{dimension}", &value).replace("{site_id}", SITE).replace("{id}", "1");
            assert!(!concrete.contains('{'), "{path}: this test knows no value for its parameters");
            for (number, query) in queries_of(path).iter().enumerate() {
                let answer = session.get(&format!("{concrete}{query}"));
                assert!(number > 0 || answer.status == 200, "{concrete}{query}: {}", answer.text());
                document.check("GET", path, &answer);
                asked += 1;
            }
        }
    }
    asked
}

fn queries_of(path: &str) -> &'static [&'static str] {
    match path {
        "/api/event" => &["?d=a.example&u=https://a.example/pixel", "?d=a.example", "?d=a/b&u=x"],
        "/api/stats/funnel" => &[
            "?site_id=a.example&steps=page:/one,event:Purchase",
            "?site_id=a.example&funnel=1",
            "?site_id=a.example&funnel=9",
            "?site_id=a.example&steps=goal:9",
            "?site_id=a.example",
        ],
        "/api/stats/sequences" => {
            &["?site_id=a.example&steps=page:/one,event:Purchase", "?site_id=a.example&steps=x", "?site_id=a.example"]
        }
        "/api/stats/journeys" => &[
            "?site_id=a.example&from=page:/one",
            "?site_id=a.example&from=event:Purchase&direction=before&depth=10",
            "?site_id=a.example",
        ],
        "/api/stats/export" => &[
            "?site_id=a.example",
            "?site_id=a.example&format=json",
            "?site_id=a.example&kind=events",
            "?site_id=a.example&kind=events&format=json",
            "?site_id=a.example&kind=all",
        ],
        "/api/stats/flow" => &["?site_id=a.example&page=/one", "?site_id=a.example&page=/one&limit=1001"],
        "/api/stats/retention" => &["?site_id=a.example&period=90d", "?site_id=a.example&weeks=53"],
        "/api/v1/stats/breakdown" => &["?site_id=a.example&property=visit:source", "?site_id=a.example"],
        "/api/v1/stats/realtime/visitors" => &["?site_id=a.example", "?site_id=a/b"],
        path if path.starts_with("/api/v1/stats/") => &["?site_id=a.example", "?site_id=a.example&metrics=x"],
        path if path.starts_with("/api/stats/") => &[
            "?site_id=a.example&key=plan",
            "?site_id=a.example&period=day",
            "?site_id=none.example&period=realtime",
            "?site_id=a/b",
        ],
        _ => &[""],
    }
}

/// The values of a parameter that is an enumeration.
fn values_of(document: &Document, operation: &Value, name: &str) -> Vec<String> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let mut parameters = parameters.map(|parameter| document.resolved(parameter));
    let Some(parameter) = parameters.find(|parameter| parameter["name"] == name) else { return Vec::new() };
    parameter["schema"]["enum"].as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_answer_is_one_that_the_document_describes() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let document = Document::of(&server);
    assert_eq!(document.0["openapi"], "3.1.0");
    assert_eq!(document.0["info"]["version"], env!("CARGO_PKG_VERSION"));
    store_events(&server);
    let session = server.log_in();
    let made = session.send("POST", "/api/sites/a.example/goals", &json!({ "event": "Purchase" }));
    document.check("POST", "/api/sites/{site_id}/goals", &made);
    assert_eq!(made.status, 201);
    let funnel = json!({ "name": "Buyers", "steps": ["page:/one", "goal:1"] });
    let made = session.send("POST", "/api/sites/a.example/funnels", &funnel);
    document.check("POST", "/api/sites/{site_id}/funnels", &made);
    assert_eq!(made.status, 201);
    let taken = session.post("/api/store/snapshots", Some("http://localhost"));
    document.check("POST", "/api/store/snapshots", &taken);
    assert_eq!(taken.status, 201);
    assert!(ask_every_get(&document, &session) > 80);

    let id: Value = serde_json::from_slice(&taken.body).unwrap();
    let snapshot = format!("/api/store/snapshots/{}", id["id"].as_str().unwrap());
    for expected in [200, 404] {
        let removed = session.delete(&snapshot, Some("http://localhost"));
        assert_eq!(removed.status, expected);
        document.check("DELETE", "/api/store/snapshots/{id}", &removed);
    }
    let acknowledged = session.post("/api/store/acknowledge-loss", Some("http://localhost"));
    document.check("POST", "/api/store/acknowledge-loss", &acknowledged);
    for (end, expected) in [("2034-12-31", 200), ("2024-12-31", 400)] {
        let path = format!("/api/gdpr/erase?site_id=a.example&start_date=2025-01-01&end_date={end}");
        let erased = session.delete(&path, Some("http://localhost"));
        assert_eq!(erased.status, expected, "{}", erased.text());
        document.check("DELETE", "/api/gdpr/erase", &erased);
    }
}

#[test]
fn refusals_are_described_as_well() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let document = Document::of(&server);
    let json = [("content-type", "application/json")];
    let post = |path: &str, body: &str| server.connect().request("POST", path, &json, body).unwrap();
    for (path, body, status) in [
        ("/api/event", "{}", 422),
        ("/api/event", "{", 400),
        ("/api/auth/login", "{\"password\":\"wrong\"}", 401),
        ("/api/auth/login", "[]", 422),
        ("/api/auth/setup", "{\"password\":\"long enough\"}", 409),
        ("/api/auth/logout", "", 200),
        ("/api/store/snapshots", "", 401),
    ] {
        let answer = post(path, body);
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.text());
        document.check("POST", path, &answer);
    }
    let stats = server.get("/api/stats/main?site_id=a.example");
    assert_eq!(stats.status, 401);
    document.check("GET", "/api/stats/main", &stats);
    let known = server.get("/api/openapi.json").header("etag").unwrap().to_owned();
    let again = server.connect().request("GET", "/api/openapi.json", &[("if-none-match", &known)], "").unwrap();
    assert_eq!((again.status, again.body.len()), (304, 0));
}

#[test]
fn a_batch_is_answered_as_described() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let document = Document::of(&server);
    let key = server.log_in().create_key(&json!({ "name": "k", "scope": "Ingest" }));
    let (key, none) = (("x-api-key", key.as_str()), ("x-none", ""));
    let (json, ndjson) = (("content-type", "application/json"), ("content-type", "application/x-ndjson"));
    let event = r#"{"d":"a.example","n":"pageview","u":"/"}"#;
    let mixed = format!("[{event}, {{\"d\":\"a.example\"}}]");
    for (headers, body, status) in [
        ([key, json], mixed.as_str(), 202),
        ([key, ndjson], event, 202),
        ([none, json], "[]", 401),
        ([key, ("content-type", "text/html")], "[]", 415),
    ] {
        let answer = server.connect().request("POST", "/api/events", &headers, body).unwrap();
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        document.check("POST", "/api/events", &answer);
    }
}

#[test]
fn where_a_session_is_enough_an_admin_key_is_too_and_the_document_says_so() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let document = Document::of(&server);
    let key = server.log_in().create_key(&json!({ "name": "k", "scope": "Admin" }));
    let bearer = format!("Bearer {key}");
    let mut asked = 0;
    for (path, item) in document.0["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let ways: Vec<&String> = operation["security"].as_array().unwrap().iter().flat_map(names).collect();
            if !ways.contains(&&"session".to_owned()) {
                continue;
            }
            assert_eq!(ways, ["session", "bearer", "key"], "{method} {path}");
            let concrete = path
                .replace("{site_id}", SITE)
                .replace("{id}", "9")
                .replace("{dimension}", "pages")
                .replace("{key_hash}", "0");
            for header in [("authorization", bearer.as_str()), ("x-api-key", key.as_str())] {
                let answer = server.connect().request(&method.to_uppercase(), &concrete, &[header], "").unwrap();
                assert!(![401, 403].contains(&answer.status), "{method} {path}: {}", answer.text());
                asked += 1;
            }
        }
    }
    assert!(asked > 40, "{asked}");
}

fn names(object: &Value) -> impl Iterator<Item = &String> {
    object.as_object().unwrap().keys()
}
