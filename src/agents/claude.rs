//! How Claude Code is called: `claude -p`, the prompt on stdin, one JSON object a line on stdout.
//!
//! Flags and variables as `claude --help` of 2.1 and <https://code.claude.com/docs/en/cli-reference> have them. Without
//! `--dangerously-skip-permissions` a tool that nobody has allowed in Claude's own settings is denied, and the run goes on.

use super::request::{Call, PlanFor, User};
use crate::config::Permissions;

pub(super) fn call(of: &PlanFor<'_>) -> Call {
    let mut call = Call::of(&["-p", "--output-format", "stream-json", "--verbose"]);
    if of.settings.permissions == Permissions::Bypass {
        call.args(&["--dangerously-skip-permissions"]);
        if of.user == User::Root {
            // It refuses root all permissions unless it is told that it is shut in: exit code 1 otherwise.
            call.variable("IS_SANDBOX", "1");
        }
    }
    call.flag("--model", of.model);
    call.flag("--resume", of.resume);
    if let Some(url) = &of.settings.base_url {
        call.variable("ANTHROPIC_BASE_URL", url);
    }
    call.args.extend(of.settings.args.iter().cloned());
    call
}
