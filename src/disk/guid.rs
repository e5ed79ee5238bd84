//! Identities as Microsoft's and VirtualBox's formats store them.

use std::fmt;

/// An identity; on disk its first three parts are little-endian numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Guid(pub(super) [u8; 16]);

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([a, b, c, d, e, g, h, i, rest @ ..]) = self;
        write!(f, "{d:02x}{c:02x}{b:02x}{a:02x}-{g:02x}{e:02x}-{i:02x}{h:02x}")?;
        rest.iter().enumerate().try_for_each(|(at, byte)| match at {
            0 | 2 => write!(f, "-{byte:02x}"),
            _ => write!(f, "{byte:02x}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_parts_are_numbers() {
        let bytes =
            [0x66, 0x77, 0xc2, 0x2d, 0x23, 0xf6, 0x00, 0x42, 0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08];
        assert_eq!(Guid(bytes).to_string(), "2dc27766-f623-4200-9d64-115e9bfd4a08");
    }
}
