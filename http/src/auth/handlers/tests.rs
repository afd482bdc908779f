use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderValue, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::json;

use super::harness::*;
use crate::auth::Principal;
use crate::auth::testing::after;
use crate::config::{Config, Environment, load};

#[tokio::test]
async fn a_fresh_server_belongs_to_nobody_and_says_so() {
    let server = Server::new();
    let fresh = json!({ "setup_required": true, "authenticated": false });
    assert_eq!(server.status(Call::from(STRANGER)), fresh);
    assert_eq!(server.status(Call::from(STRANGER).session(&"0".repeat(64))), fresh);
    let login = server.login(Call::from(STRANGER).body(&password(PASSWORD))).await;
    assert_eq!(login.error(), (400, "No admin password configured. Use /api/auth/setup first."));
    let refused = server.auth.authorize(&HeaderMap::new(), noon()).unwrap_err().into_response();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()[WWW_AUTHENTICATE]),
        (401, &HeaderValue::from_static("Bearer"))
    );
}

#[tokio::test]
async fn a_stranger_needs_the_token_of_the_log_and_the_machine_itself_does_not() {
    let server = Server::new();
    let setup_token = server.auth.setup_token().unwrap();
    let without = server.setup(Call::from(STRANGER).body(&password(PASSWORD))).await;
    assert_eq!(without.error(), (403, "Setup token required"));
    let wrong = json!({ "password": PASSWORD, "setup_token": "0".repeat(32) });
    assert_eq!(server.setup(Call::from(STRANGER).body(&wrong)).await.error(), (403, "Invalid setup token"));
    let through_proxy = Call::from(LOOPBACK).header("x-forwarded-for", STRANGER).body(&password(PASSWORD));
    assert_eq!(server.setup(through_proxy).await.error(), (403, "Setup token required"));
    let rebound =
        Call { headers: vec![("host", "evil.example".into())], ..Call::from(LOOPBACK).body(&password(PASSWORD)) };
    assert_eq!(server.setup(rebound).await.error(), (403, "Setup token required"));
    let right = json!({ "password": PASSWORD, "setup_token": setup_token });
    let token = server.setup(Call::from(STRANGER).body(&right)).await.token();
    assert!(server.is_logged_in(&token));
    assert_eq!(server.auth.setup_token(), None);
    Server::new().set_up().await;
}

#[tokio::test]
async fn a_first_password_has_8_to_1024_bytes() {
    let server = Server::new();
    for short in ["", "1234567"] {
        let answer = server.setup(Call::from(LOOPBACK).body(&password(short))).await;
        assert_eq!(answer.error(), (400, "Password must be at least 8 characters"));
    }
    let long = server.setup(Call::from(LOOPBACK).body(&password(&"x".repeat(1025)))).await;
    assert_eq!(long.error(), (400, "Password must be at most 1024 bytes"));
    let longest = "\u{1}".repeat(1024);
    server.setup(Call::from(LOOPBACK).body(&password(&longest))).await.token();
    server.login(Call::from(STRANGER).body(&password(&longest))).await.token();
}

#[tokio::test]
async fn set_up_happens_once_even_if_many_try_at_once() {
    let server = Server::new();
    let calls = (0..8).map(|number| Call::from(LOOPBACK).body(&password(&format!("password {number}"))));
    let answers = all(calls.map(|call| server.setup(call))).await;
    let (won, lost): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 7));
    assert!(lost.iter().all(|answer| answer.error() == (409, "Admin password already configured")));
    let again = server.setup(Call::from(LOOPBACK).body(&password(PASSWORD))).await;
    assert_eq!(again.error(), (409, "Admin password already configured"));
}

#[tokio::test]
async fn password_and_session_survive_a_restart() {
    let server = Server::new();
    let token = server.set_up().await;
    let server = server.restart(|_| {});
    assert_eq!(server.auth.setup_token(), None);
    assert!(server.is_logged_in(&token));
    assert_eq!(server.status(Call::from(STRANGER)), json!({ "setup_required": false, "authenticated": false }));
    server.login(Call::from(STRANGER).body(&password(PASSWORD))).await.token();
}

