//! `run-agent config trust`: shows the changes that a project's `conductor.yaml` makes, and applies them from then
//! on.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::json;

use super::{
    confirm,
    context::Context,
    error::{CliError, CliResult, Kind},
    flags::JsonFlag,
    print::Form,
    table::{Table, spelled},
};
use base::clock::rfc3339;
use config::{Loaded, Loader, Origin, PROJECT_FILE, ProjectFile, Setting, Trust, TrustError, Trusted};

/// Flags of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A trusted file stands between the environment and your own config.yaml, for all work in its folder. It counts with the \
content that you have seen: a changed file has to be trusted again. What it names can still change: look at programs \
of the repository, too.

Examples:
  run-agent config trust
  run-agent config trust ~/src/app --yes
  run-agent config trust --list
  run-agent config trust --revoke ~/src/app")]
pub struct Args {
    /// Folder of the project [default: this folder]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Trust it without a question
    #[arg(long)]
    yes: bool,
    /// List the trusted files
    #[arg(long, conflicts_with_all = ["yes", "revoke", "folder"])]
    list: bool,
    /// Trust the file of the folder no more
    #[arg(long, conflicts_with = "yes")]
    revoke: bool,
    #[command(flatten)]
    pub(super) json: JsonFlag,
}

/// One value that a project's file sets.
#[derive(Debug)]
struct Change<'a> {
    setting: &'a Setting,
    before: Option<&'a Setting>,
    line: u64,
}

