//! `/api/projects`: projects themselves.

use std::path::Path;

use http::StatusCode;
use warp::reply::Response;

use crate::{
    Api,
    endpoint::{ADMIN, Call, Endpoint, Param, READ, RUN, delete, flag, get, post},
    error::{HttpError, Result, json},
    keys::audit_line,
    wire,
};
use base::blocking;
use daemon::Force;
use engine::runner;
use tree::ids::ProjectId;

/// Maximum number of suggested folders.
const SUGGESTED: usize = 20;
/// Maximum number of folders that are examined for that.
const EXAMINED: usize = 100;

const FORCE: Param = flag("force", "Stop the running tasks first");

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(READ, "/api/projects", "List projects")
            .json::<wire::Projects>(StatusCode::OK, "Projects")
            .errors(&[503])
            .map(|call, (): &()| list(&call.api)),
        post(RUN, "/api/projects", "Create a project")
            .takes::<wire::NewProject>()
            .json::<wire::Project>(StatusCode::CREATED, "The project")
            .errors(&[409, 503, 507])
            .then(|call, (): ()| create(call)),
        get(READ, "/api/projects/home-dirs", "List the folders that projects and runs work in")
            .json::<wire::Folders>(StatusCode::OK, "Folders")
            .errors(&[503])
            .then(|call, (): ()| folders(call)),
        get(READ, "/api/projects/{project_id}", "Get a project")
            .json::<wire::Project>(StatusCode::OK, "The project")
            .errors(&[404, 503])
            .map(show),
        delete(ADMIN, "/api/projects/{project_id}", "Delete a project with all its tasks")
            .refuses_pages()
            .params(&[FORCE])
            .json::<wire::DeletedProject>(StatusCode::OK, "A summary of the deleted files")
            .errors(&[404, 409, 503])
            .then(delete_project),
    ]
}

fn list(api: &Api) -> Result<Response> {
    api.ready()?;
    let projects = api.core.index.projects();
    let projects = projects.iter().map(wire::Project::from).collect();
    Ok(json(StatusCode::OK, &wire::Projects { projects }))
}

/// Suggests the folders that the creation of a project accepts, by the same check.
async fn folders(call: Call) -> Result<Response> {
    let Call { api, .. } = call;
    api.ready()?;
    let mut dirs = api.core.index.work_folders();
    dirs.truncate(EXAMINED);
    let core = api.core.clone();
    let dirs = blocking::run(move || {
        dirs.retain(|dir| runner::check_home(&core.runner, Path::new(&**dir)).is_ok());
        dirs
    })
    .await;
    let dirs = dirs.iter().take(SUGGESTED).map(|d| &**d).collect();
    Ok(json(StatusCode::OK, &wire::Folders { dirs }))
}

async fn create(call: Call) -> Result<Response> {
    let Call { api, caller, body, .. } = call;
    let (new, sent) = body.json::<wire::NewProject>().await?;
    api.core.create_project(new.project_id.clone(), new.project_root).await?;
    let mut submitted = audit_line(&caller, &sent);
    submitted.project = Some(new.project_id.clone());
    api.core.audit.record(submitted).await;
    shown(&api, StatusCode::CREATED, &new.project_id)
}

fn show(call: &Call, project: &ProjectId) -> Result<Response> {
    call.api.project(project)?;
    shown(&call.api, StatusCode::OK, project)
}

fn shown(api: &Api, status: StatusCode, project: &ProjectId) -> Result<Response> {
    let known = api.core.index.project(project);
    let known =
        known.ok_or_else(|| HttpError::not_found(format!("project {project} has just been deleted")))?;
    Ok(json(status, &wire::Project::from(&known)))
}

async fn delete_project(call: Call, project: ProjectId) -> Result<Response> {
    let Call { api, query, .. } = call;
    api.project(&project)?;
    let force = if query.flag(&FORCE)? { Force::Stop } else { Force::Refuse };
    let deleted = api.core.delete_project(project.clone(), force).await?;
    let deleted = wire::DeletedProject {
        project_id: &project,
        deleted_tasks: deleted.tasks,
        freed_bytes: deleted.bytes,
    };
    Ok(json(StatusCode::OK, &deleted))
}
