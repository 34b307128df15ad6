//! Digests as WARC writes them: the algorithm's name, a colon, and base32 without padding (RFC 4648 6).

use std::fmt;

use sha1::{Digest as _, Sha1};
use sha2::Sha256;

/// How records are digested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DigestKind {
    /// What all tools read, and by which captures are found to be the same.
    #[default]
    Sha1,
    /// For archives that must stand up to forgery.
    Sha256,
}

/// The digest of a block or a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Digest {
    Sha1([u8; 20]),
    Sha256([u8; 32]),
}

impl DigestKind {
    /// The digest of all parts, one behind the other.
    pub(super) fn of(self, parts: &[&[u8]]) -> Digest {
        match self {
            Self::Sha1 => {
                let hasher = parts.iter().fold(Sha1::new(), Sha1::chain_update);
                Digest::Sha1(hasher.finalize().into())
            }
            Self::Sha256 => {
                let hasher = parts.iter().fold(Sha256::new(), Sha256::chain_update);
                Digest::Sha256(hasher.finalize().into())
            }
        }
    }
}

impl Digest {
    /// In base32, without the name of the algorithm.
    pub(super) fn base32(&self) -> String {
        match self {
            Self::Sha1(bytes) => base32(bytes),
            Self::Sha256(bytes) => base32(bytes),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if matches!(self, Self::Sha1(_)) { "sha1" } else { "sha256" };
        write!(f, "{name}:{}", self.base32())
    }
}

fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for group in bytes.chunks(5) {
        let mut bits = [0; 8];
        bits[3..3 + group.len()].copy_from_slice(group);
        let bits = u64::from_be_bytes(bits);
        let letters = (group.len() * 8).div_ceil(5);
        text.extend((0..letters).map(|place| char::from(LETTERS[(bits >> (35 - 5 * place)) as usize & 31])));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_rfc_4648_without_padding() {
        for (plain, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
        ] {
            assert_eq!(base32(plain.as_bytes()), text);
        }
        assert_eq!(base32(b"foobar"), "MZXW6YTBOI");
    }

    #[test]
    fn the_digests_of_nothing_are_the_known_ones() {
        assert_eq!(DigestKind::Sha1.of(&[]).to_string(), "sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ");
        let long = DigestKind::Sha256.of(&[b"a", b"", b"bc"]).to_string();
        assert_eq!(long, DigestKind::Sha256.of(&[b"abc"]).to_string());
        assert_eq!(long.len(), "sha256:".len() + 52);
    }
}
