//! The settings of one task: `defaults` and `limits`, overridden by the task's own `config` map.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use super::{
    agent::{AgentSettings, AgentType},
    environment::Environment,
    error::{ConfigError, ProblemKind},
    node::{Entry, Node, Position, Raw},
    origin::Origin,
    section::{Reader, Section, Sources},
    settings::{Config, Defaults, Limits},
    shape,
    units::BadDuration,
};

/// The settings that one task runs with.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSettings {
    /// The `defaults`, with the task's own values.
    pub defaults: Defaults,
    /// The `limits`, with the task's own values.
    pub limits: Limits,
    /// The executor of the task's runs; absent: the one of this machine.
    pub executor: Option<String>,
    /// The model to request; absent: the agent's own choice.
    pub model: Option<String>,
    /// Variables for the agent's environment.
    pub env: BTreeMap<String, String>,
}

impl TaskSettings {
    /// Merges a task's `config` map into the configuration, for runs by `agent`.
    ///
    /// # Errors
    /// Lists every key that is unknown, has a wrong type, or must not be set by a task.
    pub fn resolve(
        config: &Config,
        agent: &AgentSettings,
        map: &BTreeMap<String, Value>,
    ) -> Result<Self, ConfigError> {
        let environment = Environment::default();
        let mut reader = Reader::new(Sources {
            files: Vec::new(),
            overrides: BTreeMap::new(),
            environment: &environment,
            cwd: Path::new("/"),
        });
        let mut env = BTreeMap::new();
        let mut entries = Vec::new();
        for (key, value) in map {
            match key.strip_prefix("env.") {
                Some(name) => {
                    if let Some(text) = variable(&mut reader, config, agent.agent_type, name, value) {
                        env.insert(name.to_owned(), text);
                    }
                }
                None => entries.push(Entry {
                    key: key.clone(),
                    at: Position::default(),
                    node: Node::from_json(value),
                }),
            }
        }
        let mut top = reader.top(Node { at: Position::default(), raw: Raw::Map(entries) });
        let settings = Self::read(&mut top, config, agent, env);
        top.finish();
        reader.finish()?;
        Ok(settings)
    }

    fn read(
        top: &mut Section<'_, '_>,
        config: &Config,
        agent: &AgentSettings,
        env: BTreeMap<String, String>,
    ) -> Self {
        let defaults = shape::defaults(top, config.defaults.clone());
        shape::check_agents(top, &config.agents, &defaults);
        let limits = shape::limits(top, &config.limits);
        let model = top.get("model", agent.model.clone());
        let executor = executor(top, config);
        Self { defaults, limits, executor, model, env }
    }
}

/// Returns the reason why a value that a person wrote for a task's `key` needs a unit; `None` if it needs none.
///
/// A task's map accepts a number of seconds, because JSON has no units. A flag does not, because `--config-key
/// timeout=30` may mean minutes.
#[must_use]
pub fn unit_problem(key: &str, value: &Value) -> Option<BadDuration> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let environment = Environment::default();
    let mut reader = Reader::new(Sources {
        files: Vec::new(),
        overrides: BTreeMap::new(),
        environment: &environment,
        cwd: Path::new("/"),
    });
    let entry = Entry { key: key.to_owned(), at: Position::default(), node: Node::untyped(&text) };
    shape::defaults(
        &mut reader.top(Node { at: Position::default(), raw: Raw::Map(vec![entry]) }),
        Defaults::default(),
    );
    let Err(ConfigError::Invalid(problems)) = reader.finish() else { return None };
    problems.into_iter().find_map(|problem| match problem.what {
        ProblemKind::NoUnit { number, .. } => Some(BadDuration::NoUnit(number)),
        _ => None,
    })
}

/// Returns the keys that a task may set, without its variables (`env.NAME`).
#[must_use]
pub fn task_keys() -> Vec<String> {
    let environment = Environment::default();
    let mut reader = Reader::new(Sources {
        files: Vec::new(),
        overrides: BTreeMap::new(),
        environment: &environment,
        cwd: Path::new("/"),
    });
    let mut top = reader.top(Node { at: Position::default(), raw: Raw::Map(Vec::new()) });
    shape::defaults(&mut top, Defaults::default());
    shape::limits(&mut top, &Limits::default());
    let read = reader.finish().unwrap_or_default().into_iter().map(|setting| setting.key);
    read.chain(["model", "executor"].map(str::to_owned)).collect()
}

/// Returns the name of the task's executor, if it is not the one of this machine.
fn executor(top: &mut Section<'_, '_>, config: &Config) -> Option<String> {
    let name: String = top.get("executor", String::new());
    if name.is_empty() || name == "local" {
        return None;
    }
    if !config.executors.contains_key(&name) {
        top.reject("executor", format!("names an unknown executor '{name}'"));
    }
    Some(name)
}

/// Returns the text of `env.NAME`, if the task may set it.
fn variable(
    reader: &mut Reader<'_>,
    config: &Config,
    agent: AgentType,
    name: &str,
    value: &Value,
) -> Option<String> {
    let key = format!("env.{name}");
    let what = match (forbidden(config, agent, name), value) {
        (Some(why), _) => ProblemKind::NotYours { key, why },
        (None, Value::String(text)) if text.contains('\0') => {
            ProblemKind::BadValue { key, problem: "holds a NUL byte".to_owned() }
        }
        (None, Value::String(text)) => return Some(text.clone()),
        (None, other) => {
            let found = Node::from_json(other).describe();
            ProblemKind::WrongType { key, expected: "text".to_owned(), found }
        }
    };
    reader.problem(Origin::Task, what);
    None
}

