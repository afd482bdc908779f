//! The id of the request that is being answered: every log line it causes carries it, on whatever thread.
//!
//! A task-local and not a span: it costs a request two moves, where a span is allocated, formatted and filtered for a
//! line that is seldom written. An id of ours is its text and nothing on the heap.

use hyper::header::HeaderValue;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// What a request is called.
#[derive(Clone, Debug)]
pub(crate) enum RequestId {
    /// By its sender.
    Given(HeaderValue),
    /// By us.
    Made([u8; Hyphenated::LENGTH]),
}

impl RequestId {
    /// A new one. It has to be unique, not unguessable, so it is spared the system call.
    pub(crate) fn random() -> Self {
        let mut text = [0; Hyphenated::LENGTH];
        let id = uuid::Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid();
        Uuid::hyphenated(id).encode_lower(&mut text);
        Self::Made(text)
    }

    /// As a header has it.
    pub(crate) fn into_header(self) -> HeaderValue {
        match self {
            Self::Given(value) => value,
            Self::Made(text) => HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("none")),
        }
    }
}

/// Runs `future` as part of the request with this id.
pub(crate) fn scope<F: Future>(id: RequestId, future: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(id, future)
}

/// `work` as part of the current request, for another thread.
pub(crate) fn carry<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let id = CURRENT.try_get();
    move || match id {
        Ok(id) => CURRENT.sync_scope(id, work),
        Err(_) => work(),
    }
}

/// The id of the current request, if there is one.
pub(crate) fn current() -> Option<String> {
    let id = CURRENT.try_get().ok()?.into_header();
    Some(id.to_str().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_works_for_a_request_knows_its_id() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let id = RequestId::Given(HeaderValue::from_static("r-1"));
        let seen = runtime.block_on(scope(id, async {
            let elsewhere = std::thread::spawn(carry(current)).join().unwrap();
            (current(), elsewhere)
        }));
        assert_eq!(seen, (Some("r-1".to_owned()), Some("r-1".to_owned())));
        assert_eq!(current(), None);
    }

    #[test]
    fn an_id_of_ours_is_a_random_uuid() {
        let text = || RequestId::random().into_header().to_str().unwrap().to_owned();
        assert_eq!(Uuid::parse_str(&text()).unwrap().get_version_num(), 4);
        assert_ne!(text(), text());
    }
}
