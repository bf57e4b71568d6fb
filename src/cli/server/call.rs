//! The context of every verb below `server`.

use super::client::Client;
use crate::cli::{context::Context, print::Form};

/// The context of every verb below `server`.
pub(super) struct Call<'a> {
    pub(super) client: Client,
    pub(super) context: &'a Context,
    pub(super) form: Form,
}
