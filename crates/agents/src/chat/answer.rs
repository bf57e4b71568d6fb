//! Decodes the chunks of a chat completion: events while they arrive, and at the end the verdict on whether the
//! answer is complete.
//!
//! Chunks are those of OpenAI's `chat.completion.chunk`, which both services speak, with their additions:
//! Perplexity's sources (`search_results`, before that `citations`) and `usage.cost`, xAI's `reasoning_content` and
//! `citations`.

use std::fmt::Write as _;

use serde_json::Value;

use super::refusal;
use tree::{
    event::{ErrorClass, EventKind, Role, TurnOutcome, UsageScope},
    usage::Usage,
};

/// The data that marks the end of a stream, beside the end itself.
const DONE: &str = "[DONE]";

/// An answer in progress.
#[derive(Debug, Default)]
pub(super) struct AnswerDecoder {
    begun: bool,
    /// True if there was text that is not blank.
    said: bool,
    /// The reason that the model stopped, or "stop" after the stream's end mark.
    finish: Option<String>,
    usage: Option<Usage>,
    sources: Vec<String>,
    failed: bool,
}

impl AnswerDecoder {
    /// Decodes the data of the next event.
    pub(super) fn take(&mut self, data: &str) -> Vec<EventKind> {
        if data.trim() == DONE {
            self.finish.get_or_insert_with(|| "stop".to_owned());
            return Vec::new();
        }
        let Ok(chunk) = serde_json::from_str::<Value>(data) else {
            return self.fail(
                ErrorClass::Other,
                format!("the service sent something else than JSON: {}", clip(data)),
            );
        };
        if chunk.get("error").is_some_and(|e| !e.is_null()) {
            self.failed = true;
            return vec![refusal::within(&chunk)];
        }
        let mut what = Vec::new();
        if !self.begun {
            self.begun = true;
            let model = chunk["model"].as_str().map(str::to_owned);
            what.push(EventKind::Session { thread_id: None, model, agent_version: None });
        }
        let choice = &chunk["choices"][0];
        // A server that does not stream sends the whole message at once.
        let delta = choice.get("delta").unwrap_or(&choice["message"]);
        let text = |name: &str| delta[name].as_str().filter(|t| !t.is_empty());
        if let Some(text) = text("reasoning_content") {
            what.push(EventKind::Reasoning { text: text.to_owned() });
        }
        if let Some(text) = text("content") {
            self.said |= !text.trim().is_empty();
            what.push(say(text));
        }
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.finish = Some(reason.to_owned());
        }
        self.note(&chunk);
        what
    }

    /// Stores the fields beside the choices. Both services repeat them, more completely, in later chunks.
    fn note(&mut self, chunk: &Value) {
        let sources = sources(chunk);
        if !sources.is_empty() {
            self.sources = sources;
        }
        let usage = &chunk["usage"];
        if usage.is_object() {
            self.usage = Some(Usage {
                input_tokens: usage["prompt_tokens"].as_u64(),
                output_tokens: usage["completion_tokens"].as_u64(),
                cached_tokens: usage["prompt_tokens_details"]["cached_tokens"].as_u64(),
                cost_usd: usage["cost"]["total_cost"].as_f64(),
            });
        }
    }

    /// Ends the answer. `broken` is the error if the service did not end the stream itself.
    pub(super) fn end(mut self, broken: Option<String>) -> (Vec<EventKind>, TurnOutcome) {
        let mut what = Vec::new();
        match (self.finish.as_deref(), broken) {
            _ if self.failed => {}
            (Some("stop"), _) if self.said => what.extend(self.bibliography()),
            (Some("stop"), _) => what.extend(self.fail(ErrorClass::Other, "the answer is empty".to_owned())),
            (Some("length"), _) => {
                let text = "the answer was cut off at the most tokens that the model may write";
                what.extend(self.fail(ErrorClass::Request, text.to_owned()));
            }
            (Some(other), _) => {
                what.extend(self.fail(ErrorClass::Other, format!("the model stopped with '{other}'")));
            }
            (None, Some(why)) => what.extend(self.fail(ErrorClass::Connection, why)),
            (None, None) => {
                what.extend(self.fail(ErrorClass::Connection, "the answer was cut off".to_owned()));
            }
        }
        if let Some(usage) = self.usage.take() {
            what.push(EventKind::Usage { scope: UsageScope::Run, usage });
        }
        // The end has no text, because the messages already contain the answer.
        let outcome = if self.failed { TurnOutcome::Failed } else { TurnOutcome::Completed };
        what.push(EventKind::TurnEnd { outcome, message: None });
        (what, outcome)
    }

    fn fail(&mut self, class: ErrorClass, message: String) -> Vec<EventKind> {
        self.failed = true;
        let (http_status, retry_at, retry_after) = (None, None, None);
        vec![EventKind::Error {
            class,
            message,
            http_status,
            retry_at,
            retry_after,
            retry_clock: None,
            retried: false,
        }]
    }

    /// Returns the list of sources, to which the text refers by number.
    fn bibliography(&self) -> Option<EventKind> {
        if self.sources.is_empty() {
            return None;
        }
        let mut text = "\n\nSources:\n\n".to_owned();
        for (n, source) in self.sources.iter().enumerate() {
            let _ = writeln!(text, "{}. {source}", n + 1);
        }
        Some(say(&text))
    }
}

