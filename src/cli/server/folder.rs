//! Chooses the destination of work submitted over HTTP: the folder that its agent works in, and the project.
//!
//! The caller's own folder is meaningful only if the daemon sees the same files. The daemon reports which file system
//! it sees (`file_system` of its status). A caller that computes the same value shares it; otherwise the user must
//! name the folder.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::client::Call;
use crate::cli::error::{CliError, CliResult, Kind};
use base::fsx;
use process::identity::file_system;
use tree::ids::ProjectId;

/// Maximum number of projects that are named after folders of one name.
const SAME_NAME: u32 = 1000;

/// The folders that a command line names.
#[derive(Debug, Clone, Copy)]
pub(super) struct NamedFolders<'a> {
    pub(super) cwd: Option<&'a Path>,
    pub(super) project_root: Option<&'a Path>,
}

impl NamedFolders<'_> {
    /// Returns true if no folder is named.
    pub(super) fn is_empty(&self) -> bool {
        self.cwd.or(self.project_root).is_none()
    }
}

/// The destination of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) project: ProjectId,
    /// The folder that the agent works in.
    pub(super) cwd: PathBuf,
    /// The home of the project, in case the project is new.
    home: PathBuf,
    /// The way in which the project was found.
    found: FoundBy,
}

/// The way in which a project was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FoundBy {
    Name,
    Folder,
}

impl Destination {
    /// Resolves the destination. `project` is the named project or the one that the caller is in.
    pub(super) fn resolve(
        call: &Call<'_>,
        project: Option<ProjectId>,
        named: NamedFolders<'_>,
    ) -> CliResult<Self> {
        let there = Folders::of(call, named)?;
        let (project, found) = match project {
            Some(project) => (project, FoundBy::Name),
            None => (there.project(call)?, FoundBy::Folder),
        };
        Ok(Self { project, cwd: there.cwd, home: there.home, found })
    }

    /// The fields of a request that state the destination.
    pub(super) fn fields(&self) -> Vec<(&'static str, Value)> {
        let mut fields = vec![("cwd", json!(self.cwd)), ("project_root", json!(self.home))];
        if self.found == FoundBy::Folder {
            fields.push(("home_must_match", json!(true)));
        }
        fields
    }

    /// Resolves a project that was found by folder again. Returns true if the folder belongs to another project by
    /// now, and then adopts that project.
    pub(super) fn is_outdated(&mut self, call: &Call<'_>, named: NamedFolders<'_>) -> CliResult<bool> {
        if self.found == FoundBy::Name {
            return Ok(false);
        }
        let anew = Self::resolve(call, None, named)?;
        let outdated = anew != *self;
        *self = anew;
        Ok(outdated)
    }
}

/// The folders of work, as the daemon spells them.
struct Folders {
    cwd: PathBuf,
    home: PathBuf,
    sight: FileAccess,
}

/// The daemon's projects, as they concern a folder.
struct KnownProjects {
    /// The project with this home.
    of_home: Option<ProjectId>,
    /// The name of a project after the folder.
    named_after_home: Option<ProjectId>,
    /// All names.
    taken: Vec<ProjectId>,
}

/// Returns the existing project of the caller's folder; `None` if it has none, or if the daemon does not see the
/// folder.
pub(super) fn existing_project(call: &Call<'_>) -> CliResult<Option<ProjectId>> {
    if !sees_our_files(call)? {
        return Ok(None);
    }
    let there = Folders::of(call, NamedFolders { cwd: None, project_root: None })?;
    Ok(there.known_projects(call)?.of_home)
}

/// States if the daemon sees the caller's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileAccess {
    Shared,
    Foreign,
}

impl Folders {
    fn of(call: &Call<'_>, named: NamedFolders<'_>) -> CliResult<Self> {
        if sees_our_files(call)? {
            let here = call.context.cwd()?;
            let cwd = named.cwd.map_or_else(|| here.clone(), |dir| here.join(dir));
            let home = named.project_root.map_or_else(|| here.clone(), |dir| here.join(dir));
            return Ok(Self { cwd, home, sight: FileAccess::Shared });
        }
        let base = call.client.base();
        let Some(cwd) = named.cwd.or(named.project_root) else {
            let text = format!("the daemon at {base} does not see this folder");
            return Err(CliError::new(Kind::Usage, text).with_hint(
                "name the folder that the agent is to work in, as the daemon sees it: --cwd /path",
            ));
        };
        let home = named.project_root.unwrap_or(cwd);
        for folder in [cwd, home] {
            if !folder.is_absolute() {
                let text = format!(
                    "{} is relative, and the daemon at {base} does not see this folder",
                    folder.display()
                );
                return Err(
                    CliError::new(Kind::Usage, text).with_hint("name the folder by its absolute path")
                );
            }
        }
        Ok(Self { cwd: cwd.to_owned(), home: home.to_owned(), sight: FileAccess::Foreign })
    }

    /// Returns the project with this home, else a free name for a new project.
    fn project(&self, call: &Call<'_>) -> CliResult<ProjectId> {
        let known = self.known_projects(call)?;
        if let Some(project) = known.of_home {
            return Ok(project);
        }
        let free = known.named_after_home.and_then(|named| {
            let numbered = (2..=SAME_NAME).map(|n| named.numbered(n));
            std::iter::once(named.clone()).chain(numbered).find(|name| !known.taken.contains(name))
        });
        free.ok_or_else(|| {
            CliError::new(Kind::Usage, format!("cannot name a project after {}", self.home.display()))
                .with_hint("name one with --project")
        })
    }

    fn known_projects(&self, call: &Call<'_>) -> CliResult<KnownProjects> {
        let home = self.resolved(&self.home)?;
        let answer = call.client.get("/api/projects")?;
        let mut taken = Vec::new();
        let mut found = Vec::new();
        for project in answer["projects"].as_array().into_iter().flatten() {
            let Some(id) = project["id"].as_str().and_then(|id| id.parse::<ProjectId>().ok()) else {
                continue;
            };
            let root = project["project_root"].as_str().map(Path::new).filter(|root| root.is_absolute());
            if root.is_some_and(|root| self.resolved(root).is_ok_and(|root| root == home)) {
                found.push(id.clone());
            }
            taken.push(id);
        }
        let named = home.file_name().and_then(|name| ProjectId::from_name(&name.to_string_lossy()));
        // Several projects may have been given one home by hand: the project named after the folder takes precedence.
        let of_home = found.iter().find(|id| Some(*id) == named.as_ref()).or(found.first()).cloned();
        Ok(KnownProjects { of_home, named_after_home: named, taken })
    }

    /// Returns the path without links, if this process can see the path.
    fn resolved(&self, path: &Path) -> CliResult<PathBuf> {
        match self.sight {
            FileAccess::Shared => fsx::resolve(path).map_err(CliError::of_outside),
            FileAccess::Foreign => Ok(path.to_owned()),
        }
    }
}

/// Returns true if the daemon sees the same files as this process. A daemon of an older version does not report it.
fn sees_our_files(call: &Call<'_>) -> CliResult<bool> {
    let status = call.client.get("/api/v1/status")?;
    Ok(status["file_system"].as_str().is_some_and(|there| file_system().as_deref() == Some(there)))
}
