//! The message that names a place to the next program: the content of a variable, JSON with a version.
//!
//! Version 1 lists listeners without names, and there is only one. Version 2 has their names. A program takes every
//! version up to its own, since a user updates from an older one; it refuses a newer one before it adopts anything.

use std::{collections::BTreeMap, os::fd::RawFd};

use serde::{Deserialize, Serialize};

use super::MAIN;

/// Variable that names the descriptors left open for the new program.
pub const VARIABLE: &str = "CONDUCTOR_HANDOFF";
/// The oldest version that this program takes.
pub const OLDEST: u64 = 1;
/// The version that this program writes, and the newest that it takes.
pub const NEWEST: u64 = 2;

/// The descriptors of a place, by their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// The listeners by name.
    pub(super) listeners: BTreeMap<String, RawFd>,
    pub(super) lock: RawFd,
    /// The wire to the guard; absent if the old program is put back.
    pub(super) guard: Option<RawFd>,
    /// The reason why the old program is put back.
    pub(super) put_back: Option<String>,
}

/// A message as it is written.
#[derive(Debug, Serialize, Deserialize)]
struct Spelled {
    #[serde(default = "first")]
    version: u64,
    listeners: Listeners,
    lock: RawFd,
    #[serde(skip_serializing_if = "Option::is_none")]
    guard: Option<RawFd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    put_back: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Listeners {
    Unnamed(Vec<RawFd>),
    Named(BTreeMap<String, RawFd>),
}

/// The part that every version has.
#[derive(Debug, Deserialize)]
struct Versioned {
    #[serde(default = "first")]
    version: u64,
}

/// Messages without a version are of this one.
const fn first() -> u64 {
    1
}

impl Message {
    /// Spells the message in the newest version.
    pub(super) fn spell(&self) -> String {
        let spelled = Spelled {
            version: NEWEST,
            listeners: Listeners::Named(self.listeners.clone()),
            lock: self.lock,
            guard: self.guard,
            put_back: self.put_back.clone(),
        };
        // Numbers and texts have a spelling.
        serde_json::to_string(&spelled).unwrap_or_default()
    }

    /// Parses a message of any known version.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let bad = |e: serde_json::Error| format!("{VARIABLE} is invalid: {e}");
        let Versioned { version } = serde_json::from_str(text).map_err(bad)?;
        if !(OLDEST..=NEWEST).contains(&version) {
            return Err(format!(
                "{VARIABLE} is a message of version {version}, and this program supports versions up to {NEWEST}: \
                 stop that daemon and start this one"
            ));
        }
        let Spelled { listeners, lock, guard, put_back, .. } = serde_json::from_str(text).map_err(bad)?;
        let listeners = match listeners {
            Listeners::Named(named) => named,
            Listeners::Unnamed(all) => all.into_iter().take(1).map(|fd| (MAIN.to_owned(), fd)).collect(),
        };
        Ok(Self { listeners, lock, guard, put_back })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listeners(named: &[(&str, RawFd)]) -> BTreeMap<String, RawFd> {
        named.iter().map(|(name, fd)| ((*name).to_owned(), *fd)).collect()
    }

    #[test]
    fn every_version_up_to_ours_is_taken() {
        let trial = Message { listeners: listeners(&[(MAIN, 3)]), lock: 4, guard: Some(5), put_back: None };
        let back = Message { put_back: Some("it hung".to_owned()), guard: None, ..trial.clone() };
        let several = Message { listeners: listeners(&[(MAIN, 3), ("orbitdock", 6)]), ..trial.clone() };
        // Version 1, as the program of commit 2494e7a writes it.
        for (text, message) in [
            (r#"{"listeners":[3],"lock":4,"guard":5}"#, &trial),
            (r#"{"listeners":[3],"lock":4,"put_back":"it hung"}"#, &back),
            (r#"{"version":2,"listeners":{"main":3},"lock":4,"guard":5}"#, &trial),
        ] {
            assert_eq!(Message::parse(text).as_ref(), Ok(message), "{text}");
        }
        for message in [trial, back, several] {
            assert_eq!(Message::parse(&message.spell()), Ok(message));
        }
    }

    #[test]
    fn a_newer_message_is_refused() {
        for text in
            [r#"{"version":3}"#, r#"{"version":3,"listeners":{"main":3},"lock":4}"#, r#"{"version":0}"#]
        {
            assert!(Message::parse(text).unwrap_err().contains("supports versions up to 2"), "{text}");
        }
        assert!(Message::parse("3").unwrap_err().contains("is invalid"));
    }

    /// The program of commit 2494e7a reads a message like this, and ends on any error.
    #[test]
    fn the_first_version_does_not_misread_ours() {
        #[derive(Debug, Deserialize)]
        struct Left {
            #[expect(dead_code, reason = "the test only checks that parsing succeeds")]
            listeners: Vec<RawFd>,
        }
        let ours = Message { listeners: listeners(&[(MAIN, 3)]), lock: 4, guard: Some(5), put_back: None };
        assert!(serde_json::from_str::<Left>(&ours.spell()).is_err());
    }
}
