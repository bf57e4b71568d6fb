//! Checks if this machine is suited for unattended agents: one line per thing, with a hint for each problem.
//!
//! Facts are gathered in one place and judged in pure functions. The checks change nothing.

mod check;
mod clock;
mod extra_roots;
mod file_system;
mod git;
mod leftovers;
mod machine;

use process::kernel_support::KernelSupport;
use tree::Tree;

pub use check::{Check, State};
pub use extra_roots::checks as extra_roots;
pub use file_system::ChangeDetection;
pub use git::check as git;

/// Makes all checks.
#[must_use]
pub fn check(tree: &Tree, detection: ChangeDetection) -> Vec<Check> {
    let mut checks = file_system::checks(tree, detection);
    checks.extend(machine::judge(&KernelSupport::look(), detection));
    checks.push(clock::check(tree));
    checks.extend(leftovers::checks(tree));
    checks
}
