//! The poll loop: handles signals, hints, timers and the agent's input until no process of the run is left.

use std::{
    os::fd::AsFd,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{signal::Signal, wait::WaitStatus},
    unistd::Pid,
};

use base::names;

use super::{
    super::{
        exit::{ExitRecord, Leftover, ProcessEnd, ResourceUsage, StopBy, StopRequest},
        identity::ProcStat,
        pidfd::Leader,
        spec::LaunchSpec,
        sys::{self, Reap, Reaped},
        tree::{ProcTable, signal_all},
    },
    ending::RunEnd,
    exit_watch::{self, ExitWatch, OutputNow},
    heartbeat::Heartbeat,
    ladder::{Facts, Ladder, Step},
    launch::Agent,
    log_times::LogTimes,
    memory::MemoryWatch,
    pump::Pump,
    watch::{Inbox, Watch},
};

/// The state of the loop.
struct Supervisor<'a> {
    spec: &'a LaunchSpec,
    agent: Agent,
    watch: Watch,
    log_times: LogTimes,
    heartbeat: Heartbeat,
    pump: Option<Pump>,
    inbox: Inbox,
    exit_watch: ExitWatch,
    memory: MemoryWatch,
    began: Instant,
    ladder: Ladder,
    reaped: Option<(Reaped, DateTime<Utc>)>,
    /// No process at all is below us, not even a shim of another run.
    childless: bool,
    stop: Option<StopRequest>,
    leftovers: Vec<Leftover>,
    we_killed: bool,
}

/// Supervises the agent until it and every process below it has ended.
pub(super) fn supervise(spec: &LaunchSpec, mut agent: Agent) -> RunEnd {
    let files = &agent.files;
    let mut supervisor = Supervisor {
        watch: Watch::new(&files.root, &files.dir, &spec.stop_marker),
        log_times: LogTimes::new(&files.root, &files.dir),
        heartbeat: Heartbeat::new(&files.root, &files.dir, spec.heartbeat),
        pump: agent.stdin.take().map(|pipe| Pump::new(&files.root, &files.dir, pipe)),
        inbox: Inbox::new(&files.root, &files.dir),
        exit_watch: ExitWatch::default(),
        memory: MemoryWatch::begin(agent.id.pid),
        spec,
        agent,
        began: Instant::now(),
        ladder: Ladder::Running,
        reaped: None,
        childless: false,
        stop: None,
        leftovers: Vec::new(),
        we_killed: false,
    };
    loop {
        supervisor.look();
        match supervisor.climb() {
            Step::Finished => return supervisor.finish(),
            Step::Wait(until) => supervisor.wait(until),
            Step::Terminate | Step::Kill => {}
        }
    }
}

