//! Bytes as lower-case hexadecimal text, and back.

/// Two digits per byte.
pub(crate) fn encode(bytes: &[u8]) -> String {
    // Sized at once: a text that grows leaves copies of what it held behind.
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.extend([byte >> 4, byte & 15].into_iter().filter_map(|digit| char::from_digit(u32::from(digit), 16)));
    }
    text
}

/// The bytes of exactly `2 * N` digits of either case.
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn digit(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_translate_both_ways() {
        assert_eq!(encode(&[0x00, 0x1f, 0xff]), "001fff");
        assert_eq!(decode::<3>("001fFF"), Some([0x00, 0x1f, 0xff]));
    }

    #[test]
    fn what_is_not_exactly_so_many_digits_is_refused() {
        for text in ["", "00", "001ff", "001fff0", "001fgg", "+01fff", "00 1ff", "é1fff"] {
            assert_eq!(decode::<3>(text), None, "{text}");
        }
    }
}
