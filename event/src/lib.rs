//! What an event is: its vocabulary, its bytes, its columns.
//!
//! ```text
//!  wire bytes --payload--> Payload --(http enriches)--> Event --codec--> body of a log record
//!                                                       Stored = Event + LSN + arrival --columns--> Arrow batch
//! ```
//!
//! - The newtypes ([`SiteId`], [`EventName`], [`Timestamp`], ...) are parsed once, at the edge, and valid ever after:
//!   whoever holds one need not check again, and behind `site_id=` a [`SiteId::folder`] is safe in a path.
//! - [`codec`] owns the bytes of an event in the log, and is the only user of bincode.
//! - [`columns`] owns the one table of columns, in the order of the Parquet files.
//! - [`payload`] owns what clients send, in both vocabularies.
//!
//! Nothing here does I/O, reads a clock or enriches. An address or a user agent exists only in a [`payload::Payload`],
//! which does not print them; an [`Event`] has no place for either.

pub mod codec;
pub mod columns;
mod event;
mod id;
mod invalid;
mod money;
mod name;
pub mod payload;
mod props;
mod site;
mod subject;
mod text;
mod time;
mod visitor;

pub use event::{Event, Stored};
pub use id::EventId;
pub use invalid::Invalid;
pub use money::{Amount, AmountError, Currency};
pub use name::EventName;
pub use props::{Props, prop};
pub use site::SiteId;
pub use subject::{FINGERPRINT_BYTES, Subject};
pub use time::{Date, Timestamp};
pub use visitor::VisitorId;
