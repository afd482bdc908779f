//! The endpoints of authentication (CONTRACT §4.3): what is read from a request, what an answer says.

use hyper::HeaderMap;
use hyper::header::{HeaderValue, InvalidHeaderValue, SET_COOKIE};
use mallard_event::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::lockout::ClientKey;
use super::login::Caller;
use super::{Auth, cookie, csrf};
use crate::app::App;
use crate::enrich::client::{client_address, is_direct_loopback};
use crate::error::ApiError;
use crate::request::Request;
use crate::response::{self, Response};

#[cfg(test)]
mod harness;
#[cfg(test)]
mod tests;

/// Room for a password of 1,024 bytes, each of them written as `\u00xx`, and a token.
const BODY_BYTES_MAX: usize = 8 << 10;

#[derive(Deserialize)]
struct SetupBody {
    password: String,
    setup_token: Option<String>,
}

#[derive(Deserialize)]
struct LoginBody {
    password: String,
}

#[derive(Serialize)]
struct Started<'a> {
    token: &'a str,
}

#[derive(Serialize)]
struct LoggedOut {
    status: &'static str,
}

#[derive(Serialize)]
struct Status {
    setup_required: bool,
    authenticated: bool,
}

/// `POST /api/auth/setup`: the first password.
pub(crate) async fn setup(app: &App, request: Request) -> Result<Response, ApiError> {
    let caller = caller(app, &request);
    app.auth.answer_setup(caller, request, app.now()).await
}

/// `POST /api/auth/login`: a password for a session.
pub(crate) async fn login(app: &App, request: Request) -> Result<Response, ApiError> {
    let caller = caller(app, &request);
    let answer = app.auth.answer_login(caller, request, app.now()).await;
    if matches!(answer, Err(ApiError::Unauthorized(_))) {
        app.metrics.login_failed();
    }
    answer
}

/// `POST /api/auth/logout`: the end of a session.
pub(crate) async fn logout(app: &App, request: Request) -> Result<Response, ApiError> {
    app.auth.answer_logout(request.headers()).await
}

/// `GET /api/auth/status`: what the dashboard has to show first.
#[expect(clippy::unused_async, reason = "the route table awaits all four alike")]
pub(crate) async fn status(app: &App, request: Request) -> Result<Response, ApiError> {
    app.auth.answer_status(request.headers(), app.now())
}

fn caller(app: &App, request: &Request) -> Caller {
    let (peer, headers) = (request.peer(), request.headers());
    Caller {
        key: ClientKey::of(client_address(peer, headers, &app.config.trusted_proxies, app.config.on_fly)),
        is_direct_loopback: is_direct_loopback(peer, headers),
        presented: cookie::presented(headers),
    }
}

impl Auth {
    async fn answer_setup(&self, caller: Caller, request: Request, now: Timestamp) -> Result<Response, ApiError> {
        csrf::refuse_foreign_origin(request.headers(), self.dashboard_origin())?;
        let body: SetupBody = request.into_json(BODY_BYTES_MAX).await?;
        let password = Zeroizing::new(body.password);
        let token = self.set_up(caller, password, body.setup_token.as_deref(), now).await?;
        let cookie = cookie::issue(&token, self.session_ttl_secs, self.has_secure_cookies);
        with_cookie(&Started { token: token.as_str() }, cookie)
    }

    async fn answer_login(&self, caller: Caller, request: Request, now: Timestamp) -> Result<Response, ApiError> {
        csrf::refuse_foreign_origin(request.headers(), self.dashboard_origin())?;
        let body: LoginBody = request.into_json(BODY_BYTES_MAX).await?;
        let token = self.log_in(caller, Zeroizing::new(body.password), now).await?;
        let cookie = cookie::issue(&token, self.session_ttl_secs, self.has_secure_cookies);
        with_cookie(&Started { token: token.as_str() }, cookie)
    }

    async fn answer_logout(&self, headers: &HeaderMap) -> Result<Response, ApiError> {
        if cookie::is_present(headers) {
            csrf::require_own_origin(headers, self.dashboard_origin())?;
        }
        self.log_out(cookie::presented(headers)).await?;
        with_cookie(&LoggedOut { status: "logged_out" }, cookie::clear(self.has_secure_cookies))
    }

    fn answer_status(&self, headers: &HeaderMap, now: Timestamp) -> Result<Response, ApiError> {
        response::json(&Status { setup_required: !self.is_configured(), authenticated: self.has_session(headers, now) })
    }
}

fn with_cookie(body: &impl Serialize, cookie: Result<HeaderValue, InvalidHeaderValue>) -> Result<Response, ApiError> {
    let mut response = response::json(body)?;
    response.headers_mut().insert(SET_COOKIE, cookie.map_err(ApiError::internal)?);
    Ok(response)
}
