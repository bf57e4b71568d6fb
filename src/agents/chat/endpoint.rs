//! The two services: where they are, which model answers when none is asked for, what a request looks like.
//!
//! <https://docs.perplexity.ai/api-reference/chat-completions-post>, <https://docs.x.ai/docs/api-reference>.

use serde_json::{Value, json};

use crate::config::AgentType;

/// A service with chat completions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// Searches the web and answers with its sources.
    Perplexity,
    /// Grok.
    Xai,
}

/// What the model is told about itself.
const SYSTEM: &str = "You answer unattended: no person can answer a question. You have no tools and no files; \
     your text is the whole answer. Write it in Markdown.";

impl Api {
    /// The service of a word.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Perplexity, Self::Xai].into_iter().find(|api| api.agent_type().as_str() == name)
    }

    /// The type of the agent that it is.
    #[must_use]
    pub fn agent_type(self) -> AgentType {
        match self {
            Self::Perplexity => AgentType::Perplexity,
            Self::Xai => AgentType::Xai,
        }
    }

    /// Its own address.
    #[must_use]
    pub fn base_url(self) -> &'static str {
        match self {
            Self::Perplexity => "https://api.perplexity.ai",
            Self::Xai => "https://api.x.ai/v1",
        }
    }

    /// The model that answers when none is asked for.
    #[must_use]
    pub fn model(self) -> &'static str {
        match self {
            Self::Perplexity => "sonar-pro",
            Self::Xai => "grok-4",
        }
    }

    /// The body of a request.
    pub(super) fn request(self, model: &str, words: &str) -> Value {
        let mut body = json!({
            "model": model,
            "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": words}],
            "stream": true,
        });
        // Perplexity tells its usage unasked.
        if self == Self::Xai {
            body["stream_options"] = json!({"include_usage": true});
        }
        body
    }
}
