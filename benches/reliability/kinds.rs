//! Agents that leave a thing of the wrong kind at every name of ours.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::Value;
use tree::paths::{RunDir, TaskDir};

use crate::{
    Plan, Result,
    daemon::Daemon,
    table::{Faults, Table},
    world::{World, recorded, wait_for},
};

/// Reads its part from a file with the name of its task: the folder, the name, the kind, and the way on.
const AGENT: &str = r#"
read -r place name kind then <"$HOME/plan/$JRUN_TASK_ID"
case $place in run) at=$JRUN_RUN_FOLDER/$name ;; *) at=$JRUN_TASK_FOLDER/$name ;; esac
new=$at.new
case $kind in
    link) ln -s "$HOME/plan/victim" "$new" ;;
    dangling) ln -s "$HOME/plan/nothing" "$new" ;;
    folder) mkdir "$new" && : >"$new/inside" ;;
    pipe) mkfifo "$new" ;;
    sparse) truncate -s 20G "$new" ;;
esac
# The driver may write its record again in between.
until mv -fT "$new" "$at" 2>/dev/null; do rm -rf "$at"; done
: >"$HOME/plan/$JRUN_TASK_ID.made"
echo said
if [ "$then" = stay ]; then exec sleep 600; fi
[ "$name" = DONE ] || : >"$JRUN_TASK_FOLDER/DONE"
"#;

const KINDS: [&str; 5] = ["link", "dangling", "folder", "pipe", "sparse"];

/// The names that a stop has to do with.
const STOPPING: [(&str, &str); 12] = [
    ("task", "STOP"),
    ("task", "DONE"),
    ("task", "task.lock"),
    ("task", "TASK-END.yaml"),
    ("task", "TASK-CONFIG.yaml"),
    ("task", "TASK-MESSAGE-BUS.jsonl"),
    ("run", "run-info.yaml"),
    ("run", "claim.json"),
    ("run", "exit.json"),
    ("run", "inbox.jsonl"),
    ("run", "output.md"),
    ("run", "run.lock"),
];

/// A stop is over after this time at most: its grace is 1 s.
const STOPPED_WITHIN: Duration = Duration::from_secs(10);

/// Every name of a file of ours in the folders that an agent writes to.
fn names() -> Vec<(&'static str, &'static str)> {
    let of_run = RunDir::NAMES.iter().filter(|name| **name != "git").map(|name| ("run", *name));
    let of_task = TaskDir::NAMES.iter().filter(|name| **name != "runs").map(|name| ("task", *name));
    of_run.chain(of_task).collect()
}

/// A world with the agent, and a daemon with few places, which a blocked task would keep.
struct Bench {
    world: World,
    daemon: Daemon,
}

impl Bench {
    fn new(plan: &Plan, name: &str) -> Result<Self> {
        let more = "defaults: {restart_delay: 10ms, max_restarts: 1, stop_grace: 1s, \
                    max_concurrent_root_tasks: 6}\nwatch: {sweep: 200ms}\n";
        let world = World::new(plan, name, more)?;
        world.configure(&[("odd", AGENT)], more)?;
        fs::create_dir(world.home.join("plan"))?;
        fs::write(world.home.join("plan/victim"), "theirs")?;
        let daemon = Daemon::start(&world)?;
        Ok(Self { world, daemon })
    }

    fn plan(&self, name: &str) -> PathBuf {
        self.world.home.join("plan").join(name)
    }

    /// Starts a task for each name. Returns the tasks with their names.
    fn start(
        &self,
        kind: &str,
        then: &str,
        names: &[(&'static str, &'static str)],
    ) -> Result<Vec<(String, &'static str)>> {
        let mut tasks = Vec::new();
        for (place, name) in names {
            let task = format!("{kind}-{place}-{}", name.replace('.', "-"));
            fs::write(self.plan(&task), format!("{place} {name} {kind} {then}\n"))?;
            self.daemon.create(&task, "odd")?;
            tasks.push((task, *name));
        }
        Ok(tasks)
    }

    fn nothing_was_followed(&self, faults: &mut Faults) {
        let victim = fs::read_to_string(self.plan("victim")).unwrap_or_default();
        faults.unless(victim == "theirs", || "a link was followed".to_owned());
        faults.unless(!self.plan("nothing").exists(), || "a dangling link was followed".to_owned());
    }
}

pub fn left_by_agents(plan: &Plan, table: &mut Table) -> Result<()> {
    let kinds = &KINDS[..plan.number(KINDS.len(), 1)];
    let mut faults = Faults::default();
    let bench = Bench::new(plan, "wrong-kinds")?;
    let mut count = 0;
    for kind in kinds {
        let tasks = bench.start(kind, "end", &names())?;
        count += tasks.len();
        bench.daemon.until_idle(&mut faults);
        let fsck = bench.world.run(&["fsck", "--json"])?;
        let answer: Value = serde_json::from_str(&fsck.stdout)?;
        let findings = answer["findings"].as_array().cloned().unwrap_or_default();
        for (task, name) in &tasks {
            // Without a DONE that is a file, the task is restarted, and fails after its last restart.
            let expected = if *name == "DONE" { "failed" } else { "completed" };
            let status = bench.daemon.status(task)?;
            faults.unless(status == expected, || format!("{task} is '{status}'"));
            let run = recorded(&bench.world.run_of(task)?, "status");
            faults.unless(run == "completed", || format!("the run of {task} is '{run}'"));
            let named = |finding: &Value| {
                let path = finding["path"].as_str().unwrap_or_default();
                path.contains(&format!("/{task}/")) && path.contains(&format!("/{name}"))
            };
            faults.unless(findings.iter().any(named), || format!("fsck does not name {name} of {task}"));
        }
        bench.nothing_was_followed(&mut faults);
    }
    drop(bench.daemon);
    bench.world.nothing_runs(&mut faults);
    table.row(
        "a link, folder, pipe or file of holes at any name of ours: never followed, each task ends, the queue goes on, fsck names it",
        format!("{count} tasks: {} kinds at {} names", kinds.len(), names().len()),
        faults,
    );
    Ok(())
}

pub fn stopped(plan: &Plan, table: &mut Table) -> Result<()> {
    let kinds = &KINDS[..plan.number(KINDS.len(), 1)];
    let mut faults = Faults::default();
    let bench = Bench::new(plan, "wrong-kinds-stop")?;
    let (mut count, mut slowest) = (0, Duration::ZERO);
    for kind in kinds {
        let tasks = bench.start(kind, "stay", &STOPPING)?;
        count += tasks.len();
        for (task, _) in &tasks {
            let made = bench.plan(&format!("{task}.made"));
            wait_for(&format!("{task} to be made"), || Ok(made.exists().then_some(())))?;
            let began = Instant::now();
            let (answer, body) = bench.daemon.stop(task)?;
            slowest = slowest.max(began.elapsed());
            faults.unless(answer < 300, || format!("the stop of {task} was answered with {answer}: {body}"));
            let status = bench.daemon.status(task)?;
            faults.unless(status == "stopped", || format!("{task} is '{status}'"));
        }
        bench.nothing_was_followed(&mut faults);
    }
    faults.unless(slowest < STOPPED_WITHIN, || format!("a stop took {slowest:?}"));
    drop(bench.daemon);
    bench.world.nothing_runs(&mut faults);
    table.row(
        "a stop works whatever is at the names that it has to do with, within 10 s (grace 1 s)",
        format!("{count} stops, {:.1} s at most", slowest.as_secs_f64()),
        faults,
    );
    Ok(())
}
