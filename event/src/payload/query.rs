//! The pixel: a payload as the parameters of a query.

use std::borrow::Cow;

use super::trusted::RawTrusted;
use super::{PayloadError, RawPayload, field};

const DEFAULT_NAME: &str = "pageview";

impl<'a> RawPayload<'a> {
    /// Reads the parameters `d`, `u`, `n`, `r`, `w` and `id`, already decoded; others are ignored.
    ///
    /// The last of two equal parameters wins, an empty one is absent, and without `n` the event is a pageview. Whatever
    /// is wrong is [`Invalid`](super::PayloadErrorKind::Invalid): the pixel knows no other status for it.
    pub fn from_query(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, PayloadError> {
        let mut found = Parameters::default();
        for (key, value) in parameters {
            found.offer(key, value);
        }
        Ok(Self {
            domain: required(field::DOMAIN, found.domain)?,
            name: Cow::Borrowed(found.name.unwrap_or(DEFAULT_NAME)),
            url: required(field::URL, found.url)?,
            referrer: found.referrer.map(Cow::Borrowed),
            screen_width: found.screen_width.map(screen_width).transpose()?,
            props: None,
            amount: None,
            currency: None,
            id: found.id.map(Cow::Borrowed),
            interactive: None,
            hash_mode: false,
            trusted: RawTrusted::default(),
        })
    }
}

#[derive(Default)]
struct Parameters<'a> {
    domain: Option<&'a str>,
    name: Option<&'a str>,
    url: Option<&'a str>,
    referrer: Option<&'a str>,
    screen_width: Option<&'a str>,
    id: Option<&'a str>,
}

impl<'a> Parameters<'a> {
    fn offer(&mut self, key: &str, value: &'a str) {
        if value.is_empty() {
            return;
        }
        match key {
            "d" => self.domain = Some(value),
            "n" => self.name = Some(value),
            "u" => self.url = Some(value),
            "r" => self.referrer = Some(value),
            "w" => self.screen_width = Some(value),
            "id" => self.id = Some(value),
            _ => {}
        }
    }
}

fn required<'a>(field: &'static str, value: Option<&'a str>) -> Result<Cow<'a, str>, PayloadError> {
    value.map(Cow::Borrowed).ok_or_else(|| PayloadError::invalid(field, "is missing"))
}

fn screen_width(text: &str) -> Result<u32, PayloadError> {
    let width = text.parse();
    width.map_err(|_| PayloadError::invalid(field::SCREEN_WIDTH, "must be a whole number of 0 to 4294967295"))
}
