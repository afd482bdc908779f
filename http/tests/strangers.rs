//! What strangers can do to a real server: nothing before it has a password, nothing with headers that they make up, nothing to
//! others; and what no configuration can open by mistake.

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

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::{Value, json};
use support::Server;
use support::http::{Client, Response};

const PASSWORD: &str = "correct horse battery";
const NO_PROXY: (&str, &str) = ("MALLARD_TRUSTED_PROXIES", "none");

fn post(server: &Server, path: &str, headers: &[(&str, &str)], body: &Value) -> Response {
    server.connect().request("POST", path, headers, &body.to_string()).unwrap()
}

fn log_in(server: &Server, headers: &[(&str, &str)], password: &str) -> Response {
    post(server, "/api/auth/login", headers, &json!({ "password": password }))
}

fn cookie(answer: &Response) -> String {
    answer.header("set-cookie").and_then(|cookie| cookie.split(';').next()).unwrap().to_owned()
}

/// The one-time token of the log.
fn setup_token(server: &Server) -> String {
    loop {
        let line = server.next_line();
        let message = line["fields"]["message"].as_str().unwrap_or_default();
        if let Some((_, token)) = message.split_once("set-up token: ") {
            assert_eq!(line["level"], "WARN");
            return token.to_owned();
        }
    }
}

#[test]
fn a_fresh_server_shows_nothing_to_a_stranger_and_cannot_be_claimed_by_one() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[]);
    let token = setup_token(&server);
    assert_eq!(server.post_event(&json!({ "d": "a.example", "n": "pageview", "u": "/" })).status, 202);
    for path in ["/api/sites", "/api/stats/main?site_id=a.example", "/api/keys", "/api/stats/export?site_id=a.example"]
    {
        assert_eq!(server.get(path).status, 401, "{path}");
    }
    let erase = "/api/gdpr/erase?site_id=a.example&start_date=2020-01-01&end_date=2029-12-31";
    assert_eq!(server.connect().request("DELETE", erase, &[], "").unwrap().status, 401);
    let status: Value = serde_json::from_slice(&server.get("/api/auth/status").body).unwrap();
    assert_eq!(status, json!({ "setup_required": true, "authenticated": false }));
    assert_eq!(server.get("/").header("content-type"), Some("text/html; charset=utf-8"), "the form is reachable");

    let claim = |headers: &[(&str, &str)], body: Value| post(&server, "/api/auth/setup", headers, &body);
    let through_proxy = [("x-forwarded-for", "203.0.113.5")];
    let password = json!({ "password": PASSWORD });
    let without = claim(&through_proxy, password.clone());
    assert_eq!((without.status, without.error().as_str()), (403, "Setup token required"));
    let wrong = claim(&through_proxy, json!({ "password": PASSWORD, "setup_token": "0".repeat(32) }));
    assert_eq!((wrong.status, wrong.error().as_str()), (403, "Invalid setup token"));
    for header in ["forwarded", "via", "x-real-ip", "fly-client-ip", "x-forwarded-proto"] {
        assert_eq!(claim(&[(header, "x")], password.clone()).status, 403, "{header}: it came through a proxy");
    }
    // A page of elsewhere, and one that a name server has moved to this machine.
    assert_eq!(claim(&[("origin", "https://evil.example")], password.clone()).status, 403);
    let mut rebound = server.connect();
    let body = password.to_string();
    let head = format!("POST /api/auth/setup HTTP/1.1\r\nhost: evil.example\r\ncontent-length: {}\r\n\r\n", body.len());
    rebound.send(format!("{head}{body}").as_bytes()).unwrap();
    assert_eq!(rebound.read_response().unwrap().status, 403);

    let claimed = claim(&through_proxy, json!({ "password": PASSWORD, "setup_token": token }));
    assert_eq!(claimed.status, 200, "{}", claimed.text());
    let second = claim(&[], json!({ "password": "another one", "setup_token": token }));
    assert_eq!((second.status, second.error().as_str()), (409, "Admin password already configured"));
    let cookie = cookie(&claimed);
    server.kill();

    // The password is asked for after a restart, and the session goes on.
    let server = Server::start(data_dir.path(), &[]);
    assert_eq!(server.get("/api/sites").status, 401);
    assert_eq!(claim_again(&server).status, 409);
    let sites = server.connect().request("GET", "/api/sites", &[("cookie", &cookie)], "").unwrap();
    assert_eq!((sites.status, sites.text().contains("a.example")), (200, true));
    assert_eq!(log_in(&server, &[], "wrong password").status, 401);
    assert_eq!(log_in(&server, &[], PASSWORD).status, 200);
}

