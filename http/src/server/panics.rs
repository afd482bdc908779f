//! A panic of a handler is an answer, too: without this its connection would just end, and nobody would count it.
//!
//! What a handler shares with others is behind locks that a panic does not leave unusable (each takes the value out of a
//! poisoned lock), or is the engine's, which has an answer of its own for a thread that panicked.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use crate::error::ApiError;

/// What `handler` answers; [`ApiError::Internal`] with the message if it panics.
pub(super) async fn caught<T>(handler: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    let mut handler = pin!(handler);
    poll_fn(move |context| {
        // IMPORTANT: after a panic it is not polled again.
        let polled = catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(context)));
        polled.unwrap_or_else(|panic| Poll::Ready(Err(ApiError::Internal(describe(panic.as_ref())))))
    })
    .await
}

fn describe(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the handler panicked: {}", text.unwrap_or("without a message"))
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn a_handler_that_panics_is_answered_with_500_and_its_message_goes_to_the_log_alone() {
        let at_once = caught::<()>(async { panic!("nothing is there") }).await;
        let later = caught::<()>(async {
            yield_now().await;
            let number = 7;
            panic!("number {number}")
        })
        .await;
        for (answer, cause) in [(at_once, "nothing is there"), (later, "number 7")] {
            let error = answer.unwrap_err();
            assert!(matches!(&error, ApiError::Internal(text) if text.ends_with(cause)), "{error:?}");
            assert_eq!(error.status(), StatusCode::INTERNAL_SERVER_ERROR);
            let shown = String::from_utf8(error.into_response().body().bytes().to_vec()).unwrap();
            assert_eq!(shown, r#"{"error":"Internal server error"}"#);
        }
    }

    #[tokio::test]
    async fn any_other_answer_passes_as_it_is() {
        assert_eq!(caught(async { Ok(7) }).await.unwrap(), 7);
        let refused = caught::<()>(async {
            yield_now().await;
            Err(ApiError::NotFound)
        });
        assert!(matches!(refused.await, Err(ApiError::NotFound)));
    }
}
