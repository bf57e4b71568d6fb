//! Every route with its method and what it is for: the one truth on what is served, held before any route is asked.

use Pages::{Allowed, Refused};

/// Whether a page in a browser may ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Pages {
    /// It may.
    Allowed,
    /// It may not: it destroys something.
    Refused,
}

/// One route.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) struct Route {
    /// Its method.
    pub(in crate::http) method: &'static str,
    /// Its path; parameters stand in braces.
    pub(in crate::http) path: &'static str,
    /// What it does.
    pub(in crate::http) summary: &'static str,
    /// Whether a page in a browser may ask for it.
    pub(in crate::http) pages: Pages,
}

const fn get(path: &'static str, summary: &'static str) -> Route {
    Route { method: "GET", path, summary, pages: Allowed }
}

const fn post(path: &'static str, summary: &'static str) -> Route {
    Route { method: "POST", path, summary, pages: Allowed }
}

const fn delete(path: &'static str, pages: Pages, summary: &'static str) -> Route {
    Route { method: "DELETE", path, summary, pages }
}

/// All of them. Of two that fit the same path the first one is meant.
#[rustfmt::skip]
pub(in crate::http) const ROUTES: &[Route] = &[
    get("/metrics", "Figures of the daemon, in the text format of Prometheus"),
    get("/healthz", "Whether the daemon is ready, and for how long it has been up"),
    get("/api/v1/health", "Whether the daemon is ready"),
    get("/api/v1/version", "Version of the daemon"),
    get("/api/v1/status", "What runs now, and which agents there are"),
    get("/api/v1/auth", "Whether a key is asked for, and whose key came with the request"),
    post("/api/v1/auth/codes", "Make a code that a page in a browser exchanges for a key"),
    get("/api/v1/auth/keys", "List the keys that pages in browsers hold"),
    post("/api/v1/auth/keys", "Exchange a code for a key"),
    delete("/api/v1/auth/keys", Allowed, "Revoke the keys of all pages"),
    delete("/api/v1/auth/keys/current", Allowed, "Revoke the key of the page that asks"),
    post("/api/v1/tickets", "Make a ticket for one request of one path"),
    get("/api/v1/tasks", "List tasks"),
    post("/api/v1/tasks", "Create a task, attach to one, or take one up again"),
    get("/api/v1/tasks/{task_id}", "A task with its runs"),
    delete("/api/v1/tasks/{task_id}", Allowed, "Cancel a task"),
    get("/api/v1/runs", "List runs, newest first"),
    get("/api/v1/runs/stream/all", "Follow what happens to any run"),
    get("/api/v1/runs/{run_id}", "A run with what it has printed"),
    get("/api/v1/runs/{run_id}/info", "A run"),
    get("/api/v1/runs/{run_id}/stream", "Follow what a run prints"),
    post("/api/v1/runs/{run_id}/stop", "Stop a run and its task, and wait for the end"),
    get("/api/v1/stream", "Follow everything that a page shows, as one stream"),
    get("/api/v1/messages", "Messages of a project's or a task's bus"),
    post("/api/v1/messages", "Post a message"),
    get("/api/v1/messages/stream", "Follow a bus"),
    get("/api/projects", "List projects"),
    post("/api/projects", "Create a project"),
    get("/api/projects/home-dirs", "Folders that projects and runs work in"),
    get("/api/projects/{project_id}", "A project"),
    delete("/api/projects/{project_id}", Refused, "Delete a project with all its tasks"),
    get("/api/projects/{project_id}/stats", "What a project comes to"),
    post_destroying("/api/projects/{project_id}/gc", "Delete old runs"),
    get("/api/projects/{project_id}/runs/flat", "The runs of a project as one list"),
    get("/api/projects/{project_id}/messages", "Messages of a project's bus"),
    post("/api/projects/{project_id}/messages", "Post a message to a project's bus"),
    get("/api/projects/{project_id}/messages/stream", "Follow a project's bus"),
    get("/api/projects/{project_id}/tasks", "List the tasks of a project"),
    get("/api/projects/{project_id}/tasks/{task_id}", "A task with its runs"),
    delete("/api/projects/{project_id}/tasks/{task_id}", Refused, "Delete a task with all its runs"),
    get("/api/projects/{project_id}/tasks/{task_id}/file", "A file of a task"),
    post("/api/projects/{project_id}/tasks/{task_id}/resume", "Take a task up again"),
    get("/api/projects/{project_id}/tasks/{task_id}/messages", "Messages of a task's bus"),
    post("/api/projects/{project_id}/tasks/{task_id}/messages", "Post a message to a task's bus"),
    get("/api/projects/{project_id}/tasks/{task_id}/messages/stream", "Follow a task's bus"),
    get("/api/projects/{project_id}/tasks/{task_id}/runs", "List the runs of a task, newest first"),
    get("/api/projects/{project_id}/tasks/{task_id}/runs/stream", "Follow what all runs of a task print"),
    get("/api/projects/{project_id}/tasks/{task_id}/runs/{run_id}", "A run"),
    delete("/api/projects/{project_id}/tasks/{task_id}/runs/{run_id}", Refused, "Delete a run"),
    get("/api/projects/{project_id}/tasks/{task_id}/runs/{run_id}/file", "A file of a run"),
    get("/api/projects/{project_id}/tasks/{task_id}/runs/{run_id}/stream", "Follow a file of a run"),
    post("/api/projects/{project_id}/tasks/{task_id}/runs/{run_id}/stop", "Ask a run and its task to stop"),
];

