//! A path below a root. Its spelling guarantees that it stays there.

use std::{
    fmt,
    path::{Component, Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

/// A relative path of plain names: no `..`, no leading `/`, no NUL. It is never empty, except for [`RelPath::top`], the
/// root itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelPath(PathBuf);

/// A path that would leave its root, or is not a path at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a plain path below the root")]
pub struct BadRelPath(String);

impl RelPath {
    /// Returns the root itself.
    #[must_use]
    pub fn top() -> Self {
        Self(PathBuf::from("."))
    }

    /// Accepts a path that consists of plain names only.
    ///
    /// # Errors
    /// Rejects `..`, absolute paths, NUL bytes and the empty path.
    pub fn new(path: impl AsRef<Path>) -> Result<Self, BadRelPath> {
        let path = path.as_ref();
        let plain = path.components().all(|c| matches!(c, Component::Normal(_)));
        let nul = path.as_os_str().as_encoded_bytes().contains(&0);
        if plain && !nul && !path.as_os_str().is_empty() {
            Ok(Self(path.to_owned()))
        } else {
            Err(BadRelPath(path.to_string_lossy().into_owned()))
        }
    }

    /// Appends one name.
    ///
    /// # Panics
    /// If `name` is not one plain name. Callers pass constants and parsed ids.
    #[must_use]
    pub fn join(&self, name: impl AsRef<str>) -> Self {
        let name = name.as_ref();
        let mut parts = Path::new(name).components();
        let one = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
        assert!(one && !name.contains('\0'), "'{name}' is not one plain name");
        if self.0 == Path::new(".") { Self(PathBuf::from(name)) } else { Self(self.0.join(name)) }
    }

    /// Returns the path of `inner` relative to this folder.
    #[must_use]
    pub fn below(&self, inner: &Self) -> Self {
        match (self == &Self::top(), inner == &Self::top()) {
            (true, _) => inner.clone(),
            (_, true) => self.clone(),
            _ => Self(self.0.join(&inner.0)),
        }
    }

    /// Returns the folder that contains this path; the root for a single name.
    #[must_use]
    pub fn parent(&self) -> Self {
        match self.0.parent() {
            Some(p) if !p.as_os_str().is_empty() => Self(p.to_owned()),
            _ => Self::top(),
        }
    }

    /// Returns the last name of the path; `.` for the root.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.file_name().and_then(|n| n.to_str()).unwrap_or(".")
    }

    /// Returns the path in the form for the kernel, relative to the root.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

/// Serializes as text. [`RelPath::top`] has no text form, since a record that names a path below the root never means
/// the root itself.
impl Serialize for RelPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_str() {
            Some(".") => Err(ser::Error::custom("the root itself is not a path below the root")),
            Some(text) => serializer.serialize_str(text),
            None => Err(ser::Error::custom(format!("the path {self} is not UTF-8 text"))),
        }
    }
}

impl<'de> Deserialize<'de> for RelPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl FromStr for RelPath {
    type Err = BadRelPath;

    fn from_str(text: &str) -> Result<Self, BadRelPath> {
        Self::new(text)
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_pass() {
        for bad in ["", "..", "a/../b", "/a", "a\0b", "../x"] {
            assert!(RelPath::new(bad).is_err(), "{bad:?}");
        }
        let path = RelPath::new("a/b").unwrap();
        assert_eq!(path.parent(), RelPath::new("a").unwrap());
        assert_eq!(path.parent().parent(), RelPath::top());
        assert_eq!(RelPath::top().join("x").as_path(), Path::new("x"));
        assert_eq!(path.below(&path), RelPath::new("a/b/a/b").unwrap());
        assert_eq!((path.below(&RelPath::top()), RelPath::top().below(&path)), (path.clone(), path));
    }

    #[test]
    fn a_path_in_a_record_is_parsed_or_an_error() {
        let path = RelPath::new("p/t/STOP").unwrap();
        let text = serde_json::to_string(&path).unwrap();
        assert_eq!(text, r#""p/t/STOP""#);
        assert_eq!(serde_json::from_str::<RelPath>(&text).unwrap(), path);
        for bad in ["", ".", "..", "../STOP", "/STOP", "p/../../STOP", "a\0b"] {
            let error = serde_json::from_value::<RelPath>(bad.into()).unwrap_err().to_string();
            assert!(error.contains("is not a plain path below the root"), "{bad:?}: {error}");
        }
        assert!(serde_json::to_string(&RelPath::top()).is_err());
    }
}
