//! The results of runs over time: how many ended, with which outcome, and their usage.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};

use super::index::RunSummary;
use tree::{run_info::RunStatus, usage::Usage};

/// The runs that ended within one step of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The start of the step.
    pub start: DateTime<Utc>,
    /// Number of runs that ended in the step.
    pub ended: u64,
    /// Number of them that succeeded.
    pub completed: u64,
    /// Number of them without a price from their agent; a replayed run has none.
    pub unpriced: u64,
    /// Their usage, as far as it was reported.
    pub usage: Usage,
}

/// Sums up the runs that ended since `since`, in steps of the given length. Steps without an end are left out.
#[must_use]
pub fn steps(runs: &[Arc<RunSummary>], since: DateTime<Utc>, step: TimeDelta) -> Vec<Step> {
    let length = step.num_seconds().max(1);
    let mut steps: BTreeMap<i64, Step> = BTreeMap::new();
    for run in runs.iter().filter(|r| r.is_final()) {
        let Some(end) = run.end_time.filter(|end| *end >= since) else { continue };
        let number = (end - since).num_seconds() / length;
        let at = steps.entry(number).or_insert_with(|| Step {
            start: since + TimeDelta::seconds(number * length),
            ended: 0,
            completed: 0,
            unpriced: 0,
            usage: Usage::default(),
        });
        at.ended += 1;
        at.completed += u64::from(run.status == Some(RunStatus::Completed));
        if run.replayed {
            continue;
        }
        at.unpriced += u64::from(run.usage.as_ref().is_none_or(|u| u.cost_usd.is_none()));
        if let Some(usage) = &run.usage {
            at.usage.add(usage);
        }
    }
    steps.into_values().collect()
}
