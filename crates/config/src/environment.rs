//! The process environment, read once when the program starts. No other module reads it.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

/// A snapshot of the environment variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// Takes the snapshot of this process; for `main`.
    #[must_use]
    pub fn capture() -> Self {
        Self { variables: std::env::vars_os().collect() }
    }

    /// Returns the text of a variable; `None` if it is not set, is empty or is not UTF-8.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_os(name)?.to_str()
    }

    /// Returns the bytes of a variable; `None` if it is not set or empty.
    #[must_use]
    pub fn get_os(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|v| !v.is_empty())
    }

    /// Returns every variable, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// Returns the user's home folder.
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        self.get_os("HOME").map(PathBuf::from)
    }

    /// Replaces a leading `~` in the path by the home folder; `None` if that folder is unknown.
    #[must_use]
    pub fn expand(&self, path: &str) -> Option<PathBuf> {
        match path.strip_prefix('~') {
            Some("") => self.home(),
            Some(rest) if rest.starts_with('/') => Some(self.home()?.join(rest.trim_start_matches('/'))),
            _ => Some(Path::new(path).to_owned()),
        }
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self { variables: variables.into_iter().map(|(k, v)| (k.into(), v.into())).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_is_the_home_folder() {
        let environment = Environment::from_iter([("HOME", "/home/me"), ("EMPTY", "")]);
        for (path, expanded) in [
            ("~", "/home/me"),
            ("~/x", "/home/me/x"),
            ("~//x", "/home/me/x"),
            ("~me/x", "~me/x"),
            ("/x", "/x"),
        ] {
            assert_eq!(environment.expand(path), Some(PathBuf::from(expanded)), "{path}");
        }
        assert_eq!(Environment::default().expand("~/x"), None);
        assert_eq!(environment.get("EMPTY"), None);
    }
}
