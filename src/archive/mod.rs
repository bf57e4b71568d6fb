//! Bundles: a task as one file that can be given away, with its secrets masked.
//!
//! A bundle is a tar.gz of files below `<project>/<task>/`, as they lie in a tree, and a `manifest.json`. A secret
//! is overwritten in place, so every offset that a record names is still true. Who unpacks one trusts nothing in it.

mod manifest;
mod masked;
mod pack;
mod unpack;

pub use manifest::{BundledFile, LeftOut, Manifest};
pub use pack::{Selection, pack};
pub use unpack::{Bundle, BundleError, open};
