//! [`Sessions`]: who is logged in. Durable: a restart, a redeploy or an auto-stop ends nobody's session.
//!
//! ```text
//! browser: 64 hex digits        control/sessions: {"sessions":[{"sha256":..,"expires_at_us":..}, ..]}, oldest first
//! ```
//! A change is durable before it is visible: a token works only once it survives a crash, and an ended one is ended only
//! once it stays so. Writers take turns and wait for the disk; readers never do. Comparisons take the same time whatever
//! the token: every session is compared, none is left out.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use mallard_engine::env::Entropy;
use mallard_event::Timestamp;
use serde::{Deserialize, Serialize};
use subtle::Choice;

use super::token::{Token, TokenHash};
use crate::documents::{Document, DocumentError, Documents};

/// Sessions kept at most; the one issued first goes first.
const SESSIONS_MAX: usize = 1000;

const DOCUMENT: Document = Document { name: "sessions", consequence: "everybody has to log in again" };

#[derive(Clone, Copy)]
struct Session {
    token: TokenHash,
    expires_at: Timestamp,
}

/// The document.
#[derive(Default, Serialize, Deserialize)]
struct Stored {
    sessions: Vec<StoredSession>,
}

#[derive(Serialize, Deserialize)]
struct StoredSession {
    sha256: String,
    expires_at_us: i64,
}

/// All sessions, oldest first.
pub(crate) struct Sessions {
    documents: Arc<dyn Documents>,
    entropy: Arc<dyn Entropy>,
    ttl_us: i64,
    live: RwLock<Vec<Session>>,
    /// Held from reading `live` to publishing what became of it, so that no change is lost.
    changing: Mutex<()>,
}

impl Sessions {
    /// Reads the sessions of earlier lives of the process.
    pub(crate) fn open(
        documents: Arc<dyn Documents>,
        entropy: Arc<dyn Entropy>,
        ttl_secs: u32,
    ) -> Result<Self, DocumentError> {
        let stored = DOCUMENT.read::<Stored>(documents.as_ref())?.unwrap_or_default();
        let live = stored.sessions.iter().map(Session::from_stored).collect::<Option<_>>();
        let live = RwLock::new(live.ok_or_else(|| DOCUMENT.damaged("a session is malformed"))?);
        Ok(Self { documents, entropy, ttl_us: i64::from(ttl_secs) * 1_000_000, live, changing: Mutex::default() })
    }

    /// Whether `token` is that of a session which has not expired.
    pub(crate) fn is_live(&self, token: &Token, now: Timestamp) -> bool {
        let presented = token.hash();
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        let found = live.iter().fold(Choice::from(0), |found, session| {
            found | (session.token.ct_eq(presented) & Choice::from(u8::from(session.expires_at > now)))
        });
        found.into()
    }

    /// Starts a session, ending those of the `presented` tokens. Blocks; durable on return.
    pub(crate) fn start(&self, presented: &[Token], now: Timestamp) -> Result<Token, DocumentError> {
        let ended = hashes(presented);
        let token = Token::random(self.entropy.as_ref());
        let expires_at = Timestamp::saturating_from_micros(now.micros() + self.ttl_us);
        self.change(|sessions| {
            sessions.retain(|session| session.expires_at > now && !session.is_one_of(&ended));
            sessions.push(Session { token: token.hash(), expires_at });
            let excess = sessions.len().saturating_sub(SESSIONS_MAX);
            sessions.drain(..excess);
        })?;
        Ok(token)
    }

    /// Ends the sessions of `presented` tokens. Blocks; durable on return.
    pub(crate) fn end(&self, presented: &[Token]) -> Result<(), DocumentError> {
        let ended = hashes(presented);
        self.change(|sessions| sessions.retain(|session| !session.is_one_of(&ended)))
    }

    /// Ends every session. Blocks; durable on return.
    pub(crate) fn end_all(&self) -> Result<(), DocumentError> {
        self.change(Vec::clear)
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Session>)) -> Result<(), DocumentError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.live.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut after = before.clone();
        change(&mut after);
        if before.iter().map(|session| session.token).eq(after.iter().map(|session| session.token)) {
            return Ok(());
        }
        let stored = Stored { sessions: after.iter().copied().map(Session::to_stored).collect() };
        DOCUMENT.write(&stored, self.documents.as_ref())?;
        // IMPORTANT: durable first, visible second.
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = after;
        Ok(())
    }
}

impl Session {
    fn is_one_of(&self, tokens: &[TokenHash]) -> bool {
        tokens.iter().any(|token| self.token.ct_eq(*token).into())
    }

    fn to_stored(self) -> StoredSession {
        StoredSession { sha256: self.token.to_hex(), expires_at_us: self.expires_at.micros() }
    }

    fn from_stored(stored: &StoredSession) -> Option<Self> {
        Some(Self {
            token: TokenHash::from_hex(&stored.sha256)?,
            expires_at: Timestamp::from_micros(stored.expires_at_us).ok()?,
        })
    }
}

