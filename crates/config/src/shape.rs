//! Defines the known keys: reads every section of the configuration into its inner form.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde_json::Value;

use super::{
    agent::{AgentSettings, AgentType, AgentTypes},
    decode::Size,
    origin::Origin,
    section::Section,
    settings::{
        AgentEnv, Api, ApiKey, Defaults, Diversification, Limits, Port, Scope, Storage, TaskStart, Watch,
        Webhook,
    },
    token,
};
use base::{fsx::Durability, secret::Secret};
use tree::outbox::RunStop;

/// The key that represents `$CONDUCTOR_DISABLE_TASK_START` among the overrides. The file has no such key.
pub(super) const DISABLE_TASK_START: &str = "disable_task_start";

/// Reads `defaults`, with `base` for absent keys.
pub(super) fn defaults(section: &mut Section<'_, '_>, base: Defaults) -> Defaults {
    let read = Defaults {
        agent: section.get("agent", base.agent),
        timeout: section.get("timeout", base.timeout),
        max_run_time: section.get("max_run_time", base.max_run_time),
        max_restarts: section.get("max_restarts", base.max_restarts),
        restart_delay: section.get("restart_delay", base.restart_delay),
        restart_delay_max: section.get("restart_delay_max", base.restart_delay_max),
        limit_patience: section.get("limit_patience", base.limit_patience),
        child_wait_timeout: section.get("child_wait_timeout", base.child_wait_timeout),
        stop_grace: section.get("stop_grace", base.stop_grace),
        exit_grace: section.get("exit_grace", base.exit_grace),
        record_changes: section.get("record_changes", base.record_changes),
        max_concurrent_root_tasks: section.get("max_concurrent_root_tasks", base.max_concurrent_root_tasks),
        max_concurrent_runs: section.get("max_concurrent_runs", base.max_concurrent_runs),
        diversification: diversification(section.section("diversification"), base.diversification),
    };
    Defaults { restart_delay_max: read.restart_delay_max.max(read.restart_delay), ..read }
}

fn diversification(mut section: Section<'_, '_>, base: Diversification) -> Diversification {
    let read = Diversification {
        enabled: section.get("enabled", base.enabled),
        strategy: section.get("strategy", base.strategy),
        agents: section.get("agents", base.agents),
        weights: section.get("weights", base.weights),
        fallback_on_failure: section.get("fallback_on_failure", base.fallback_on_failure),
    };
    if !read.weights.is_empty() && read.weights.len() != read.agents.len() {
        let problem = format!("has {} weights for {} agents", read.weights.len(), read.agents.len());
        section.reader.reject(&section.key("weights"), problem);
    }
    section.finish();
    read
}

/// Reads `limits`, with `base` for absent keys.
pub(super) fn limits(section: &mut Section<'_, '_>, base: &Limits) -> Limits {
    Limits {
        max_cost_usd: section.get("max_cost_usd", base.max_cost_usd),
        max_tokens: section.get("max_tokens", base.max_tokens),
        no_progress_runs: section.get("no_progress_runs", base.no_progress_runs),
    }
}

/// Reads `env`.
pub(super) fn agent_env(mut section: Section<'_, '_>) -> AgentEnv {
    let read = AgentEnv { pass: section.get("pass", AgentEnv::default().pass) };
    for name in &read.pass {
        if !is_variable(name) {
            let problem = format!("has '{name}', which is not the name of a variable");
            section.reader.reject(&section.key("pass"), problem);
        } else if is_ours(name) {
            let problem = format!("has '{name}', which agents never inherit");
            section.reader.reject(&section.key("pass"), problem);
        }
    }
    section.finish();
    read
}

