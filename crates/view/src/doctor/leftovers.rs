//! Reports remains of crashes in the tree, as `fsck` finds them.

use super::check::Check;
use crate::fsck::{self, Finding, Rule, Severity};
use tree::Tree;

/// Maximum number of files that are named one by one.
const NAMED: usize = 30;

pub(super) fn checks(tree: &Tree) -> Vec<Check> {
    let report = match fsck::check(tree) {
        Ok(report) => report,
        Err(e) => {
            let what = format!("the tree cannot be read: {e}");
            return vec![Check::fail("leftovers", what, "check the permissions of its folders")];
        }
    };
    let count = |severity| report.findings.iter().filter(|f| f.severity == severity).count();
    let mut checks = vec![judge(count(Severity::Error), count(Severity::Mendable))];
    checks.extend(files(&report.findings));
    checks
}

/// Reports each unreadable file by name.
fn files(findings: &[Finding]) -> Vec<Check> {
    let name = "file";
    let unreadable = |f: &&Finding| {
        matches!(f.rule, Rule::CorruptRecord | Rule::NewerRecord | Rule::Unreadable | Rule::BusGarbage)
    };
    let broken: Vec<&Finding> = findings.iter().filter(unreadable).collect();
    let named = broken.iter().take(NAMED).map(|f| {
        let what = format!("{} {}", f.path.display(), f.what);
        match f.severity {
            Severity::Error => Check::fail(name, what, f.hint),
            Severity::Mendable | Severity::Note => Check::warn(name, what, f.hint),
        }
    });
    let more = broken.len().saturating_sub(NAMED);
    let rest = (more > 0).then(|| Check::fail(name, format!("and {more} more files"), "run-agent fsck"));
    named.chain(rest).collect()
}

fn judge(errors: usize, mendable: usize) -> Check {
    let name = "leftovers";
    match (errors, mendable) {
        (0, 0) => Check::ok(name, "no problems found"),
        (0, 1) => Check::warn(name, "1 finding that can be repaired", "run-agent fsck --repair"),
        (0, n) => Check::warn(name, format!("{n} findings that can be repaired"), "run-agent fsck --repair"),
        (n, _) => Check::fail(name, format!("{n} findings that need your decision"), "run-agent fsck"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    #[test]
    fn what_needs_a_person_is_a_failure() {
        for (errors, mendable, state) in [(0, 0, State::Ok), (0, 2, State::Warn), (1, 2, State::Fail)] {
            assert_eq!(judge(errors, mendable).state, state);
        }
    }
}
