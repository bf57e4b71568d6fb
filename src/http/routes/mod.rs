//! The endpoints, one file per noun: each file declares its endpoints and answers their requests.

mod access;
mod all_runs;
mod exposition;
mod file_stream;
mod files;
mod health;
mod known;
mod lines;
mod message_stream;
mod messages;
mod metrics;
mod openapi;
mod overview;
mod page;
mod page_stream;
mod project_runs;
mod project_tasks;
mod projects;
mod run_stream;
mod runs;
mod self_update;
mod task_stream;
mod tasks;
mod upkeep;

use warp::reply::Response;

use super::endpoint::Table;

/// Returns the table of all endpoints.
pub(super) fn table() -> Table {
    let files = [
        metrics::endpoints,
        openapi::endpoints,
        health::endpoints,
        access::endpoints,
        tasks::endpoints,
        // Before the endpoints of a single run, which could take `stream` for a run id.
        all_runs::endpoints,
        runs::endpoints,
        run_stream::endpoints,
        page_stream::endpoints,
        messages::endpoints,
        message_stream::endpoints,
        projects::endpoints,
        upkeep::endpoints,
        project_tasks::endpoints,
        task_stream::endpoints,
        project_runs::endpoints,
        files::endpoints,
        file_stream::endpoints,
        self_update::endpoints,
        lines::endpoints,
        overview::endpoints,
    ];
    Table::new(files.into_iter().flat_map(|endpoints| endpoints()))
}

/// Returns method and path of every endpoint.
#[cfg(test)]
pub(super) fn listed() -> Vec<(&'static str, &'static str)> {
    table().endpoints().map(|endpoint| (endpoint.method, endpoint.path)).collect()
}

/// Marks an answer as the answer of an earlier, identical request.
fn replayed(mut response: Response) -> Response {
    response.headers_mut().insert("idempotency-replayed", http::HeaderValue::from_static("true"));
    response
}

/// Answers a successful request that has no result.
fn no_content() -> Response {
    let mut response = Response::new(Vec::new().into());
    *response.status_mut() = http::StatusCode::NO_CONTENT;
    response
}

#[cfg(test)]
mod tests {
    use super::{super::endpoint::Found, *};

    #[test]
    fn a_request_means_one_endpoint() {
        let table = table();
        let path = |method, path| match table.find(method, path) {
            Found::Endpoint(endpoint, _) => endpoint.path.to_owned(),
            Found::WrongMethod(allow) | Found::Options(allow) => allow,
            Found::Nothing => "nothing".to_owned(),
        };
        for (method, asked, meant) in [
            ("GET", "/api/v1/runs/stream/all", "/api/v1/runs/stream/all"),
            ("GET", "/api/v1/runs/x/stream", "/api/v1/runs/{run_id}/stream"),
            ("HEAD", "/api/v1/runs/x", "/api/v1/runs/{run_id}"),
            ("GET", "/api/projects/home-dirs", "/api/projects/home-dirs"),
            ("GET", "/api/projects/p", "/api/projects/{project_id}"),
            (
                "GET",
                "/api/projects/p/tasks/t/runs/stream",
                "/api/projects/{project_id}/tasks/{task_id}/runs/stream",
            ),
            ("PUT", "/api/v1/tasks", "GET, HEAD, POST, OPTIONS"),
            ("OPTIONS", "/api/v1/tasks", "GET, HEAD, POST, OPTIONS"),
            ("HEAD", "/api/v1/runs/x/stop", "POST, OPTIONS"),
            ("DELETE", "/api/projects/home-dirs", "GET, HEAD, OPTIONS"),
            ("GET", "/api/v1/runs/", "nothing"),
            ("GET", "/api/v1/tasks/", "nothing"),
            ("GET", "/", "nothing"),
            ("GET", "/api/v1", "nothing"),
            ("GET", "api/v1/tasks", "nothing"),
        ] {
            assert_eq!(path(method, asked), meant, "{method} {asked}");
        }
    }

    #[test]
    fn every_declaration_is_whole() {
        let table = table();
        let mut seen = Vec::new();
        for endpoint in table.endpoints() {
            let name = format!("{} {}", endpoint.method, endpoint.path);
            assert!(!seen.contains(&name), "{name} twice");
            let braced = endpoint.path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}'));
            let named: Vec<&str> = endpoint.target.iter().map(|p| p.name).collect();
            assert_eq!(braced.collect::<Vec<_>>(), named, "{name}: what its path names");
            assert!(!endpoint.answers.is_empty(), "{name} answers nothing");
            let texts = [endpoint.summary].into_iter().chain(endpoint.params.iter().map(|p| p.about));
            for text in texts {
                assert!(!text.is_empty() && !text.ends_with('.'), "{name}: {text}");
            }
            seen.push(name);
        }
    }
}
