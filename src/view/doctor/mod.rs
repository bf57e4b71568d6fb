//! Whether this machine is a good place for unattended agents: one line per thing, with a hint where it is not.
//!
//! Facts are gathered in one place and judged in pure functions. Nothing is changed by looking.

mod check;
mod clock;
mod git;
mod leftovers;
mod machine;
mod place;

use crate::{process::abilities::Abilities, tree::Tree};

pub use check::{Check, State};
pub use git::check as git;
pub use place::Noticing;

/// Looks at everything.
#[must_use]
pub fn check(tree: &Tree, noticing: Noticing) -> Vec<Check> {
    let mut checks = place::checks(tree, noticing);
    checks.extend(machine::judge(&Abilities::look(), noticing));
    checks.push(clock::check(tree));
    checks.extend(leftovers::checks(tree));
    checks
}