fn claim_again(server: &Server) -> Response {
    post(server, "/api/auth/setup", &[], &json!({ "password": PASSWORD }))
}

#[test]
fn forwarding_headers_of_a_stranger_change_neither_visitor_nor_lockout() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[NO_PROXY]);
    let session = server.log_in();
    let body = json!({ "d": "a.example", "n": "pageview", "u": "/" });
    for address in ["203.0.113.1", "203.0.113.2", "unknown", "::1", "203.0.113.3, 10.0.0.1"] {
        for header in ["x-forwarded-for", "fly-client-ip", "x-real-ip"] {
            let headers = [(header, address), ("user-agent", "Mozilla/5.0")];
            assert_eq!(post(&server, "/api/event", &headers, &body).status, 202);
        }
    }
    let main = session.json("/api/stats/main?site_id=a.example&period=7d");
    assert_eq!((&main["unique_visitors"], &main["total_pageviews"]), (&json!(1), &json!(15)));
    for number in 0..5 {
        let address = format!("198.51.100.{number}");
        assert_eq!(log_in(&server, &[("x-forwarded-for", &address)], "wrong").status, 401);
    }
    let locked = log_in(&server, &[("x-forwarded-for", "198.51.100.99")], PASSWORD);
    assert_eq!((locked.status, locked.header("retry-after").is_some()), (429, true));
    assert_eq!(locked.error(), "Too many failed login attempts. Try again later.");
}

#[test]
fn one_attacker_locks_out_nobody_else_and_unknown_is_no_address() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let from = |address: &str, password: &str| log_in(&server, &[("x-forwarded-for", address)], password).status;
    for _ in 0..5 {
        assert_eq!(from("203.0.113.5", "wrong"), 401);
    }
    assert_eq!(from("203.0.113.5", PASSWORD), 429, "the attacker waits");
    assert_eq!(from("spoofed, 203.0.113.5", PASSWORD), 429, "whatever is before the address that the proxy saw");
    assert_eq!(from("203.0.113.6", PASSWORD), 200);
    assert_eq!(log_in(&server, &[], PASSWORD).status, 200);
    assert_eq!(from("unknown", PASSWORD), 200, "not an address: the peer counts");
    // An attacker with IPv6 has a network, not an address.
    for host in 1..=5 {
        assert_eq!(from(&format!("2001:db8:1:2::{host}"), "wrong"), 401);
    }
    assert_eq!(from("2001:db8:1:2::99", PASSWORD), 429);
    assert_eq!(from("2001:db8:1:3::1", PASSWORD), 200);
}

#[test]
fn a_page_of_another_origin_cannot_use_the_session_of_its_visitor() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let erase = "/api/gdpr/erase?site_id=a.example&start_date=2020-01-01&end_date=2029-12-31";
    let requests = [
        ("POST", "/api/keys"),
        ("PUT", "/api/sites/a.example"),
        ("POST", "/api/sites/a.example/goals"),
        ("POST", "/api/store/snapshots"),
        ("DELETE", erase),
        ("POST", "/api/auth/logout"),
    ];
    for (method, path) in requests {
        for origin in [None, Some("https://evil.example"), Some("null"), Some("http://localhost.evil.example")] {
            let mut headers = vec![("cookie", session.cookie())];
            headers.extend(origin.map(|origin| ("origin", origin)));
            let answer = server.connect().request(method, path, &headers, "{}").unwrap();
            assert_eq!(answer.status, 403, "{method} {path} from {origin:?}");
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
    }
    assert_eq!(session.get("/api/sites").status, 200, "nothing has happened to the session");
    assert_eq!(session.json("/api/keys"), json!([]));
}

#[test]
fn an_expired_key_is_no_key() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    let key = session.create_key(&json!({ "name": "k", "scope": "ReadOnly", "expires_at": "2999-01-01T00:00:00Z" }));
    let ask =
        |server: &Server| server.connect().request("GET", "/api/sites", &[("x-api-key", &key)], "").unwrap().status;
    assert_eq!(ask(&server), 200);
    server.kill();
    // The time that has passed.
    let path = data_dir.path().join("control/keys");
    let mut keys: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    keys["keys"][0]["expires_at_us"] = json!(1_000_000);
    keys.as_object_mut().unwrap().remove("crc32");
    fs::write(&path, keys.to_string()).unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    assert_eq!(ask(&server), 401);
}

