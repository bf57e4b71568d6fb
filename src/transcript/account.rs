//! What a run's events come to: the name of its conversation, its use of tokens, its last word.

use chrono::{DateTime, Utc};

use super::{dialect::Dialect, follow::all_events};
use crate::{
    fsx::Root,
    tree::{
        Result,
        event::{ErrorClass, Event, RawReason, Role, TurnOutcome, UsageScope, What},
        paths::RunDir,
        usage::Usage,
    },
};

/// The sum of the events of one run, taken in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Account {
    /// The agent's name of the conversation.
    pub thread_id: Option<String>,
    /// The model that answered.
    pub model: Option<String>,
    /// Version of the agent's program.
    pub agent_version: Option<String>,
    /// What the run used, as far as the agent counts by run or by step.
    pub used: Option<Usage>,
    /// What the conversation has used over all its runs, where the agent counts so.
    pub used_by_thread: Option<Usage>,
    /// What the agent said last of a turn.
    pub last_word: Option<LastWord>,
    /// The last thing that went wrong and was not made good by the agent itself.
    pub failure: Option<Failure>,
    /// Something was cut off at the end of the stream.
    pub cut_off: bool,
    /// What the agent said last, in its own words.
    answer: String,
    /// The next partial message begins a new text.
    fresh: bool,
}

/// The agent's last word on its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWord {
    /// How the turn ended.
    pub outcome: TurnOutcome,
    /// Its answer, or why it gave up.
    pub message: Option<String>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// What kind of thing.
    pub class: ErrorClass,
    /// The agent's words.
    pub message: String,
    /// When to try again.
    pub retry_at: Option<DateTime<Utc>>,
    /// After how many seconds to try again.
    pub retry_after: Option<f64>,
}

impl Account {
    /// The sum of everything that a run's stream says.
    ///
    /// # Errors
    /// If the stream cannot be read.
    pub fn of_run(dialect: Dialect, root: &Root, run: &RunDir) -> Result<Self> {
        let mut account = Self::default();
        all_events(dialect, root, run, |event| account.add(event))?;
        Ok(account)
    }

    /// Takes the next event in.
    pub fn add(&mut self, event: &Event) {
        match &event.what {
            What::Session { thread_id, model, agent_version } => {
                later(&mut self.thread_id, thread_id.as_ref());
                later(&mut self.model, model.as_ref());
                later(&mut self.agent_version, agent_version.as_ref());
            }
            What::Message { role: Role::Assistant, text, partial } => self.say(text, *partial),
            What::Message { .. }
            | What::Reasoning { .. }
            | What::ToolCall { .. }
            | What::ToolResult { .. }
            | What::FileChange { .. } => self.fresh = true,
            What::Usage { scope, usage } => self.count(*scope, usage),
            What::Error { retried: true, .. } => {}
            What::Error { class, message, retry_at, retry_after, .. } => {
                self.failure = Some(Failure {
                    class: *class,
                    message: message.clone(),
                    retry_at: *retry_at,
                    retry_after: *retry_after,
                });
            }
            What::TurnEnd { outcome, message } => {
                self.last_word = Some(LastWord { outcome: *outcome, message: message.clone() });
                if *outcome == TurnOutcome::Completed {
                    self.failure = None;
                }
            }
            What::Raw { reason, .. } => self.cut_off = *reason == RawReason::CutOff,
        }
    }

    /// The agent's answer: what it says it is, else what it said last.
    #[must_use]
    pub fn answer(&self) -> Option<&str> {
        let said = self.last_word.as_ref().filter(|w| w.outcome == TurnOutcome::Completed);
        let said = said.and_then(|w| w.message.as_deref());
        said.or(Some(&*self.answer)).filter(|text| !text.trim().is_empty())
    }

    fn say(&mut self, text: &str, partial: bool) {
        if !partial || self.fresh {
            self.answer.clear();
        }
        self.answer.push_str(text);
        self.fresh = !partial;
    }

    fn count(&mut self, scope: UsageScope, usage: &Usage) {
        match scope {
            UsageScope::Step => {
                let sum = self.used.get_or_insert_default();
                add(&mut sum.input_tokens, usage.input_tokens, u64::saturating_add);
                add(&mut sum.output_tokens, usage.output_tokens, u64::saturating_add);
                add(&mut sum.cached_tokens, usage.cached_tokens, u64::saturating_add);
                add(&mut sum.cost_usd, usage.cost_usd, |a, b| a + b);
            }
            UsageScope::Run => merge(self.used.get_or_insert_default(), usage),
            UsageScope::Thread => merge(self.used_by_thread.get_or_insert_default(), usage),
        }
    }
}

/// What a run used of a conversation that had used `before` when it began; an agent that counts anew is believed.
#[must_use]
pub fn difference(total: &Usage, before: &Usage) -> Usage {
    let less = |now: Option<u64>, then: Option<u64>| {
        now.map(|now| now.checked_sub(then.unwrap_or(0)).unwrap_or(now))
    };
    Usage {
        input_tokens: less(total.input_tokens, before.input_tokens),
        output_tokens: less(total.output_tokens, before.output_tokens),
        cached_tokens: less(total.cached_tokens, before.cached_tokens),
        cost_usd: total.cost_usd.map(|now| {
            let then = before.cost_usd.unwrap_or(0.0);
            if then > now { now } else { now - then }
        }),
    }
}

fn later(known: &mut Option<String>, said: Option<&String>) {
    if let Some(said) = said {
        *known = Some(said.clone());
    }
}

fn add<T: Copy>(sum: &mut Option<T>, more: Option<T>, plus: impl Fn(T, T) -> T) {
    *sum = match (*sum, more) {
        (Some(a), Some(b)) => Some(plus(a, b)),
        (a, b) => a.or(b),
    };
}

fn merge(known: &mut Usage, said: &Usage) {
    known.input_tokens = said.input_tokens.or(known.input_tokens);
    known.output_tokens = said.output_tokens.or(known.output_tokens);
    known.cached_tokens = said.cached_tokens.or(known.cached_tokens);
    known.cost_usd = said.cost_usd.or(known.cost_usd);
}