fn say(text: &str) -> EventKind {
    EventKind::Message { role: Role::Assistant, text: text.to_owned(), partial: true }
}

fn sources(chunk: &Value) -> Vec<String> {
    let list = |name: &str| chunk[name].as_array().filter(|l| !l.is_empty());
    let titled = list("search_results").into_iter().flatten().filter_map(|result| {
        let url = result["url"].as_str()?;
        let title = result["title"].as_str().filter(|t| !t.trim().is_empty());
        Some(title.map_or_else(
            || format!("<{url}>"),
            |title| format!("[{}]({url})", title.replace(['[', ']'], " ").trim()),
        ))
    });
    let titled: Vec<String> = titled.collect();
    if titled.is_empty() {
        let bare = list("citations").into_iter().flatten();
        return bare.filter_map(|url| Some(format!("<{}>", url.as_str()?))).collect();
    }
    titled
}

fn clip(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chunk(text: &str, finish: Option<&str>) -> Value {
        json!({"model": "m", "choices": [{"delta": {"content": text}, "finish_reason": finish}]})
    }

    /// Returns the text, the class of a reported error, the outcome, and all events.
    fn read(
        chunks: &[Value],
        broken: Option<&str>,
    ) -> (String, Option<ErrorClass>, TurnOutcome, Vec<EventKind>) {
        let mut answer = AnswerDecoder::default();
        let mut all: Vec<EventKind> = chunks
            .iter()
            .flat_map(|c| answer.take(&c.as_str().map_or_else(|| c.to_string(), str::to_owned)))
            .collect();
        let (last, outcome) = answer.end(broken.map(str::to_owned));
        all.extend(last);
        let text = all.iter().filter_map(|w| match w {
            EventKind::Message { text, .. } => Some(text.as_str()),
            _ => None,
        });
        let class = all.iter().find_map(|w| match w {
            EventKind::Error { class, .. } => Some(*class),
            _ => None,
        });
        (text.collect(), class, outcome, all)
    }

    #[test]
    fn only_a_whole_answer_is_one() {
        let done = json!("[DONE]");
        let completed = TurnOutcome::Completed;
        let failed = TurnOutcome::Failed;
        for (chunks, broken, text, class, outcome) in [
            (vec![chunk("a ", None), chunk("b", Some("stop")), done.clone()], None, "a b", None, completed),
            // Perplexity closes without [DONE], other services never give a reason.
            (vec![chunk("a", Some("stop"))], None, "a", None, completed),
            (vec![chunk("a", Some("stop"))], Some("reset"), "a", None, completed),
            (vec![chunk("a", None), done.clone()], None, "a", None, completed),
            (vec![chunk("a", None)], None, "a", Some(ErrorClass::Connection), failed),
            (vec![chunk("a", None)], Some("reset"), "a", Some(ErrorClass::Connection), failed),
            (vec![], None, "", Some(ErrorClass::Connection), failed),
            (vec![done.clone()], None, "", Some(ErrorClass::Other), failed),
            (vec![chunk(" ", Some("stop"))], None, " ", Some(ErrorClass::Other), failed),
            (vec![chunk("a", Some("length")), done.clone()], None, "a", Some(ErrorClass::Request), failed),
            (vec![chunk("a", Some("content_filter"))], None, "a", Some(ErrorClass::Other), failed),
            (
                vec![chunk("a", None), json!({"error": {"message": "x", "code": 503}})],
                None,
                "a",
                Some(ErrorClass::Overload),
                failed,
            ),
            (
                vec![chunk("a", None), json!("{half"), done.clone()],
                None,
                "a",
                Some(ErrorClass::Other),
                failed,
            ),
            (
                vec![json!({"choices": [{"message": {"content": "whole"}, "finish_reason": "stop"}]})],
                None,
                "whole",
                None,
                completed,
            ),
        ] {
            let read = read(&chunks, broken);
            assert_eq!((read.0.as_str(), read.1, read.2), (text, class, outcome), "{chunks:?}");
            let errors = read.3.iter().filter(|w| matches!(w, EventKind::Error { .. })).count();
            assert_eq!(errors, usize::from(class.is_some()), "{chunks:?}");
            assert!(matches!(read.3.last(), Some(EventKind::TurnEnd { .. })), "{chunks:?}");
        }
    }

    #[test]
    fn sources_stand_below_the_text() {
        let mut last = chunk("x [1][2]", Some("stop"));
        last["citations"] = json!(["https://a/", "https://b/"]);
        assert_eq!(
            read(&[last.clone()], None).0,
            "x [1][2]\n\nSources:\n\n1. <https://a/>\n2. <https://b/>\n"
        );
        last["search_results"] = json!([{"title": "[A] page", "url": "https://a/"}, {"url": "https://b/"}]);
        assert_eq!(
            read(&[last], None).0,
            "x [1][2]\n\nSources:\n\n1. [A  page](https://a/)\n2. <https://b/>\n"
        );
    }

    #[test]
    fn usage_is_what_was_told_last() {
        let mut first = chunk("a", None);
        first["usage"] = json!({"prompt_tokens": 5, "completion_tokens": 1});
        let last = json!({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 9,
            "prompt_tokens_details": {"cached_tokens": 2}, "cost": {"total_cost": 0.5}}});
        let all = read(&[first, chunk("b", Some("stop")), last], None).3;
        let usages: Vec<&EventKind> = all.iter().filter(|w| matches!(w, EventKind::Usage { .. })).collect();
        let usage = Usage {
            input_tokens: Some(5),
            output_tokens: Some(9),
            cached_tokens: Some(2),
            cost_usd: Some(0.5),
        };
        assert_eq!(usages, [&EventKind::Usage { scope: UsageScope::Run, usage }]);
    }

    #[test]
    fn the_model_and_its_thoughts_are_told() {
        let mut thought = chunk("", None);
        thought["choices"][0]["delta"]["reasoning_content"] = json!("hm");
        let all = read(&[thought, chunk("a", Some("stop"))], None).3;
        assert!(matches!(&all[0], EventKind::Session { model: Some(m), .. } if m == "m"), "{all:?}");
        assert!(matches!(&all[1], EventKind::Reasoning { text } if text == "hm"), "{all:?}");
    }
}
