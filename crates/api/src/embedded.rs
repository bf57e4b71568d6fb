//! The files of the browser UI that the build script embedded in the binary.

use std::{borrow::Cow, io::Read as _};

use flate2::read::GzDecoder;

/// Sorted by name. A name that ends with `.gz` stands for the file without that ending.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/ui_files.rs"));

/// An embedded file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Embedded {
    /// Uncompressed.
    Plain(&'static [u8]),
    /// Compressed by gzip.
    Gzip(&'static [u8]),
}

/// Finds a file by its path below `ui/dist`.
pub(super) fn find(name: &str) -> Option<Embedded> {
    let get = |name: &str| FILES.binary_search_by(|f| f.0.cmp(name)).ok().map(|at| FILES[at].1);
    let packed = get(&format!("{name}.gz")).map(Embedded::Gzip);
    packed.or_else(|| get(name).filter(|_| name.strip_suffix(".gz").is_none()).map(Embedded::Plain))
}

impl Embedded {
    /// Returns the bytes for a client that accepts gzip, and true if they are compressed.
    pub(super) fn compressed(self) -> (Cow<'static, [u8]>, bool) {
        match self {
            Self::Plain(bytes) => (bytes.into(), false),
            Self::Gzip(bytes) => (bytes.into(), true),
        }
    }

    /// Returns the bytes for all other clients.
    pub(super) fn plain(self) -> Cow<'static, [u8]> {
        match self {
            Self::Plain(bytes) => bytes.into(),
            Self::Gzip(bytes) => {
                let mut plain = Vec::new();
                // The build compressed this; reading it into memory cannot fail.
                let _ = GzDecoder::new(bytes).read_to_end(&mut plain);
                plain.into()
            }
        }
    }
}
