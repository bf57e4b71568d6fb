//! The only access to the file system: every open, write, rename and lock of this project goes through this module,
//! below one [`Root`], with the path in every error.
//!
//! There are four ways of writing:
//!
//! - [`Root::replace`]: a reader sees either the old file or the new one; [`Root::batch`] does this for several
//!   files.
//! - [`Root::publish`]: the first writer wins.
//! - [`Root::append`]: whole lines under a lock.
//! - [`Root::mark`]: an empty file that exists or not.
//!
//! The `tree` module defines the meaning of the files.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "the lints recommend this module")]

mod append;
mod atomic;
mod batch;
mod copy;
mod error;
mod further;
mod group_sync;
mod holder;
mod kind;
mod lines;
mod lock;
mod new_file;
mod program;
mod rc_file;
mod read;
mod rel;
mod reserve;
mod root;
mod shown;
mod socket;
mod space;
pub mod steps;
mod together;

pub use append::Tail;
pub use atomic::{Published, UnfinishedFile, Unnamed};
pub use batch::Batch;
pub use copy::{Scratch, open_outside};
pub use error::{FsError, FsErrorKind, Result};
pub use holder::Holder;
pub use kind::{Folder, if_file, set_aside_from};
pub use lines::{Line, LineReader, PassedLines};
pub use lock::{Lock, LockAttempt};
pub use new_file::NewFile;
pub use program::{ProgramFile, exchange_program, exists_outside, program_permissions, remove_outside};
pub use rc_file::replace_outside;
pub use read::{
    Entry, EntryKind, ReadFile, Stat, read_outside, read_regular_outside, resolve, usable_folder,
};
pub use rel::{BadRelPath, RelPath};
pub use reserve::Reserved;
pub use root::{Durability, Root, is_remote_outside};
pub use socket::{SocketName, listen_at};
