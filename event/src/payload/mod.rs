//! What a client sends, on its way to an event.
//!
//! ```text
//!  bytes --RawPayload::parse--> RawPayload --validate--> Payload
//!          Syntax 400                        Invalid 400 (empty, over-long, ill-formed, out of range)
//!          Missing, WrongType 422
//! ```
//!
//! The two steps are apart because the server checks the origin between them. Both vocabularies are read, the short
//! names (`d`, `n`, `u`, ...) and Plausible's long ones; where both are present the short one wins. Unknown fields are
//! ignored, null is absent, the last of two equal keys wins, and half a surrogate pair becomes U+FFFD, because browsers
//! do send it. Nesting is scanned without recursion, or with a bounded one, so depth cannot exhaust the stack.
//!
//! An error names its field as the client knows it and never repeats the value. A payload may hold an address and a
//! user agent; the `Debug` of these types prints neither. What the fields mean together with headers and the clock is
//! `http`'s.

mod error;
mod field;
pub(crate) mod json;
mod page;
mod props;
mod query;
mod raw;
mod trusted;
mod wire;

use std::fmt;
use std::net::IpAddr;

pub use error::{PayloadError, PayloadErrorKind};
pub use page::{PageUrl, Utm, plain_parts};
pub use raw::RawPayload;
use smol_str::SmolStr;

use crate::{Amount, Currency, EventId, EventName, Props, SiteId, Timestamp};

/// Whether the sender showed a key that may write: only then are the trusted fields read, and refused if ill-formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Anybody: trusted fields are ignored, whatever they hold.
    Anonymous,
    /// A key with scope Ingest or Admin.
    Keyed,
}

/// A valid payload.
#[derive(Clone, PartialEq)]
pub struct Payload {
    /// The site.
    pub site: SiteId,
    /// What happened.
    pub name: EventName,
    /// Where it happened.
    pub url: PageUrl,
    /// The referrer as sent, without control characters; empty is absent.
    pub referrer: Option<SmolStr>,
    /// The width of the screen in pixels.
    pub screen_width: Option<u32>,
    /// Custom properties, cut to their bounds.
    pub props: Option<Props>,
    /// Revenue.
    pub revenue_amount: Option<Amount>,
    /// Currency of the revenue.
    pub revenue_currency: Option<Currency>,
    /// The client's id for the event.
    pub id: Option<EventId>,
    /// Whether the event is an interaction, if the client says.
    pub interactive: Option<bool>,
    /// Trusted: when it happened.
    pub timestamp: Option<Timestamp>,
    /// Trusted: the visitor's address; IPv4 in IPv6 is IPv4.
    pub ip: Option<IpAddr>,
    /// Trusted: the visitor's user agent, at most 1024 bytes.
    pub user_agent: Option<String>,
    /// Trusted: the site's own id of the user, 1 to 256 bytes.
    pub user_id: Option<String>,
}

/// Site and name only: the rest is the visitor's.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload").field("site", &self.site).field("name", &self.name).finish_non_exhaustive()
    }
}
