//! The facts about a service with chat completions, and the body of a request to it.

use serde_json::{Value, json};

use config::AgentType;

/// A service with chat completions. Each one is declared in the folder of its agent.
#[derive(Debug)]
pub struct Api {
    /// The type of the agent that it is.
    pub agent_type: AgentType,
    /// Its own address.
    pub base_url: &'static str,
    /// The model that answers when none is asked for.
    pub model: &'static str,
    /// The condition under which it reports the use of tokens.
    pub usage: UsageReport,
}

/// The condition under which a service reports the use of tokens in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageReport {
    /// Always.
    Unasked,
    /// Only if the request asks for it.
    OnRequest,
}

/// The instructions to the model.
const SYSTEM: &str = "You answer unattended: no person can answer a question. You have no tools and no files; \
     your text is the whole answer. Write it in Markdown.";

impl Api {
    /// The body of a request.
    pub(super) fn request(&self, model: &str, words: &str) -> Value {
        let mut body = json!({
            "model": model,
            "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": words}],
            "stream": true,
        });
        if self.usage == UsageReport::OnRequest {
            body["stream_options"] = json!({"include_usage": true});
        }
        body
    }
}
