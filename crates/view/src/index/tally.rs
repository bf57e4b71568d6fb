//! Statistics of the runs that ended since the start: their number, duration and usage.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use tree::{run_info::RunStatus, usage::Usage};

/// The upper bounds of the classes of durations, in seconds; the last class is open.
pub const DURATIONS: [u64; 9] = [1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400];

/// Statistics of one agent's runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Number of ended runs by status.
    pub ended: BTreeMap<&'static str, u64>,
    /// Number of runs in each class of [`DURATIONS`], and of longer ones at the end.
    pub durations: [u64; DURATIONS.len() + 1],
    /// The total duration of all runs, in milliseconds.
    pub took_ms: u64,
    /// The total usage.
    pub spent: UsageTotals,
}

/// Tokens and money.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsageTotals {
    /// Tokens read by the model, including those from the provider's cache.
    pub input_tokens: u64,
    /// Tokens written by the model.
    pub output_tokens: u64,
    /// Tokens read from the provider's cache.
    pub cached_tokens: u64,
    /// Millionths of a US dollar.
    pub micro_usd: u64,
}

impl UsageTotals {
    fn add(&mut self, more: &Usage) {
        let add = |sum: &mut u64, more: Option<u64>| *sum = sum.saturating_add(more.unwrap_or(0));
        add(&mut self.input_tokens, more.input_tokens);
        add(&mut self.output_tokens, more.output_tokens);
        add(&mut self.cached_tokens, more.cached_tokens);
        add(&mut self.micro_usd, more.cost_usd.map(micro));
    }
}

impl Tally {
    /// Counts an ended run: its status, its duration if known, and its usage.
    pub(super) fn count(&mut self, status: RunStatus, took: Option<TimeDelta>, spent: Option<&Usage>) {
        *self.ended.entry(status.as_str()).or_default() += 1;
        if let Some(took) = took {
            let took = u64::try_from(took.num_milliseconds()).unwrap_or(0);
            self.took_ms = self.took_ms.saturating_add(took);
            let class = DURATIONS.iter().position(|bound| took <= bound * 1000).unwrap_or(DURATIONS.len());
            self.durations[class] += 1;
        }
        if let Some(spent) = spent {
            self.spent.add(spent);
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped; a cast of a float saturates"
)]
fn micro(usd: f64) -> u64 {
    (usd.clamp(0.0, 1e9) * 1e6).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_sorted_by_how_long_they_took_and_added_up() {
        let usage = Usage { input_tokens: Some(10), cost_usd: Some(0.25), ..Usage::default() };
        let mut tally = Tally::default();
        for took in [0, 1000, 1001, 86_400_001, -5] {
            tally.count(RunStatus::Completed, Some(TimeDelta::milliseconds(took)), Some(&usage));
        }
        tally.count(RunStatus::Failed, None, Some(&Usage::default()));
        assert_eq!((tally.durations[0], tally.durations[1], tally.durations[9]), (3, 1, 1));
        assert_eq!(tally.ended, [("completed", 5), ("failed", 1)].into());
        let spent = tally.spent;
        assert_eq!((spent.input_tokens, spent.micro_usd, spent.output_tokens), (50, 1_250_000, 0));
        assert_eq!(tally.took_ms, 86_402_002);
    }

    #[test]
    fn money_that_makes_no_sense_is_none() {
        for (usd, wanted) in [(f64::NAN, 0), (-1.0, 0), (0.000_000_4, 0), (1e300, 1_000_000_000_000_000)] {
            assert_eq!(micro(usd), wanted, "{usd}");
        }
    }
}
