//! `/api/projects`: projects themselves.

use http::StatusCode;
use serde_json::json;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{Query, caller, query::query};
use crate::{
    daemon::Force,
    http::{
        Api,
        body::{Body, body},
        caller::Caller,
        error::{Result, answer, json},
        wire,
    },
    tree::ids::ProjectId,
};

/// The most folders that are suggested.
const SUGGESTED: usize = 20;

pub(super) fn routes(api: &BoxedFilter<(Api,)>) -> BoxedFilter<(Response,)> {
    let all = || warp::path!("api" / "projects");
    let one = || warp::path!("api" / "projects" / String);
    let list = all().and(warp::get()).and(api.clone()).map(|api| answer(list(&api))).boxed();
    let create = all()
        .and(warp::post())
        .and(api.clone())
        .and(caller())
        .and(body())
        .then(async |api, caller, body| answer(create(api, caller, body).await))
        .boxed();
    let folders = warp::path!("api" / "projects" / "home-dirs")
        .and(warp::get())
        .and(api.clone())
        .map(|api| answer(folders(&api)))
        .boxed();
    let show = one().and(warp::get()).and(api.clone()).map(|id: String, api| answer(show(&api, &id))).boxed();
    let delete = one()
        .and(warp::delete())
        .and(api.clone())
        .and(query())
        .then(async |id: String, api, query| answer(delete(api, id, query).await))
        .boxed();
    list.or(create).unify().or(folders).unify().or(show).unify().or(delete).unify().boxed()
}

fn list(api: &Api) -> Result<Response> {
    api.ready()?;
    let projects = api.core.index.projects();
    let projects = projects.iter().map(wire::Project::from).collect();
    Ok(json(StatusCode::OK, &wire::Projects { projects }))
}

fn folders(api: &Api) -> Result<Response> {
    api.ready()?;
    let mut dirs = api.core.index.work_folders();
    dirs.truncate(SUGGESTED);
    let dirs: Vec<&str> = dirs.iter().map(|d| &**d).collect();
    Ok(json(StatusCode::OK, &json!({ "dirs": dirs })))
}

async fn create(api: Api, caller: Caller, body: Body) -> Result<Response> {
    let (new, sent) = body.json::<wire::NewProject>(api.core.runner.config.api.max_body).await?;
    api.core.create_project(new.project_id.clone(), new.project_root).await?;
    let mut submitted = caller.submitted(sent);
    submitted.project = Some(new.project_id.clone());
    api.core.audit(submitted).await;
    shown(&api, StatusCode::CREATED, &new.project_id)
}

fn show(api: &Api, id: &str) -> Result<Response> {
    let project = api.project(id)?;
    shown(api, StatusCode::OK, &project)
}

fn shown(api: &Api, status: StatusCode, project: &ProjectId) -> Result<Response> {
    let known = api.core.index.project(project);
    let known = known.ok_or_else(|| {
        crate::http::error::HttpError::not_found(format!("project {project} has just been deleted"))
    })?;
    Ok(json(status, &wire::Project::from(&known)))
}

async fn delete(api: Api, id: String, query: Query) -> Result<Response> {
    let project = api.project(&id)?;
    let force = if query.flag("force")? { Force::Stop } else { Force::Refuse };
    let deleted = api.core.delete_project(project.clone(), force).await?;
    let deleted = wire::DeletedProject {
        project_id: &project,
        deleted_tasks: deleted.tasks,
        freed_bytes: deleted.bytes,
    };
    Ok(json(StatusCode::OK, &deleted))
}
