//! [`Credential`]: the one password of the dashboard, and which one it is.
//!
//! ```text
//! MALLARD_ADMIN_PASSWORD set    that one                                     control/environment-password: its hash
//! else, chosen at set-up        that one                                     control/password: its hash
//! else                          none: nobody can log in, set-up is open to whoever has the token
//! ```
//! The hash of the environment's password is kept to notice that it changed since the last start (appeared and went away
//! included), which ends every session. Passwords themselves are never kept, here or in memory.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use mallard_engine::env::Entropy;
use serde::{Deserialize, Serialize};

use super::password::{HashError, PasswordHash};
use super::session::Sessions;
use crate::documents::{Document, DocumentError, Documents};

const CHOSEN: Document = Document { name: "password", consequence: "set-up will ask for a new password" };
const ENVIRONMENT: Document = Document { name: "environment-password", consequence: "everybody has to log in again" };

/// Both documents.
#[derive(Serialize, Deserialize)]
struct Stored {
    argon2id: String,
}

/// The password could not be read, checked or kept.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// A document.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The hash function.
    #[error(transparent)]
    Hash(#[from] HashError),
}

/// The first password was chosen by somebody else a moment ago, or is the environment's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AlreadyConfigured;

/// The password that counts.
pub(crate) struct Credential {
    documents: Arc<dyn Documents>,
    current: RwLock<Option<Arc<PasswordHash>>>,
    /// Held while a first password is stored, so that exactly one is.
    choosing: Mutex<()>,
}

impl Credential {
    /// Finds the password that counts, and ends all sessions if it is not the one of the last start. Hashes; blocks.
    pub(crate) fn open(
        documents: Arc<dyn Documents>,
        entropy: &dyn Entropy,
        from_environment: Option<&str>,
        sessions: &Sessions,
    ) -> Result<Self, CredentialError> {
        let current = if let Some(password) = from_environment {
            Some(environment_hash(documents.as_ref(), entropy, password, sessions)?)
        } else {
            forget_environment(documents.as_ref(), sessions)?;
            read(CHOSEN, documents.as_ref())?
        };
        Ok(Self { documents, current: RwLock::new(current.map(Arc::new)), choosing: Mutex::default() })
    }

    /// The hash to check a password against; `None` before set-up.
    pub(crate) fn current(&self) -> Option<Arc<PasswordHash>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether there is a password.
    pub(crate) fn is_configured(&self) -> bool {
        self.current().is_some()
    }

    /// Makes `hash` the first password; of several at once, exactly one. Blocks; durable on return.
    pub(crate) fn choose(&self, hash: PasswordHash) -> Result<Result<(), AlreadyConfigured>, DocumentError> {
        let _choosing = self.choosing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_configured() {
            return Ok(Err(AlreadyConfigured));
        }
        write(CHOSEN, &hash, self.documents.as_ref())?;
        // IMPORTANT: durable first, in force second.
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(hash));
        Ok(Ok(()))
    }
}

/// Whether a password has ever been chosen, or come from the environment.
pub(super) fn was_set(documents: &dyn Documents) -> Result<bool, DocumentError> {
    Ok(documents.exists(CHOSEN.name)? || documents.exists(ENVIRONMENT.name)?)
}

/// Reads both documents.
pub(super) fn check(documents: &dyn Documents) -> Result<(), DocumentError> {
    read(CHOSEN, documents)?;
    read(ENVIRONMENT, documents).map(drop)
}

fn environment_hash(
    documents: &dyn Documents,
    entropy: &dyn Entropy,
    password: &str,
    sessions: &Sessions,
) -> Result<PasswordHash, CredentialError> {
    if let Some(hash) = read(ENVIRONMENT, documents)?
        && hash.matches(password)?
    {
        return Ok(hash);
    }
    let hash = PasswordHash::new(password, entropy)?;
    // IMPORTANT: sessions end before the new hash is kept; a crash in between ends them again at the next start.
    sessions.end_all()?;
    write(ENVIRONMENT, &hash, documents)?;
    Ok(hash)
}

fn forget_environment(documents: &dyn Documents, sessions: &Sessions) -> Result<(), DocumentError> {
    if documents.load(ENVIRONMENT.name)?.is_none() {
        return Ok(());
    }
    sessions.end_all()?;
    ENVIRONMENT.remove(documents)
}

fn read(document: Document, documents: &dyn Documents) -> Result<Option<PasswordHash>, DocumentError> {
    let Some(stored) = document.read::<Stored>(documents)? else { return Ok(None) };
    PasswordHash::parse(&stored.argon2id).map(Some).ok_or_else(|| document.damaged("it holds no password hash"))
}

