//! The id of the request that is being answered: every log line it causes carries it, on whatever thread.
//!
//! A task-local and not a span: it costs a request two moves, where a span is allocated, formatted and filtered for a
//! line that is seldom written.

use hyper::header::HeaderValue;

tokio::task_local! {
    static CURRENT: HeaderValue;
}

/// Runs `future` as part of the request with this id.
pub(crate) fn scope<F: Future>(id: HeaderValue, future: F) -> impl Future<Output = F::Output> {
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
    CURRENT.try_with(|id| id.to_str().unwrap_or_default().to_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_works_for_a_request_knows_its_id() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let seen = runtime.block_on(scope(HeaderValue::from_static("r-1"), async {
            let elsewhere = std::thread::spawn(carry(current)).join().unwrap();
            (current(), elsewhere)
        }));
        assert_eq!(seen, (Some("r-1".to_owned()), Some("r-1".to_owned())));
        assert_eq!(current(), None);
    }
}
