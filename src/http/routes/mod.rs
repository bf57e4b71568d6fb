//! The routes, one file per noun.

mod all_runs;
mod health;
mod message_stream;
mod messages;
mod run_stream;
mod runs;
mod tasks;

use std::collections::HashMap;

use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{
    Api,
    error::{self, HttpError, Result},
};

/// The parameters of a query.
type Query = HashMap<String, String>;

/// Every path with its methods, for the `Allow` header.
const PATHS: &[(&[&str], &str)] = &[
    (&["health"], "GET"),
    (&["version"], "GET"),
    (&["tasks"], "GET, POST"),
    (&["tasks", "*"], "GET, DELETE"),
    (&["runs"], "GET"),
    (&["runs", "*"], "GET"),
    (&["runs", "*", "info"], "GET"),
    (&["runs", "*", "stream"], "GET"),
    (&["runs", "*", "stop"], "POST"),
    (&["runs", "stream", "all"], "GET"),
    (&["messages"], "GET, POST"),
    (&["messages", "stream"], "GET"),
];

/// All routes; what none of them takes is answered, too.
pub(super) fn all(api: Api) -> BoxedFilter<(Response,)> {
    let api = warp::any().map(move || api.clone()).boxed();
    let routes = health::routes(&api)
        .or(tasks::routes(&api))
        .unify()
        .boxed()
        .or(runs::routes(&api))
        .unify()
        .boxed()
        .or(run_stream::routes(&api))
        .unify()
        .boxed()
        .or(all_runs::routes(&api))
        .unify()
        .boxed()
        .or(messages::routes(&api))
        .unify()
        .boxed()
        .or(message_stream::routes(&api))
        .unify()
        .boxed();
    routes.recover(error::refused).unify().boxed()
}

/// The methods of a path, if there is such a path.
pub(super) fn methods(path: &str) -> Option<&'static str> {
    let names: Vec<&str> = path.strip_prefix("/api/v1/")?.split('/').collect();
    let fits = |pattern: &[&str]| {
        pattern.len() == names.len() && pattern.iter().zip(&names).all(|(p, n)| *p == "*" || p == n)
    };
    PATHS.iter().find(|(pattern, _)| fits(pattern)).map(|(_, methods)| *methods)
}

/// The parameters of a request, whether or not it has a `?`.
fn query() -> BoxedFilter<(Query,)> {
    warp::query::<Query>().boxed()
}

/// A parameter that must be there.
fn required<T>(query: &Query, name: &str) -> Result<T>
where
    T: std::str::FromStr,
    HttpError: From<T::Err>,
{
    optional(query, name)?.ok_or_else(|| HttpError::bad_request(format!("the parameter {name} is missing")))
}

/// A parameter that may be there.
fn optional<T>(query: &Query, name: &str) -> Result<Option<T>>
where
    T: std::str::FromStr,
    HttpError: From<T::Err>,
{
    let given = query.get(name).filter(|text| !text.is_empty());
    Ok(given.map(|text| text.parse()).transpose()?)
}

/// Reads the disk where that holds nobody up.
async fn off_thread<T, E>(work: impl FnOnce() -> std::result::Result<T, E> + Send + 'static) -> Result<T>
where
    T: Send + 'static,
    E: Send + 'static,
    HttpError: From<E>,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result?),
        Err(e) => std::panic::resume_unwind(e.into_panic()),
    }
}

impl Api {
    /// Refuses to answer from an index that has not seen everything yet.
    fn ready(&self) -> Result<()> {
        if self.core.index.is_ready() {
            return Ok(());
        }
        Err(HttpError::new(http::StatusCode::SERVICE_UNAVAILABLE, "the tree is still being read"))
    }
}
