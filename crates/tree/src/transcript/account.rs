//! Sums up a run's events: the name of its conversation, its use of tokens, and the end of its last turn.

use super::{dialect::Dialect, failure::Failure, follow::all_events, refusal::Refusals};
use crate::{
    Result,
    event::{Event, EventKind, RawReason, Role, TurnOutcome, UsageScope},
    paths::RunDir,
    usage::Usage,
};
use base::fsx::Root;

/// The sum of the events of one run, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Account {
    /// The agent's name of the conversation.
    pub thread_id: Option<String>,
    /// The model that answered.
    pub model: Option<String>,
    /// Version of the agent's program.
    pub agent_version: Option<String>,
    /// Tokens and money of the run, as far as the agent counts by run or by step.
    pub used: Option<Usage>,
    /// Tokens and money of the conversation over all its runs, if the agent counts them this way.
    pub used_by_thread: Option<Usage>,
    /// The last end of a turn that the agent reported.
    pub last_word: Option<LastWord>,
    /// The last failure that the agent did not recover from by itself.
    pub failure: Option<Failure>,
    /// The usage limit, or the overload, that the agent was waiting out when its stream ended.
    pub refusals: Refusals,
    /// True if the last line of the stream was cut off.
    pub cut_off: bool,
    /// The last text that the agent wrote.
    answer: String,
    /// True if the next partial message begins a new text.
    fresh: bool,
}

/// The agent's report on the end of its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWord {
    /// Outcome of the turn.
    pub outcome: TurnOutcome,
    /// The agent's answer, or the reason for giving up.
    pub message: Option<String>,
}

impl Account {
    /// Sums up a run's whole stream.
    ///
    /// # Errors
    /// If the stream cannot be read.
    pub fn of_run(dialect: Dialect, root: &Root, run: &RunDir) -> Result<Self> {
        let mut account = Self::default();
        all_events(dialect, root, run, |event| account.add(event))?;
        Ok(account)
    }

    /// Adds the next event.
    pub fn add(&mut self, event: &Event) {
        if self.is_of_a_sub_task(event) {
            // Only its tokens count for the run.
            if let EventKind::Usage { scope: UsageScope::Step, usage } = &event.kind {
                self.count(UsageScope::Step, usage);
            }
            return;
        }
        self.refusals.add(event);
        if is_work(&event.kind) {
            // An agent that worked in the background reports the end of a turn, and then begins another one.
            self.last_word = None;
        }
        match &event.kind {
            EventKind::Session { thread_id, model, agent_version } => {
                if self.thread_id.is_none() {
                    self.thread_id.clone_from(thread_id);
                }
                later(&mut self.model, model.as_ref());
                later(&mut self.agent_version, agent_version.as_ref());
            }
            EventKind::Message { role: Role::Assistant, text, partial } => self.say(text, *partial),
            EventKind::Message { .. }
            | EventKind::Reasoning { .. }
            | EventKind::ToolCall { .. }
            | EventKind::ToolResult { .. }
            | EventKind::FileChange { .. } => self.fresh = true,
            EventKind::Usage { scope, usage } => self.count(*scope, usage),
            EventKind::Error { retried: true, .. } => {}
            EventKind::Error { .. } => Failure::of(&event.kind).into_iter().for_each(|f| self.fail(f)),
            EventKind::TurnEnd { outcome, message } => {
                self.last_word = Some(LastWord { outcome: *outcome, message: message.clone() });
                if *outcome == TurnOutcome::Completed {
                    self.failure = None;
                }
            }
            EventKind::Raw { reason, .. } => self.cut_off = *reason == RawReason::CutOff,
        }
    }

    /// Returns the agent's answer: the answer in the final result, else the last text.
    #[must_use]
    pub fn answer(&self) -> Option<&str> {
        let said = self.last_word.as_ref().filter(|w| w.outcome == TurnOutcome::Completed);
        let said = said.and_then(|w| w.message.as_deref());
        said.or(Some(&*self.answer)).filter(|text| !text.trim().is_empty())
    }

