//! The table: scenario, goal, measured, and the faults if the goal is missed.

use std::{fs, path::Path, time::Instant};

use serde_json::{Value, json};

use crate::Result;

/// Number of faults that are printed for a row.
const SHOWN: usize = 8;

/// A row of the table.
#[derive(Debug)]
struct Row {
    scenario: &'static str,
    goal: String,
    measured: String,
    seconds: f64,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    Met,
    Missed(Vec<String>),
    /// This machine does not allow the trial.
    Skipped,
}

/// What contradicts the goal.
#[derive(Debug, Default)]
pub struct Faults(Vec<String>);

impl Faults {
    pub fn add(&mut self, fault: impl Into<String>) {
        self.0.push(fault.into());
    }

    /// Adds a fault unless the condition holds.
    pub fn unless(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.0.push(fault());
        }
    }
}

/// All rows, each printed as soon as it is known.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Row>,
    scenario: &'static str,
    began: Instant,
    quick: bool,
    seed: u64,
}

impl Table {
    pub fn new(quick: bool, seed: u64) -> Self {
        Self { rows: Vec::new(), scenario: "", began: Instant::now(), quick, seed }
    }

    /// Begins a scenario.
    pub fn begin(&mut self, scenario: &'static str) {
        (self.scenario, self.began) = (scenario, Instant::now());
    }

    /// Adds a row with the time since the previous one of this scenario.
    pub fn row(&mut self, goal: impl Into<String>, measured: impl Into<String>, faults: Faults) {
        let outcome = if faults.0.is_empty() { Outcome::Met } else { Outcome::Missed(faults.0) };
        self.add(goal.into(), measured.into(), outcome);
    }

    /// Adds a row for a trial that this machine does not allow.
    pub fn skipped(&mut self, reason: &str) {
        self.add(String::new(), reason.to_owned(), Outcome::Skipped);
    }

    /// Adds a row for a scenario that could not go on.
    pub fn broke_off(&mut self, error: &str) {
        let fault = vec![format!("the scenario broke off: {error}")];
        self.add("the scenario can be played".to_owned(), String::new(), Outcome::Missed(fault));
    }

    fn add(&mut self, goal: String, measured: String, outcome: Outcome) {
        let seconds = self.began.elapsed().as_secs_f64();
        self.began = Instant::now();
        let row = Row { scenario: self.scenario, goal, measured, seconds, outcome };
        let word = match &row.outcome {
            Outcome::Met => "met",
            Outcome::Missed(_) => "MISSED",
            Outcome::Skipped => "skipped",
        };
        println!("\n{} ({word}, {seconds:.1} s)", row.scenario);
        if !row.goal.is_empty() {
            println!("  goal:     {}", row.goal);
        }
        println!("  measured: {}", row.measured);
        if let Outcome::Missed(faults) = &row.outcome {
            for fault in faults.iter().take(SHOWN) {
                println!("  FAULT:    {fault}");
            }
            if faults.len() > SHOWN {
                println!("  and {} more", faults.len() - SHOWN);
            }
        }
        self.rows.push(row);
    }

    /// Writes the rows to files. Returns true if all goals are met.
    pub fn finish(&self, folder: &Path) -> Result<bool> {
        fs::create_dir_all(folder)?;
        let lines = self.rows.iter().map(|row| format!("{}\n", row.json(self.quick, self.seed)));
        fs::write(folder.join("rows.jsonl"), lines.collect::<String>())?;
        fs::write(folder.join("table.md"), self.markdown())?;
        let missed = self.rows.iter().filter(|r| matches!(r.outcome, Outcome::Missed(_))).count();
        let skipped = self.rows.iter().filter(|r| matches!(r.outcome, Outcome::Skipped)).count();
        let met = self.rows.len() - missed - skipped;
        println!("\n{met} goals met, {missed} missed, {skipped} skipped; rows in {}", folder.display());
        Ok(missed == 0)
    }

    fn markdown(&self) -> String {
        let head = "| Scenario | Goal | Measured | Seconds |\n|---|---|---|---|\n".to_owned();
        self.rows.iter().fold(head, |text, row| {
            let missed = if matches!(row.outcome, Outcome::Missed(_)) { "**missed**: " } else { "" };
            format!(
                "{text}| `{}` | {} | {missed}{} | {:.0} |\n",
                row.scenario, row.goal, row.measured, row.seconds
            )
        })
    }
}

impl Row {
    fn json(&self, quick: bool, seed: u64) -> Value {
        let (met, faults) = match &self.outcome {
            Outcome::Met => (Some(true), &[][..]),
            Outcome::Missed(faults) => (Some(false), &faults[..]),
            Outcome::Skipped => (None, &[][..]),
        };
        json!({
            "scenario": self.scenario, "goal": self.goal, "measured": self.measured, "seconds": self.seconds,
            "met": met, "faults": faults, "quick": quick, "seed": seed,
        })
    }
}
