//! The fuzzer's bytes read one by one as operations and operands. Behind the end all are zero.

#![allow(dead_code, reason = "each target reads what it needs")]

/// What is left of the input.
pub struct Input<'a>(pub &'a [u8]);

impl Input<'_> {
    /// Whether there is nothing left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// Two bytes.
    pub fn short(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// A number below `limit`, which is at least one.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::from(self.short()) % limit
    }

    /// Eight bytes as they are.
    pub fn word(&mut self) -> u64 {
        u64::from_be_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// A string: a number, a short text of which there are few, or a longer one.
    pub fn text(&mut self) -> Vec<u8> {
        let byte = self.byte();
        match byte % 6 {
            0 => (byte / 6).to_string().into_bytes(),
            1 => self.word().cast_signed().to_string().into_bytes(),
            2 => vec![b'a' + byte / 86, byte / 6],
            3 => vec![b'b'; usize::from(byte / 6)],
            4 => vec![b'c'; self.below(700)],
            _ => (0..byte / 24).map(|_| self.byte()).collect(),
        }
    }
}