impl Supervisor<'_> {
    /// Handles everything that has happened, without waiting.
    fn look(&mut self) {
        self.take_signals();
        self.reap();
        self.watch.drain();
        self.keep_claim();
        self.log_times.mark();
        self.heartbeat.beat();
        // Read before the lines, so that every line appended before an `end_of_input` is found in the file afterwards.
        self.inbox.read();
        if let Some(pump) = &mut self.pump {
            pump.push(self.inbox.end_of_input);
        }
        self.exit_watch.take(self.inbox.last_word.take(), Instant::now());
        if self.reaped.is_none() && self.stop.is_none() {
            self.stop = self.stop_reason().map(|by| StopRequest { by, at: Utc::now() });
        }
    }

    /// Publishes the claim again if the agent has put a thing of the wrong kind in its place: without it no driver finds
    /// this run. A claim that was removed may be part of a folder that is being removed.
    fn keep_claim(&self) {
        let (root, dir) = (&self.agent.files.root, &self.agent.files.dir);
        if let Ok(Some(_)) = root.wrong_kind(&dir.join(names::run::CLAIM)) {
            // A failure is repeated at the next look.
            let _ = self.agent.claim.publish(root, dir);
        }
    }

    fn reap(&mut self) {
        loop {
            match sys::reap_any() {
                Reap::Ended(reaped) if reaped.pid == self.agent.id.pid => {
                    let ended_at = ended_at(self.agent.started_at, self.began.elapsed(), Utc::now());
                    self.reaped = Some((reaped, ended_at));
                }
                Reap::Ended(_) => {}
                Reap::NoneYet => return self.childless = false,
                Reap::NoChild => return self.childless = true,
            }
        }
    }

    fn take_signals(&mut self) {
        while let Ok(Some(info)) = self.agent.signals.read_signal() {
            let asks = [Signal::SIGTERM, Signal::SIGINT].map(|s| u32::try_from(s as i32).unwrap_or(0));
            if asks.contains(&info.ssi_signo) && self.stop.is_none() && self.reaped.is_none() {
                self.stop = Some(StopRequest { by: StopBy::Signal, at: Utc::now() });
            }
        }
    }

    fn stop_reason(&mut self) -> Option<StopBy> {
        let passed = |since: Instant, limit: Option<Duration>| limit.is_some_and(|l| since.elapsed() >= l);
        if self.watch.stop_marker_is_there() {
            Some(StopBy::StopMarker)
        } else if self.watch.folder_is_gone() {
            Some(StopBy::FolderGone)
        } else if let Some(by) = self.inbox.stop {
            Some(by)
        } else if self.stays_after_its_end(self.spec.exit_grace) {
            Some(StopBy::LastWord)
        } else {
            let idle = passed(self.log_times.last_output(), self.spec.idle_timeout);
            let wall = passed(self.began, self.spec.max_run_time);
            let limit = idle.then_some(StopBy::IdleTimeout).or_else(|| wall.then_some(StopBy::MaxRunTime))?;
            // A limit does not make a failure of an agent that only has to exit.
            let only_has_to_exit = self.stays_after_its_end(self.spec.exit_grace.map(|_| Duration::ZERO));
            Some(if only_has_to_exit { StopBy::LastWord } else { limit })
        }
    }

    /// Returns true if the agent has reported its final result and stays for the grace although nothing works any more.
    fn stays_after_its_end(&mut self, grace: Option<Duration>) -> bool {
        let Some(grace) = grace else { return false };
        let (id, first_output) = (self.agent.id, self.log_times.first_output());
        let output = OutputNow { stdout: self.log_times.stdout(), last: self.log_times.last_output() };
        self.exit_watch.is_over(Instant::now(), grace, output, || {
            let table = ProcTable::snapshot();
            let below = table.below(std::process::id().cast_signed());
            exit_watch::works_in_background(&below, id, first_output)
        })
    }

    /// Asks the ladder for the next step and sends the signals of that step.
    fn climb(&mut self) -> Step {
        let agent_ended = self.reaped.is_some();
        let stop_asked = self.stop.is_some();
        if !agent_ended && !stop_asked {
            return Step::Wait(None);
        }
        let table = self.table();
        let below = table.below(std::process::id().cast_signed());
        // A child that the walk missed ended during the walk. Processes that it forked before are ours, too.
        let unseen = usize::from(!self.childless && below.others.is_empty());
        let facts = Facts { agent_ended, processes: below.own.len().max(unseen), stop_asked };
        let step = self.ladder.step(Instant::now(), self.spec.stop_grace, facts);
        match step {
            Step::Terminate => {
                if !stop_asked {
                    self.leftovers = below.own.iter().map(|s| leftover(s)).collect();
                }
                signal_all(&below.own, Signal::SIGTERM);
                // A stopped process handles SIGTERM only after it continues.
                signal_all(&below.own, Signal::SIGCONT);
            }
            Step::Kill => {
                self.we_killed = true;
                signal_all(&below.own, Signal::SIGKILL);
                if let Some(agent) = &self.agent.handle {
                    // Reaped by this loop and by nothing else.
                    let leader = if agent_ended { Leader::MayBeReaped } else { Leader::Unreaped };
                    table.kill_group(agent, leader, &below);
                }
                if let Some(group) = &self.agent.group {
                    group.kill(&below.others);
                }
            }
            Step::Wait(_) | Step::Finished => {}
        }
        step
    }

    /// Returns all processes, or none if no process is below us.
    fn table(&self) -> ProcTable {
        if self.childless { ProcTable::empty() } else { ProcTable::snapshot() }
    }

    /// Waits for the next event: a signal, a hint, room in the agent's input, or a deadline.
    fn wait(&mut self, until: Option<Instant>) {
        let now = Instant::now();
        let next_look = Some(self.watch.next_look());
        let (muted, beat) = (self.log_times.muted_until(), self.heartbeat.next());
        let deadline = [until, self.next_limit(), muted, next_look, beat].into_iter().flatten().min();
        // Adds a millisecond, because rounding down would make the loop spin through the last one.
        let timeout = deadline.map(|d| d.saturating_duration_since(now) + Duration::from_millis(1));
        let timeout =
            timeout.map_or(PollTimeout::NONE, |d| PollTimeout::try_from(d).unwrap_or(PollTimeout::MAX));
        let mut fds = vec![PollFd::new(self.agent.signals.as_fd(), PollFlags::POLLIN)];
        // While marks are muted, a flood of output must not wake us for every write.
        if self.log_times.muted_until().is_none()
            && let Some(hints) = self.watch.as_fd()
        {
            fds.push(PollFd::new(hints, PollFlags::POLLIN));
        }
        if let Some(pipe) = self.pump.as_ref().and_then(Pump::wants_room) {
            fds.push(PollFd::new(pipe, PollFlags::POLLOUT));
        }
        let _ = poll(&mut fds, timeout);
    }

    fn next_limit(&self) -> Option<Instant> {
        if self.stop.is_some() || self.reaped.is_some() {
            return None;
        }
        let idle = self.spec.idle_timeout.map(|d| self.log_times.last_output() + d);
        let wall = self.spec.max_run_time.map(|d| self.began + d);
        let exit = self.spec.exit_grace.and_then(|_| self.exit_watch.next_look());
        [idle, wall, exit].into_iter().flatten().min()
    }

    fn finish(mut self) -> RunEnd {
        self.keep_claim();
        self.log_times.last_mark();
        let table = self.table();
        let below = table.below(std::process::id().cast_signed());
        let survivors = below.own.into_iter().map(leftover).collect();
        let Some((reaped, ended_at)) = self.reaped else { unreachable!("the ladder ends after the agent") };
        let end = process_end(reaped);
        let killed_by_others =
            matches!(end, ProcessEnd::Signaled { signal: libc::SIGKILL, .. }) && !self.we_killed;
        let record = ExitRecord {
            started_at: Some(self.agent.started_at),
            stop: self.stop,
            rusage: Some(ResourceUsage {
                user_seconds: reaped.user.as_secs_f64(),
                system_seconds: reaped.system.as_secs_f64(),
                max_rss_bytes: reaped.max_rss_bytes,
            }),
            out_of_memory: killed_by_others.then(|| self.memory.evidence()).flatten(),
            leftovers: self.leftovers,
            survivors,
            ..ExitRecord::new(end, ended_at)
        };
        RunEnd { files: self.agent.files, record }
    }
}

