//! What happens to files on their media, as steps of a script.

use mallard_wal::disk::sim::{SECTOR_BYTES, SimRng};

use crate::script::Script;

/// One file after the other: what is in them.
pub type Contents = Vec<Vec<u8>>;

/// A kind of damage, to a file given by its index and a position in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Bits of one byte.
    Flip(u8),
    /// A sector becomes zeros.
    Zero,
    /// A sector becomes noise.
    Noise(u8),
    /// A sector comes to hold what another one, of any file, holds: a write that went astray.
    Copy {
        /// The file it comes from.
        file: u8,
        /// The sector it comes from.
        sector: u8,
    },
    /// The file ends there.
    Cut,
    /// The sector cannot be read any more.
    Unreadable,
    /// The file is gone.
    Remove,
}

/// One kind of damage and where it strikes.
#[derive(Clone, Copy, Debug)]
pub struct Strike {
    /// What.
    pub damage: Damage,
    /// Which file.
    pub file: usize,
    /// Which byte; for sectors, any byte of it.
    pub at: usize,
}

impl Strike {
    /// The next step of a script, for these files; none at its end, or if the step hits nothing.
    pub fn parse(script: &mut Script<'_>, files: &Contents) -> Option<Self> {
        let damage = match script.step(8)? {
            0 | 1 => Damage::Flip(script.u8().max(1)),
            2 => Damage::Zero,
            3 => Damage::Noise(script.u8()),
            4 => Damage::Copy { file: script.u8(), sector: script.u8() },
            5 => Damage::Cut,
            6 => Damage::Unreadable,
            _ => Damage::Remove,
        };
        let file = usize::from(script.u8()).checked_rem(files.len())?;
        let at = usize::from(script.u16()).checked_rem(files.get(file)?.len())?;
        Some(Self { damage, file, at })
    }

    /// Does it. What is no change of bytes, [`Damage::Unreadable`] and [`Damage::Remove`], is the caller's.
    pub fn apply(&self, files: &mut Contents) {
        let replacement = self.replacement(files);
        let bytes = &mut files[self.file];
        match self.damage {
            Damage::Flip(mask) => bytes[self.at] ^= mask,
            Damage::Cut => bytes.truncate(self.at),
            _ => {
                let start = self.at / SECTOR_BYTES * SECTOR_BYTES;
                bytes[start..].iter_mut().zip(replacement).for_each(|(byte, new)| *byte = new);
            }
        }
    }

    /// What the sector comes to hold.
    fn replacement(&self, files: &Contents) -> Vec<u8> {
        match self.damage {
            Damage::Zero => vec![0; SECTOR_BYTES],
            Damage::Noise(seed) => {
                let mut noise = vec![0; SECTOR_BYTES];
                SimRng::new(seed.into()).fill(&mut noise);
                noise
            }
            Damage::Copy { file, sector } => {
                let from = &files[usize::from(file) % files.len()];
                let sectors: Vec<_> = from.chunks_exact(SECTOR_BYTES).collect();
                let index = usize::from(sector).checked_rem(sectors.len());
                index.map(|index| sectors[index].to_vec()).unwrap_or_default()
            }
            Damage::Flip(_) | Damage::Cut | Damage::Unreadable | Damage::Remove => Vec::new(),
        }
    }
}
