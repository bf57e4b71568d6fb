//! Decides when an agent that has reported its final result, and does not exit, is ended.
//!
//! A driver, which understands the agent's stream, says in the inbox that the stream ends with a final result. From then
//! on the agent may stay for the grace, and longer while anything works in the background: any process below the shim
//! except the agent itself, and except those that were there well before its first output. These are part of the agent:
//! the program behind a wrapper, a server of tools. New output makes the result an interim one.

use std::time::{Duration, Instant};

use super::super::{
    identity::{ProcessId, Ticks},
    tree::Descendants,
};

/// Time before the agent's first output by which its own processes have started. The shim sees the output a moment later
/// than it was written.
const WELL_BEFORE: Duration = Duration::from_millis(100);
/// Longest time between two looks at the processes.
const LONGEST_PERIOD: Duration = Duration::from_secs(2);
/// Shortest time between two looks.
const SHORTEST_PERIOD: Duration = Duration::from_millis(50);

/// The state of an agent that may have reported its final result.
#[derive(Debug, Default)]
pub(super) struct ExitWatch {
    ended: Option<Ended>,
}

/// The agent's output.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutputNow {
    /// The size of its standard output.
    pub(super) stdout: u64,
    /// The time of its last output, on standard error too.
    pub(super) last: Instant,
}

/// An agent that has reported its final result.
#[derive(Debug, Clone, Copy)]
struct Ended {
    /// The size of its standard output with that result.
    stdout: u64,
    /// The time since when nothing is known to work.
    idle_since: Instant,
    next_look: Instant,
}

impl ExitWatch {
    /// Takes the report that standard output of this size ends with a final result.
    pub(super) fn take(&mut self, stdout: Option<u64>, now: Instant) {
        if let Some(stdout) = stdout {
            self.ended = Some(Ended { stdout, idle_since: now, next_look: now });
        }
    }

    /// Returns the time of the next look at the processes; `None` while none is necessary.
    pub(super) fn next_look(&self) -> Option<Instant> {
        self.ended.map(|ended| ended.next_look)
    }

    /// Returns true if the agent is to be ended. `works` looks at the processes: now and then, and at once without a grace.
    pub(super) fn is_over(
        &mut self,
        now: Instant,
        grace: Duration,
        output: OutputNow,
        works: impl FnOnce() -> bool,
    ) -> bool {
        self.ended = self.ended.filter(|ended| ended.stdout == output.stdout);
        let is_due = |ended: &&mut Ended| now >= ended.next_look || grace.is_zero();
        let Some(ended) = self.ended.as_mut().filter(is_due) else { return false };
        let works = works();
        ended.idle_since = if works { now } else { ended.idle_since.max(output.last) };
        let over = ended.idle_since + grace;
        let period = (grace / 10).clamp(SHORTEST_PERIOD, LONGEST_PERIOD);
        ended.next_look = if now < over { over.min(now + period) } else { now + period };
        now >= over && !works
    }
}

/// Returns true if processes work in the background of an agent.
pub(super) fn works_in_background(
    below: &Descendants<'_>,
    agent: ProcessId,
    first_output: Option<Ticks>,
) -> bool {
    let is_part = |id: ProcessId| {
        id == agent || first_output.is_some_and(|first| Ticks(id.started).is_before(first, WELL_BEFORE))
    };
    !below.others.is_empty() || below.own.iter().any(|stat| !is_part(stat.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_mins(1);

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn output(stdout: u64, last: Instant) -> OutputNow {
        OutputNow { stdout, last }
    }

    #[test]
    fn the_grace_begins_when_nothing_works_any_more() {
        let began = Instant::now();
        let mut watch = ExitWatch::default();
        assert!(
            !watch.is_over(began, GRACE, output(10, began), || panic!("nothing is asked before a result"))
        );
        watch.take(Some(10), began);
        for (second, works, over) in [
            (0, false, false),
            (30, true, false),
            (60, false, false),
            (89, false, false),
            // The last look at a process that worked was at 30.
            (90, false, true),
        ] {
            assert_eq!(
                watch.is_over(began + seconds(second), GRACE, output(10, began), || works),
                over,
                "{second}"
            );
        }
    }

    #[test]
    fn new_output_makes_the_result_an_interim_one() {
        let began = Instant::now();
        let mut watch = ExitWatch::default();
        watch.take(Some(10), began);
        assert!(!watch.is_over(began + seconds(70), GRACE, output(11, began), || false));
        assert_eq!(watch.next_look(), None);
        // A report about older output is of no use, and another one begins a new grace.
        watch.take(Some(11), began + seconds(80));
        watch.take(None, began + seconds(81));
        assert!(!watch.is_over(began + seconds(100), GRACE, output(11, began), || false));
        assert!(watch.is_over(began + seconds(140), GRACE, output(11, began), || false));
    }

    #[test]
    fn a_word_on_stderr_begins_a_new_grace() {
        let began = Instant::now();
        let mut watch = ExitWatch::default();
        watch.take(Some(10), began);
        let printed = output(10, began + seconds(50));
        assert!(!watch.is_over(began + seconds(60), GRACE, printed, || false));
        assert!(watch.is_over(began + seconds(110), GRACE, printed, || false));
    }

    #[test]
    fn without_a_grace_the_processes_decide_at_once() {
        let began = Instant::now();
        let mut watch = ExitWatch::default();
        assert!(!watch.is_over(began, Duration::ZERO, output(10, began), || false));
        watch.take(Some(10), began);
        for works in [true, false] {
            assert!(!watch.is_over(began, GRACE, output(10, began), || works));
            assert_eq!(watch.is_over(began, Duration::ZERO, output(10, began), || works), !works);
        }
    }

    #[test]
    fn the_processes_are_looked_at_only_now_and_then() {
        let began = Instant::now();
        let mut watch = ExitWatch::default();
        watch.take(Some(10), began);
        let mut looks = 0;
        for tick in 0..600 {
            watch.is_over(began + Duration::from_millis(tick * 100), GRACE, output(10, began), || {
                looks += 1;
                true
            });
        }
        assert_eq!(looks, 30);
    }
}
