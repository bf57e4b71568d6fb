//! Finds the tasks that an agent's stream reports as working in the background.

use std::collections::BTreeSet;

use super::{
    dialect::{Background, Dialect},
    lenient,
    line::LONGEST_LINE,
};
use crate::{Result, paths::RunDir};
use base::fsx::{LineReader, Root, if_file};

/// Returns the names of the tasks that go on at the end of a run's stream. The whole stream is read for that.
///
/// # Errors
/// If the stream cannot be read.
pub fn background_tasks(dialect: Dialect, root: &Root, run: &RunDir) -> Result<BTreeSet<String>> {
    let mut tasks = BTreeSet::new();
    let Dialect::Lines(language) = dialect else { return Ok(tasks) };
    let Some(understand) = language.background else { return Ok(tasks) };
    let Some(file) = if_file(root.open_read(&run.stdout()))? else { return Ok(tasks) };
    for line in LineReader::new(&file).keeping(LONGEST_LINE).forward(0, file.size()?) {
        let bytes = line?.bytes;
        let objects = lenient::parse(&bytes).map_or_else(|_| lenient::objects(&bytes).0, |line| vec![line]);
        for change in objects.iter().filter_map(understand) {
            match change {
                Background::Begins(task) => drop(tasks.insert(task)),
                Background::Ends(task) => drop(tasks.remove(&task)),
                Background::Are(these) => tasks = these.into_iter().collect(),
            }
        }
    }
    Ok(tasks)
}
