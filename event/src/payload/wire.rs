//! [`Fields`]: the fields of a body under one roof, whichever vocabulary names them, still as raw text.

use serde_json::value::RawValue;

use super::trusted::RawTrusted;
use super::{PayloadError, field, json};

/// The fields of a body.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) domain: Slot<'a>,
    pub(super) name: Slot<'a>,
    pub(super) url: Slot<'a>,
    pub(super) referrer: Slot<'a>,
    pub(super) screen_width: Slot<'a>,
    pub(super) props: Slot<'a>,
    pub(super) amount: Slot<'a>,
    pub(super) currency: Slot<'a>,
    revenue: Slot<'a>,
    dollar: Slot<'a>,
    pub(super) id: Slot<'a>,
    pub(super) interactive: Slot<'a>,
    pub(super) hash_mode: Slot<'a>,
    pub(super) trusted: RawTrusted<'a>,
}

impl<'a> Fields<'a> {
    /// Reads the syntax of `body`, and that it is an object.
    pub(super) fn of(body: &'a str) -> Result<Self, PayloadError> {
        let mut fields = Self::default();
        json::for_each_pair(body, |key, value| fields.offer(&key, value)).map_err(|error| refusal(body, &error))?;
        let (revenue, dollar) = (fields.revenue, fields.dollar);
        fields.unfold(field::REVENUE, revenue, 1)?;
        fields.unfold(field::DOLLAR, dollar, 2)?;
        Ok(fields)
    }

    /// Takes one pair. The number ranks the forms of a field: the lowest that is present wins.
    fn offer(&mut self, key: &str, value: &'a RawValue) {
        match key {
            "d" => self.domain.offer(0, value),
            "domain" => self.domain.offer(1, value),
            "n" => self.name.offer(0, value),
            "name" => self.name.offer(1, value),
            "u" => self.url.offer(0, value),
            "url" => self.url.offer(1, value),
            "r" => self.referrer.offer(0, value),
            "referrer" => self.referrer.offer(1, value),
            "w" => self.screen_width.offer(0, value),
            "screen_width" => self.screen_width.offer(1, value),
            "p" => self.props.offer(0, value),
            "props" => self.props.offer(1, value),
            "m" => self.props.offer(2, value),
            "meta" => self.props.offer(3, value),
            "ra" => self.amount.offer(0, value),
            "rc" => self.currency.offer(0, value),
            "revenue" => self.revenue.offer(0, value),
            "$" => self.dollar.offer(0, value),
            "id" => self.id.offer(0, value),
            "i" => self.interactive.offer(0, value),
            "interactive" => self.interactive.offer(1, value),
            "h" => self.hash_mode.offer(0, value),
            "hashMode" => self.hash_mode.offer(1, value),
            _ => self.trusted.offer(key, value),
        }
    }

    /// Offers the amount and the currency of a revenue object.
    fn unfold(&mut self, field: &'static str, revenue: Slot<'a>, rank: u8) -> Result<(), PayloadError> {
        let Some(value) = revenue.value() else { return Ok(()) };
        json::for_each_pair(value.get(), |key, value| match key.as_ref() {
            "amount" => self.amount.offer(rank, value),
            "currency" => self.currency.offer(rank, value),
            _ => {}
        })
        .map_err(|_| PayloadError::wrong_type(field, "must be an object with amount and currency"))
    }
}

/// The best form of one field so far.
#[derive(Clone, Copy, Default)]
pub(super) struct Slot<'a>(Option<(u8, &'a RawValue)>);

impl<'a> Slot<'a> {
    /// Holds `value` unless a form of lower rank is held, or it is null.
    pub(super) fn offer(&mut self, rank: u8, value: &'a RawValue) {
        let is_outranked = self.0.is_some_and(|(held, _)| held < rank);
        if !is_outranked && value.get() != "null" {
            self.0 = Some((rank, value));
        }
    }

    pub(super) fn value(self) -> Option<&'a RawValue> {
        self.0.map(|(_, value)| value)
    }

    pub(super) fn required(self, field: &'static str) -> Result<&'a RawValue, PayloadError> {
        self.value().ok_or_else(|| PayloadError::missing(field))
    }

    /// Reads the value if there is one.
    pub(super) fn read<T>(
        self,
        read: impl FnOnce(&'a RawValue) -> Result<T, PayloadError>,
    ) -> Result<Option<T>, PayloadError> {
        self.value().map(read).transpose()
    }
}

/// Why `body` is no object: broken anywhere is a matter of syntax, whole but something else one of type.
fn refusal(body: &str, error: &serde_json::Error) -> PayloadError {
    if !error.is_data() {
        return PayloadError::syntax(error);
    }
    match serde_json::from_str::<&RawValue>(body) {
        Ok(_) => PayloadError::wrong_type(field::BODY, "must be a JSON object"),
        Err(error) => PayloadError::syntax(error),
    }
}
