//! The routes, one file per noun, and the table that says which there are.

mod access;
mod all_runs;
mod file_stream;
mod files;
mod health;
mod known;
mod message_stream;
mod messages;
mod metrics;
mod page_stream;
mod project_runs;
mod project_tasks;
mod projects;
mod query;
mod run_stream;
mod runs;
mod table;
mod task_stream;
mod tasks;
mod upkeep;

use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{Api, caller::Caller, error, off_thread::off_thread};
use query::{Query, query};
pub(super) use table::{Found, Pages, find};

/// All routes; what none of them takes is answered, too.
pub(super) fn all(api: Api) -> BoxedFilter<(Response,)> {
    let api = warp::any().map(move || api.clone()).boxed();
    let mut routes = health::routes(&api);
    for more in [
        metrics::routes,
        access::routes,
        tasks::routes,
        runs::routes,
        run_stream::routes,
        all_runs::routes,
        page_stream::routes,
        messages::routes,
        message_stream::routes,
        projects::routes,
        upkeep::routes,
        project_tasks::routes,
        task_stream::routes,
        project_runs::routes,
        files::routes,
        file_stream::routes,
    ] {
        routes = routes.or(more(&api)).unify().boxed();
    }
    routes.recover(error::refused).unify().boxed()
}

/// Method and path of every route.
#[cfg(test)]
pub(super) fn listed() -> impl Iterator<Item = (&'static str, &'static str)> {
    table::ROUTES.iter().map(|route| (route.method, route.path))
}

/// Who asks, as the door has found out.
fn caller() -> BoxedFilter<(Caller,)> {
    warp::ext::get::<Caller>().boxed()
}

/// What a client calls a request that it may send again.
fn idempotency_key() -> BoxedFilter<(Option<String>,)> {
    warp::header::optional("idempotency-key").boxed()
}

/// Says of an answer that it is to a request that was done before.
fn replayed(mut response: Response) -> Response {
    response.headers_mut().insert("idempotency-replayed", http::HeaderValue::from_static("true"));
    response
}

/// The answer to what was done and has nothing to show.
fn no_content() -> Response {
    let mut response = Response::new(Vec::new().into());
    *response.status_mut() = http::StatusCode::NO_CONTENT;
    response
}