#[tokio::test]
async fn an_environment_password_that_changes_ends_every_session() {
    let with = |password: &'static str| move |config: &mut Config| config.admin_password = Some(password.to_owned());
    let server = Server::with(with("one"));
    let token = server.login(Call::from(STRANGER).body(&password("one"))).await.token();
    let server = server.restart(with("one"));
    assert!(server.is_logged_in(&token));
    let server = server.restart(with("two"));
    assert!(!server.is_logged_in(&token));
    assert_eq!(server.login(Call::from(STRANGER).body(&password("one"))).await.status, 401);
    server.login(Call::from(STRANGER).body(&password("two"))).await.token();
}

#[tokio::test]
async fn login_gives_a_new_session_and_ends_the_presented_one() {
    let server = Server::new();
    let first = server.set_up().await;
    let login = Call::from(STRANGER).session(&first).body(&password(PASSWORD));
    let second = server.login(login).await.token();
    assert_ne!(first, second);
    assert!(!server.is_logged_in(&first));
    assert!(server.is_logged_in(&second));
    let wrong = server.login(Call::from(STRANGER).session(&second).body(&password("wrong horse"))).await;
    assert_eq!(wrong.error(), (401, "Invalid password"));
    assert!(server.is_logged_in(&second), "a failed login ends nothing");
}

#[tokio::test]
async fn logout_ends_the_session_and_clears_the_cookie() {
    let server = Server::new();
    let token = server.set_up().await;
    let foreign = Call::from(STRANGER).session(&token).header(ORIGIN.as_str(), "https://evil.example");
    assert_eq!(server.logout(foreign).await.status, 403);
    assert_eq!(server.logout(Call::from(STRANGER).session(&token)).await.status, 403, "no Origin");
    assert!(server.is_logged_in(&token));
    let own = Call::from(STRANGER).session(&token).header(ORIGIN.as_str(), "https://stats.example");
    let answer = server.logout(own).await;
    assert_eq!((answer.status, &answer.body), (200, &json!({ "status": "logged_out" })));
    assert_eq!(answer.cookie(), "mm_session=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0");
    assert!(!server.is_logged_in(&token));
    assert_eq!(server.logout(Call::from(STRANGER)).await.status, 200, "there is nothing to protect");
}

#[tokio::test]
async fn login_and_set_up_refuse_foreign_pages_and_accept_the_dashboards() {
    let server = Server::with(|config| {
        let variables = [("MALLARD_DASHBOARD_ORIGIN".into(), "https://dash.example".into())];
        let loaded = load(None, &Environment::new(variables)).unwrap();
        config.dashboard_origin = loaded.config.dashboard_origin;
    });
    let from = |origin: &str| Call::from(LOOPBACK).header(ORIGIN.as_str(), origin).body(&password(PASSWORD));
    assert_eq!(server.setup(from("https://evil.example")).await.status, 403);
    let answer = server.setup(from("https://dash.example")).await;
    assert!(answer.cookie().ends_with("; Secure"), "an https dashboard has secure cookies");
    answer.token();
    assert_eq!(server.login(from("https://evil.example")).await.status, 403);
    assert_eq!(server.login(from("null")).await.status, 403);
    server.login(from("http://localhost:8000")).await.token();
}

#[tokio::test]
async fn too_many_wrong_passwords_lock_out_one_client_for_a_while() {
    let server = Server::new();
    server.set_up().await;
    for _ in 0..5 {
        let answer = server.login(Call::from(STRANGER).body(&password("wrong horse"))).await;
        assert_eq!(answer.error(), (401, "Invalid password"));
    }
    let answer = server.login_at(Call::from(STRANGER).body(&password(PASSWORD)), after(noon(), 100)).await;
    assert_eq!(answer.error(), (429, "Too many failed login attempts. Try again later."));
    assert_eq!(answer.headers[RETRY_AFTER], "200");
    server.login(Call::from("203.0.113.6").body(&password(PASSWORD))).await.token();
    server.login_at(Call::from(STRANGER).body(&password(PASSWORD)), after(noon(), 300)).await.token();
}

