//! `faces`: which APIs of other systems there are, and where each of them listens.

use std::{collections::BTreeMap, path::PathBuf};

use super::section::Section;

/// The names of the faces that take an address.
const LISTENING: [&str; 4] = ["agent_runtime", "codex_harness", "command_center", "orbitdock"];

/// APIs of other systems.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faces {
    /// The faces that are configured, by name.
    pub configured: BTreeMap<&'static str, Face>,
    /// The API of the original Conductor Loop.
    pub conductor_loop: bool,
}

/// The settings of one face.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Face {
    /// Host and port of its own listener.
    pub listen: Option<String>,
    /// The file with the key that is good on that listener only; absolute.
    pub key_file: Option<PathBuf>,
}

/// Reads `faces`. Unknown names, and unknown settings of a face, are errors.
pub(super) fn faces(mut section: Section<'_, '_>) -> Faces {
    let mut faces = Faces::default();
    for name in LISTENING {
        let there = section.has(name);
        let below = section.section(name);
        // The settings of a face that is not configured are no spelling that another key could have meant.
        if there {
            faces.configured.insert(name, face(below));
        }
    }
    faces.conductor_loop = section.find("conductor_loop").unwrap_or_default();
    section.finish();
    faces
}

fn face(mut section: Section<'_, '_>) -> Face {
    let listen = section.find::<Option<String>>("listen").flatten();
    if listen.as_deref().is_some_and(|address| !is_address(address)) {
        let key = section.key("listen");
        section.reader.reject(&key, "must be a host and a port, such as 127.0.0.1:8765");
    }
    let key_file = section.find_path("key_file").map(|(path, _)| path);
    section.finish();
    Face { listen, key_file }
}

fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port() {
        for (text, is) in [
            ("127.0.0.1:8765", true),
            ("localhost:1", true),
            ("[::1]:4000", true),
            ("127.0.0.1", false),
            (":80", false),
            ("host:", false),
            ("host:70000", false),
            ("", false),
        ] {
            assert_eq!(is_address(text), is, "{text}");
        }
    }
}
