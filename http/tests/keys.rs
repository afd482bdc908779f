//! API keys of the real binary: what each scope may do, restriction to sites, expiry, revocation that survives SIGKILL.

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

fn with_key(server: &Server, method: &str, path: &str, key: &str) -> Response {
    server.connect().request(method, path, &[("x-api-key", key)], "{}").unwrap()
}

fn get(server: &Server, path: &str, key: &str) -> Response {
    with_key(server, "GET", path, key)
}

fn body(answer: &Response) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

fn count(server: &Server, site: &str) {
    let event = json!({ "d": site, "n": "pageview", "u": "/" });
    assert_eq!(server.post_event(&event).status, 202);
}

fn key(session: &Session<'_>, scope: &str) -> String {
    session.create_key(&json!({ "name": "test", "scope": scope }))
}

#[test]
fn each_scope_may_do_what_it_is_for_and_nothing_else() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    count(&server, "a.example");
    let statuses = |key: &str| {
        [
            get(&server, "/api/stats/main?site_id=a.example", key).status,
            get(&server, "/api/sites", key).status,
            get(&server, "/api/keys", key).status,
            with_key(&server, "DELETE", "/api/keys/00", key).status,
            with_key(&server, "POST", "/api/store/acknowledge-loss", key).status,
        ]
    };
    assert_eq!(statuses(&key(&session, "ReadOnly")), [200, 200, 403, 403, 403]);
    assert_eq!(statuses(&key(&session, "Ingest")), [403; 5]);
    assert_eq!(statuses(&key(&session, "Admin")), [200, 200, 200, 404, 200]);
    assert_eq!(statuses(&format!("mm_{}", "0".repeat(64))), [401; 5]);
}

#[test]
fn a_key_counts_in_either_header_behind_a_session_and_beside_a_stale_cookie() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let key = key(&server.log_in(), "ReadOnly");
    let bearer = format!("Bearer {key}");
    let stale = format!("mm_session={}", "0".repeat(64));
    for headers in [
        vec![("authorization", bearer.as_str())],
        vec![("x-api-key", key.as_str())],
        vec![("authorization", "Basic abc"), ("x-api-key", key.as_str())],
        vec![("cookie", stale.as_str()), ("authorization", bearer.as_str())],
    ] {
        let answer = server.connect().request("GET", "/api/sites", &headers, "").unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, "[]"), "{headers:?}");
    }
    let nobody = server.get("/api/sites");
    assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, Some("Bearer")));
    let as_query = server.get(&format!("/api/sites?x-api-key={key}"));
    assert_eq!(as_query.status, 401, "a key in an address would end up in logs");
}

#[test]
fn a_restricted_key_learns_nothing_about_another_site() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    count(&server, "a.example");
    count(&server, "b.example");
    let key = session.create_key(&json!({ "name": "a", "scope": "ReadOnly", "sites": ["a.example"] }));
    let main = body(&get(&server, "/api/stats/main?site_id=a.example&period=day", &key));
    assert_eq!(main["total_pageviews"], 1);
    for path in ["main", "timeseries", "breakdown/pages"] {
        for query in ["site_id=b.example", "site_id=unknown.example", "", "site_id=b.example&site_id=a.example"] {
            let answer = get(&server, &format!("/api/stats/{path}?{query}"), &key);
            assert_eq!(
                (answer.status, answer.error().as_str()),
                (403, "The key is not for this site"),
                "{path}?{query}"
            );
        }
    }
    let sites = body(&get(&server, "/api/sites", &key));
    assert_eq!(sites.as_array().unwrap().len(), 1);
    assert_eq!(sites[0]["site_id"], "a.example");
    assert_eq!(get(&server, "/api/store/snapshots", &key).status, 403);
    for list in ["segments", "goals", "funnels"] {
        let of = |site: &str| get(&server, &format!("/api/sites/{site}/{list}"), &key).status;
        assert_eq!((of("a.example"), of("b.example")), (200, 403), "{list}");
    }

    let admin = session.create_key(&json!({ "name": "a", "scope": "Admin", "sites": ["a.example"] }));
    assert_eq!(get(&server, "/api/stats/main?site_id=a.example", &admin).status, 200);
    for (method, path) in [("GET", "/api/keys"), ("POST", "/api/keys"), ("POST", "/api/store/acknowledge-loss")] {
        assert_eq!(with_key(&server, method, path, &admin).status, 403, "{method} {path}");
    }
}