/// Returns the time of the agent's end: that of the clock, unless the clock has stepped back since the start. Then the
/// start and the time that has passed count, so that a run takes as long as it took.
fn ended_at(started_at: DateTime<Utc>, took: Duration, now: DateTime<Utc>) -> DateTime<Utc> {
    /// Larger than what a clock is slowed down by while it is adjusted.
    const STEP: TimeDelta = TimeDelta::seconds(2);
    let took = TimeDelta::from_std(took).unwrap_or_default();
    match started_at.checked_add_signed(took) {
        Some(expected) if now < started_at || now + STEP < expected => expected,
        _ => now,
    }
}

fn leftover(stat: &ProcStat) -> Leftover {
    Leftover { pid: stat.id.pid, name: stat.comm.clone() }
}

fn process_end(reaped: Reaped) -> ProcessEnd {
    match WaitStatus::from_raw(Pid::from_raw(reaped.pid), reaped.status) {
        Ok(WaitStatus::Signaled(_, signal, core_dumped)) => {
            ProcessEnd::Signaled { signal: signal as i32, core_dumped }
        }
        Ok(WaitStatus::Exited(_, exit_code)) => ProcessEnd::Exited { exit_code },
        // A real-time signal, which is missing in the enum of signals.
        _ => ProcessEnd::Signaled { signal: reaped.status & 0x7f, core_dumped: reaped.status & 0x80 != 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_steps_back_shortens_no_run() {
        let start = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let at = |seconds: i64| start + TimeDelta::seconds(seconds);
        for (took, now, ended) in [
            (60, at(60), at(60)),
            // The machine slept: this clock went on, the other one did not.
            (60, at(3600), at(3600)),
            // The clock is adjusted slowly.
            (3600, at(3599), at(3599)),
            (3600, at(1800), at(3600)),
            (60, at(-3600), at(60)),
            (1, at(-1), at(1)),
        ] {
            assert_eq!(ended_at(start, Duration::from_secs(took), now), ended, "{took} {now}");
        }
    }
}
