//! `run-agent bundle`: packs a task into one file that can be given away, with secrets masked.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::Serialize;

use super::{
    amount,
    context::Context,
    error::{CliError, CliResult, Kind},
    flags::JsonFlag,
    print::Form,
    reference::{Named, References},
};
use base::{
    fsx::NewFile,
    telemetry::{Redactor, is_secret_name},
    words::count,
};
use tree::{
    Tree, TreeError,
    archive::{self, Bundle, LeftOut, Manifest, Selection},
    refs::TaskRef,
};

/// The minimum length in bytes of a task's `env.*` value that is masked. Shorter values occur by chance in other
/// text.
const SHORTEST_GIVEN: usize = 6;

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
bundle masks secrets: tokens of known shapes, values after names such as TOKEN=, private keys, and the values of your \
own secret variables and settings. Prompts, answers, names and paths stay, so read the bundle before you share it. \
`run-agent replay FILE` replays a run of a bundle; `run-agent fsck FILE` checks a bundle.

Examples:
  run-agent bundle my-project/my-task
  run-agent bundle my-task -o report.tar.gz
  run-agent bundle my-project/my-task/20260205-1000 -o - | ssh host 'cat >report.tar.gz'")]
pub struct Args {
    /// PROJECT/TASK for all its runs, PROJECT/TASK/RUN for one, or an id alone [default: the current task]
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// File to write; - writes to standard output [default: TASK.tar.gz]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// The result of `bundle`.
#[derive(Debug, Serialize)]
struct JsonOutput<'a> {
    file: Option<String>,
    runs: &'a [tree::ids::RunId],
    files: usize,
    /// Size of the files in the bundle, unpacked.
    bytes: u64,
    /// Size of the bundle itself; absent on standard output.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_bytes: Option<u64>,
    masked_bytes: u64,
    left_out: &'a [LeftOut],
}

/// Writes the bundle.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let tree = context.tree()?;
    let selection = selection(args, context, &tree)?;
    let redactor = redactor(context, &tree, &selection.task)?;
    let file = args.output.clone().unwrap_or_else(|| format!("{}.tar.gz", selection.task.task).into());
    if file.as_os_str() == "-" {
        if args.json.form() == Form::Json {
            return Err(CliError::new(Kind::Usage, "--json and `-o -` cannot both write to standard output")
                .with_hint("name a file with -o"));
        }
        let made = archive::pack(&tree, &selection, &redactor, std::io::stdout().lock());
        let (manifest, _) = made.map_err(cannot_make)?;
        return report(args, context, None, &manifest);
    }
    let to = NewFile::begin(&file).map_err(TreeError::from).map_err(CliError::from).map_err(|e| {
        let taken = file.symlink_metadata().is_ok();
        if taken {
            CliError::new(Kind::Conflict, format!("{} already exists", file.display()))
                .with_hint("name another file with -o")
        } else {
            e
        }
    })?;
    let (manifest, mut to) = archive::pack(&tree, &selection, &redactor, to).map_err(cannot_make)?;
    to.flush().map_err(cannot_make)?;
    to.finish().map_err(TreeError::from)?;
    report(args, context, Some(&file), &manifest)
}

fn selection(args: &Args, context: &Context, tree: &Tree) -> CliResult<Selection> {
    let references = References::of(context, tree);
    if let Some(name) = args.name.as_deref()
        && let Named::Run(run) = references.named(name)?
    {
        return Ok(Selection { task: run.task, runs: vec![run.run] });
    }
    Ok(Selection { task: references.task(args.name.as_deref())?, runs: Vec::new() })
}

fn cannot_make(e: std::io::Error) -> CliError {
    CliError::caused(Kind::Failed, "cannot create the bundle", e)
}

/// Builds the redactor for the settings' secrets, variables with secret names, and the variables that the task was
/// given.
fn redactor(context: &Context, tree: &Tree, task: &TaskRef) -> CliResult<Redactor> {
    let secrets = context.secrets()?;
    // A variable that a task was given may be secret under any name.
    let mut given: Vec<String> = Vec::new();
    if let Ok(config) = tree.task_config(task) {
        let values = config.config.iter().filter(|(key, _)| is_secret_name(key) || key.starts_with("env."));
        given.extend(values.filter_map(|(_, value)| value.as_str().map(str::to_owned)));
    }
    Ok(Redactor::new(as_written(secrets)).and(as_written(given), SHORTEST_GIVEN))
}

/// Returns the texts as they appear in JSON and YAML, too: escaped, and line by line.
fn as_written(texts: Vec<String>) -> Vec<String> {
    let mut all = Vec::new();
    for text in texts {
        let json = serde_json::to_string(&text).unwrap_or_default();
        all.extend(json.get(1..json.len().saturating_sub(1)).map(str::to_owned));
        all.push(text.replace('\'', "''"));
        all.extend(text.lines().map(|line| line.trim().to_owned()));
        all.push(text);
    }
    all
}

fn report(args: &Args, context: &Context, file: Option<&Path>, manifest: &Manifest) -> CliResult<ExitCode> {
    let printer = context.printer();
    let sum = |of: fn(&archive::BundledFile) -> u64| manifest.files.iter().map(of).sum::<u64>();
    let answer = JsonOutput {
        file: file.map(|f| f.display().to_string()),
        runs: &manifest.runs,
        files: manifest.files.len(),
        bytes: sum(|f| f.size),
        file_bytes: file.and_then(|f| f.metadata().ok()).map(|meta| meta.len()),
        masked_bytes: sum(|f| f.masked),
        left_out: &manifest.left_out,
    };
    if args.json.form() == Form::Json {
        printer.json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    for left in &manifest.left_out {
        printer.word(&format!("left out: {} {}", left.path, left.why))?;
    }
    let name = answer.file.as_deref().unwrap_or("the bundle");
    let unpacked = amount::size(answer.bytes);
    let size = match answer.file_bytes {
        Some(packed) => format!("{} ({unpacked} unpacked)", amount::size(packed)),
        None => format!("{unpacked} unpacked"),
    };
    printer.word(&format!(
        "{name}: {}, {}, {size}, {} masked; read it before you share it",
        count(answer.runs.len() as u64, "run"),
        count(answer.files as u64, "file"),
        count(answer.masked_bytes, "byte")
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Unpacks a bundle into a temporary folder, which is removed when the [`Bundle`] is dropped.
pub(super) fn open_bundle(context: &Context, path: &Path) -> CliResult<Bundle> {
    let temporary =
        context.environment().get_os("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    Ok(archive::open(path, &temporary)?)
}