/// Returns true for a text that can be the name of a variable.
pub(super) fn is_variable(name: &str) -> bool {
    let mut characters = name.chars();
    let starts = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    starts && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Returns true for a variable that `run-agent` itself sets.
pub(super) fn is_ours(name: &str) -> bool {
    name.starts_with("JRUN_") || name.starts_with("CONDUCTOR_")
}

/// Rejects names of agents that are not configured.
pub(super) fn check_agents(
    section: &mut Section<'_, '_>,
    agents: &BTreeMap<String, AgentSettings>,
    defaults: &Defaults,
) {
    let mut check = |key: &str, name: &str| {
        if !agents.contains_key(name) {
            let score = |other: &&String| strsim::jaro_winkler(other, name);
            let nearest = agents.keys().max_by(|a, b| score(a).total_cmp(&score(b)));
            let nearest = nearest.filter(|n| score(n) >= 0.8);
            let meant = nearest.map_or_else(String::new, |n| format!(", did you mean '{n}'?"));
            section.reader.reject(&section.key(key), format!("names an unknown agent '{name}'{meant}"));
        }
    };
    if let Some(name) = &defaults.agent {
        check("agent", name);
    }
    for name in &defaults.diversification.agents {
        check("diversification.agents", name);
    }
}

/// Reads `api`.
pub(super) fn api(mut section: Section<'_, '_>) -> Api {
    let base = Api::default();
    let Port::FirstFree(usual) = base.port else { return base };
    let asked_for = section.reader.is_override(&section.key("port"));
    let kind = if asked_for { Port::Exactly } else { Port::FirstFree };
    let read = Api {
        host: section.get("host", base.host),
        port: kind(section.get("port", usual)),
        socket: socket(&mut section),
        auth_enabled: section.get("auth_enabled", base.auth_enabled),
        api_key: section.get("api_key", base.api_key),
        keys: api_keys(&mut section),
        allow_unauthenticated: section.get("allow_unauthenticated", base.allow_unauthenticated),
        allowed_hosts: section.get("allowed_hosts", base.allowed_hosts),
        cors_origins: origins(&mut section),
        max_body: section.get("max_body", Size(base.max_body)).0,
    };
    section.finish();
    read
}

fn socket(section: &mut Section<'_, '_>) -> Option<PathBuf> {
    let found = section.find_path("socket");
    if found.is_none() {
        let key = section.key("socket");
        section.reader.note(key, Value::from(""), Origin::Default);
    }
    found.map(|(path, _)| path)
}

/// Reads origins in the spelling of browsers, because they are compared byte by byte.
fn origins(section: &mut Section<'_, '_>) -> Vec<String> {
    let origins = section.get("cors_origins", Vec::<String>::new());
    for origin in &origins {
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        let spelled = host.is_some_and(|host| {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|b| b.is_ascii_graphic() && !b"/?#@*\\".contains(&b) && !b.is_ascii_uppercase())
        });
        if !spelled {
            let key = section.key("cors_origins");
            section.reader.reject(
                &key,
                format!("has '{origin}', which is not an origin such as https://app.example.com: scheme, host in small letters and port, without a path or '*'"),
            );
        }
    }
    origins
}

fn api_keys(section: &mut Section<'_, '_>) -> Vec<ApiKey> {
    let items = section.sections("keys");
    if items.is_empty() {
        let key = section.key("keys");
        section.reader.note(key, Value::Array(Vec::new()), Origin::Default);
    }
    items.into_iter().filter_map(|(path, node)| api_key(Section::new(section.reader, path, node))).collect()
}

fn api_key(mut section: Section<'_, '_>) -> Option<ApiKey> {
    let name = section.find::<Option<String>>("name").flatten();
    let inline = section.find::<Option<Secret>>("key").flatten();
    let scope = section.get("scope", Scope::default());
    let file = section.find_path("key_file");
    if name.is_none() {
        section.reject("name", "is missing; the log names the caller by it");
    }
    let key = match (inline, file) {
        (Some(_), Some(_)) => {
            section.reject("key", "and key_file are both there; keep one");
            None
        }
        (Some(key), None) => Some(key),
        (None, Some((path, origin))) => {
            let owner = format!("API key '{}'", name.as_deref().unwrap_or_default());
            token::read(section.reader, owner, &path, origin)
        }
        (None, None) => {
            section.reject("key", "is missing; give key or key_file");
            None
        }
    };
    section.finish();
    Some(ApiKey { name: name?, key: key?, scope })
}

/// Reads `storage`.
pub(super) fn storage(mut section: Section<'_, '_>) -> Storage {
    let read = Storage {
        runs_dir: section.path("runs_dir", "~/run-agent"),
        fsync: section.get("fsync", Durability::Always),
        extra_roots: section.paths("extra_roots"),
    };
    section.finish();
    read
}

