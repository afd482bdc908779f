//! Revenue: [`Amount`], a decimal number that never was a binary float, and [`Currency`].

mod amount;
mod currency;

pub use amount::{Amount, AmountError};
pub use currency::Currency;
