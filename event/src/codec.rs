//! The bytes of an [`Event`] in the log: bincode behind a version that the record carries.
//!
//! This file is the only user of bincode, which is pinned because it is no longer maintained (RUSTSEC-2025-0141; its
//! 3.0.0 is a deliberate compile error). Standard configuration: little-endian, variable-length integers; a text is its
//! length and its bytes, an option is 0 or 1 and the value, in the order of the fields of `EventV1`.
//!
//! `EventV1` is frozen for ever, and golden files hold it to that. A change of [`Event`] adds `EventV2`, raises
//! [`BODY_VERSION`] and converts the older struct; bytes of an unknown version are an error, so that whoever reads a
//! log can keep and report them.
//!
//! [`decode`] takes any bytes: it allocates nothing before they are known to fit, validates every field into its
//! newtype, refuses what is left over, and never panics.

use bincode::{BorrowDecode, Encode};
use thiserror::Error;

use crate::{Amount, Currency, Event, EventId, EventName, Invalid, Props, SiteId, Timestamp, VisitorId};

/// The version that [`encode`] writes.
pub const BODY_VERSION: u8 = 1;
/// The longest body that is decoded. The log refuses longer ones too.
pub const BODY_BYTES_MAX: usize = 65_536;
/// The same bound in bincode's count, in which a number has its full width although it is written in fewer bytes.
const DECODED_BYTES_MAX: usize = 2 * BODY_BYTES_MAX;

/// Why bytes are no event.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// A newer program wrote the body.
    #[error("event body has version {version}, this program reads up to {BODY_VERSION}: upgrade the program")]
    UnknownVersion {
        /// The version of the record.
        version: u8,
    },
    /// The body is longer than any event.
    #[error("event body has {bytes} bytes, at most {BODY_BYTES_MAX} are possible")]
    TooLong {
        /// The length of the body.
        bytes: usize,
    },
    /// The bytes do not have the layout of the version.
    #[error("event body is not laid out as version {BODY_VERSION}: {0}")]
    Layout(#[from] bincode::error::DecodeError),
    /// The layout ends before the body does.
    #[error("event body has {bytes} bytes after its end")]
    Trailing {
        /// How many bytes are left over.
        bytes: usize,
    },
    /// A field does not obey its rule.
    #[error("event body is not valid: {0}")]
    Invalid(#[from] Invalid),
}

/// The body of `event`, in [`BODY_VERSION`].
pub fn encode(event: &Event) -> Vec<u8> {
    bincode::encode_to_vec(EventV1::from(event), configuration()).expect("text and integers always fit into a Vec")
}

/// Reads a body that a record holds in `version`.
pub fn decode(version: u8, body: &[u8]) -> Result<Event, DecodeError> {
    if version != BODY_VERSION {
        return Err(DecodeError::UnknownVersion { version });
    }
    if body.len() > BODY_BYTES_MAX {
        return Err(DecodeError::TooLong { bytes: body.len() });
    }
    let (event, used): (EventV1<'_>, usize) = bincode::borrow_decode_from_slice(body, configuration())?;
    match body.len().saturating_sub(used) {
        0 => Ok(event.try_into()?),
        bytes => Err(DecodeError::Trailing { bytes }),
    }
}

fn configuration() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<DECODED_BYTES_MAX>()
}

/// An event as version 1 lays it out. It borrows: encoding copies no text, and decoding copies it once, into the
/// newtypes.
#[derive(Encode, BorrowDecode)]
struct EventV1<'a> {
    site: &'a str,
    visitor: &'a str,
    timestamp_us: i64,
    name: &'a str,
    pathname: &'a str,
    hostname: Option<&'a str>,
    referrer: Option<&'a str>,
    referrer_source: Option<&'a str>,
    utm_source: Option<&'a str>,
    utm_medium: Option<&'a str>,
    utm_campaign: Option<&'a str>,
    utm_content: Option<&'a str>,
    utm_term: Option<&'a str>,
    browser: Option<&'a str>,
    browser_version: Option<&'a str>,
    os: Option<&'a str>,
    os_version: Option<&'a str>,
    device_type: Option<&'a str>,
    screen_size: Option<&'a str>,
    country_code: Option<&'a str>,
    region: Option<&'a str>,
    city: Option<&'a str>,
    props: Option<&'a str>,
    revenue_ten_thousandths: Option<i64>,
    revenue_currency: Option<&'a str>,
    event_id: &'a str,
    channel: Option<&'a str>,
    user_hash: Option<&'a str>,
    interactive: Option<bool>,
    time_rounded: Option<bool>,
}

