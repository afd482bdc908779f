//! `control/`: small documents that must survive a restart (password hash, sessions, the day's salt) and `.secret`.
//!
//! A document is replaced as a whole and is durable when [`Control::store`] returns; a crash leaves the old or the new
//! one, never a mixture. Files are 0600. What a document says is its writer's business: bytes in, bytes out.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use mallard_wal::disk::{self, Env, durable};

use crate::error::{Error, IoContext};
use crate::layout::Layout;

/// Longest document, in bytes: they are read whole at start.
const DOCUMENT_BYTES_MAX: usize = 4 << 20;
/// Random bytes in a generated secret, written as hexadecimal text.
const SECRET_BYTES: usize = 32;
/// The shortest secret that is used, as for `MALLARD_SECRET`: a shorter one could be guessed.
const SECRET_BYTES_MIN: usize = 16;

/// Durable documents by name.
#[derive(Debug)]
pub struct Control {
    env: Env,
    layout: Layout,
    /// Replacements go through one temporary name per document; this keeps two writers of one document apart.
    writing: Mutex<()>,
}

impl Control {
    pub(crate) fn new(env: Env, layout: Layout) -> Self {
        Self { env, layout, writing: Mutex::new(()) }
    }

    /// The document called `name`, if it was ever stored.
    pub fn load(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path(name);
        match disk::read(self.env.disk.as_ref(), &path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).at(&path),
        }
    }

    /// Replaces the document called `name`; durable on return.
    pub fn store(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path(name);
        if bytes.len() > DOCUMENT_BYTES_MAX {
            let reason = format!("the document has {} bytes, at most {DOCUMENT_BYTES_MAX} are kept", bytes.len());
            return Err(Error::Refused { path, reason });
        }
        self.replace(&path, bytes)
    }

    /// Removes the document called `name`; one that does not exist is fine.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        let path = self.path(name);
        durable::remove(self.env.disk.as_ref(), &path).at(&path)
    }

    /// The secret of this data directory: generated at the first call, the same ever after.
    ///
    /// # Errors
    /// [`Error::Refused`] if the file holds no text, or less than 16 bytes of it.
    pub fn secret(&self) -> Result<String, Error> {
        let path = self.layout.secret();
        match disk::read(self.env.disk.as_ref(), &path) {
            Ok(bytes) => secret_from(&path, &bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => self.generate_secret(&path),
            Err(error) => Err(error).at(&path),
        }
    }

    /// Whether the secret of this data directory can be used, or will be made at the first call; makes none.
    pub fn has_usable_secret(&self) -> Result<bool, Error> {
        let path = self.layout.secret();
        match disk::read(self.env.disk.as_ref(), &path) {
            Ok(bytes) => Ok(secret_from(&path, &bytes).is_ok()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error).at(&path),
        }
    }

    /// The file of API keys that the original of this program has left, if there is one. What it says is its reader's business.
    pub fn original_keys(&self) -> Result<Option<Vec<u8>>, Error> {
        let path = self.layout.original_keys();
        match disk::read(self.env.disk.as_ref(), &path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).at(&path),
        }
    }

    /// Keeps that file as `api_keys.json.original`: it was read, and will not be again.
    pub fn retire_original_keys(&self) -> Result<(), Error> {
        let path = self.layout.original_keys();
        let kept = self.layout.root().join("api_keys.json.original");
        durable::publish(self.env.disk.as_ref(), &path, &kept).at(&path)
    }

    fn generate_secret(&self, path: &Path) -> Result<String, Error> {
        let mut random = [0; SECRET_BYTES];
        self.env.entropy.fill(&mut random);
        let secret = random.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        self.replace(path, secret.as_bytes())?;
        Ok(secret)
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // NOTE: not in `tmp/`, which maintenance empties while this may be going on.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let tmp = self.layout.control().join(format!("{name}.new"));
        durable::replace(self.env.disk.as_ref(), &tmp, path, bytes).at(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        debug_assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
        self.layout.control().join(name)
    }
}

fn secret_from(path: &Path, bytes: &[u8]) -> Result<String, Error> {
    let fault = match std::str::from_utf8(bytes).map(str::trim) {
        Ok("") | Err(_) => "it holds no text".to_owned(),
        Ok(secret) if secret.len() < SECRET_BYTES_MIN => {
            format!("it holds {} bytes, and a secret has at least {SECRET_BYTES_MIN}", secret.len())
        }
        Ok(secret) => return Ok(secret.to_owned()),
    };
    let remedy = "set MALLARD_SECRET, restore the file from a backup, or run `mallard-metrics repair`";
    Err(Error::Refused { path: path.to_owned(), reason: format!("{fault}; {remedy}") })
}
