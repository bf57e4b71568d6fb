//! What pages in browsers are let in by: codes that wait to be exchanged, and the keys that they were exchanged for.
//!
//! Neither stands here in clear: a code's file is named by its SHA-256, and a key is kept as its own.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Tree, error::Result, paths::top};
use crate::{
    fsx::{OnItsWay, RelPath},
    names,
    record::{self, Record, Spelling},
};

/// `_daemon/login-codes/<SHA-256 of the code>.json`: a code that is good for one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LoginCode {
    /// Format version; 1.
    pub version: u64,
    /// What the key will allow: `read`, `run` or `admin`.
    pub scope: String,
    /// Until when it may be exchanged.
    pub expires_at: DateTime<Utc>,
    /// The key that asked for it over HTTP; absent: whoever may write this file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub made_by: Option<MadeBy>,
}

/// `_daemon/browser-keys.json`: the keys that pages in browsers hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BrowserKeys {
    /// Format version; 1.
    pub version: u64,
    /// One entry per key.
    pub keys: Vec<BrowserKey>,
}

/// A key that a page in a browser holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BrowserKey {
    /// What logs call it.
    pub name: String,
    /// SHA-256 of the key, in hexadecimal digits.
    pub sha256: String,
    /// What it allows: `read`, `run` or `admin`.
    pub scope: String,
    /// Since when it has been good.
    pub created_at: DateTime<Utc>,
    /// Until when it is good.
    pub expires_at: DateTime<Utc>,
    /// The key behind it: once that is gone, or another, this one is worth nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub made_by: Option<MadeBy>,
}

/// A key of the configuration that stands behind another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MadeBy {
    /// Its name.
    pub name: String,
    /// SHA-256 over the SHA-256 of the code and of that key, in hexadecimal digits: tells whether it is still the same.
    pub seal: String,
    /// SHA-256 of the code.
    pub code_sha256: String,
}

impl Record for LoginCode {
    const SPELLING: Spelling = Spelling::Json;
}

impl Record for BrowserKeys {
    const SPELLING: Spelling = Spelling::Json;
}

fn codes() -> RelPath {
    top::daemon().join(names::top::LOGIN_CODES)
}

fn code_path(sha256: &str) -> RelPath {
    codes().join(format!("{sha256}.json"))
}

fn page_path() -> RelPath {
    top::daemon().join(names::top::LOGIN_PAGE)
}

fn keys_path() -> RelPath {
    top::daemon().join(names::top::BROWSER_KEYS)
}

impl Tree {
    /// Makes a code good, known by the hexadecimal digits of its SHA-256.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn offer_login(&self, sha256: &str, code: &LoginCode) -> Result<()> {
        self.root().ensure_dir(&codes())?;
        Ok(record::write(self.root(), &code_path(sha256), code)?)
    }

    /// Takes a code, so that nobody else does; `None` if it is not there, or somebody was quicker.
    ///
    /// # Errors
    /// If its record cannot be understood.
    pub fn take_login(&self, sha256: &str) -> Result<Option<LoginCode>> {
        let path = code_path(sha256);
        let Some(code) = record::read(self.root(), &path)? else { return Ok(None) };
        Ok(self.root().remove(&path)?.then_some(code))
    }

    /// Whether a code waits to be taken.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn login_waits(&self, sha256: &str) -> Result<bool> {
        Ok(self.root().exists(&code_path(sha256))?)
    }

    /// Leaves a page for a browser to read that only we may read, and returns where.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn leave_login_page(&self, html: &str) -> Result<PathBuf> {
        let path = page_path();
        self.root().ensure_dir(&path.parent())?;
        self.root().replace(&path, html.as_bytes())?;
        Ok(self.root().absolute(&path))
    }

    /// Takes that page away.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn remove_login_page(&self) -> Result<()> {
        self.root().remove(&page_path())?;
        Ok(())
    }

    /// Removes the codes that nobody took in time, and what is none.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn clear_logins(&self, now: DateTime<Utc>) -> Result<()> {
        for entry in self.root().list(&codes())? {
            // Somebody is writing it just now.
            if OnItsWay::of(&entry.name).is_some() {
                continue;
            }
            let path = codes().join(&entry.name);
            let code = record::read::<LoginCode>(self.root(), &path);
            if !matches!(code, Ok(Some(code)) if code.expires_at > now) {
                self.root().remove(&path)?;
            }
        }
        Ok(())
    }

    /// The keys that pages in browsers hold.
    ///
    /// # Errors
    /// If the record cannot be understood.
    pub fn browser_keys(&self) -> Result<Vec<BrowserKey>> {
        Ok(record::read::<BrowserKeys>(self.root(), &keys_path())?.unwrap_or_default().keys)
    }

    /// Writes down which keys pages in browsers hold.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn remember_browser_keys(&self, keys: Vec<BrowserKey>) -> Result<()> {
        self.root().ensure_dir(&top::daemon())?;
        Ok(record::write(self.root(), &keys_path(), &BrowserKeys { version: BrowserKeys::VERSION, keys })?)
    }
}