fn hashes(tokens: &[Token]) -> Vec<TokenHash> {
    tokens.iter().map(Token::hash).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::testing::{Bytes, after, at};
    use crate::documents::memory::Memory;

    const TTL_SECS: u32 = 3600;

    struct World {
        documents: Arc<Memory>,
        entropy: Arc<Bytes>,
    }

    impl World {
        fn new() -> Self {
            Self { documents: Arc::default(), entropy: Arc::default() }
        }

        /// The sessions after a restart.
        fn open(&self) -> Sessions {
            let documents: Arc<Memory> = Arc::clone(&self.documents);
            let entropy: Arc<Bytes> = Arc::clone(&self.entropy);
            Sessions::open(documents, entropy, TTL_SECS).unwrap()
        }
    }

    fn noon() -> Timestamp {
        at("2024-01-31T12:00:00Z")
    }

    #[test]
    fn a_session_lives_for_its_ttl_and_through_restarts() {
        let world = World::new();
        let token = world.open().start(&[], noon()).unwrap();
        let reopened = world.open();
        assert!(reopened.is_live(&token, noon()));
        assert!(reopened.is_live(&token, after(noon(), i64::from(TTL_SECS) - 1)));
        assert!(!reopened.is_live(&token, after(noon(), i64::from(TTL_SECS))));
        assert!(!reopened.is_live(&Token::random(world.entropy.as_ref()), noon()));
    }

    #[test]
    fn no_document_contains_a_token() {
        let world = World::new();
        let token = world.open().start(&[], noon()).unwrap();
        let text = world.documents.text();
        assert!(text.contains(&token.hash().to_hex()));
        assert!(!text.contains(token.as_str()));
    }

    #[test]
    fn a_new_session_ends_the_presented_one_and_no_other() {
        let world = World::new();
        let sessions = world.open();
        let [first, other] = [(); 2].map(|()| sessions.start(&[], noon()).unwrap());
        let second = sessions.start(std::slice::from_ref(&first), noon()).unwrap();
        for sessions in [sessions, world.open()] {
            assert!(!sessions.is_live(&first, noon()));
            assert!(sessions.is_live(&second, noon()));
            assert!(sessions.is_live(&other, noon()));
        }
    }

    #[test]
    fn an_ended_session_stays_ended_after_a_restart() {
        let world = World::new();
        let sessions = world.open();
        let [ended, other] = [(); 2].map(|()| sessions.start(&[], noon()).unwrap());
        sessions.end(std::slice::from_ref(&ended)).unwrap();
        assert!(!sessions.is_live(&ended, noon()));
        assert!(!world.open().is_live(&ended, noon()));
        assert!(world.open().is_live(&other, noon()));
        sessions.end_all().unwrap();
        assert!(!world.open().is_live(&other, noon()));
    }

    #[test]
    fn ending_what_is_not_a_session_writes_nothing() {
        let world = World::new();
        let sessions = world.open();
        sessions.end(&[Token::random(world.entropy.as_ref())]).unwrap();
        assert_eq!(world.documents.writes(), 0);
    }

    #[test]
    fn the_number_of_sessions_is_bounded_and_the_oldest_goes_first() {
        let world = World::new();
        let sessions = world.open();
        let tokens: Vec<Token> = (0..=SESSIONS_MAX).map(|_| sessions.start(&[], noon()).unwrap()).collect();
        assert!(!sessions.is_live(&tokens[0], noon()));
        assert!(tokens[1..].iter().all(|token| sessions.is_live(token, noon())));
    }

    #[test]
    fn expired_sessions_leave_the_document() {
        let world = World::new();
        let sessions = world.open();
        let old = sessions.start(&[], noon()).unwrap();
        sessions.start(&[], after(noon(), i64::from(TTL_SECS))).unwrap();
        assert!(!world.documents.text().contains(&old.hash().to_hex()));
    }

    #[test]
    fn what_could_not_be_stored_did_not_happen() {
        let world = World::new();
        let sessions = world.open();
        let token = sessions.start(&[], noon()).unwrap();
        world.documents.set_full(true);
        assert!(sessions.start(std::slice::from_ref(&token), noon()).is_err());
        assert!(sessions.end(std::slice::from_ref(&token)).is_err());
        assert!(sessions.is_live(&token, noon()));
    }

    #[test]
    fn a_damaged_document_is_an_error_that_says_what_to_do() {
        for text in ["", "{", "[]", r#"{"sessions":[{"sha256":"00","expires_at_us":0}]}"#] {
            let world = World::new();
            world.documents.put("sessions", text);
            let documents: Arc<Memory> = Arc::clone(&world.documents);
            let error = Sessions::open(documents, Arc::new(Bytes::default()), TTL_SECS).err().unwrap().to_string();
            assert!(error.contains("`sessions` is damaged") && error.contains("log in again"), "{error}");
        }
    }
}
