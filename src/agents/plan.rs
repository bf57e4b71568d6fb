//! The command line of an agent: its program, and what its adapter puts behind it.

use std::path::{Path, PathBuf};

use super::{
    chat_call, claude, codex,
    find::{AgentError, program},
    gemini, opencode,
    request::{AgentCommand, Call, LONGEST_ARGUMENT, PlanFor, PromptSource},
};
use crate::config::{AgentType, PromptDelivery};

/// Builds the command of an agent. With `prompt` (its file, its words) absent it is only checked that it could be built.
///
/// # Errors
/// If the program is missing, none is given, or a prompt is too long to be an argument.
pub fn plan(of: &PlanFor<'_>, prompt: Option<(&Path, &str)>) -> Result<AgentCommand, AgentError> {
    if of.settings.agent_type != AgentType::Command && !of.command.is_empty() {
        return as_given(of);
    }
    if let Some(problem) = &of.settings.token_problem {
        return Err(AgentError::BadToken { problem: problem.clone() });
    }
    let call = match of.settings.agent_type {
        AgentType::Command => return plan_command(of, prompt),
        AgentType::Demo => Call { args: of.settings.args.clone(), ..Call::default() },
        AgentType::Claude => claude::call(of),
        AgentType::Codex => codex::call(of),
        AgentType::Gemini => gemini::call(of),
        AgentType::Opencode => opencode::call(of),
        AgentType::Perplexity | AgentType::Xai => chat_call::call(of),
    };
    let mut argv = leading(of)?;
    argv.extend(call.args);
    Ok(AgentCommand { argv, prompt: PromptSource::Stdin, env: call.env, file: call.file })
}

/// The program with what stands between it and its adapter's arguments: `agents.NAME.command`, else the usual one.
fn leading(of: &PlanFor<'_>) -> Result<Vec<String>, AgentError> {
    let agent_type = of.settings.agent_type;
    let (name, rest): (&str, Vec<String>) = match of.settings.command.split_first() {
        Some((name, rest)) => (name, rest.to_vec()),
        None => match agent_type {
            AgentType::Demo => return Ok(vec![text(of.own_program), "demo-agent".to_owned()]),
            AgentType::Perplexity | AgentType::Xai => {
                let api = ["chat-agent", "--api", agent_type.as_str()].map(str::to_owned);
                return Ok(std::iter::once(text(of.own_program)).chain(api).collect());
            }
            _ => (agent_type.as_str(), Vec::new()),
        },
    };
    let program = program(of.agent, agent_type, name, of.path, of.cwd)?;
    Ok(std::iter::once(text(&program)).chain(rest).collect())
}

fn plan_command(of: &PlanFor<'_>, prompt: Option<(&Path, &str)>) -> Result<AgentCommand, AgentError> {
    let command = if of.command.is_empty() { &of.settings.command } else { of.command };
    let Some((name, rest)) = command.split_first() else {
        return Err(AgentError::NoCommand { agent: of.agent.to_owned() });
    };
    let mut argv = vec![text(&program(of.agent, AgentType::Command, name, of.path, of.cwd)?)];
    argv.extend(rest.iter().chain(&of.settings.args).cloned());
    let delivery = of.settings.prompt;
    if let Some((file, words)) = prompt {
        match delivery {
            PromptDelivery::Stdin => {}
            PromptDelivery::File => argv.push(text(file)),
            PromptDelivery::Arg if words.len() >= LONGEST_ARGUMENT => {
                return Err(AgentError::PromptTooLong { agent: of.agent.to_owned(), bytes: words.len() });
            }
            PromptDelivery::Arg => argv.push(words.to_owned()),
        }
    }
    let prompt = match delivery {
        PromptDelivery::Stdin => PromptSource::Stdin,
        PromptDelivery::File | PromptDelivery::Arg => PromptSource::Arguments,
    };
    Ok(AgentCommand { argv, prompt, env: Vec::new(), file: None })
}

/// A command given for this task alone in place of the agent's own: it is called as it is written, with the prompt
/// on its standard input, and what it prints is understood as what the agent would.
fn as_given(of: &PlanFor<'_>) -> Result<AgentCommand, AgentError> {
    let Some((name, rest)) = of.command.split_first() else {
        return Err(AgentError::NoCommand { agent: of.agent.to_owned() });
    };
    let mut argv = vec![text(&program(of.agent, of.settings.agent_type, name, of.path, of.cwd)?)];
    argv.extend(rest.iter().cloned());
    Ok(AgentCommand { argv, prompt: PromptSource::Stdin, env: Vec::new(), file: None })
}

