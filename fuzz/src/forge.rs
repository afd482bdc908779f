//! Makes the checksums of a segment file right, whatever is in it: what comes after them is then what is tested.
//!
//! Written from `docs/format.md`, not from the program.

use crate::STORE_ID;

const PAGE: usize = 4096;
const FRAME_HEADER: usize = 80;

/// Which checksums are made right.
#[derive(Clone, Copy, Debug)]
pub struct Forge {
    /// Those of records.
    pub records: bool,
    /// What a SEAL says of the file before it.
    pub seals: bool,
    /// Those of payloads.
    pub payloads: bool,
    /// The chain from frame to frame.
    pub chain: bool,
    /// Those of frame headers.
    pub frames: bool,
    /// That of the header page, whose store also becomes the right one.
    pub page: bool,
}

impl Forge {
    /// One bit each.
    pub fn from_bits(bits: u8) -> Self {
        let bit = |number: u8| bits >> number & 1 == 1;
        Self { records: bit(0), seals: bit(1), payloads: bit(2), chain: bit(3), frames: bit(4), page: bit(5) }
    }

    /// Makes them right, as far as the bytes look like frames at all.
    pub fn apply(self, file: &mut [u8]) {
        if file.len() < PAGE {
            return;
        }
        if self.page {
            file[16..32].copy_from_slice(&STORE_ID.to_le_bytes());
            end_in(&mut file[..PAGE], crc32fast::hash);
        }
        let align = usize::try_from(u32_at(file, 12)).unwrap_or(0);
        let align = if align.is_power_of_two() && (512..=PAGE).contains(&align) { align } else { 512 };
        let mut chain = u32_at(file, PAGE - 4);
        let mut at = PAGE;
        while at + FRAME_HEADER <= file.len() {
            at += match self.frame(file, at, &mut chain) {
                Some(length) => length.next_multiple_of(align),
                None => align,
            };
        }
    }

    /// The frame at a position; returns its length if there is one.
    fn frame(self, file: &mut [u8], at: usize, chain: &mut u32) -> Option<usize> {
        if !file[at..].starts_with(b"MWF\x01") {
            return None;
        }
        let length = FRAME_HEADER + usize::try_from(u32_at(file, at + 8)).ok()?;
        let (before, rest) = file.split_at_mut(at);
        let (header, payload) = rest.get_mut(..length)?.split_at_mut(FRAME_HEADER);
        match header[4] {
            1 if self.records => records(payload),
            3 if self.seals && payload.len() >= 52 => {
                put(payload, 44, crc32fast::hash(before));
                put(payload, 48, *chain);
            }
            _ => {}
        }
        if self.payloads {
            put(header, 56, crc32fast::hash(payload));
        }
        if self.chain {
            put(header, 52, *chain);
        }
        if self.frames {
            end_in(header, tagged);
        }
        let link = [&header[52..56], &header[76..80], &header[56..60]].concat();
        *chain = crc32fast::hash(&link);
        Some(length)
    }
}

/// The records of a payload, as far as their lengths lie inside it.
fn records(payload: &mut [u8]) {
    let mut rest = payload;
    while rest.len() >= 44 {
        let length = usize::try_from(u32_at(rest, 0)).unwrap_or(usize::MAX).saturating_add(4);
        if length < 44 || length > rest.len() {
            return;
        }
        let (record, behind) = rest.split_at_mut(length);
        end_in(record, tagged);
        rest = behind;
    }
}

/// A checksum that is continued over the store's tag.
pub fn tagged(bytes: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(bytes);
    crc.update(&crc32fast::hash(&STORE_ID.to_le_bytes()).to_le_bytes());
    crc.finalize()
}

/// Makes the last four bytes the checksum of those before.
pub fn end_in(bytes: &mut [u8], checksum: fn(&[u8]) -> u32) {
    let end = bytes.len() - 4;
    put(bytes, end, checksum(&bytes[..end]));
}

/// A field of four bytes.
pub fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}
