//! Checks if this machine is suited for unattended agents: one line per thing, with a hint for each problem.
//!
//! Facts are gathered in one place and judged in pure functions. The checks change nothing.

mod check;
mod clock;
mod extra_roots;
mod git;
mod leftovers;
mod machine;
mod place;

use process::abilities::Abilities;
use tree::Tree;

pub use check::{Check, State};
pub use extra_roots::checks as extra_roots;
pub use git::check as git;
pub use place::Noticing;

/// Makes all checks.
#[must_use]
pub fn check(tree: &Tree, noticing: Noticing) -> Vec<Check> {
    let mut checks = place::checks(tree, noticing);
    checks.extend(machine::judge(&Abilities::look(), noticing));
    checks.push(clock::check(tree));
    checks.extend(leftovers::checks(tree));
    checks
}
