//! Who may do what: one password, sessions in a cookie, first-run set-up, keys for programs.
//!
//! ```text
//! access      who makes a request, and what that allows: the [`Principal`]
//! keys        what programs prove themselves with       api: making, listing, revoking
//! handlers    the four endpoints of CONTRACT §4.3: bodies, cookies, statuses
//!   login     what they do: set up, log in, log out
//!     credential  which password counts          session   who is logged in          both durable in documents
//!     password    Argon2id        queue   two hashes at a time, eight wait
//!     lockout     too many tries   setup   the one-time token
//!     csrf        is it our own page?            cookie    the cookie's attributes
//! ```
//!
//! Invariants:
//! - Without a password nothing can be read, and only who has the set-up token (or sits at the machine) can set one.
//! - Passwords and tokens are kept as hashes only; secrets are compared in constant time; no type that holds one, or an
//!   address, has a `Debug` that shows it.
//! - What a client was told is durable: a password, a session and a logout survive a crash.
//! - Hashes never run on an async thread or under a lock.
//!
//! Time and randomness are arguments. Which routes need a [`Principal`] is said in [`crate::routes`].

mod access;
mod cookie;
mod credential;
mod csrf;
pub mod handlers;
pub(crate) mod hex;
pub mod keys;
mod lockout;
mod login;
mod password;
mod queue;
mod session;
mod setup;
#[cfg(test)]
pub(crate) mod testing;
mod token;

use std::fmt;
use std::sync::Arc;

use mallard_engine::env::Entropy;

pub use self::access::Principal;
pub use self::credential::CredentialError;
pub(crate) use self::lockout::ClientKey;
pub(crate) use self::login::durably;
pub use self::password::HashError;

use self::credential::Credential;
use self::keys::Keys;
use self::lockout::Lockout;
use self::queue::HashQueue;
use self::session::Sessions;
use self::setup::SetupToken;
use crate::config::{Config, Origin};
use crate::documents::{DocumentError, Documents};

/// Whether there has ever been a password, chosen or from the environment.
pub(crate) fn has_had_a_password(documents: &dyn Documents) -> Result<bool, DocumentError> {
    credential::was_set(documents)
}

/// Reads every document of this module as a start does. For repair: changes nothing if writing does not.
pub(crate) fn check(documents: &Arc<dyn Documents>, entropy: &Arc<dyn Entropy>) -> Result<(), DocumentError> {
    Sessions::open(Arc::clone(documents), Arc::clone(entropy), 1)?;
    Keys::open(Arc::clone(documents), Arc::clone(entropy))?;
    credential::check(documents.as_ref())
}

/// Everything that decides who may do what.
pub struct Auth {
    credential: Arc<Credential>,
    sessions: Arc<Sessions>,
    pub(crate) keys: Arc<Keys>,
    entropy: Arc<dyn Entropy>,
    hashes: HashQueue,
    lockout: Lockout,
    setup_token: SetupToken,
    session_ttl_secs: u32,
    has_secure_cookies: bool,
    dashboard_origin: Option<Origin>,
}

impl Auth {
    /// Reads what earlier lives of the process left behind. Blocks, and hashes if the environment has a password.
    pub fn open(
        config: &Config,
        documents: Arc<dyn Documents>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, CredentialError> {
        let sessions = Sessions::open(Arc::clone(&documents), Arc::clone(&entropy), config.session_ttl_secs)?;
        let keys = Keys::open(Arc::clone(&documents), Arc::clone(&entropy))?;
        keys.take_over()?;
        let password = config.admin_password.as_deref();
        let credential = Credential::open(documents, entropy.as_ref(), password, &sessions)?;
        Ok(Self {
            setup_token: SetupToken::new(!credential.is_configured(), entropy.as_ref()),
            credential: Arc::new(credential),
            sessions: Arc::new(sessions),
            keys: Arc::new(keys),
            entropy,
            hashes: HashQueue::default(),
            lockout: Lockout::new(config.max_login_attempts, config.login_lockout_secs),
            session_ttl_secs: config.session_ttl_secs,
            has_secure_cookies: config.is_https(),
            dashboard_origin: config.dashboard_origin.clone(),
        })
    }

    /// Whether there is a password; if not, set-up is what remains to be done.
    pub fn is_configured(&self) -> bool {
        self.credential.is_configured()
    }

    /// The one-time token of first-run set-up, for the start-up log and nothing else.
    pub fn setup_token(&self) -> Option<String> {
        self.setup_token.text()
    }

    fn dashboard_origin(&self) -> Option<&str> {
        self.dashboard_origin.as_ref().map(Origin::as_str)
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("is_configured", &self.is_configured()).finish_non_exhaustive()
    }
}