fn text(path: &Path) -> String {
    PathBuf::from(path).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;
    use crate::{
        agents::request::User,
        config::{AgentSettings, Permissions, Secret},
    };

    /// What is asked about an agent, as a test writes it: `/bin/true` stands for its program.
    struct Ask {
        settings: AgentSettings,
        command: Vec<String>,
        model: Option<&'static str>,
        resume: Option<&'static str>,
        key: Option<&'static str>,
        user: User,
    }

    fn ask(agent_type: AgentType) -> Ask {
        let mut settings = AgentSettings::new(agent_type);
        settings.command = vec!["/bin/true".to_owned()];
        Ask { settings, command: Vec::new(), model: None, resume: None, key: None, user: User::Other }
    }

    impl Ask {
        fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
            change(&mut self);
            self
        }

        fn plan(&self, prompt: Option<(&Path, &str)>) -> Result<AgentCommand, AgentError> {
            let of = PlanFor {
                agent: "a",
                settings: &self.settings,
                command: &self.command,
                own_program: Path::new("/own/run-agent"),
                path: OsStr::new("/bin"),
                cwd: Path::new("/"),
                model: self.model,
                resume: self.resume,
                key: self.key,
                user: self.user,
            };
            plan(&of, prompt)
        }

        /// The command as in a shell without quotes, and its variables.
        #[track_caller]
        fn is(&self, line: &str, env: &[(&str, &str)]) {
            let planned = self.plan(Some((Path::new("/run/prompt.md"), "words"))).unwrap();
            assert_eq!(planned.argv.join(" "), line);
            let variables: Vec<(&str, &str)> = planned.env.iter().map(|(n, v)| (*n, v.as_str())).collect();
            assert_eq!(variables, env, "{line}");
        }
    }

    fn url(ask: &mut Ask) {
        ask.settings.base_url = Some("http://127.0.0.1:1/v1".to_owned());
    }

    fn asks(ask: &mut Ask) {
        ask.settings.permissions = Permissions::Ask;
    }

    fn everything(ask: &mut Ask) {
        (ask.model, ask.resume) = (Some("m"), Some("id-1"));
        ask.settings.args = vec!["--more".to_owned(), "x".to_owned()];
    }

    #[test]
    fn claude_is_called() {
        let claude = || ask(AgentType::Claude);
        let plain = "/bin/true -p --output-format stream-json --verbose";
        let bypass = format!("{plain} --dangerously-skip-permissions");
        claude().is(&bypass, &[]);
        claude().with(|a| a.user = User::Root).is(&bypass, &[("IS_SANDBOX", "1")]);
        claude().with(asks).with(|a| a.user = User::Root).is(plain, &[]);
        claude().with(everything).is(&format!("{bypass} --model m --resume id-1 --more x"), &[]);
        claude().with(url).is(&bypass, &[("ANTHROPIC_BASE_URL", "http://127.0.0.1:1/v1")]);
    }

    #[test]
    fn codex_is_called() {
        let codex = || ask(AgentType::Codex);
        let plain = "/bin/true exec --json --skip-git-repo-check";
        let bypass = format!("{plain} --dangerously-bypass-approvals-and-sandbox");
        let bounded = "-c features.unbounded_connection_retries=false";
        codex().is(&format!("{bypass} {bounded} -"), &[]);
        codex().with(asks).is(&format!("{plain} {bounded} -"), &[]);
        codex().with(everything).is(&format!("{bypass} --model m {bounded} --more x resume id-1 -"), &[]);
        let provider = "-c model_provider=\"conductor\" -c model_providers.conductor.name=\"conductor\" \
             -c model_providers.conductor.base_url=\"http://127.0.0.1:1/v1\" -c model_providers.conductor.wire_api=\"responses\"";
        codex().with(url).is(&format!("{bypass} {bounded} {provider} -"), &[]);
        codex().with(url).with(|a| a.key = Some("CODEX_API_KEY")).is(
            &format!(
                "{bypass} {bounded} {provider} -c model_providers.conductor.env_key=\"CODEX_API_KEY\" -"
            ),
            &[],
        );
    }

    #[test]
    fn gemini_is_called() {
        let gemini = || ask(AgentType::Gemini);
        let plain = "/bin/true --output-format stream-json --skip-trust";
        gemini().is(&format!("{plain} --yolo"), &[]);
        gemini().with(asks).is(plain, &[]);
        gemini().with(everything).is(&format!("{plain} --yolo --model m --resume id-1 --more x"), &[]);
        let elsewhere = gemini().with(url);
        elsewhere.is(&format!("{plain} --yolo"), &[("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:1/v1")]);
        let file = elsewhere.plan(None).unwrap().file.unwrap();
        assert_eq!(file.variable, "GEMINI_CLI_SYSTEM_DEFAULTS_PATH");
        assert!(file.content.contains("gemini-api-key"), "{file:?}");
        assert_eq!(gemini().plan(None).unwrap().file, None);
    }

    #[test]
    fn opencode_is_called() {
        let opencode = || ask(AgentType::Opencode);
        let bypass = "/bin/true run --format json --auto";
        let logs = [("OPENCODE_PRINT_LOGS", "1"), ("OPENCODE_LOG_LEVEL", "ERROR")];
        opencode().is(bypass, &logs);
        let ask = r#"{"bash":"ask","edit":"ask","external_directory":"ask","webfetch":"ask"}"#;
        let [print, level] = logs;
        opencode()
            .with(asks)
            .is("/bin/true run --format json", &[print, level, ("OPENCODE_PERMISSION", ask)]);
        opencode().with(everything).is(&format!("{bypass} --model m --session id-1 --more x"), &logs);
        let model = |model| move |a: &mut Ask| a.model = Some(model);
        let key = |a: &mut Ask| {
            a.key = Some("OPENCODE_API_KEY");
            a.settings.token = Some(Secret::new("sk-1"));
        };
        let at = r#""baseURL":"http://127.0.0.1:1/v1""#;
        let from = r#""apiKey":"{env:OPENCODE_API_KEY}""#;
        for (ask, model, content) in [
            // A name alone is a model of the provider that the address stands for.
            (
                opencode().with(url).with(model("m")),
                "conductor/m",
                format!(
                    r#"{{"provider":{{"conductor":{{"options":{{{at}}},"npm":"@ai-sdk/openai-compatible","models":{{"m":{{}}}}}}}}}}"#
                ),
            ),
            (
                opencode().with(url).with(key).with(model("anthropic/m")),
                "anthropic/m",
                format!(r#"{{"provider":{{"anthropic":{{"options":{{{at},{from}}}}}}}}}"#),
            ),
            (
                opencode().with(key).with(model("openai/m")),
                "openai/m",
                format!(r#"{{"provider":{{"openai":{{"options":{{{from}}}}}}}}}"#),
            ),
        ] {
            let planned = ask.plan(None).unwrap();
            assert_eq!(planned.argv.join(" "), format!("{bypass} --model {model}"));
            let [_, _, (name, settings)] = &planned.env[..] else { panic!("{planned:?}") };
            assert_eq!(*name, "OPENCODE_CONFIG_CONTENT");
            let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(value(settings), value(&content));
        }
        // Which provider the key is for only the model tells.
        opencode().with(key).is(bypass, &logs);
    }

    #[test]
    fn our_own_agents_are_called() {
        let own = |agent_type| ask(agent_type).with(|a| a.settings.command.clear());
        own(AgentType::Demo).is("/own/run-agent demo-agent", &[]);
        own(AgentType::Xai).is("/own/run-agent chat-agent --api xai", &[]);
        own(AgentType::Perplexity).with(url).with(|a| a.model = Some("sonar")).is(
            "/own/run-agent chat-agent --api perplexity --model sonar --base-url http://127.0.0.1:1/v1",
            &[],
        );
        // A wrapper takes the place of the program and its verb.
        ask(AgentType::Demo)
            .with(|a| a.settings.command.push("demo-agent".to_owned()))
            .is("/bin/true demo-agent", &[]);
    }

    #[test]
    fn a_command_is_called_as_it_is_configured() {
        let command = |delivery| ask(AgentType::Command).with(|a| a.settings.prompt = delivery);
        command(PromptDelivery::Stdin).is("/bin/true", &[]);
        command(PromptDelivery::File).is("/bin/true /run/prompt.md", &[]);
        command(PromptDelivery::Arg).is("/bin/true words", &[]);
        let own = command(PromptDelivery::Arg).with(|a| a.command = vec!["true".to_owned(), "-x".to_owned()]);
        own.is("/bin/true -x words", &[]);
        let none = ask(AgentType::Command).with(|a| a.settings.command.clear());
        assert!(matches!(none.plan(None), Err(AgentError::NoCommand { .. })));
        let words = "x".repeat(LONGEST_ARGUMENT);
        let long = command(PromptDelivery::Arg).plan(Some((Path::new("/p"), &words)));
        assert!(matches!(long, Err(AgentError::PromptTooLong { bytes: 131_072, .. })), "{long:?}");
        assert!(command(PromptDelivery::Arg).plan(Some((Path::new("/p"), &words[1..]))).is_ok());
    }

    #[test]
    fn a_program_that_is_not_there_is_said_with_how_to_get_it() {
        for (agent_type, package) in [
            (AgentType::Claude, "@anthropic-ai/claude-code"),
            (AgentType::Codex, "@openai/codex"),
            (AgentType::Gemini, "@google/gemini-cli"),
            (AgentType::Opencode, "opencode-ai"),
        ] {
            let missing =
                ask(agent_type).with(|a| a.settings.command = vec!["/proc/nonexistent/program".to_owned()]);
            let Err(AgentError::Missing { hint, .. }) = missing.plan(None) else { panic!("{agent_type}") };
            assert!(hint.contains(package), "{hint}");
        }
    }
}
