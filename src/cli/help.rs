//! `run-agent --help`: the verbs in groups, which clap would list as one.

use std::fmt::Write as _;

use clap::Command;

/// The groups of the verbs, in the order in which a user needs them.
const GROUPS: [(&str, &[&str]); 7] = [
    ("Run agents", &["job", "task", "monitor", "wrap"]),
    ("Talk to agents", &["session", "send", "approvals", "approve", "deny"]),
    ("See what happens", &["list", "status", "why", "watch", "output", "diff", "bus"]),
    ("Stop and continue", &["stop", "resume", "drive"]),
    ("Keep, check and share runs", &["replay", "bundle", "gc", "fsck", "import"]),
    ("Run the daemon and the page", &["serve", "ui", "server", "service"]),
    (
        "Set up this machine",
        &["validate", "doctor", "config", "shell-setup", "completions", "man", "version"],
    ),
];

/// The end of the help page.
pub(super) const AFTER: &str = "\
`run-agent VERB --help` explains a verb and shows examples. Inside a run, an agent needs no flags to name its own project, \
task and run.

Examples:
  run-agent validate
  run-agent job --agent claude --prompt 'Fix the failing tests' --follow
  run-agent task --agent codex --prompt-file task.md --max-restarts 5
  run-agent status
  run-agent ui";

/// The template of the help page; clap fills in everything except the list of verbs.
pub(super) fn template(verbs: &Command) -> String {
    let mut text = "{about}\n\n{usage-heading} {usage}\n".to_owned();
    for (heading, names) in GROUPS {
        let _ = write!(text, "\n{heading}:\n");
        for name in names {
            let about = verbs.find_subcommand(name).and_then(Command::get_about);
            let _ = writeln!(text, "  {name:<11}  {}", about.cloned().unwrap_or_default());
        }
    }
    text + "\nOptions:\n{options}{after-help}"
}