impl<'a> From<&'a Event> for EventV1<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            site: event.site.as_str(),
            visitor: event.visitor.as_str(),
            timestamp_us: event.timestamp.micros(),
            name: event.name.as_str(),
            pathname: &event.pathname,
            hostname: event.hostname.as_deref(),
            referrer: event.referrer.as_deref(),
            referrer_source: event.referrer_source.as_deref(),
            utm_source: event.utm_source.as_deref(),
            utm_medium: event.utm_medium.as_deref(),
            utm_campaign: event.utm_campaign.as_deref(),
            utm_content: event.utm_content.as_deref(),
            utm_term: event.utm_term.as_deref(),
            browser: event.browser.as_deref(),
            browser_version: event.browser_version.as_deref(),
            os: event.os.as_deref(),
            os_version: event.os_version.as_deref(),
            device_type: event.device_type.as_deref(),
            screen_size: event.screen_size.as_deref(),
            country_code: event.country_code.as_deref(),
            region: event.region.as_deref(),
            city: event.city.as_deref(),
            props: event.props.as_ref().map(Props::as_str),
            revenue_ten_thousandths: event.revenue_amount.map(Amount::ten_thousandths),
            revenue_currency: event.revenue_currency.as_ref().map(Currency::as_str),
            event_id: event.event_id.as_str(),
            channel: event.channel.as_deref(),
            user_hash: event.user_hash.as_deref(),
            interactive: event.interactive,
            time_rounded: event.time_rounded,
        }
    }
}

impl TryFrom<EventV1<'_>> for Event {
    type Error = Invalid;

    fn try_from(body: EventV1<'_>) -> Result<Self, Invalid> {
        Ok(Self {
            site: SiteId::parse(body.site)?,
            visitor: VisitorId::parse(body.visitor)?,
            timestamp: Timestamp::from_micros(body.timestamp_us)?,
            name: EventName::parse(body.name)?,
            pathname: body.pathname.into(),
            hostname: body.hostname.map(Into::into),
            referrer: body.referrer.map(Into::into),
            referrer_source: body.referrer_source.map(Into::into),
            utm_source: body.utm_source.map(Into::into),
            utm_medium: body.utm_medium.map(Into::into),
            utm_campaign: body.utm_campaign.map(Into::into),
            utm_content: body.utm_content.map(Into::into),
            utm_term: body.utm_term.map(Into::into),
            browser: body.browser.map(Into::into),
            browser_version: body.browser_version.map(Into::into),
            os: body.os.map(Into::into),
            os_version: body.os_version.map(Into::into),
            device_type: body.device_type.map(Into::into),
            screen_size: body.screen_size.map(Into::into),
            country_code: body.country_code.map(Into::into),
            region: body.region.map(Into::into),
            city: body.city.map(Into::into),
            props: body.props.map(Props::parse).transpose()?,
            revenue_amount: body.revenue_ten_thousandths.map(Amount::from_ten_thousandths).transpose()?,
            revenue_currency: body.revenue_currency.map(Currency::parse).transpose()?,
            event_id: EventId::parse(body.event_id)?,
            channel: body.channel.map(Into::into),
            user_hash: body.user_hash.map(Into::into),
            interactive: body.interactive,
            time_rounded: body.time_rounded,
        })
    }
}
