//! What set-up, login and logout do, apart from HTTP: the order of checks, and what counts as a failed attempt.

use std::sync::Arc;

use mallard_event::Timestamp;
use tokio::task::spawn_blocking;
use tracing::{info, warn};
use zeroize::Zeroizing;

use super::Auth;
use super::credential::AlreadyConfigured;
use super::lockout::{ClientKey, LockedOut};
use super::password::{HashError, PasswordHash};
use super::queue::QueueError;
use super::token::Token;
use crate::documents::DocumentError;
use crate::error::ApiError;
use crate::request_id;

const PASSWORD_BYTES_MIN: usize = 8;
const PASSWORD_BYTES_MAX: usize = 1024;

/// Who tries. It holds an address and has no `Debug`.
pub(super) struct Caller {
    /// For the lockout.
    pub(super) key: ClientKey,
    /// Whether the request was made on this machine, through no proxy.
    pub(super) is_direct_loopback: bool,
    /// The session tokens that came along.
    pub(super) presented: Vec<Token>,
}

impl Auth {
    /// Sets the first password and logs its owner in.
    pub(super) async fn set_up(
        &self,
        caller: Caller,
        password: Zeroizing<String>,
        setup_token: Option<&str>,
        now: Timestamp,
    ) -> Result<Token, ApiError> {
        if self.is_configured() {
            return Err(already_configured());
        }
        if !caller.is_direct_loopback {
            self.check_setup_token(caller.key, setup_token, now)?;
        }
        check_length(&password)?;
        let entropy = Arc::clone(&self.entropy);
        let hashing = self.hashes.run(move || PasswordHash::new(&password, entropy.as_ref()));
        let hash = settled(hashing.await)?;
        let (credential, sessions) = (Arc::clone(&self.credential), Arc::clone(&self.sessions));
        let outcome = durably(move || match credential.choose(hash)? {
            Ok(()) => sessions.start(&caller.presented, now).map(Ok),
            Err(already) => Ok(Err(already)),
        });
        let token = outcome.await?.map_err(|AlreadyConfigured| already_configured())?;
        self.setup_token.spend();
        info!("Admin password set");
        Ok(token)
    }

    /// Starts a session for who knows the password; the presented ones end.
    pub(super) async fn log_in(
        &self,
        caller: Caller,
        password: Zeroizing<String>,
        now: Timestamp,
    ) -> Result<Token, ApiError> {
        let Some(hash) = self.credential.current() else {
            return Err(ApiError::bad_request("No admin password configured. Use /api/auth/setup first."));
        };
        let attempt = self.begin(caller.key, now)?;
        let checked = self.hashes.run(move || hash.matches(&password)).await;
        if matches!(checked, Err(QueueError::Full)) {
            self.lockout.withdrawn(caller.key);
        }
        if !settled(checked)? {
            self.log_failure(attempt);
            return Err(ApiError::Unauthorized("Invalid password".into()));
        }
        self.lockout.succeeded(caller.key);
        let sessions = Arc::clone(&self.sessions);
        durably(move || sessions.start(&caller.presented, now)).await
    }

    /// Ends the presented sessions.
    pub(super) async fn log_out(&self, presented: Vec<Token>) -> Result<(), ApiError> {
        let sessions = Arc::clone(&self.sessions);
        durably(move || sessions.end(&presented)).await
    }

    /// A request without a token is no attempt to guess it.
    fn check_setup_token(&self, client: ClientKey, presented: Option<&str>, now: Timestamp) -> Result<(), ApiError> {
        let Some(presented) = presented else { return Err(ApiError::forbidden("Setup token required")) };
        let attempt = self.begin(client, now)?;
        if !self.setup_token.matches(presented) {
            self.log_failure(attempt);
            return Err(ApiError::forbidden("Invalid setup token"));
        }
        self.lockout.succeeded(client);
        Ok(())
    }

    fn begin(&self, client: ClientKey, now: Timestamp) -> Result<u32, ApiError> {
        self.lockout.begin(client, now).map_err(|LockedOut { remaining_secs }| {
            warn!(remaining_secs, "Login refused during lockout");
            ApiError::TooManyRequests {
                message: "Too many failed login attempts. Try again later.".into(),
                retry_after_secs: remaining_secs,
            }
        })
    }

    fn log_failure(&self, fail_count: u32) {
        if self.lockout.is_last(fail_count) {
            let lockout_secs = self.lockout.period_secs();
            warn!(fail_count, lockout_secs, "Login failed; the client is locked out");
        } else {
            warn!(fail_count, "Login failed");
        }
    }
}

fn check_length(password: &str) -> Result<(), ApiError> {
    match password.len() {
        0..PASSWORD_BYTES_MIN => Err(ApiError::bad_request("Password must be at least 8 characters")),
        PASSWORD_BYTES_MIN..=PASSWORD_BYTES_MAX => Ok(()),
        _ => Err(ApiError::bad_request("Password must be at most 1024 bytes")),
    }
}

fn already_configured() -> ApiError {
    ApiError::Conflict("Admin password already configured".into())
}

/// What the queue and the hash function can say, as an answer.
fn settled<T>(hashed: Result<Result<T, HashError>, QueueError>) -> Result<T, ApiError> {
    match hashed {
        Ok(outcome) => outcome.map_err(ApiError::internal),
        Err(QueueError::Full) => Err(ApiError::Unavailable("Too many logins at once. Try again in a moment.".into())),
        Err(QueueError::Aborted) => Err(ApiError::internal(QueueError::Aborted)),
    }
}

/// Runs `work`, which waits for the disk, on a blocking thread; it ends even if the client does not wait for it.
pub(crate) async fn durably<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DocumentError> + Send + 'static,
) -> Result<T, ApiError> {
    spawn_blocking(request_id::carry(work)).await.map_err(ApiError::internal)?.map_err(ApiError::internal)
}
