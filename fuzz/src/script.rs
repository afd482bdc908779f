//! A script: steps of one byte and their operands, until the bytes end.
//!
//! Every string of bytes is a script, and a change of one byte is a change of one step. Operands that are missing at the
//! end are 0.

/// What is left of a script.
#[derive(Clone, Copy, Debug)]
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    /// A script from its first step.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next step, a number below `steps`; none at the end.
    pub fn step(&mut self, steps: u8) -> Option<u8> {
        (!self.0.is_empty()).then(|| self.u8() % steps)
    }

    /// An operand.
    pub fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// An operand of two bytes.
    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.u8(), self.u8()])
    }

    /// An operand with its length in front, in two bytes; what there is of it.
    pub fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.u16()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes
    }

    /// All that is left.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }
}
