//! Ids of requests, derived from the commands that cause them: UUIDs of version 5 (RFC 9562, section 5.5).
//!
//! A driver that takes over computes the same id, so it recognizes a request that was sent before, and so does the agent.

use std::fmt::Write as _;

use sha1::{Digest as _, Sha1};

/// The namespace of these ids, which is random.
const NAMESPACE: [u8; 16] =
    [0x6f, 0x0c, 0x1d, 0x54, 0x9a, 0x1b, 0x4e, 0x0e, 0x8d, 0x2a, 0x31, 0xc7, 0x5b, 0xe4, 0x70, 0x93];

/// Returns the id for a command of a session. Another session's command of the same name has another id, because a
/// conversation can contain another one that it was forked from.
pub(crate) fn of_command(session: &str, key: &str) -> String {
    version_5(&NAMESPACE, &format!("{session}\n{key}"))
}

fn version_5(namespace: &[u8; 16], name: &str) -> String {
    let digest = Sha1::new().chain_update(namespace).chain_update(name).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_5() {
        // The example of RFC 9562, appendix A.4: the namespace of names of hosts.
        let hosts =
            [0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8];
        assert_eq!(version_5(&hosts, "www.example.com"), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    }

    #[test]
    fn the_same_command_has_the_same_id_and_no_other_has() {
        let id = of_command("p/t", "c1");
        assert_eq!(id, of_command("p/t", "c1"));
        assert_ne!(id, of_command("p/t", "c2"));
        assert_ne!(id, of_command("p/u", "c1"));
    }
}