fn write(document: Document, hash: &PasswordHash, documents: &dyn Documents) -> Result<(), DocumentError> {
    document.write(&Stored { argon2id: hash.as_str().to_owned() }, documents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::testing::{Bytes, at};
    use crate::auth::token::Token;
    use crate::documents::memory::Memory;

    #[derive(Default)]
    struct World {
        documents: Arc<Memory>,
        entropy: Arc<Bytes>,
    }

    impl World {
        fn sessions(&self) -> Sessions {
            let (documents, entropy): (Arc<Memory>, Arc<Bytes>) =
                (Arc::clone(&self.documents), Arc::clone(&self.entropy));
            Sessions::open(documents, entropy, 3600).unwrap()
        }

        /// A start of the process.
        fn start(&self, environment: Option<&str>) -> (Credential, Sessions) {
            let sessions = self.sessions();
            let documents: Arc<Memory> = Arc::clone(&self.documents);
            let credential = Credential::open(documents, self.entropy.as_ref(), environment, &sessions).unwrap();
            (credential, sessions)
        }

        fn hash(&self, password: &str) -> PasswordHash {
            PasswordHash::new(password, self.entropy.as_ref()).unwrap()
        }
    }

    fn accepts(credential: &Credential, password: &str) -> bool {
        credential.current().is_some_and(|hash| hash.matches(password).unwrap())
    }

    fn is_live(sessions: &Sessions, token: &Token) -> bool {
        sessions.is_live(token, at("2024-01-31T12:00:00Z"))
    }

    fn log_in(sessions: &Sessions) -> Token {
        sessions.start(&[], at("2024-01-31T12:00:00Z")).unwrap()
    }

    #[test]
    fn a_chosen_password_counts_after_a_restart_and_cannot_be_chosen_again() {
        let world = World::default();
        let (credential, sessions) = world.start(None);
        assert!(!credential.is_configured());
        assert_eq!(credential.choose(world.hash("first password")).unwrap(), Ok(()));
        let token = log_in(&sessions);
        let (reopened, sessions) = world.start(None);
        for credential in [credential, reopened] {
            assert!(accepts(&credential, "first password"));
            assert_eq!(credential.choose(world.hash("second password")).unwrap(), Err(AlreadyConfigured));
            assert!(!accepts(&credential, "second password"));
        }
        assert!(is_live(&sessions, &token));
        assert!(!world.documents.text().contains("first password"));
    }

    #[test]
    fn of_many_first_passwords_exactly_one_wins() {
        let world = World::default();
        let (credential, _) = world.start(None);
        let hashes: Vec<PasswordHash> = (0..8).map(|number| world.hash(&format!("password {number}"))).collect();
        let outcomes: Vec<bool> = std::thread::scope(|scope| {
            let choosing: Vec<_> =
                hashes.into_iter().map(|hash| scope.spawn(|| credential.choose(hash).unwrap().is_ok())).collect();
            choosing.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(outcomes.iter().filter(|won| **won).count(), 1);
        let winner = outcomes.iter().position(|won| *won).unwrap();
        assert!(accepts(&credential, &format!("password {winner}")));
        assert!(accepts(&world.start(None).0, &format!("password {winner}")));
    }

    #[test]
    fn a_password_that_could_not_be_stored_is_not_in_force() {
        let world = World::default();
        let (credential, _) = world.start(None);
        world.documents.set_full(true);
        assert!(credential.choose(world.hash("first password")).is_err());
        assert!(!credential.is_configured());
    }

    #[test]
    fn the_environments_password_wins_over_a_chosen_one_while_it_is_set() {
        let world = World::default();
        world.start(None).0.choose(world.hash("chosen password")).unwrap().unwrap();
        let (credential, _) = world.start(Some("environment"));
        assert!(accepts(&credential, "environment") && !accepts(&credential, "chosen password"));
        assert_eq!(credential.choose(world.hash("another")).unwrap(), Err(AlreadyConfigured));
        let (credential, _) = world.start(None);
        assert!(accepts(&credential, "chosen password") && !accepts(&credential, "environment"));
    }

    #[test]
    fn sessions_end_when_the_environments_password_changes_appears_or_goes_away() {
        let world = World::default();
        let starts = [Some("one"), Some("one"), Some("two"), Some("two"), None, None, Some("two")];
        let survives = [true, false, true, false, true, false];
        let mut token = log_in(&world.start(starts[0]).1);
        for (environment, survives) in starts[1..].iter().zip(survives) {
            let (_, sessions) = world.start(*environment);
            assert_eq!(is_live(&sessions, &token), survives, "{environment:?}");
            token = log_in(&sessions);
        }
        assert!(!world.documents.text().contains("two"));
    }

    #[test]
    fn an_unreadable_password_is_an_error_and_never_no_password() {
        for text in ["", "{}", r#"{"argon2id":"secret"}"#, r#"{"argon2id":1}"#] {
            let world = World::default();
            world.documents.put("password", text);
            let documents: Arc<Memory> = Arc::clone(&world.documents);
            let outcome = Credential::open(documents, world.entropy.as_ref(), None, &world.sessions());
            let error = outcome.err().unwrap().to_string();
            assert!(error.contains("`password` is damaged") && !error.contains("secret"), "{error}");
        }
    }
}