#[test]
fn keys_are_listed_without_what_would_let_anybody_use_them_and_survive_sigkill() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let request = json!({ "name": "ci", "scope": "ReadOnly", "sites": ["b.example", "a.example"],
                          "expires_at": "2999-12-31T23:59:59Z" });
    let created = session.send_json("POST", "/api/keys", &request);
    assert_eq!((created.status, created.header("cache-control")), (201, Some("no-store, no-cache")));
    let created = body(&created);
    let text = created["key"].as_str().unwrap().to_owned();
    let hash = created["key_hash"].as_str().unwrap().to_owned();
    let line = server.logged("API key created");
    assert_eq!(line["fields"]["name"], "ci");
    assert_eq!(line["fields"]["scope"], "ReadOnly");
    assert_eq!(line["fields"]["key_hash_prefix"], hash[..8]);
    assert!(line["request_id"].is_string() && !line.to_string().contains(&text));
    let kept = session.create_key(&json!({ "name": "kept", "scope": "Admin" }));
    server.kill();

    let server = Server::with_password(data_dir.path(), &[]);
    let listed = get(&server, "/api/keys", &kept);
    assert!(!listed.text().contains(&text));
    let first = &body(&listed)[0];
    assert_eq!((&first["key_hash"], &first["name"], &first["revoked"]), (&json!(hash), &json!("ci"), &json!(false)));
    assert_eq!(first["sites"], json!(["a.example", "b.example"]));
    assert_eq!(first["expires_at"], "2999-12-31T23:59:59Z");
    let created_at = first["created_at"].as_str().unwrap();
    assert!(created_at.len() == 20 && created_at.ends_with('Z'), "{created_at}");
    assert_eq!(get(&server, "/api/stats/main?site_id=a.example", &text).status, 200);

    let revoked = with_key(&server, "DELETE", &format!("/api/keys/{hash}"), &kept);
    assert_eq!((revoked.status, body(&revoked)), (200, json!({ "status": "revoked" })));
    server.kill();

    let server = Server::with_password(data_dir.path(), &[]);
    assert_eq!(get(&server, "/api/stats/main?site_id=a.example", &text).status, 401);
    assert_eq!(body(&get(&server, "/api/keys", &kept))[0]["revoked"], true);
    let unknown = with_key(&server, "DELETE", &format!("/api/keys/{}", "0".repeat(64)), &kept);
    assert_eq!((unknown.status, unknown.error().as_str()), (404, "Key not found"));
    let keys = std::fs::read_to_string(data_dir.path().join("control/keys")).unwrap();
    assert!(!keys.contains(&text[3..]), "only the hash of a key is kept");
}

#[test]
fn what_makes_no_key_is_refused_by_name() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    for (request, status, message) in [
        (json!({ "name": "", "scope": "Admin" }), 400, "Key name must be 1-128 characters"),
        (json!({ "name": "a", "scope": "Root" }), 422, "Invalid JSON: unknown variant `Root`"),
        (json!({ "name": "a" }), 422, "Invalid JSON: missing field `scope`"),
        (json!({ "name": "a", "scope": "ReadOnly", "site": ["a.example"] }), 422, "Invalid JSON: unknown field `site`"),
        (json!({ "name": "a", "scope": "Admin", "sites": [] }), 400, "sites must name 1 to 50 sites"),
        (json!({ "name": "a", "scope": "Admin", "expires_at": "2020-01-01T00:00:00Z" }), 400, "expires_at must be in"),
    ] {
        let answer = session.send_json("POST", "/api/keys", &request);
        assert_eq!(answer.status, status, "{request}");
        assert!(answer.error().starts_with(message), "{request}: {}", answer.text());
    }
    assert_eq!(session.json("/api/keys"), json!([]));
    assert_eq!(session.post("/api/keys", None).status, 403, "a session needs an Origin to change anything");
    assert_eq!(session.post("/api/keys", Some("https://evil.example")).status, 403);
}
