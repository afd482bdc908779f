//! A server's authentication without a server: calls go straight to the endpoints, documents and randomness are the test's.

use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;

use hyper::Request as HttpRequest;
use hyper::header::{COOKIE, HOST, HeaderMap, SET_COOKIE};
use serde_json::{Value, json};

use super::*;
use crate::auth::testing::{Bytes, at};
use crate::config::Config;
use crate::documents::memory::Memory;
use crate::enrich::client::TrustedProxies;

pub(super) const LOOPBACK: &str = "127.0.0.1";
pub(super) const STRANGER: &str = "203.0.113.5";
pub(super) const HOST_NAME: &str = "stats.example";
pub(super) const PASSWORD: &str = "correct horse";

/// A server's authentication, and what it stores.
pub(super) struct Server {
    pub(super) auth: Auth,
    pub(super) documents: Arc<Memory>,
    entropy: Arc<Bytes>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) headers: HeaderMap,
}

/// What goes out: a peer, headers, a body.
pub(super) struct Call<'a> {
    pub(super) peer: &'a str,
    pub(super) headers: Vec<(&'a str, String)>,
    pub(super) body: String,
}

impl Call<'_> {
    pub(super) fn from(peer: &str) -> Call<'_> {
        let host = if peer == LOOPBACK { "localhost:8000" } else { HOST_NAME };
        Call { peer, headers: vec![(HOST.as_str(), host.to_owned())], body: String::new() }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn session(self, token: &str) -> Self {
        self.header(COOKIE.as_str(), format!("mm_session={token}"))
    }

    pub(super) fn body(mut self, body: &Value) -> Self {
        self.body = body.to_string();
        self
    }

    pub(super) fn request(self) -> (Caller, Request) {
        let mut request = HttpRequest::builder();
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let peer: IpAddr = self.peer.parse().unwrap();
        let request = Request::in_memory(request.body(&*self.body.leak()).unwrap(), peer);
        let address = client_address(peer, request.headers(), &TrustedProxies::default(), false);
        let caller = Caller {
            key: ClientKey::of(address),
            is_direct_loopback: is_direct_loopback(peer, request.headers()),
            presented: cookie::presented(request.headers()),
        };
        (caller, request)
    }
}

impl Server {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let (documents, entropy): (Arc<Memory>, Arc<Bytes>) = Default::default();
        Self { auth: open(&documents, &entropy, change), documents, entropy }
    }

    /// The server after a restart.
    pub(super) fn restart(self, change: impl FnOnce(&mut Config)) -> Self {
        Self { auth: open(&self.documents, &self.entropy, change), ..self }
    }

    pub(super) async fn setup(&self, call: Call<'_>) -> Answer {
        let (caller, request) = call.request();
        answer(self.auth.answer_setup(caller, request, noon()).await)
    }

    pub(super) async fn login(&self, call: Call<'_>) -> Answer {
        self.login_at(call, noon()).await
    }

    pub(super) async fn login_at(&self, call: Call<'_>, now: Timestamp) -> Answer {
        let (caller, request) = call.request();
        answer(self.auth.answer_login(caller, request, now).await)
    }

    pub(super) async fn logout(&self, call: Call<'_>) -> Answer {
        let (_, request) = call.request();
        answer(self.auth.answer_logout(request.headers()).await)
    }

    pub(super) fn status(&self, call: Call<'_>) -> Value {
        let (_, request) = call.request();
        answer(self.auth.answer_status(request.headers(), noon())).body
    }

    /// Sets [`PASSWORD`] and returns the session's token.
    pub(super) async fn set_up(&self) -> String {
        let answer = self.setup(Call::from(LOOPBACK).body(&json!({ "password": PASSWORD }))).await;
        answer.token()
    }

    pub(super) fn is_logged_in(&self, token: &str) -> bool {
        self.status(Call::from(STRANGER).session(token))["authenticated"] == true
    }
}

impl Answer {
    pub(super) fn token(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        let token = self.body["token"].as_str().unwrap().to_owned();
        assert_eq!(self.body, json!({ "token": token }));
        assert!(self.cookie().starts_with(&format!("mm_session={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age=")));
        token
    }

    pub(super) fn cookie(&self) -> &str {
        self.headers[SET_COOKIE].to_str().unwrap()
    }

    pub(super) fn error(&self) -> (u16, &str) {
        (self.status, self.body["error"].as_str().unwrap())
    }
}

pub(super) fn open(documents: &Arc<Memory>, entropy: &Arc<Bytes>, change: impl FnOnce(&mut Config)) -> Auth {
    let mut config =
        Config { session_ttl_secs: 86_400, max_login_attempts: 5, login_lockout_secs: 300, ..Config::default() };
    change(&mut config);
    let (documents, entropy): (Arc<Memory>, Arc<Bytes>) = (Arc::clone(documents), Arc::clone(entropy));
    Auth::open(&config, documents, entropy).unwrap()
}

fn answer(outcome: Result<Response, ApiError>) -> Answer {
    let response = outcome.unwrap_or_else(ApiError::into_response);
    let (parts, body) = response.into_parts();
    Answer {
        status: parts.status.as_u16(),
        body: serde_json::from_slice(body.bytes()).unwrap(),
        headers: parts.headers,
    }
}

/// Drives all futures at once.
pub(super) async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.map(Box::pin).collect();
    let mut done = Vec::new();
    poll_fn(|context| {
        waiting.retain_mut(|future| match future.as_mut().poll(context) {
            Poll::Ready(output) => {
                done.push(output);
                false
            }
            Poll::Pending => true,
        });
        if waiting.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done
}

pub(super) fn noon() -> Timestamp {
    at("2024-01-31T12:00:00Z")
}

pub(super) fn password(password: &str) -> Value {
    json!({ "password": password })
}
