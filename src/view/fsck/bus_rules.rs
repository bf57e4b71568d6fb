//! What is wrong with a bus, line by line and without holding it in memory.

use std::collections::HashMap;

use serde::Deserialize;

use super::{Report, Rule, Subject};
use crate::{
    fsx::LineReader,
    tree::{
        Result, Tree,
        bus::Bus,
        ids::{MsgId, RunId},
    },
};

/// How often a bus tells of the start and of the end of a run.
#[derive(Debug, Default)]
pub(super) struct Told(HashMap<RunId, (u32, u32)>);

impl Told {
    pub(super) fn about(&self, run: &RunId) -> (u32, u32) {
        self.0.get(run).copied().unwrap_or_default()
    }
}

/// As much of a message as the rules need.
#[derive(Deserialize)]
struct Line {
    msg_id: Option<MsgId>,
    #[serde(rename = "type")]
    kind: Option<String>,
    run_id: Option<RunId>,
}

pub(super) fn check(tree: &Tree, bus: &Bus, report: &mut Report) -> Result<Told> {
    let mut told = Told::default();
    let root = tree.root();
    if !root.exists(bus.rel())? {
        return Ok(told);
    }
    let file = root.open_read(bus.rel())?;
    let (size, lines) = (file.size()?, LineReader::new(&file));
    let (mut offset, mut garbage, mut disorder) = (0, 0_u32, 0_u32);
    let mut last: Option<MsgId> = None;
    while let Some(line) = lines.at(offset, size)? {
        offset = line.end();
        let Ok(message) = serde_json::from_slice::<Line>(&line.bytes) else {
            garbage += 1;
            continue;
        };
        if let Some(id) = message.msg_id.filter(|id| id.time().is_some()) {
            disorder += u32::from(last.as_ref().is_some_and(|l| id <= *l));
            last = Some(id);
        }
        if let (Some(kind), Some(run)) = (message.kind.as_deref(), message.run_id) {
            let (starts, ends) = told.0.entry(run).or_default();
            match kind {
                "RUN_START" => *starts += 1,
                "RUN_STOP" | "RUN_CRASH" => *ends += 1,
                _ => {}
            }
        }
    }
    for (rule, count, what) in [
        (Rule::BusGarbage, garbage, "line(s) are no messages"),
        (Rule::BusOrder, disorder, "id(s) are not larger than the one before"),
        (Rule::BusTorn, u32::from(offset < size), "unfinished line at the end"),
    ] {
        if count > 0 {
            report.add(rule, bus.path(), format!("{count} {what}"), Subject::Path);
        }
    }
    Ok(told)
}
