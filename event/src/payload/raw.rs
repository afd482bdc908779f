//! [`RawPayload`]: a payload whose fields are present and of the right type, and the rules they must pass to be one.

use std::borrow::Cow;
use std::fmt;

use serde_json::value::RawValue;
use smol_str::SmolStr;

use super::props::RawProps;
use super::trusted::{RawTrusted, Trusted};
use super::wire::Fields;
use super::{PageUrl, Payload, PayloadError, Trust, field, json, page};
use crate::text::without_controls;
use crate::{Amount, AmountError, Currency, EventId, EventName, SiteId};

const URL_BYTES_MAX: usize = 2048;
const REFERRER_BYTES_MAX: usize = 2048;

/// A payload after the first step. Its text borrows from the body.
pub struct RawPayload<'a> {
    pub(super) domain: Cow<'a, str>,
    pub(super) name: Cow<'a, str>,
    pub(super) url: Cow<'a, str>,
    pub(super) referrer: Option<Cow<'a, str>>,
    pub(super) screen_width: Option<u32>,
    pub(super) props: Option<RawProps<'a>>,
    /// A number that is out of range is a matter of the second step.
    pub(super) amount: Option<Result<Amount, PayloadError>>,
    pub(super) currency: Option<Cow<'a, str>>,
    pub(super) id: Option<Cow<'a, str>>,
    pub(super) interactive: Option<bool>,
    pub(super) hash_mode: bool,
    pub(super) trusted: RawTrusted<'a>,
}

impl<'a> RawPayload<'a> {
    /// Reads a JSON object: its syntax, then what is missing, then the types.
    pub fn parse(body: &'a [u8]) -> Result<Self, PayloadError> {
        let body = std::str::from_utf8(body).map_err(PayloadError::syntax)?;
        let fields = Fields::of(body)?;
        let domain = fields.domain.required(field::DOMAIN)?;
        let name = fields.name.required(field::NAME)?;
        let url = fields.url.required(field::URL)?;
        Ok(Self {
            domain: json::required_text(field::DOMAIN, domain)?,
            name: json::required_text(field::NAME, name)?,
            url: json::required_text(field::URL, url)?,
            referrer: fields.referrer.read(|value| json::required_text(field::REFERRER, value))?,
            screen_width: fields.screen_width.read(screen_width)?,
            props: fields.props.read(RawProps::of)?,
            amount: fields.amount.read(amount)?,
            currency: fields.currency.read(|value| json::required_text(field::CURRENCY, value))?,
            id: fields.id.read(|value| json::required_text(field::ID, value))?,
            interactive: fields.interactive.read(|value| json::boolean(field::INTERACTIVE, value))?,
            hash_mode: fields.hash_mode.read(|value| json::flag(field::HASH_MODE, value))?.unwrap_or(false),
            trusted: fields.trusted,
        })
    }

    /// Checks every value against its rule.
    pub fn validate(self, trust: Trust) -> Result<Payload, PayloadError> {
        let currency = self.currency.as_deref().map(Currency::parse).transpose();
        let id = self.id.as_deref().map(EventId::parse).transpose();
        let trusted = match trust {
            Trust::Anonymous => Trusted::default(),
            Trust::Keyed => self.trusted.validate()?,
        };
        Ok(Payload {
            site: site(&self.domain)?,
            name: EventName::parse(&self.name).map_err(PayloadError::refused(field::NAME))?,
            url: url(&self.url, self.hash_mode)?,
            referrer: self.referrer.as_deref().map(referrer).transpose()?.flatten(),
            screen_width: self.screen_width,
            props: self.props.map(RawProps::validate).transpose()?.flatten(),
            revenue_amount: self.amount.transpose()?,
            revenue_currency: currency.map_err(PayloadError::refused(field::CURRENCY))?,
            id: id.map_err(PayloadError::refused(field::ID))?,
            interactive: self.interactive,
            timestamp: trusted.timestamp,
            ip: trusted.ip,
            user_agent: trusted.user_agent,
            user_id: trusted.user_id,
        })
    }
}

/// No field: none is validated yet, and some are the visitor's.
impl fmt::Debug for RawPayload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawPayload").finish_non_exhaustive()
    }
}

fn screen_width(value: &RawValue) -> Result<u32, PayloadError> {
    let width = value.get().parse();
    width.map_err(|_| PayloadError::wrong_type(field::SCREEN_WIDTH, "must be a whole number of 0 to 4294967295"))
}

/// The amount of a number or a numeric string. The inner error is one of range.
fn amount(value: &RawValue) -> Result<Result<Amount, PayloadError>, PayloadError> {
    let text = json::text(value).unwrap_or(Cow::Borrowed(value.get()));
    match Amount::parse(&text) {
        Ok(amount) => Ok(Ok(amount)),
        Err(AmountError::OutOfRange) => {
            Ok(Err(PayloadError::invalid(field::AMOUNT, "must be finite and below 10000000000 in absolute value")))
        }
        Err(AmountError::NotANumber) => {
            Err(PayloadError::wrong_type(field::AMOUNT, "must be a number, or a string such as \"12.50\""))
        }
    }
}

fn site(domain: &str) -> Result<SiteId, PayloadError> {
    if domain.contains(',') {
        return Err(PayloadError::invalid(field::DOMAIN, "must be one site, not a list"));
    }
    SiteId::parse(domain).map_err(PayloadError::refused(field::DOMAIN))
}

fn url(text: &str, hash_mode: bool) -> Result<PageUrl, PayloadError> {
    if !(1..=URL_BYTES_MAX).contains(&text.len()) {
        return Err(PayloadError::invalid(field::URL, "must be 1 to 2048 bytes"));
    }
    if page::is_no_page(text) {
        return Err(PayloadError::invalid(
            field::URL,
            "must be the address of a page, not data:, javascript: or blob:",
        ));
    }
    Ok(PageUrl::parse(text, hash_mode))
}

fn referrer(text: &str) -> Result<Option<SmolStr>, PayloadError> {
    if text.len() > REFERRER_BYTES_MAX {
        return Err(PayloadError::invalid(field::REFERRER, "must be at most 2048 bytes"));
    }
    let text = without_controls(text);
    Ok((!text.is_empty()).then(|| text.into()))
}