    /// Returns true if the event belongs to a sub-task. The first conversation that is named is the run's own.
    fn is_of_a_sub_task(&self, event: &Event) -> bool {
        matches!((&event.within, &self.thread_id), (Some(within), Some(own)) if within != own)
    }

    /// Records a failure. An agent reports one failure several times, and not each report contains the time of a retry.
    fn fail(&mut self, failure: Failure) {
        let before = self.failure.take().filter(|b| b.class == failure.class && b.says_when());
        self.failure = Some(match before {
            Some(before) if before.retry_at.is_some() || !failure.says_when() => {
                Failure { message: failure.message, ..before }
            }
            _ => failure,
        });
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

/// Returns a run's share of a conversation that had used `before` when the run began. If any figure is smaller than
/// before, the agent has started to count anew, and `total` is the run's share.
#[must_use]
pub fn difference(total: &Usage, before: &Usage) -> Usage {
    let fell = |now: Option<u64>, then: Option<u64>| now.zip(then).is_some_and(|(now, then)| now < then);
    let anew = fell(total.input_tokens, before.input_tokens)
        || fell(total.output_tokens, before.output_tokens)
        || fell(total.cached_tokens, before.cached_tokens)
        || total.cost_usd.zip(before.cost_usd).is_some_and(|(now, then)| now < then);
    if anew {
        return total.clone();
    }
    let less = |now: Option<u64>, then: Option<u64>| now.map(|now| now - then.unwrap_or(0));
    Usage {
        input_tokens: less(total.input_tokens, before.input_tokens),
        output_tokens: less(total.output_tokens, before.output_tokens),
        cached_tokens: less(total.cached_tokens, before.cached_tokens),
        cost_usd: total.cost_usd.map(|now| now - before.cost_usd.unwrap_or(0.0)),
    }
}

/// Returns true for what an agent does in a turn, or at its beginning.
fn is_work(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::Session { .. }
            | EventKind::Message { role: Role::Assistant, .. }
            | EventKind::Reasoning { .. }
            | EventKind::ToolCall { .. }
    )
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

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::event::{EVENT_VERSION, ErrorClass, WallClock};

    fn within(within: Option<&str>, kind: EventKind) -> Event {
        let within = within.map(str::to_owned);
        let (version, offset, length) = (EVENT_VERSION, 0, 1);
        Event { version, offset, length, part: 1, parts: 1, time: None, within, clipped: false, kind }
    }

    fn account(kind: impl IntoIterator<Item = EventKind>) -> Account {
        let mut account = Account::default();
        kind.into_iter().for_each(|w| account.add(&within(None, w)));
        account
    }

    fn says(text: &str, partial: bool) -> EventKind {
        EventKind::Message { role: Role::Assistant, text: text.to_owned(), partial }
    }

    fn session(id: &str) -> EventKind {
        EventKind::Session { thread_id: Some(id.to_owned()), model: None, agent_version: None }
    }

    fn used(scope: UsageScope, input: u64, cost: Option<f64>) -> EventKind {
        let usage =
            Usage { input_tokens: Some(input), output_tokens: None, cached_tokens: None, cost_usd: cost };
        EventKind::Usage { scope, usage }
    }

    fn end(outcome: TurnOutcome, message: Option<&str>) -> EventKind {
        EventKind::TurnEnd { outcome, message: message.map(str::to_owned) }
    }

    fn error(class: ErrorClass, retry_at: Option<i64>, retry_after: Option<f64>) -> EventKind {
        EventKind::Error {
            class,
            message: format!("{retry_at:?} {retry_after:?}"),
            http_status: None,
            retry_at: retry_at.and_then(|t| DateTime::from_timestamp(t, 0)),
            retry_after,
            retry_clock: None,
            retried: false,
        }
    }

    #[test]
    fn the_answer_is_what_was_said_last_unless_the_last_word_has_one() {
        let tool =
            || EventKind::ToolCall { call_id: None, tool: "t".to_owned(), input: serde_json::Value::Null };
        let table = [
            (vec![], None),
            (vec![says("one", false), says("two", false)], Some("two")),
            (vec![says("a", true), says("b", true)], Some("ab")),
            (vec![says("a", true), tool(), says("b", true), says("c", true)], Some("bc")),
            (vec![says("whole", false), says("a", true)], Some("a")),
            (vec![says("a", true), says("whole", false)], Some("whole")),
            (vec![says("said", false), tool()], Some("said")),
            (vec![says("said", false), end(TurnOutcome::Completed, Some("the answer"))], Some("the answer")),
            (vec![says("said", false), end(TurnOutcome::Completed, None)], Some("said")),
            (vec![says("said", false), end(TurnOutcome::Failed, Some("no reason"))], Some("said")),
            (vec![says(" \n", false)], None),
        ];
        for (kind, expected) in table {
            let shown = format!("{kind:?}");
            assert_eq!(account(kind).answer(), expected, "{shown}");
        }
    }

    #[test]
    fn a_turn_after_the_last_word_takes_it_back() {
        let done = || end(TurnOutcome::Completed, Some("started it"));
        let note = || EventKind::Message {
            role: Role::System,
            text: "a sub-agent was stopped".to_owned(),
            partial: false,
        };
        let call =
            || EventKind::ToolCall { call_id: None, tool: "t".to_owned(), input: serde_json::Value::Null };
        let table = [
            (vec![session("s"), done()], Some("started it")),
            (vec![session("s"), done(), note(), used(UsageScope::Run, 1, None)], Some("started it")),
            (vec![session("s"), done(), session("s")], None),
            (vec![session("s"), done(), call()], None),
            (vec![session("s"), done(), says("more", false)], None),
            (vec![session("s"), done(), session("s"), end(TurnOutcome::Completed, Some("all"))], Some("all")),
        ];
        for (kind, expected) in table {
            let shown = format!("{kind:?}");
            let word = account(kind).last_word.and_then(|word| word.message);
            assert_eq!(word.as_deref(), expected, "{shown}");
        }
    }

    #[test]
    fn steps_are_summed_and_the_last_total_holds() {
        let account = account([
            used(UsageScope::Step, 3, Some(0.5)),
            used(UsageScope::Step, 4, None),
            used(UsageScope::Thread, 10, None),
            used(UsageScope::Thread, 20, Some(1.0)),
        ]);
        let used = account.used.unwrap();
        assert_eq!((used.input_tokens, used.output_tokens, used.cost_usd), (Some(7), None, Some(0.5)));
        let total = account.used_by_thread.unwrap();
        assert_eq!((total.input_tokens, total.cost_usd), (Some(20), Some(1.0)));
        let account =
            self::account([self::used(UsageScope::Run, 3, Some(0.5)), self::used(UsageScope::Run, 4, None)]);
        assert_eq!(
            account.used.unwrap(),
            Usage { input_tokens: Some(4), cost_usd: Some(0.5), ..Usage::default() }
        );
    }

    #[test]
    fn a_difference_is_that_of_the_run_alone() {
        let usage = |input, output, cost| Usage {
            input_tokens: input,
            output_tokens: output,
            cached_tokens: None,
            cost_usd: cost,
        };
        let table = [
            (
                usage(Some(50), Some(9), Some(0.75)),
                usage(Some(40), Some(9), Some(0.5)),
                usage(Some(10), Some(0), Some(0.25)),
            ),
            (usage(Some(50), None, None), Usage::default(), usage(Some(50), None, None)),
            (usage(None, None, None), usage(Some(40), None, None), usage(None, None, None)),
            // One figure fell, so all of them belong to this run.
            (
                usage(Some(10), Some(60), None),
                usage(Some(40), Some(50), None),
                usage(Some(10), Some(60), None),
            ),
            (
                usage(Some(50), None, Some(0.25)),
                usage(Some(40), None, Some(0.5)),
                usage(Some(50), None, Some(0.25)),
            ),
        ];
        for (total, before, expected) in table {
            assert_eq!(difference(&total, &before), expected, "{total:?} {before:?}");
        }
    }

    #[test]
    fn a_failure_keeps_the_best_that_was_said_of_its_end() {
        let limit = ErrorClass::UsageLimit;
        let failure = |kind: Vec<EventKind>| {
            account(kind).failure.map(|f| (f.class, f.retry_at.map(|t| t.timestamp()), f.retry_after))
        };
        assert_eq!(
            failure(vec![error(limit, Some(9), None), error(limit, None, None)]),
            Some((limit, Some(9), None))
        );
        assert_eq!(
            failure(vec![error(limit, Some(9), None), error(limit, None, Some(1.0))]),
            Some((limit, Some(9), None))
        );
        assert_eq!(
            failure(vec![error(limit, None, Some(1.0)), error(limit, Some(9), None)]),
            Some((limit, Some(9), None))
        );
        let other = error(ErrorClass::Request, None, None);
        assert_eq!(
            failure(vec![error(limit, Some(9), None), other]),
            Some((ErrorClass::Request, None, None))
        );
        let passed = vec![error(limit, Some(9), None), end(TurnOutcome::Completed, None)];
        assert_eq!(failure(passed), None);
        let mut retried = error(limit, Some(9), None);
        if let EventKind::Error { retried, .. } = &mut retried {
            *retried = true;
        }
        assert_eq!(failure(vec![retried]), None);
    }

    #[test]
    fn a_failure_tells_when_to_try_again() {
        let said = DateTime::parse_from_rfc3339("2026-11-22T10:00:00+01:00").unwrap();
        let failure = |at: Option<i64>, after: Option<f64>, clock: Option<u32>| Failure {
            class: ErrorClass::UsageLimit,
            message: String::new(),
            retry_at: at.and_then(|t| DateTime::from_timestamp(t, 0)),
            retry_after: after,
            retry_clock: clock.map(|hour| WallClock {
                hour,
                minute: 0,
                day: None,
                month: None,
                year: None,
                zone: None,
            }),
        };
        let when = |f: Failure| f.not_before(said).map(|t| t.to_rfc3339());
        assert_eq!(when(failure(Some(0), Some(1.0), Some(3))).as_deref(), Some("1970-01-01T00:00:00+00:00"));
        assert_eq!(
            when(failure(None, Some(90.5), Some(3))).as_deref(),
            Some("2026-11-22T09:01:30.500+00:00")
        );
        assert_eq!(when(failure(None, None, Some(3))).as_deref(), Some("2026-11-23T02:00:00+00:00"));
        assert_eq!(when(failure(None, None, None)), None);
        assert_eq!(when(failure(None, Some(f64::MAX), None)), None);
    }

    #[test]
    fn a_sub_task_costs_and_says_nothing_else() {
        let mut account = Account::default();
        for (conversation, kind) in [
            ("own", session("own")),
            ("sub", session("sub")),
            ("sub", says("aside", false)),
            ("sub", used(UsageScope::Step, 5, None)),
            ("sub", used(UsageScope::Thread, 500, None)),
            ("sub", end(TurnOutcome::Completed, None)),
            ("sub", error(ErrorClass::Other, None, None)),
            ("own", used(UsageScope::Step, 2, None)),
        ] {
            account.add(&within(Some(conversation), kind));
        }
        let used = Some(Usage { input_tokens: Some(7), ..Usage::default() });
        let expected = Account { thread_id: Some("own".to_owned()), used, ..Account::default() };
        assert_eq!(account, expected);
    }

    #[test]
    fn a_stream_that_ends_in_the_middle_of_a_line_was_cut_off() {
        let raw = |reason| EventKind::Raw { reason, text: String::new(), lines: None };
        assert!(account([raw(RawReason::NotJson), raw(RawReason::CutOff)]).cut_off);
        assert!(!account([raw(RawReason::Unknown)]).cut_off);
    }
}
