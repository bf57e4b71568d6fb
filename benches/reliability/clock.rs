//! Clocks that step while tasks run.
//!
//! The machine's clock belongs to others, too. A library that is loaded before all others (`LD_PRELOAD`) adds the
//! content of a file to the time that the daemon, its shims and its agents are told.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use serde_json::json;

use crate::{
    Plan, Result,
    daemon::Daemon,
    table::{Faults, Table},
    world::{World, name, recorded},
};

const LIBRARY: &str = r#"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *at) {
    long failed = syscall(SYS_clock_gettime, id, at);
    const char *name = getenv("CLOCK_STEP");
    if (failed || !name || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)) return failed;
    int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    char text[32];
    ssize_t size = read(file, text, sizeof text - 1);
    close(file);
    if (size > 0) {
        text[size] = 0;
        at->tv_sec += atol(text);
    }
    return 0;
}
"#;

/// The name of the library.
const CLOCK: &str = "clock-step.so";

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;

/// The seconds by which the clock is wrong, one after another.
const STEPS: [i64; 12] =
    [-DAY, 0, DAY, -MINUTE, 60 * MINUTE, -2 * DAY, 5, -5, 30 * DAY, 0, -60 * MINUTE, MINUTE];

/// Fails once, and is done when it is restarted.
const TWICE: &str = r#"[ -e "$HOME/once-$JRUN_TASK_ID" ] || { : >"$HOME/once-$JRUN_TASK_ID"; exit 7; }
: >"$JRUN_TASK_FOLDER/DONE""#;

pub fn steps(plan: &Plan, table: &mut Table) -> Result<()> {
    let steps = &STEPS[..plan.number(STEPS.len(), 3)];
    let more = "defaults: {restart_delay: 1s, timeout: 20s, max_run_time: 30s}\n";
    let world = World::new(plan, "clock-steps", more)?;
    world.configure(&[("twice", TWICE)], more)?;
    let (library, offset) = (world.path(CLOCK), world.path("offset"));
    if !compile(&world.path("clock.c"), &library)? {
        table.skipped("there is no C compiler");
        return Ok(());
    }
    // By its name only, because a blank in a path would end the path.
    let world = world
        .with_variable("LD_PRELOAD", Path::new(CLOCK))
        .with_variable("LD_LIBRARY_PATH", library.parent().unwrap_or(&library))
        .with_variable("CLOCK_STEP", &offset);
    let mut random = plan.random();
    let mut faults = Faults::default();
    let daemon = Daemon::start(&world)?;
    for (n, step) in steps.iter().enumerate() {
        daemon.create(&format!("nap-{n}"), "nap")?;
        daemon.create(&format!("twice-{n}"), "twice")?;
        for _ in 0..3 {
            thread::sleep(random.millis(100));
            let message = json!({"type": "FACT", "body": format!("at {n}")});
            let (status, body) = daemon.ask("POST", "/api/projects/p/messages", &message)?;
            faults.unless(status == 201, || format!("a message was answered with {status}: {body}"));
        }
        // A rename, so that no process reads half a number.
        fs::write(world.path("offset.new"), step.to_string())?;
        fs::rename(world.path("offset.new"), &offset)?;
        daemon.until_idle(&mut faults);
    }
    drop(daemon);
    let runs = world.runs();
    check(&world, &runs, steps.len(), &mut faults);
    world.check(&mut faults)?;
    table.row(
        "the clock steps by up to 30 days: no run ends early, is lost or doubled, no restart waits for the old time, times and ids stay in order",
        format!("{} steps; {} runs", steps.len(), runs.len()),
        faults,
    );
    Ok(())
}

fn check(world: &World, runs: &[PathBuf], steps: usize, faults: &mut Faults) {
    let starts = world.starts();
    faults.unless(runs.len() == 3 * steps && starts.len() == runs.len(), || {
        format!("{} runs and {} starts for {steps} steps", runs.len(), starts.len())
    });
    for run in runs {
        let (status, code) = (recorded(run, "status"), recorded(run, "exit_code"));
        let right = matches!((status.as_str(), code.as_str()), ("completed", "0") | ("failed", "7"));
        faults.unless(right, || format!("{} is '{status}' with code {code}", run.display()));
        let (start, end) = (recorded(run, "start_time"), recorded(run, "end_time"));
        faults.unless(start <= end, || format!("{} runs from {start} to {end}", run.display()));
        faults
            .unless(starts.get(&name(run)) == Some(&1), || format!("{} was not started once", run.display()));
    }
    let mut days: Vec<String> = runs.iter().map(|run| name(run).chars().take(8).collect()).collect();
    days.sort_unstable();
    days.dedup();
    faults.unless(days.len() > 1, || "the clock was not stepped: the library has no effect".to_owned());
}

/// Compiles the library. Returns false without a compiler.
fn compile(source: &Path, library: &Path) -> Result<bool> {
    fs::write(source, LIBRARY)?;
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-O", "-o"]).arg(library).arg(source).output();
    match compiled {
        Ok(output) if output.status.success() => Ok(true),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
        Err(_) => Ok(false),
    }
}
