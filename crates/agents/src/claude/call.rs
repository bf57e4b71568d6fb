//! The call of Claude Code: `claude -p`, the prompt on stdin, one JSON object per line on stdout.
//!
//! Flags and variables as in `claude --help` of 2.1 and <https://code.claude.com/docs/en/cli-reference>. Without
//! `--dangerously-skip-permissions` a tool that Claude's own settings do not allow is denied, and the run continues.

use crate::request::{Call, PlanFor, PromptSource, User};
use config::Permissions;

/// The variable that tells Claude that it runs in a sandbox.
pub(super) const IS_SANDBOX: &str = "IS_SANDBOX";

pub(super) fn call(of: &PlanFor<'_>) -> Call {
    let mut call = Call::of(&["-p", "--output-format", "stream-json", "--verbose"]);
    if of.settings.permissions == Permissions::Bypass {
        call.args(&["--dangerously-skip-permissions"]);
        if of.user == User::Root {
            // Otherwise it refuses root all permissions, with exit code 1.
            call.variable(IS_SANDBOX, "1");
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

/// The arguments of a conversation: messages on standard input, and requests for what a person has to allow.
///
/// The mode is set at each start, because a resumed conversation has the mode of its settings otherwise.
pub(super) fn converse(of: &PlanFor<'_>) -> Call {
    let mut call = call(of);
    call.prompt = PromptSource::Messages;
    call.args(&[
        "--input-format",
        "stream-json",
        "--include-partial-messages",
        "--replay-user-messages",
        "--permission-prompt-tool",
        "stdio",
    ]);
    if of.settings.permissions != Permissions::Bypass {
        call.args(&["--permission-mode", "manual"]);
    }
    call
}

#[cfg(test)]
mod tests {
    use crate::{
        User,
        testing::{ask, asks, everything, url},
    };
    use tree::kinds::Protocol;

    #[test]
    fn it_is_called() {
        let claude = || ask("claude");
        let plain = "/bin/true -p --output-format stream-json --verbose";
        let bypass = format!("{plain} --dangerously-skip-permissions");
        claude().is(&bypass, &[]);
        claude().with(|a| a.user = User::Root).is(&bypass, &[("IS_SANDBOX", "1")]);
        claude().with(asks).with(|a| a.user = User::Root).is(plain, &[]);
        claude().with(everything).is(&format!("{bypass} --model m --resume id-1 --more x"), &[]);
        claude().with(url).is(&bypass, &[("ANTHROPIC_BASE_URL", "http://127.0.0.1:1/v1")]);
        claude().comes_from("@anthropic-ai/claude-code");
    }

    #[test]
    fn it_is_called_for_a_conversation() {
        let claude = || ask("claude").with(|a| a.protocol = Protocol::ClaudeStream);
        let plain = "/bin/true -p --output-format stream-json --verbose";
        let messages = "--input-format stream-json --include-partial-messages --replay-user-messages \
                        --permission-prompt-tool stdio";
        claude().is(&format!("{plain} --dangerously-skip-permissions {messages}"), &[]);
        let asking = format!("{plain} --resume id-1 {messages} --permission-mode manual");
        claude().with(asks).with(|a| a.resume = Some("id-1")).is(&asking, &[]);
        let refused = ask("gemini").with(|a| a.protocol = Protocol::ClaudeStream).plan(None).unwrap_err();
        let words = "agent 'a' holds no conversation in the protocol 'claude-stream'";
        assert_eq!(refused.to_string(), words);
    }
}
