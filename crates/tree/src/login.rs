//! The credentials of pages in browsers: login codes that wait to be exchanged, and the keys that the pages received
//! for them.
//!
//! No credential is stored in clear: a code's file is named by the code's SHA-256, and a key is stored as its SHA-256.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Tree, error::Result, paths::top};
use base::{
    fsx::{RelPath, UnfinishedFile},
    names,
    record::{self, Record, Spelling},
};

/// `_daemon/login-codes/<SHA-256 of the code>.json`: a code that can be exchanged for one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LoginCode {
    /// Format version; 1.
    pub version: u64,
    /// The scope of the key: `read`, `run` or `admin`.
    pub scope: String,
    /// Time after which the code cannot be exchanged.
    pub expires_at: DateTime<Utc>,
    /// The key that requested the code over HTTP; absent if a process with write access to this file made it.
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
    /// Its name in logs.
    pub name: String,
    /// SHA-256 of the key, in hexadecimal digits.
    pub sha256: String,
    /// The scope of the key: `read`, `run` or `admin`.
    pub scope: String,
    /// Time from which the key is valid.
    pub created_at: DateTime<Utc>,
    /// Time until which the key is valid.
    pub expires_at: DateTime<Utc>,
    /// The configured key that it derives from. Once that key is removed or changed, this one is invalid.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub made_by: Option<MadeBy>,
}

/// A configured key from which another key derives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MadeBy {
    /// Its name.
    pub name: String,
    /// SHA-256 over the SHA-256 of the code and of the configured key, in hexadecimal digits. It shows if the
    /// configured key has changed.
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
    /// Stores a code, named by the hexadecimal digits of its SHA-256, so that it can be exchanged.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn offer_login(&self, sha256: &str, code: &LoginCode) -> Result<()> {
        self.root().ensure_dir(&codes())?;
        Ok(record::write(self.root(), &code_path(sha256), code)?)
    }

    /// Takes a code, so that no other process can; `None` if it does not exist, or another process was faster.
    ///
    /// # Errors
    /// If its record cannot be parsed.
    pub fn take_login(&self, sha256: &str) -> Result<Option<LoginCode>> {
        let path = code_path(sha256);
        let Some(code) = record::read(self.root(), &path)? else { return Ok(None) };
        Ok(self.root().remove(&path)?.then_some(code))
    }

    /// Returns true if the code still waits to be exchanged.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn login_waits(&self, sha256: &str) -> Result<bool> {
        Ok(self.root().exists(&code_path(sha256))?)
    }

    /// Writes a page for a browser that only this user can read, and returns its path.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn leave_login_page(&self, html: &str) -> Result<PathBuf> {
        let path = page_path();
        self.root().ensure_dir(&path.parent())?;
        self.root().replace(&path, html.as_bytes())?;
        Ok(self.root().absolute(&path))
    }

    /// Removes that page.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn remove_login_page(&self) -> Result<()> {
        self.root().remove(&page_path())?;
        Ok(())
    }

    /// Removes the codes that have expired, and files that are not codes.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn clear_logins(&self, now: DateTime<Utc>) -> Result<()> {
        for entry in self.root().list(&codes())? {
            // Another process is writing this file.
            if UnfinishedFile::of(&entry.name).is_some() {
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

    /// Returns the keys that pages in browsers hold.
    ///
    /// # Errors
    /// If the record cannot be parsed.
    pub fn browser_keys(&self) -> Result<Vec<BrowserKey>> {
        Ok(record::read::<BrowserKeys>(self.root(), &keys_path())?.unwrap_or_default().keys)
    }

    /// Stores the keys that pages in browsers hold.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn remember_browser_keys(&self, keys: Vec<BrowserKey>) -> Result<()> {
        self.root().ensure_dir(&top::daemon())?;
        Ok(record::write(self.root(), &keys_path(), &BrowserKeys { version: BrowserKeys::VERSION, keys })?)
    }
}