fn modes(folder: &Path, found: &mut Vec<(String, u32)>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        found.push((entry.path().display().to_string(), mode));
        if entry.path().is_dir() {
            modes(&entry.path(), found);
        }
    }
}

#[test]
fn nobody_else_on_the_machine_can_read_the_data_directory() {
    let home = tempfile::tempdir().unwrap();
    let data_dir = home.path().join("data");
    let server = Server::with_password(&data_dir, &[("MALLARD_FLUSH_COUNT", "1")]);
    server.log_in().create_key(&json!({ "name": "k", "scope": "Admin" }));
    assert_eq!(server.post_event(&json!({ "d": "a.example", "n": "pageview", "u": "/" })).status, 202);
    server.logged("Flushed events to Parquet");
    server.kill();
    let mut found = Vec::new();
    modes(home.path(), &mut found);
    for name in ["/.secret", "/control/keys", "/control/salt", "/control/sessions", "/STORE"] {
        assert!(found.iter().any(|(path, mode)| path.ends_with(name) && *mode == 0o600), "{name}: {found:?}");
    }
    for (path, mode) in found {
        assert_eq!(mode & 0o077, 0, "{path} has mode {mode:o}");
    }
}

#[test]
fn https_is_claimed_for_this_host_alone_and_only_where_it_is_known() {
    let header = |variables: &[(&str, &str)], headers: &[(&str, &str)]| {
        let data_dir = tempfile::tempdir().unwrap();
        let server = Server::start(data_dir.path(), variables);
        let answer = server.connect().request("GET", "/", headers, "").unwrap();
        answer.header("strict-transport-security").map(str::to_owned)
    };
    let claimed = Some("max-age=31536000".to_owned());
    assert_eq!(header(&[("MALLARD_SECURE_COOKIES", "true")], &[]), claimed);
    assert_eq!(header(&[("MALLARD_DASHBOARD_ORIGIN", "https://stats.example")], &[]), claimed);
    assert_eq!(header(&[], &[("x-forwarded-proto", "https")]), claimed);
    assert_eq!(header(&[NO_PROXY], &[("x-forwarded-proto", "https")]), None);
    assert_eq!(header(&[("MALLARD_DASHBOARD_ORIGIN", "http://stats.example")], &[]), None);
}

/// The exit code of a start with these variables and this file, and what was said.
fn start(variables: &[(&str, &str)], file: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, file).unwrap();
    let data_dir = folder.path().join("data");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"));
    command.env_clear().env("MALLARD_DATA_DIR", &data_dir).envs(variables.iter().copied());
    let output = command.arg("--config").arg(&path).output().unwrap();
    assert!(!data_dir.exists(), "nothing is touched");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_mistake_in_the_configuration_is_an_error_that_names_it_and_never_a_default() {
    for (name, value) in [
        ("MALLARD_SECRET", ""),
        ("MALLARD_SECRET", "fifteen bytes.."),
        ("MALLARD_SUPPRESS_VISITOR_ID", ""),
        ("MALLARD_GDPR_MODE", "ja"),
        ("MALLARD_FILTER_BOTS", "tru"),
        ("MALLARD_GEOIP_PRECISION", "street"),
        ("MALLARD_SESSION_TTL", "31536001"),
        ("MALLARD_SESSION_TTL", "18446744073709551616"),
        ("MALLARD_LOGIN_LOCKOUT", "18446744073709551615"),
        ("MALLARD_CACHE_TTL", "9223372036854775807"),
        ("MALLARD_RETENTION_DAYS", "4294967295"),
        ("MALLARD_SHUTDOWN_TIMEOUT", "-1"),
        ("MALLARD_MAX_LOGIN_ATTEMPTS", "0x10"),
        ("MALLARD_SITE_IDS", ""),
        ("MALLARD_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("MALLARD_METRICS_TOKEN", ""),
    ] {
        let (code, said) = start(&[(name, value)], "");
        assert_eq!(code, Some(64), "{name}={value}: {said}");
        assert!(said.starts_with(&format!("Configuration error: {name}=")), "{name}={value}: {said}");
    }
    for (file, named) in [
        ("port = 8000\nhost = [\n", "line 2"),
        ("[privacy]\ngdpr_mode = true\n", "privacy"),
        ("gdpr_mod = true\n", "gdpr_mod"),
        ("gdpr_mode = \"true\"\n", "gdpr_mode"),
        ("session_ttl_secs = 31536001\n", "session_ttl_secs"),
        ("secret = \"0123456789abcdef\"\n", "secret"),
    ] {
        let (code, said) = start(&[], file);
        assert_eq!(code, Some(64), "{file}: {said}");
        assert!(said.starts_with("Configuration error: ") && said.contains(named), "{file}: {said}");
    }
    let both = [("MALLARD_RATE_LIMIT", "1"), ("MALLARD_RATE_LIMIT_PER_SITE", "2")];
    assert_eq!(start(&both, "").0, Some(64), "a variable and its alias that contradict one another");
}

#[test]
fn gdpr_mode_makes_places_countries_whatever_precision_says() {
    for (precision, effective) in [("city", "country"), ("region", "country"), ("country", "country"), ("none", "none")]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mallard-metrics"));
        command.env_clear().envs([("MALLARD_GDPR_MODE", "true"), ("MALLARD_GEOIP_PRECISION", precision)]);
        let output = command.arg("check-config").output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let line = said.lines().find(|line| line.starts_with("MALLARD_GEOIP_PRECISION=")).unwrap();
        assert!(line.starts_with(&format!("MALLARD_GEOIP_PRECISION=\"{effective}\"")), "{precision}: {line}");
    }
}