/// Reads `watch`.
pub(super) fn watch(mut section: Section<'_, '_>) -> Watch {
    let base = Watch::default();
    let read = Watch { mode: section.get("mode", base.mode), sweep: section.get("sweep", base.sweep) };
    above_zero(&mut section, "sweep", read.sweep);
    section.finish();
    read
}

/// Reads `webhook`.
pub(super) fn webhook(mut section: Section<'_, '_>) -> Webhook {
    let base = Webhook::default();
    let read = Webhook {
        url: section.get("url", base.url),
        events: section.get("events", base.events),
        secret: section.get("secret", base.secret),
        timeout: section.get("timeout", base.timeout),
    };
    above_zero(&mut section, "timeout", read.timeout);
    if read.url.as_ref().is_some_and(|url| !["http://", "https://"].iter().any(|s| url.starts_with(s))) {
        section.reader.reject(&section.key("url"), "must begin with http:// or https://");
    }
    if let Some(event) = read.events.iter().find(|e| *e != RunStop::EVENT) {
        section.reader.reject(
            &section.key("events"),
            format!("{event:?} is not an event; known are {}", RunStop::EVENT),
        );
    }
    section.finish();
    read
}

fn above_zero(section: &mut Section<'_, '_>, key: &str, duration: Duration) {
    if duration.is_zero() {
        section.reader.reject(&section.key(key), "must be longer than 0");
    }
}

/// Reads the setting that only the environment can set.
pub(super) fn task_start(top: &mut Section<'_, '_>) -> TaskStart {
    match top.reader.find_override::<bool>(DISABLE_TASK_START) {
        Some(true) => TaskStart::Disabled,
        _ => TaskStart::Enabled,
    }
}

/// Reads `agents`: those that are listed, and the usual ones.
pub(super) fn agents(mut section: Section<'_, '_>, types: AgentTypes) -> BTreeMap<String, AgentSettings> {
    let mut names = section.names();
    for usual in types.all() {
        if !names.iter().any(|n| n == usual.as_str()) {
            names.push(usual.as_str().to_owned());
        }
    }
    let mut agents = BTreeMap::new();
    for name in names {
        // The name becomes part of a variable's name, of file names and of answers.
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            section.reject(&name, "is not a valid agent name; letters, digits, '-' and '_' are");
        }
        let settings = agent(section.section(&name), &name, types);
        agents.insert(name, settings);
    }
    agents
}

fn agent(mut section: Section<'_, '_>, name: &str, types: AgentTypes) -> AgentSettings {
    let usual = types.of_name(name);
    let has_type = section.has("type");
    let words: Vec<_> = types.all().iter().map(|t| (t.as_str(), *t)).collect();
    let said = section.find_one_of("type", &words);
    let agent_type = said.or(usual).unwrap_or(types.any_program());
    if said.is_none() {
        section.reader.note(section.key("type"), Value::from(agent_type.as_str()), Origin::Default);
    }
    let base = AgentSettings::new(agent_type);
    let file = section.find_path("token_file");
    let (token, token_problem) = match token::of_agent(section.reader, name, file) {
        Ok(token) => (token, None),
        Err(problem) => (None, Some(problem)),
    };
    let read = AgentSettings {
        agent_type,
        command: section.find("command").unwrap_or(base.command),
        prompt: section.find("prompt").unwrap_or(base.prompt),
        model: section.find("model").unwrap_or(base.model),
        base_url: section.find("base_url").unwrap_or(base.base_url),
        args: section.find("args").unwrap_or(base.args),
        permissions: section.find("permissions").unwrap_or(base.permissions),
        token,
        token_problem,
    };
    // The agent that is named after the type may be without one: each task gives its own.
    let given_later = usual.is_some_and(AgentType::is_any_program);
    if agent_type.is_any_program() && read.command.is_empty() && !given_later {
        let problem = if has_type {
            "is missing; it is the program to start and its arguments".to_owned()
        } else {
            format!("is missing, and the type of '{name}' names no program")
        };
        section.reject("command", problem);
    }
    section.finish();
    read
}
