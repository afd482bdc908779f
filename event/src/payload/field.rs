//! The fields of a payload by the names that errors give them: the short name, and the long one in brackets.

pub(super) const BODY: &str = "body";
pub(super) const DOMAIN: &str = "d (domain)";
pub(super) const NAME: &str = "n (name)";
pub(super) const URL: &str = "u (url)";
pub(super) const REFERRER: &str = "r (referrer)";
pub(super) const SCREEN_WIDTH: &str = "w (screen_width)";
pub(super) const PROPS: &str = "p (props)";
pub(super) const REVENUE: &str = "revenue";
pub(super) const DOLLAR: &str = "$ (revenue)";
pub(super) const AMOUNT: &str = "ra (revenue.amount)";
pub(super) const CURRENCY: &str = "rc (revenue.currency)";
pub(super) const ID: &str = "id";
pub(super) const INTERACTIVE: &str = "i (interactive)";
pub(super) const HASH_MODE: &str = "h (hashMode)";
pub(super) const TIMESTAMP: &str = "timestamp";
pub(super) const IP: &str = "ip";
pub(super) const USER_AGENT: &str = "user_agent";
pub(super) const USER_ID: &str = "user_id";