#[test]
fn sites_that_many_invent_at_once_end_exactly_at_the_limit() {
    const SITES_MAX: usize = 5;
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[("MALLARD_MAX_SITES", "5")]);
    let address = server.address();
    let invent = |client: usize| {
        let mut connection = Client::connect(address).unwrap();
        let post = |number| {
            let event = json!({ "d": format!("{client}-{number}.example"), "n": "pageview", "u": "/" });
            connection.post_event(&event).unwrap().status
        };
        let mut post = post;
        (0..20).map(&mut post).collect::<Vec<u16>>()
    };
    let statuses: Vec<u16> = thread::scope(|scope| {
        let clients: Vec<_> = (0..16).map(|client| scope.spawn(move || invent(client))).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| [202, 403].contains(status)), "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 202).count(), SITES_MAX);
    let sites = server.log_in().json("/api/sites");
    assert_eq!(sites.as_array().unwrap().len(), SITES_MAX);
    let known = json!({ "d": sites[0]["site_id"], "n": "pageview", "u": "/" });
    assert_eq!(server.post_event(&known).status, 202, "the sites that there are go on");
}

/// A log-in with a wrong password, sent and not waited for.
fn guess(server: &Server, number: usize) -> Client {
    let body = json!({ "password": "wrong" }).to_string();
    let head = format!(
        "POST /api/auth/login HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: 203.0.{}.{}\r\ncontent-length: {}\r\n\r\n",
        number / 256,
        number % 256,
        body.len()
    );
    let mut client = server.connect();
    client.send(format!("{head}{body}").as_bytes()).unwrap();
    client
}

#[test]
fn a_flood_of_logins_is_bounded_and_events_do_not_wait_for_it() {
    const GUESSES: usize = 100;
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let event = json!({ "d": "a.example", "n": "pageview", "u": "/" });
    let (mut refused, mut wrong, mut rounds_overtaken) = (0, 0, 0);
    for _ in 0..5 {
        let mut guesses: Vec<Client> = (0..GUESSES).map(|number| guess(&server, number)).collect();
        // A server that hashes where it answers, or under a lock of its own, has answered all guesses before the event.
        assert_eq!(server.post_event(&event).status, 202);
        assert_eq!(server.get("/health/ready").status, 200);
        rounds_overtaken += usize::from(!guesses.iter_mut().all(Client::has_answer));
        for mut guess in guesses {
            let answer = guess.read_response().unwrap();
            match answer.status {
                401 => wrong += 1,
                503 => refused += 1,
                _ => panic!("{}", answer.text()),
            }
        }
    }
    assert!(rounds_overtaken > 0, "an event is stored while passwords are being checked");
    assert!(wrong >= 5 * 10, "ten are checked or wait at any time: {wrong}");
    assert!(refused > 0, "and the others are told to come again");
    assert_eq!(server.metric("mallard_login_failures_total"), wrong);
    assert_eq!(log_in(&server, &[], PASSWORD).status, 200, "who knows the password gets in");
    assert_eq!(server.log_in().pageviews("a.example"), 5);
}
