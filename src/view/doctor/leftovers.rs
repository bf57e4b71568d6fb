//! What crashes have left in the tree, as `fsck` finds it.

use super::check::Check;
use crate::{
    tree::Tree,
    view::fsck::{self, Severity},
};

pub(super) fn check(tree: &Tree) -> Check {
    let name = "leftovers";
    let report = match fsck::check(tree) {
        Ok(report) => report,
        Err(e) => {
            return Check::fail(
                name,
                format!("the tree cannot be read: {e}"),
                "look at the rights of its folders",
            );
        }
    };
    let count = |severity| report.findings.iter().filter(|f| f.severity == severity).count();
    judge(count(Severity::Error), count(Severity::Mendable))
}

fn judge(errors: usize, mendable: usize) -> Check {
    let name = "leftovers";
    match (errors, mendable) {
        (0, 0) => Check::ok(name, "the tree is as it should be"),
        (0, n) => Check::warn(name, format!("{n} findings that can be mended"), "run-agent fsck --repair"),
        (n, _) => Check::fail(name, format!("{n} findings that a person has to look at"), "run-agent fsck"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::doctor::State;

    #[test]
    fn what_needs_a_person_is_a_failure() {
        for (errors, mendable, state) in [(0, 0, State::Ok), (0, 2, State::Warn), (1, 2, State::Fail)] {
            assert_eq!(judge(errors, mendable).state, state);
        }
    }
}