#[tokio::test]
async fn a_forged_forwarding_header_does_not_shed_a_lockout() {
    let server = Server::new();
    server.set_up().await;
    let mut statuses = Vec::new();
    for number in 0..6 {
        let forged = Call::from(STRANGER).header("x-forwarded-for", format!("198.51.100.{number}"));
        statuses.push(server.login(forged.body(&password("wrong horse"))).await.status);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429]);
}

#[tokio::test]
async fn wrong_set_up_tokens_count_for_the_lockout_and_missing_ones_do_not() {
    let server = Server::new();
    let right = json!({ "password": PASSWORD, "setup_token": server.auth.setup_token().unwrap() });
    let wrong = json!({ "password": PASSWORD, "setup_token": "guess" });
    for _ in 0..10 {
        assert_eq!(server.setup(Call::from(STRANGER).body(&password(PASSWORD))).await.status, 403);
    }
    for _ in 0..5 {
        assert_eq!(server.setup(Call::from(STRANGER).body(&wrong)).await.status, 403);
    }
    let locked = server.setup(Call::from(STRANGER).body(&right)).await;
    assert_eq!((locked.status, &locked.headers[RETRY_AFTER]), (429, &HeaderValue::from_static("300")));
    server.setup(Call::from("203.0.113.6").body(&right)).await.token();
}

#[tokio::test]
async fn a_flood_of_logins_is_refused_beyond_the_queue_and_does_not_count_as_failures() {
    let server = Server::with(|config| config.max_login_attempts = 1000);
    server.set_up().await;
    let calls = (0..12).map(|_| Call::from(STRANGER).body(&password(PASSWORD)));
    let answers = all(calls.map(|call| server.login(call))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![200; 10], vec![503; 2]].concat());
}

#[tokio::test]
async fn a_body_that_is_not_what_was_asked_for_is_named() {
    let server = Server::new();
    let body = |text: &str| Call { body: text.to_owned(), ..Call::from(LOOPBACK) };
    for (text, status) in [
        ("", 400),
        ("{", 400),
        ("password=x", 400),
        ("{}", 422),
        ("[]", 422),
        (r#"{"password":12345678}"#, 422),
        (r#"{"password":"12345678","setup_token":1}"#, 422),
    ] {
        assert_eq!(server.setup(body(text)).await.status, status, "{text}");
    }
    assert_eq!(server.login(body(&format!("{{\"password\":\"{}\"}}", "x".repeat(9000)))).await.status, 413);
    assert!(!server.auth.is_configured());
}

#[tokio::test]
async fn what_cannot_be_stored_is_an_error_and_not_a_promise() {
    let server = Server::new();
    server.documents.set_full(true);
    let answer = server.setup(Call::from(LOOPBACK).body(&password(PASSWORD))).await;
    assert_eq!(answer.error(), (500, "Internal server error"));
    assert!(!server.auth.is_configured());
    server.documents.set_full(false);
    let token = server.set_up().await;
    server.documents.set_full(true);
    assert_eq!(server.login(Call::from(STRANGER).body(&password(PASSWORD))).await.status, 500);
    let logout = Call::from(STRANGER).session(&token).header(ORIGIN.as_str(), "https://stats.example");
    assert_eq!(server.logout(logout).await.status, 500);
    assert!(server.is_logged_in(&token));
}

#[tokio::test]
async fn a_session_is_a_principal_until_it_expires_and_nothing_shows_a_secret() {
    let server = Server::new();
    let token = server.set_up().await;
    let (_, request) = Call::from(STRANGER).session(&token).request();
    let authorize = |now| server.auth.authorize(request.headers(), now);
    assert_eq!(authorize(noon()).unwrap(), Principal::Session);
    assert_eq!(authorize(after(noon(), 86_400)).unwrap_err().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(format!("{:?}", server.auth), "Auth { is_configured: true, .. }");
    let stored = server.documents.text();
    assert!(!stored.contains(&token) && !stored.contains(PASSWORD));
}