const fn post_destroying(path: &'static str, summary: &'static str) -> Route {
    Route { method: "POST", path, summary, pages: Refused }
}

/// What a request means.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::http) enum Found {
    /// This route.
    Route(&'static Route),
    /// A path that has these methods only, as the `Allow` header spells them.
    WrongMethod(String),
    /// No path of ours.
    Nothing,
}

/// Looks for the route of a request.
pub(in crate::http) fn find(method: &str, path: &str) -> Found {
    let Some(first) = ROUTES.iter().find(|r| fits(r.path, path)) else { return Found::Nothing };
    let same = || ROUTES.iter().filter(|r| r.path == first.path);
    match same().find(|r| r.method == method) {
        Some(route) => Found::Route(route),
        None => Found::WrongMethod(same().map(|r| r.method).collect::<Vec<_>>().join(", ")),
    }
}

fn fits(pattern: &str, path: &str) -> bool {
    let (mut names, mut given) = (pattern.split('/'), path.split('/'));
    loop {
        match (names.next(), given.next()) {
            (None, None) => return true,
            (Some(name), Some(given)) if name == given || (name.starts_with('{') && !given.is_empty()) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_means_one_route() {
        let path = |method, path| match find(method, path) {
            Found::Route(route) => route.path.to_owned(),
            Found::WrongMethod(allow) => allow,
            Found::Nothing => "nothing".to_owned(),
        };
        for (method, asked, meant) in [
            ("GET", "/api/v1/runs/stream/all", "/api/v1/runs/stream/all"),
            ("GET", "/api/v1/runs/x/stream", "/api/v1/runs/{run_id}/stream"),
            ("GET", "/api/projects/home-dirs", "/api/projects/home-dirs"),
            ("GET", "/api/projects/p", "/api/projects/{project_id}"),
            (
                "GET",
                "/api/projects/p/tasks/t/runs/stream",
                "/api/projects/{project_id}/tasks/{task_id}/runs/stream",
            ),
            ("PUT", "/api/v1/tasks", "GET, POST"),
            ("DELETE", "/api/projects/home-dirs", "GET"),
            ("GET", "/api/v1/runs/", "nothing"),
            ("GET", "/api/v1/tasks/", "nothing"),
            ("GET", "/", "nothing"),
            ("GET", "/api/v1", "nothing"),
            ("GET", "api/v1/tasks", "nothing"),
        ] {
            assert_eq!(path(method, asked), meant, "{method} {asked}");
        }
        for (n, route) in ROUTES.iter().enumerate() {
            let before = &ROUTES[..n];
            assert!(
                before.iter().all(|b| (b.method, b.path) != (route.method, route.path)),
                "{route:?} twice"
            );
            assert!(!route.summary.is_empty() && !route.summary.ends_with('.'), "{route:?}");
        }
    }
}
