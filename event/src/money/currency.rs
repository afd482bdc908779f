//! [`Currency`]: the code of a currency.

use crate::Invalid;
use crate::text::text_newtype;

const LETTERS: usize = 3;

text_newtype! {
    /// A currency by its three upper-case letters, such as `EUR`. Whether the code is assigned is not checked.
    Currency
}

impl Currency {
    /// Takes three ASCII letters of any case.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.len() == LETTERS && text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            Ok(Self(text.to_ascii_uppercase().into()))
        } else {
            Err(Invalid::new("currency", "must be exactly 3 letters such as EUR"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_is_three_letters_kept_in_upper_case() {
        for (accepted, stored) in [("EUR", "EUR"), ("usd", "USD"), ("gBp", "GBP")] {
            assert_eq!(Currency::parse(accepted).unwrap().as_str(), stored);
        }
        for refused in ["", "EU", "EURO", "E R", "€", "12A", "äö"] {
            let error = Currency::parse(refused).unwrap_err();
            assert_eq!(error.to_string(), "currency must be exactly 3 letters such as EUR", "{refused:?}");
        }
    }
}