/// Returns the reason why a task may not set a variable for an agent of this type; `None` if it may.
///
/// The agent's PATH and the loader's variables decide which programs run. `JRUN_*` and `CONDUCTOR_*` are set by
/// `run-agent` itself. A key belongs to one agent: a prompt must not make another agent spend its money, unless
/// `env.pass` gives the key to all of them.
fn forbidden(config: &Config, agent: AgentType, name: &str) -> Option<&'static str> {
    if !shape::is_variable(name) {
        return Some("it is not the name of a variable");
    }
    if name == "PATH" || name.starts_with("LD_") {
        return Some("it decides which programs run");
    }
    if shape::is_ours(name) {
        return Some("run-agent itself sets it");
    }
    let passes = config.env.pass.iter().any(|passed| passed == name);
    let is_foreign = !passes && config.agent_types.is_foreign_key(agent, name);
    is_foreign.then_some("it is the key of another agent")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::{
        Flags,
        agent::samples::{CODEX, DEMO, TYPES},
        load,
    };

    fn resolve(agent: AgentType, map: Value) -> Result<TaskSettings, String> {
        let environment = Environment::from_iter([("HOME", "/proc/nonexistent")]);
        let config =
            load(&Flags::default(), &environment, Path::new("/proc/nonexistent"), TYPES).unwrap().config;
        let Value::Object(map) = map else { panic!("{map} is no map") };
        TaskSettings::resolve(&config, &AgentSettings::new(agent), &map.into_iter().collect())
            .map_err(|e| e.to_string())
    }

    #[test]
    fn a_task_says_what_is_special_about_it() {
        let settings = resolve(
            CODEX,
            json!({"timeout": "5m", "max_restarts": 3, "max_cost_usd": 2, "model": "gpt-5.5",
                   "env.OPENAI_API_KEY": "sk-mine", "env.RUST_LOG": "debug",
                   "diversification": {"enabled": true}}),
        )
        .unwrap();
        assert_eq!(settings.defaults.timeout, Some(Duration::from_mins(5)));
        assert_eq!(settings.defaults.max_restarts, 3);
        assert!(settings.defaults.diversification.enabled);
        assert_eq!(settings.defaults.stop_grace, Defaults::default().stop_grace);
        assert_eq!(settings.limits.max_cost_usd, Some(2.0));
        assert_eq!(settings.model.as_deref(), Some("gpt-5.5"));
        assert_eq!(settings.env.len(), 2);
    }

    #[test]
    fn what_a_task_may_not_say_is_named() {
        let key = "is the key of another agent";
        for (map, error) in [
            (json!({"timout": 1}), "unknown key 'timout', did you mean 'timeout'?"),
            (json!({"host": "0.0.0.0"}), "unknown key 'host'"),
            (json!({"max_restarts": "3"}), "'max_restarts' takes a whole number"),
            (json!({"timeout": "10x"}), "'timeout' takes a duration"),
            (json!({"agent": "cluade"}), "'agent' names an unknown agent 'cluade', did you mean 'claude'?"),
            (json!({"diversification": {"enable": true}}), "unknown key 'diversification.enable'"),
            (json!({"executor": "cluster"}), "'executor' names an unknown executor 'cluster'"),
            (
                json!({"env.PATH": "/tmp"}),
                "'env.PATH' cannot be set by a task: it decides which programs run",
            ),
            (json!({"env.LD_PRELOAD": "x"}), "it decides which programs run"),
            (json!({"env.JRUN_ID": "x"}), "run-agent itself sets it"),
            (json!({"env.CONDUCTOR_ROOT": "x"}), "run-agent itself sets it"),
            (json!({"env.ANTHROPIC_API_KEY": "x"}), key),
            (json!({"env.": "x"}), "it is not the name of a variable"),
            (json!({"env.A=B": "x"}), "it is not the name of a variable"),
            (json!({"env.N": 5}), "'env.N' takes text, not the number 5"),
            (json!({"env.N": "a\0b"}), "holds a NUL byte"),
        ] {
            let said = resolve(CODEX, map.clone()).unwrap_err();
            assert!(said.contains(error), "{map}: {said}");
            assert!(said.starts_with("the task's config: "), "{map}: {said}");
        }
    }

    #[test]
    fn a_number_is_seconds_in_a_map_and_not_in_a_flag() {
        let settings = resolve(DEMO, json!({"timeout": 90, "restart_delay": "2"})).unwrap();
        assert_eq!(settings.defaults.timeout, Some(Duration::from_secs(90)));
        assert_eq!(settings.defaults.restart_delay, Duration::from_secs(2));
        let no_unit = |n: &str| Some(BadDuration::NoUnit(n.to_owned()));
        for (key, value, problem) in [
            ("timeout", json!(90), no_unit("90")),
            ("restart_delay", json!("2"), no_unit("2")),
            ("timeout", json!(0), None),
            ("timeout", json!("90s"), None),
            ("max_restarts", json!(3), None),
            ("model", json!("90"), None),
            ("no_such_key", json!(90), None),
        ] {
            assert_eq!(unit_problem(key, &value), problem, "{key}={value}");
        }
    }

    #[test]
    fn every_wrong_key_is_told_at_once() {
        let said = resolve(DEMO, json!({"timout": 1, "env.PATH": "x"})).unwrap_err();
        assert_eq!(said.lines().count(), 2, "{said}");
    }
}
