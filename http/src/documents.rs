//! [`Documents`]: the few small things that must survive a restart, each a JSON document replaced as a whole.
//!
//! The engine keeps them under `control/` (0600; replaced atomically; durable when `store` returns). Here they are a
//! trait, so that the rules built on them can be tested in memory. Each carries its checksum. A document that cannot be read is an error that names
//! it, never an empty default: an unreadable password must not look like no password.

use std::error::Error as StdError;

use mallard_engine::Engine;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// A control document could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The store refused.
    #[error("control document `{name}`: {cause}")]
    Store {
        /// The document.
        name: &'static str,
        /// What the store said.
        cause: Box<dyn StdError + Send + Sync>,
    },
    /// It was read, and is not what this program writes.
    #[error(
        "control document `{name}` is damaged ({cause}); restore it from a backup, or let `mallard-metrics repair` set it aside: {consequence}"
    )]
    Damaged {
        /// The document.
        name: &'static str,
        /// Where it stops making sense. It never repeats what it says.
        cause: String,
        /// What removing it would mean.
        consequence: &'static str,
    },
}

/// Small durable documents by name.
pub trait Documents: Send + Sync {
    /// The document, if it was ever stored.
    fn load(&self, name: &'static str) -> Result<Option<Zeroizing<Vec<u8>>>, DocumentError>;
    /// Replaces the document; durable on return. Blocks.
    fn store(&self, name: &'static str, bytes: &[u8]) -> Result<(), DocumentError>;
    /// Removes the document; one that does not exist is fine. Durable on return. Blocks.
    fn remove(&self, name: &'static str) -> Result<(), DocumentError>;

    /// Whether the document was ever stored.
    fn exists(&self, name: &'static str) -> Result<bool, DocumentError> {
        self.load(name).map(|bytes| bytes.is_some())
    }

    /// The file of API keys that the original of this program has left, if there is one.
    fn original_keys(&self) -> Result<Option<Vec<u8>>, DocumentError> {
        Ok(None)
    }

    /// Gives that file another name. Durable on return. Blocks.
    fn retire_original_keys(&self) -> Result<(), DocumentError> {
        Ok(())
    }
}

impl DocumentError {
    /// Whether the document is there, and the device cannot read it.
    fn is_unreadable(&self) -> bool {
        let Self::Store { cause, .. } = self else { return false };
        cause.downcast_ref::<mallard_engine::Error>().is_some_and(mallard_engine::Error::is_unreadable)
    }
}

impl Documents for Engine {
    fn load(&self, name: &'static str) -> Result<Option<Zeroizing<Vec<u8>>>, DocumentError> {
        let bytes = self.control().load(name).map_err(|error| of_store(name, error))?;
        Ok(bytes.map(Zeroizing::new))
    }

    fn store(&self, name: &'static str, bytes: &[u8]) -> Result<(), DocumentError> {
        self.control().store(name, bytes).map_err(|error| of_store(name, error))
    }

    fn remove(&self, name: &'static str) -> Result<(), DocumentError> {
        self.control().remove(name).map_err(|error| of_store(name, error))
    }

    fn original_keys(&self) -> Result<Option<Vec<u8>>, DocumentError> {
        self.control().original_keys().map_err(|error| of_store("keys", error))
    }

    fn retire_original_keys(&self) -> Result<(), DocumentError> {
        self.control().retire_original_keys().map_err(|error| of_store("keys", error))
    }
}

fn of_store(name: &'static str, error: mallard_engine::Error) -> DocumentError {
    DocumentError::Store { name, cause: Box::new(error) }
}

/// One document: its name, and what is lost if an operator has to remove it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Document {
    pub(crate) name: &'static str,
    pub(crate) consequence: &'static str,
}

impl Document {
    /// Reads the document, if it exists.
    pub(crate) fn read<T: DeserializeOwned>(self, from: &dyn Documents) -> Result<Option<T>, DocumentError> {
        let loaded = from.load(self.name).map_err(|error| match error.is_unreadable() {
            true => self.damaged("the device cannot read it"),
            false => error,
        })?;
        let Some(bytes) = loaded else { return Ok(None) };
        let bytes = unsealed(bytes).ok_or_else(|| self.damaged("its checksum is another"))?;
        // The library's message may quote what it stumbled over, which may be a secret: only the place is told.
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| self.damaged(format!("line {}, column {}", error.line(), error.column())))?;
        Ok(Some(value))
    }

    /// Replaces the document. Blocks; durable on return.
    pub(crate) fn write(self, value: &impl Serialize, to: &dyn Documents) -> Result<(), DocumentError> {
        // Roomy from the start: a buffer that grows leaves a copy behind, and the salts of two days have 220 bytes.
        let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
        serde_json::to_writer(&mut *bytes, value).map_err(|error| self.damaged(error.to_string()))?;
        to.store(self.name, &sealed(&bytes))
    }

    /// Removes the document. Blocks; durable on return.
    pub(crate) fn remove(self, from: &dyn Documents) -> Result<(), DocumentError> {
        from.remove(self.name)
    }

    /// The document was read and makes no sense.
    pub(crate) fn damaged(self, cause: impl Into<String>) -> DocumentError {
        DocumentError::Damaged { name: self.name, cause: cause.into(), consequence: self.consequence }
    }
}

/// What a document with a checksum begins with; eight hexadecimal digits and [`SEAL_END`] follow.
const SEAL: &[u8] = b"{\"crc32\":\"";
const SEAL_END: &[u8] = b"\",";
const DIGITS: usize = 8;

/// The document, an object with fields, with its checksum as the first of them: the CRC-32 of every byte behind the comma.
fn sealed(document: &[u8]) -> Zeroizing<Vec<u8>> {
    let Some(fields) = document.strip_prefix(b"{").filter(|fields| *fields != b"}") else {
        return Zeroizing::new(document.to_vec());
    };
    let digits = format!("{:08x}", crc32fast::hash(fields));
    Zeroizing::new([SEAL, digits.as_bytes(), SEAL_END, fields].concat())
}

/// The document without its checksum; `None` if it is another's. Earlier versions wrote none.
fn unsealed(bytes: Zeroizing<Vec<u8>>) -> Option<Zeroizing<Vec<u8>>> {
    let Some((digits, rest)) = bytes.strip_prefix(SEAL).and_then(|rest| rest.split_at_checked(DIGITS)) else {
        return Some(bytes);
    };
    let fields = rest.strip_prefix(SEAL_END)?;
    let is_its_own = digits == format!("{:08x}", crc32fast::hash(fields)).as_bytes();
    is_its_own.then(|| Zeroizing::new([b"{", fields].concat()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::memory::Memory;
    use super::*;

    const DOCUMENT: Document = Document { name: "goals", consequence: "they are gone" };

    fn value() -> BTreeMap<String, u32> {
        [("last_id".to_owned(), 7), ("other".to_owned(), 8)].into()
    }

    #[test]
    fn a_document_has_a_checksum_and_one_without_is_read_too() {
        let documents = Memory::default();
        DOCUMENT.write(&value(), &documents).unwrap();
        assert_eq!(documents.text(), r#"{"crc32":"cdff2210","last_id":7,"other":8}"#);
        assert_eq!(DOCUMENT.read(&documents).unwrap(), Some(value()));
        documents.put("goals", r#"{"last_id":7,"other":8}"#);
        assert_eq!(DOCUMENT.read(&documents).unwrap(), Some(value()));
    }

    #[test]
    fn whichever_bit_of_a_document_flips_it_is_not_read_as_another() {
        let documents = Memory::default();
        DOCUMENT.write(&value(), &documents).unwrap();
        let sound = documents.text().into_bytes();
        for bit in 0..sound.len() * 8 {
            let mut bytes = sound.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let Ok(text) = String::from_utf8(bytes) else { continue };
            documents.put("goals", &text);
            let read = DOCUMENT.read::<BTreeMap<String, u32>>(&documents);
            assert!(matches!(read, Err(DocumentError::Damaged { .. })), "bit {bit}: {read:?}");
        }
    }
}

#[cfg(test)]
pub(crate) mod memory {
    //! Documents that live as long as the test, and can be told to fail.

    use std::collections::BTreeMap;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    pub(crate) struct Memory {
        documents: Mutex<BTreeMap<&'static str, Vec<u8>>>,
        is_full: AtomicBool,
        writes: AtomicUsize,
    }

    impl Memory {
        /// From now on (or no longer) nothing can be written.
        pub(crate) fn set_full(&self, is_full: bool) {
            self.is_full.store(is_full, Ordering::SeqCst);
        }

        /// How often something was written or removed.
        pub(crate) fn writes(&self) -> usize {
            self.writes.load(Ordering::SeqCst)
        }

        /// All documents as one text, to search for what must not be in it.
        pub(crate) fn text(&self) -> String {
            let documents = self.documents.lock().unwrap();
            documents.values().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
        }

        /// Puts `text` in place of a document.
        pub(crate) fn put(&self, name: &'static str, text: &str) {
            self.documents.lock().unwrap().insert(name, text.into());
        }

        fn change(&self, name: &'static str) -> Result<(), DocumentError> {
            if self.is_full.load(Ordering::SeqCst) {
                return Err(DocumentError::Store { name, cause: "no space left on device".into() });
            }
            self.writes.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    }

    impl Documents for Memory {
        fn load(&self, name: &'static str) -> Result<Option<Zeroizing<Vec<u8>>>, DocumentError> {
            Ok(self.documents.lock().unwrap().get(name).cloned().map(Zeroizing::new))
        }

        fn store(&self, name: &'static str, bytes: &[u8]) -> Result<(), DocumentError> {
            self.change(name)?;
            self.documents.lock().unwrap().insert(name, bytes.to_vec());
            Ok(())
        }

        fn remove(&self, name: &'static str) -> Result<(), DocumentError> {
            self.change(name)?;
            self.documents.lock().unwrap().remove(name);
            Ok(())
        }
    }
}
