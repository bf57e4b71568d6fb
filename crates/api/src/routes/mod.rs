//! The endpoints, one file per noun: each file declares its endpoints and answers their requests.

mod access;
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
mod run_streams;
mod runs;
mod self_update;
mod tasks;
mod upkeep;

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
        run_streams::of_all_runs,
        runs::endpoints,
        run_streams::of_a_run,
        page_stream::endpoints,
        messages::endpoints,
        message_stream::endpoints,
        projects::endpoints,
        upkeep::endpoints,
        project_tasks::endpoints,
        run_streams::of_a_task,
        project_runs::endpoints,
        files::endpoints,
        file_stream::endpoints,
        self_update::endpoints,
        lines::endpoints,
        overview::endpoints,
    ];
    Table::new(files.into_iter().flat_map(|endpoints| endpoints()))
}

#[cfg(test)]
mod tests {
    use super::{
        super::endpoint::{ADMIN, Access, READ, RUN, Scope},
        *,
    };
    use web::RouteMatch;

    #[test]
    fn a_request_means_one_endpoint() {
        let table = table();
        let path = |method, path| match table.find(method, path) {
            RouteMatch::Endpoint(endpoint, _) => endpoint.declared().path.to_owned(),
            RouteMatch::WrongMethod(allow) | RouteMatch::Options(allow) => allow,
            RouteMatch::Nothing => "nothing".to_owned(),
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
        for endpoint in table.declared() {
            let name = format!("{} {}", endpoint.method, endpoint.path);
            assert!(!seen.contains(&name), "{name} twice");
            let braced = endpoint.path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}'));
            let named: Vec<&str> = endpoint.target.iter().map(|p| p.name).collect();
            assert_eq!(braced.collect::<Vec<_>>(), named, "{name}: what its path names");
            assert!(!endpoint.replies.is_empty(), "{name} answers nothing");
            let texts = [endpoint.summary].into_iter().chain(endpoint.params.iter().map(|p| p.about));
            for text in texts {
                assert!(!text.is_empty() && !text.ends_with('.'), "{name}: {text}");
            }
            seen.push(name);
        }
    }

    #[test]
    fn an_endpoint_that_changes_anything_needs_more_than_reading() {
        let harmless =
            ["/api/v1/tickets", "/api/v1/auth/keys", "/api/v1/auth/codes", "/api/v1/auth/keys/current"];
        for endpoint in table().declared() {
            let reads = matches!(endpoint.access, Access::Open | Access::Key(Scope::Read));
            let name = format!("{} {}", endpoint.method, endpoint.path);
            assert!(!reads || endpoint.method == "GET" || harmless.contains(&endpoint.path), "{name}");
        }
    }

    #[test]
    fn an_endpoint_needs_what_it_does() {
        let table = table();
        for (method, path, access) in [
            ("GET", "/api/v1/health", Access::Open),
            ("POST", "/api/v1/auth/keys", Access::Open),
            ("GET", "/api/v1/tasks", READ),
            ("GET", "/api/v1/runs/stream/all", READ),
            ("POST", "/api/v1/tickets", READ),
            ("POST", "/api/v1/tasks", RUN),
            ("DELETE", "/api/v1/tasks/x", RUN),
            ("POST", "/api/v1/messages", RUN),
            ("POST", "/api/projects/x/gc", ADMIN),
            ("DELETE", "/api/projects/x", ADMIN),
            ("POST", "/api/v1/admin/self-update", ADMIN),
            ("GET", "/api/v1/auth/keys", ADMIN),
        ] {
            let RouteMatch::Endpoint(endpoint, _) = table.find(method, path) else {
                panic!("{method} {path}")
            };
            assert_eq!(endpoint.declared().access, access, "{method} {path}");
        }
    }
}
