//! New secrets, and the part of a secret that is kept: its SHA-256, compared in constant time.

use std::fmt::Write as _;

use rustix::rand::{GetRandomFlags, getrandom};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

use super::text::Secret;

/// Random bytes in a secret.
const BYTES: usize = 32;

/// The SHA-256 of a secret. The time of a comparison depends neither on the first difference nor on the secrets' lengths.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Returns the digest of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Returns the digest of two digests: it proves both, and reveals neither.
    #[must_use]
    pub fn seal(self, other: Self) -> Self {
        Self(Sha256::new().chain_update(self.0).chain_update(other.0).finalize().into())
    }

    /// Returns its hexadecimal digits.
    #[must_use]
    pub fn hex(self) -> String {
        hex(&self.0)
    }

    /// Reads a digest from its hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (n, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Digest {}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digest")
    }
}

/// Makes a new secret: `<kind>_` and 64 hexadecimal digits.
///
/// # Errors
/// If the machine has no random bytes to give.
pub fn new_secret(kind: &str) -> std::io::Result<Secret> {
    let mut bytes = [0; BYTES];
    let mut filled = 0;
    while filled < bytes.len() {
        filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty())?;
    }
    Ok(Secret::new(format!("{kind}_{}", hex(&bytes))))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_its_text() {
        let abc = Digest::of("abc");
        assert_eq!(abc.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Digest::from_hex(&abc.hex()), Some(abc));
        for bad in ["", "ba", &"g".repeat(64), &"ü".repeat(32)] {
            assert_eq!(Digest::from_hex(bad), None, "{bad}");
        }
        assert_ne!(abc, Digest::of("abd"));
        assert_ne!(abc.seal(Digest::of("d")), Digest::of("abcd"));
        assert_eq!(format!("{abc:?}"), "Digest");
    }

    #[test]
    fn no_secret_is_made_twice() {
        let (a, b) = (new_secret("x").unwrap(), new_secret("x").unwrap());
        assert!(a.expose().starts_with("x_") && a.expose().len() == 66, "{}", a.expose());
        assert_ne!(a, b);
    }
}
