//! Little-endian integers and short texts, written to a vector and read back with every length checked.

/// The bytes end before the value does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut;

/// Reads from the front of a slice.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Cut> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(Cut)?;
        self.0 = rest;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Cut> {
        let (head, rest) = self.0.split_first_chunk().ok_or(Cut)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Cut> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Cut> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Cut> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Cut> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Cut> {
        self.array().map(i32::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, Cut> {
        self.array().map(i64::from_le_bytes)
    }
}

/// Appends to a vector.
pub(crate) trait Put {
    fn put(&mut self, bytes: &[u8]);

    /// A count of things that the program itself has made; more than `u32::MAX` of them do not fit in its memory.
    fn put_count(&mut self, count: usize) {
        let count = u32::try_from(count).expect("an edit holds fewer than 2^32 of anything");
        self.put(&count.to_le_bytes());
    }

    /// A text of less than 64 KiB, which every site id and every path is.
    fn put_text(&mut self, text: &str) {
        let length = u16::try_from(text.len()).expect("site ids and paths are shorter than 64 KiB");
        self.put(&length.to_le_bytes());
        self.put(text.as_bytes());
    }
}

impl Put for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}