/// Trusts a file, or lists or revokes trusted files.
pub(super) fn run(args: &Args, context: &Context) -> CliResult<ExitCode> {
    let trust = Trust::of(context.environment())?;
    if args.list {
        return list(args, context, &trust);
    }
    let here = context.cwd()?;
    let folder = args.folder.as_ref().map_or_else(|| here.clone(), |folder| here.join(folder));
    if args.revoke {
        return revoke(&folder, context, &trust);
    }
    if context.environment().get_os("JRUN_ID").is_some() {
        return Err(CliError::new(Kind::Refused, "an agent cannot trust a project's file")
            .with_hint("run it in a shell of your own"));
    }
    let file = ProjectFile::in_folder(&folder).map_err(CliError::of_outside)?.ok_or_else(|| {
        CliError::new(Kind::NotFound, format!("there is no {PROJECT_FILE} in {}", folder.display()))
            .with_hint("name the folder of the project: run-agent config trust DIR")
    })?;
    let loader = context.loader()?;
    let trusted = trust.has(file.path(), file.sha256())?;
    show(args, context, &loader, &file, trusted)?;
    if trusted {
        return Ok(ExitCode::SUCCESS);
    }
    if !args.yes && !agreed(args, context)? {
        return Ok(ExitCode::SUCCESS);
    }
    trust.add(Trusted {
        path: file.path().to_owned(),
        sha256: file.sha256().to_owned(),
        at: rfc3339(context.clock().now()),
    })?;
    context.printer().word(&format!("{} is trusted; a change of it asks again", file.path().display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Prints every value that the file sets, beside the value that holds without the file.
fn show(args: &Args, context: &Context, loader: &Loader, file: &ProjectFile, trusted: bool) -> CliResult<()> {
    let (before, after) = (loader.base()?, loader.with(file)?);
    let changes = changes(&before, &after, file.path());
    let printer = context.printer();
    if args.json.form() == Form::Json {
        let rows: Vec<_> = changes
            .iter()
            .map(|c| {
                let origin = c.before.map(|b| b.origin.to_string());
                json!({ "key": c.setting.key, "value": c.setting.value, "line": c.line,
                        "before": c.before.map(|b| &b.value), "before_origin": origin })
            })
            .collect();
        let trusted = trusted || args.yes;
        return printer.json(
            &json!({ "path": file.path(), "sha256": file.sha256(), "trusted": trusted, "changes": rows }),
        );
    }
    if changes.is_empty() {
        return printer.word(&format!("{} changes nothing", file.path().display()));
    }
    let mut table = Table::new(&["KEY", "WITH IT", "LINE", "WITHOUT IT", "ORIGIN"]);
    for change in &changes {
        let (value, origin) = change
            .before
            .map_or(("-".to_owned(), "-".to_owned()), |b| (spelled(&b.value), b.origin.to_string()));
        let key = change.setting.key.clone();
        table.row([key, spelled(&change.setting.value), change.line.to_string(), value, origin]);
    }
    printer.table(&table)?;
    let state = if trusted { "is trusted already" } else { "is not trusted yet" };
    printer.word(&format!("{} {state}", file.path().display()))
}

fn changes<'a>(before: &'a Loaded, after: &'a Loaded, file: &Path) -> Vec<Change<'a>> {
    let of_file = |setting: &'a Setting| match &setting.origin {
        Origin::File(path, line) if **path == *file => {
            let before = before.settings.iter().find(|b| b.key == setting.key);
            Some(Change { setting, before, line: *line })
        }
        _ => None,
    };
    after.settings.iter().filter_map(of_file).collect()
}

/// Asks at a terminal. Without a terminal, `--yes` is required; with `--json` the changes are only shown.
fn agreed(args: &Args, context: &Context) -> CliResult<bool> {
    if args.json.form() == Form::Json {
        return Ok(false);
    }
    if !confirm::can_ask(Form::Text) {
        return Err(CliError::new(Kind::Refused, "the file is not trusted: there is no terminal to ask")
            .with_hint("read what it would change, and say --yes"));
    }
    let agreed =
        confirm::agrees(context, "Trust it? The agents and programs that it names run with your rights.")?;
    if !agreed {
        context.printer().word("it is not trusted, and none of its settings is used")?;
    }
    Ok(agreed)
}

fn list(args: &Args, context: &Context, trust: &Trust) -> CliResult<ExitCode> {
    let trusted = trust.list()?;
    let state = |trusted: &Trusted| {
        let folder = trusted.path.parent().unwrap_or(Path::new("/"));
        match ProjectFile::in_folder(folder) {
            Ok(Some(file)) if file.path() == trusted.path && file.sha256() == trusted.sha256 => "unchanged",
            Ok(None) => "gone",
            Ok(Some(_)) | Err(_) => "changed, not used",
        }
    };
    if args.json.form() == Form::Json {
        let rows: Vec<_> = trusted
            .iter()
            .map(|t| json!({ "path": t.path, "sha256": t.sha256, "at": t.at, "state": state(t) }))
            .collect();
        context.printer().json(&json!({ "trusted": rows }))?;
    } else {
        let mut table = Table::new(&["FILE", "TRUSTED", "STATE"]);
        for t in &trusted {
            table.row([t.path.display().to_string(), t.at.clone(), state(t).to_owned()]);
        }
        context.printer().table(&table)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn revoke(folder: &Path, context: &Context, trust: &Trust) -> CliResult<ExitCode> {
    // The folder may no longer exist; then its path is taken as it was written.
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let path = folder.join(PROJECT_FILE);
    if !trust.revoke(&path)? {
        return Err(CliError::new(Kind::NotFound, format!("{} is not trusted", path.display()))
            .with_hint("`run-agent config trust --list` shows the trusted files"));
    }
    context.printer().word(&format!("{} is not trusted any more", path.display()))?;
    Ok(ExitCode::SUCCESS)
}

impl From<TrustError> for CliError {
    fn from(error: TrustError) -> Self {
        match error {
            TrustError::Fs(e) => Self::of_outside(e),
            e @ TrustError::NoFolder => {
                Self::caused(Kind::Failed, "cannot read the record of trusted files", e)
                    .with_hint("set $HOME")
            }
            e @ TrustError::Corrupt { .. } => {
                Self::caused(Kind::Corrupt, "cannot read the record of trusted files", e)
                    .with_hint("remove the file, and trust your projects again")
            }
        }
    }
}
