//! Little-endian fields of fixed layouts, one after the other.
//!
//! [`Fields`] builds a layout of known size, [`Reader`] takes one apart. Neither knows what a field means; a layout is
//! the order of the calls.

/// A fixed layout under construction.
pub(crate) struct Fields<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Fields<N> {
    /// All zero, nothing put yet.
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; N], at: 0 }
    }

    /// Puts raw bytes after what is there; a layout larger than `N` is a bug of its author.
    pub(crate) fn put(&mut self, field: &[u8]) -> &mut Self {
        let end = self.at + field.len();
        self.bytes.get_mut(self.at..end).expect("a field lies inside its layout").copy_from_slice(field);
        self.at = end;
        self
    }

    /// Puts one byte.
    pub(crate) fn u8(&mut self, value: u8) -> &mut Self {
        self.put(&[value])
    }

    /// Puts two bytes.
    pub(crate) fn u16(&mut self, value: u16) -> &mut Self {
        self.put(&value.to_le_bytes())
    }

    /// Puts four bytes.
    pub(crate) fn u32(&mut self, value: u32) -> &mut Self {
        self.put(&value.to_le_bytes())
    }

    /// Puts eight bytes.
    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.put(&value.to_le_bytes())
    }

    /// Puts eight bytes.
    pub(crate) fn i64(&mut self, value: i64) -> &mut Self {
        self.put(&value.to_le_bytes())
    }

    /// Puts sixteen bytes.
    pub(crate) fn u128(&mut self, value: u128) -> &mut Self {
        self.put(&value.to_le_bytes())
    }

    /// Leaves zeros up to the last four bytes, which become the crc32 of everything before them.
    pub(crate) fn finish_with_crc(&mut self) -> [u8; N] {
        self.finish_with(crc32fast::hash)
    }

    /// The same, with a checksum of the caller's.
    pub(crate) fn finish_with(&mut self, checksum: impl FnOnce(&[u8]) -> u32) -> [u8; N] {
        let (body, crc) = self.bytes.split_last_chunk_mut::<4>().expect("a layout with a crc has room for it");
        assert!(self.at <= body.len(), "a field overlaps the crc of its layout");
        *crc = checksum(body).to_le_bytes();
        self.bytes
    }

    /// The layout, which must be full.
    pub(crate) fn finish(&self) -> [u8; N] {
        assert!(self.at == N, "a layout is not full");
        self.bytes
    }
}

/// The bytes of a layout that are not read yet.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    /// The next byte.
    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    /// The next two bytes.
    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// The next four bytes.
    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next eight bytes.
    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// The next eight bytes.
    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// The next sixteen bytes.
    pub(crate) fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }
}

/// Whether `bytes` ends in the crc32 of everything before its last four bytes.
pub(crate) fn ends_in_its_crc(bytes: &[u8]) -> bool {
    ends_in(bytes, crc32fast::hash)
}

/// The same, for a checksum of the caller's.
pub(crate) fn ends_in(bytes: &[u8], checksum: impl FnOnce(&[u8]) -> u32) -> bool {
    bytes.split_last_chunk::<4>().is_some_and(|(body, crc)| checksum(body) == u32::from_le_bytes(*crc))
}

/// Whether every byte is zero. Written as a fold, which the compiler turns into vector instructions; `all` it does not.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(4096).all(|chunk| chunk.iter().fold(0, |seen, byte| seen | byte) == 0)
}

/// The number of bytes up to and with the last one that is not zero.
pub(crate) fn used_len(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((head, tail)) = rest.split_last_chunk::<4096>() {
        if !is_zero(tail) {
            break;
        }
        rest = head;
    }
    rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_len_counts_up_to_the_last_byte_that_is_not_zero() {
        assert_eq!(used_len(&[]), 0);
        assert_eq!(used_len(&[0; 9000]), 0);
        for at in [0, 1, 4095, 4096, 4097, 8999] {
            let mut bytes = [0; 9000];
            bytes[at] = 1;
            assert_eq!(used_len(&bytes), at + 1);
            assert!(!is_zero(&bytes));
        }
    }

    #[test]
    fn a_layout_reads_back_in_the_order_it_was_put() {
        let mut fields = Fields::<43>::new();
        let bytes = fields.u8(1).u16(2).u32(3).u64(4).i64(-5).u128(6).finish_with_crc();
        assert!(ends_in_its_crc(&bytes));
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.u8(), Some(1));
        assert_eq!(reader.u16(), Some(2));
        assert_eq!(reader.u32(), Some(3));
        assert_eq!(reader.u64(), Some(4));
        assert_eq!(reader.i64(), Some(-5));
        assert_eq!(reader.u128(), Some(6));
        assert_eq!(reader.clone().u32(), Some(crc32fast::hash(&bytes[..39])));
        assert_eq!(reader.u64(), None);
    }
}
