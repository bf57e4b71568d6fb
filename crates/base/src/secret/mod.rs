//! Secrets: texts that are never printed, digests that stand for them, and new ones.

mod digest;
mod text;

pub use digest::{Digest, new_secret};
pub use text::Secret;
