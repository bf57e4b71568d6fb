//! The files of the browser UI that the build script put into the binary.

use std::{borrow::Cow, io::Read as _};

use flate2::read::GzDecoder;

/// By name, in its order; what ends with `.gz` stands for the file without it.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/ui_files.rs"));

/// A file as it was embedded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Embedded {
    /// As it is.
    Plain(&'static [u8]),
    /// Packed by gzip.
    Gzip(&'static [u8]),
}

/// Looks for a file by its path below `ui/dist`.
pub(super) fn find(name: &str) -> Option<Embedded> {
    let get = |name: &str| FILES.binary_search_by(|f| f.0.cmp(name)).ok().map(|at| FILES[at].1);
    let packed = get(&format!("{name}.gz")).map(Embedded::Gzip);
    packed.or_else(|| get(name).filter(|_| name.strip_suffix(".gz").is_none()).map(Embedded::Plain))
}

impl Embedded {
    /// Its bytes for a client that can read gzip, and whether they are packed.
    pub(super) fn compressed(self) -> (Cow<'static, [u8]>, bool) {
        match self {
            Self::Plain(bytes) => (bytes.into(), false),
            Self::Gzip(bytes) => (bytes.into(), true),
        }
    }

    /// Its bytes for everybody else.
    pub(super) fn plain(self) -> Cow<'static, [u8]> {
        match self {
            Self::Plain(bytes) => bytes.into(),
            Self::Gzip(bytes) => {
                let mut plain = Vec::new();
                // It was packed by the build; reading it into memory cannot fail.
                let _ = GzDecoder::new(bytes).read_to_end(&mut plain);
                plain.into()
            }
        }
    }
}
