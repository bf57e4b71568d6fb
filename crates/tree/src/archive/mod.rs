//! Bundles: a task as one file that can be given to others, with its secrets masked.
//!
//! A bundle is a tar.gz of files below `<project>/<task>/`, as in a tree, and a `manifest.json`. A secret is
//! overwritten in place, so every offset in a record stays valid. The code that unpacks a bundle trusts nothing in it.

mod manifest;
mod masked;
mod pack;
mod unpack;

pub use manifest::{BundledFile, LeftOut, Manifest};
pub use pack::{Selection, pack};
pub use unpack::{Bundle, BundleError, open};
