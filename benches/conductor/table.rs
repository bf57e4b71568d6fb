//! The table: our figures, the original's, and the aims with a mark if they are met.

use std::{fmt, fs, path::Path};

use serde_json::{Value, json};

use crate::{Result, times::Times};

/// The unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Milliseconds,
    PerSecond,
    Megabytes,
    /// Of one core.
    Percent,
    Bytes,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::PerSecond => "/s",
            Self::Megabytes => "MB",
            Self::Percent => "%",
            Self::Bytes => "B",
        }
    }
}

/// The aim for a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aim {
    /// The median, or the single figure, is below this.
    Below(f64),
    /// The 99th percentile is below this.
    TailBelow(f64),
    /// The median and the 99th percentile are below these.
    BothBelow(f64, f64),
    /// The figure is at least this.
    AtLeast(f64),
}

/// A row of the table.
#[derive(Debug)]
pub struct Row {
    section: &'static str,
    name: String,
    unit: Unit,
    /// The median, or the single figure.
    value: f64,
    tail: Option<f64>,
    note: String,
    original: &'static str,
    aim: Option<Aim>,
}

impl Row {
    /// Creates a row with one figure.
    pub fn new(name: impl Into<String>, value: f64, unit: Unit) -> Self {
        let (name, note) = (name.into(), String::new());
        Self { section: "", name, unit, value, tail: None, note, original: "", aim: None }
    }

    /// Creates a row of times: median and 99th percentile.
    pub fn times(name: impl Into<String>, times: &Times) -> Self {
        Self { tail: Some(times.percentile(99)), ..Self::new(name, times.percentile(50), Unit::Milliseconds) }
    }

    /// Sets the figure of the original's measurement.
    pub fn original(self, original: &'static str) -> Self {
        Self { original, ..self }
    }

    /// Sets the aim.
    pub fn aim(self, aim: Aim) -> Self {
        Self { aim: Some(aim), ..self }
    }

    /// Sets a note.
    pub fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    fn met(&self) -> Option<bool> {
        self.aim.map(|aim| match aim {
            Aim::Below(most) => self.value < most,
            Aim::TailBelow(most) => self.tail.unwrap_or(self.value) < most,
            Aim::BothBelow(most, tail) => self.value < most && self.tail.unwrap_or(self.value) < tail,
            Aim::AtLeast(least) => self.value >= least,
        })
    }

    fn ours(&self) -> String {
        let tail = self.tail.map_or_else(String::new, |t| format!(" / {}", short(t)));
        format!("{}{tail} {}", short(self.value), self.unit.name())
    }

    fn json(&self) -> Value {
        json!({
            "section": self.section, "name": self.name, "unit": self.unit.name(), "value": self.value, "p99": self.tail,
            "note": self.note, "original": self.original, "aim": self.aim.map(|a| a.to_string()), "met": self.met(),
        })
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Below(most) => write!(f, "< {}", short(*most)),
            Self::TailBelow(most) => write!(f, "p99 < {}", short(*most)),
            Self::BothBelow(most, tail) => write!(f, "< {} / {}", short(*most), short(*tail)),
            Self::AtLeast(least) => write!(f, ">= {}", short(*least)),
        }
    }
}

/// Formats a figure with three significant digits.
fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        v if v > 0.0 => format!("{value:.3}"),
        _ => "0".to_owned(),
    }
}

/// All rows, each printed as soon as it is known.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Row>,
    section: &'static str,
    quick: bool,
}

impl Table {
    pub fn new(quick: bool) -> Self {
        Self { rows: Vec::new(), section: "", quick }
    }

    /// Begins a section.
    pub fn section(&mut self, name: &'static str) {
        self.section = name;
        println!(
            "\n{name:<60} {:>22}  {:<34} {:<14} {:<4} NOTE",
            "OURS (p50 / p99)", "ORIGINAL", "AIM", "MET"
        );
    }

    /// Adds a row, and prints it.
    pub fn add(&mut self, row: Row) {
        let row = Row { section: self.section, ..row };
        let met = match row.met() {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "",
        };
        let aim = row.aim.map_or_else(String::new, |a| a.to_string());
        let ours = row.ours();
        println!("{:<60} {ours:>22}  {:<34} {aim:<14} {met:<4} {}", row.name, row.original, row.note);
        self.rows.push(row);
    }

    /// Writes the figures to a file, and reports which aims are not met.
    pub fn finish(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        let file = folder.join("figures.jsonl");
        let lines = self.rows.iter().map(|row| {
            let mut line = row.json();
            line["quick"] = self.quick.into();
            format!("{line}\n")
        });
        fs::write(&file, lines.collect::<String>())?;
        let missed: Vec<&str> =
            self.rows.iter().filter(|r| r.met() == Some(false)).map(|r| r.name.as_str()).collect();
        let aims = self.rows.iter().filter(|r| r.aim.is_some()).count();
        println!("\n{} of {aims} aims met; figures in {}", aims - missed.len(), file.display());
        for name in missed {
            println!("  not met: {name}");
        }
        Ok(())
    }
}
