//! [`Shelf`]: a control document that is read all the time and changed now and then, as a whole.
//!
//! Readers take the copy in memory and never wait for the disk. A change is made to a copy of it, written durably, and only
//! then seen. What the document says, and its bounds, are its owner's: goals, funnels, segments.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::spawn_blocking;

use crate::documents::{Document, DocumentError, Documents};
use crate::error::ApiError;
use crate::request_id;

/// One document, as `B`.
pub(crate) struct Shelf<B> {
    document: Document,
    documents: Arc<dyn Documents>,
    book: RwLock<Arc<B>>,
    /// One change at a time.
    changing: Mutex<()>,
}

impl<B: Clone + Default + DeserializeOwned + Serialize + Send + Sync + 'static> Shelf<B> {
    /// Reads the document; without one, the default.
    pub(crate) fn open(document: Document, documents: Arc<dyn Documents>) -> Result<Arc<Self>, DocumentError> {
        let book = RwLock::new(Arc::new(document.read(documents.as_ref())?.unwrap_or_default()));
        Ok(Arc::new(Self { document, documents, book, changing: Mutex::new(()) }))
    }

    /// What the document says.
    pub(crate) fn book(&self) -> Arc<B> {
        Arc::clone(&self.book.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes it. Blocks; durable on return. An error of `change` leaves everything as it was.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut B) -> Result<T, ApiError>) -> Result<T, ApiError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = B::clone(&self.book());
        let result = change(&mut changed)?;
        self.document.write(&changed, self.documents.as_ref()).map_err(ApiError::internal)?;
        *self.book.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(changed);
        Ok(result)
    }

    /// The same on a thread that may block, for a request.
    pub(crate) async fn change_apart<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut B) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let this = Arc::clone(self);
        spawn_blocking(request_id::carry(move || this.change(change))).await.map_err(ApiError::internal)?
    }
}

impl<B> std::fmt::Debug for Shelf<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf").field("document", &self.document).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::memory::Memory;

    const DOCUMENT: Document = Document { name: "goals", consequence: "" };

    #[test]
    fn what_could_not_be_written_or_was_refused_is_not_seen_and_the_rest_survives() {
        let documents = Arc::new(Memory::default());
        let open = || Shelf::<Vec<u64>>::open(DOCUMENT, Arc::clone(&documents) as Arc<dyn Documents>).unwrap();
        let add = |shelf: &Shelf<Vec<u64>>, number| {
            shelf.change(|book| {
                book.push(number);
                Ok(())
            })
        };
        let shelf = open();
        add(&shelf, 1).unwrap();
        documents.set_full(true);
        assert!(add(&shelf, 2).is_err());
        documents.set_full(false);
        let refused = shelf.change(|book| {
            book.clear();
            Err::<(), _>(ApiError::NotFound)
        });
        assert!(refused.is_err());
        assert_eq!([shelf.book().to_vec(), open().book().to_vec()], [[1], [1]]);
    }
}
