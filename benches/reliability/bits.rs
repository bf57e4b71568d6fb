//! Single flipped bits in the files of a tree.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{
    Plan, Result,
    daemon::Daemon,
    table::{Faults, Table},
    world::{Outcome, World, entries, wait_for},
};

/// Prints the stream of an agent that Conductor knows, so that the run has events.
const TALKS: &str = r#"for n in 1 2 3 4 5 6; do
echo '{"type":"assistant","message":{"role":"assistant","content":[{"type":"text","text":"I look at the code."}]}}'
done
echo '{"type":"result","subtype":"success","is_error":false,"result":"It is well."}'
: >"$JRUN_TASK_FOLDER/DONE""#;

/// The files with a checksum in each line, and the share of their flips that `fsck` must notice, in percent. A flip in
/// the name of the checksum makes a line without one, as a line by hand is.
const CHECKED: [&str; 2] = ["bus", "events.jsonl"];
const NOTICED: usize = 90;

/// The exit code of `fsck` with findings.
const FINDINGS: i32 = 17;

pub fn flips(plan: &Plan, table: &mut Table) -> Result<()> {
    let count = plan.number(100, 5);
    let command = serde_json::to_string(&["/bin/sh", "-c", TALKS])?;
    // The first line continues the map of the agents.
    let more = format!("  talks: {{type: claude, command: {command}}}\ndefaults: {{max_restarts: 0}}\n");
    let world = World::new(plan, "bit-flips", &more)?.with_variable("ANTHROPIC_API_KEY", Path::new("k"));
    let files = files(&world)?;
    let mut random = plan.random();
    let before = findings(&world.run(&["fsck", "--json"])?)?;
    let mut seen = Vec::new();
    let mut faults = Faults::default();
    for (what, file) in &files {
        let good = fs::read(file)?;
        let mut noticed = 0;
        for _ in 0..count {
            let mut bad = good.clone();
            let (at, bit) = (random.below(bad.len()), random.below(8));
            bad[at] ^= 1 << bit;
            // In place, as a disk would.
            fs::write(file, &bad)?;
            let case = format!("{what}, bit {bit} of byte {at}");
            noticed += usize::from(read(&world, &before, &case, &mut faults)?);
        }
        fs::write(file, &good)?;
        faults.unless(!CHECKED.contains(what) || noticed * 100 >= count * NOTICED, || {
            format!("fsck noticed {noticed} of {count} flips in the {what}")
        });
        seen.push(format!("{what} {noticed}"));
    }
    let after = findings(&world.run(&["fsck", "--json"])?)?;
    faults.unless(before == after, || "a reader has changed the tree".to_owned());
    table.row(
        "a flipped bit in any file: no reader panics or hides another task, none changes a file, and fsck notices 90 % of those in messages and events",
        format!("{count} flips a file; fsck noticed: {}", seen.join(", ")),
        faults,
    );
    Ok(())
}

/// Makes a tree, and returns the files that lose a bit.
fn files(world: &World) -> Result<Vec<(&'static str, PathBuf)>> {
    let daemon = Daemon::start(world)?;
    for task in ["t", "other"] {
        daemon.create(task, "talks")?;
        wait_for(&format!("{task} to end"), || Ok((daemon.status(task)? == "completed").then_some(())))?;
    }
    for n in 0..5 {
        let message = json!({"type": "FACT", "body": format!("fact {n}")});
        daemon.ask("POST", "/api/projects/p/tasks/t/messages", &message)?;
    }
    let waits = json!({"project_id": "p", "task_id": "waits", "agent_type": "talks", "prompt": "x", "depends_on": ["nowhere"]});
    daemon.ask("POST", "/api/v1/tasks", &waits)?;
    drop(daemon);
    let run = world.run_of("t")?;
    let ticket = entries(&world.root.join("_planner/queue")).pop().ok_or("there is no ticket")?;
    let task = world.task("t");
    let files = [
        ("bus", task.join("TASK-MESSAGE-BUS.jsonl")),
        ("events.jsonl", run.join("events.jsonl")),
        ("run-info.yaml", run.join("run-info.yaml")),
        ("exit.json", run.join("exit.json")),
        ("claim.json", run.join("claim.json")),
        ("TASK-CONFIG.yaml", task.join("TASK-CONFIG.yaml")),
        ("TASK-END.yaml", task.join("TASK-END.yaml")),
        ("ticket", ticket),
    ];
    Ok(files.into_iter().filter(|(_, file)| has_bytes(file)).collect())
}

fn has_bytes(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.len() > 0)
}

/// Has all readers read the tree. Returns true if `fsck` notices a difference.
fn read(world: &World, before: &[Value], case: &str, faults: &mut Faults) -> Result<bool> {
    let fsck = world.run(&["fsck", "--json"])?;
    is_calm(&fsck, "fsck", case, faults);
    let list = world.run(&["list", "--json"])?;
    is_calm(&list, "list", case, faults);
    let rows: Value = serde_json::from_str(&list.stdout).unwrap_or_default();
    let other = rows.as_array().and_then(|rows| rows.iter().find(|row| row["task_id"] == "other"));
    faults.unless(other.is_some_and(|row| row["status"] == "completed"), || {
        format!("{case}: the other task is not listed: {list:?}")
    });
    for args in [["output", "p/t"], ["why", "p/t"]] {
        is_calm(&world.run(&args)?, args[0], case, faults);
    }
    is_calm(&world.run(&["bus", "read", "--project", "p", "--task", "t"])?, "bus read", case, faults);
    Ok(fsck.code != 0 && fsck.code != FINDINGS || findings(&fsck)? != before)
}

/// Checks that a reader has neither panicked nor been killed.
fn is_calm(outcome: &Outcome, reader: &str, case: &str, faults: &mut Faults) {
    let calm = outcome.code >= 0 && outcome.code != 101 && !outcome.stderr.contains("panicked");
    faults.unless(calm, || format!("{reader}: {case}: {outcome:?}"));
}

fn findings(fsck: &Outcome) -> Result<Vec<Value>> {
    let answer: Value = serde_json::from_str(&fsck.stdout).map_err(|e| format!("{e}: {fsck:?}"))?;
    Ok(answer["findings"].as_array().cloned().unwrap_or_default())
}
