//! The folder that an agent works in, the caller's or a named one: for every way in, and for the first run, every
//! restart, every `resume`, and after an import.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use base::{clock::Clock, fsx::Durability};
use serde_json::{Value, json};
use tree::{Tree, refs::TaskRef};

use crate::common::{
    Outcome, Sandbox,
    daemon::{Daemon, until},
    outcome,
};

/// Restarted once, so that a loop has two runs.
const CONFIG: &str = "\
defaults: {agent: here, max_restarts: 1, restart_delay: 10ms, restart_delay_max: 10ms}
agents:
  here: {type: command, command: [/bin/pwd]}
  variable: {type: command, command: [printenv, PWD]}
  child: {type: command, command: [sh, -c, 'cd \"../its own\" && run-agent job --task child --prompt x --agent here']}
";

struct Bench {
    sandbox: Sandbox,
    tree: Tree,
}

impl Bench {
    /// Creates the folders `a/src`, `b/src` and `its own`, and the project `p` with the home `home of p`.
    fn new() -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("home/.config/conductor/config.yaml", CONFIG);
        for folder in ["a/src", "a/its own", "b/src", "home of p"] {
            fs::create_dir_all(sandbox.path(folder)).unwrap();
        }
        let home = sandbox.path("home of p").canonicalize().unwrap();
        sandbox.write("home/run-agent/p/PROJECT-ROOT.txt", format!("{}\n", home.display()));
        let tree = Tree::open(&sandbox.root(), Durability::Never, Clock::System).unwrap();
        Self { sandbox, tree }
    }

    fn path(&self, folder: &str) -> String {
        let path = self.sandbox.path(folder).canonicalize().unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs a command line in a folder; a word may contain spaces.
    fn at(&self, folder: &str, words: &[&str]) -> Outcome {
        outcome(self.sandbox.command(words).current_dir(self.sandbox.path(folder)))
    }

    fn named(project: &str, task: &str) -> TaskRef {
        TaskRef { project: project.parse().unwrap(), task: task.parse().unwrap() }
    }

    fn config_file(&self, task: &TaskRef) -> PathBuf {
        self.tree.root().absolute(&task.dir().config())
    }

    /// Returns the number of a task's runs. Checks that each of them worked in this folder, by its record and by its
    /// agent's output.
    #[track_caller]
    fn all_runs_in(&self, way: &str, task: &TaskRef, folder: &str) -> usize {
        let runs = self.tree.runs(task).unwrap();
        for id in &runs {
            let run = task.run(id.clone());
            assert_eq!(self.tree.run_info(&run).unwrap().cwd.as_deref(), Some(folder), "{way}: {run}");
            let said = self.tree.root().absolute(&run.dir().stdout());
            assert_eq!(fs::read_to_string(said).unwrap().trim_end(), folder, "{way}: {run}");
        }
        runs.len()
    }

    fn projects(&self) -> BTreeMap<String, PathBuf> {
        let projects = self.tree.projects().unwrap().into_iter();
        projects.filter_map(|p| Some((p.to_string(), self.tree.project_home(&p).unwrap()?))).collect()
    }
}

/// A way to start a task of the project `p`: its name, the caller's folder, the caller's action, and the agent's
/// folder.
struct StartMethod {
    name: &'static str,
    stands: &'static str,
    does: Action,
    works: &'static str,
}

enum Action {
    /// A command line in which `TASK` stands for the task.
    Says(&'static [&'static str]),
    /// `POST /api/v1/tasks` with these fields beside the usual ones; a path is relative to the sandbox.
    Posts(&'static [(&'static str, &'static str)]),
}

use Action::{Posts, Says};

/// Every submission names the project, which would otherwise be that of the folder.
const WAYS: &[StartMethod] = &[
    StartMethod {
        name: "job",
        stands: "a/src",
        does: Says(&["job", "--project", "p", "--task", "TASK", "--prompt", "x"]),
        works: "a/src",
    },
    StartMethod {
        name: "job-cwd",
        stands: "a/src",
        does: Says(&["job", "--project", "p", "--task", "TASK", "--prompt", "x", "--cwd", "../its own"]),
        works: "a/its own",
    },
    StartMethod {
        name: "task",
        stands: "a/src",
        does: Says(&["task", "--project", "p", "--task", "TASK", "--prompt", "x"]),
        works: "a/src",
    },
    StartMethod {
        name: "variable",
        stands: "a/its own",
        does: Says(&["task", "--project", "p", "--task", "TASK", "--prompt", "x", "--agent", "variable"]),
        works: "a/its own",
    },
    StartMethod {
        name: "batch",
        stands: "a/its own",
        does: Says(&["job", "batch", "--project", "p", "--task", "TASK", "--prompt", "x"]),
        works: "a/its own",
    },
    StartMethod {
        name: "submit",
        stands: "a/its own",
        does: Says(&[
            "server",
            "job",
            "submit",
            "--project",
            "p",
            "--task",
            "TASK",
            "--prompt",
            "x",
            "--wait",
        ]),
        works: "a/its own",
    },
    StartMethod {
        name: "submit-cwd",
        stands: "a/its own",
        does: Says(&[
            "server",
            "job",
            "submit",
            "--project",
            "p",
            "--task",
            "TASK",
            "--prompt",
            "x",
            "--wait",
            "--cwd",
            "../src",
            "--attach-mode",
            "resume",
        ]),
        works: "a/src",
    },
    StartMethod {
        name: "submit-batch",
        stands: "a/src",
        does: Says(&["server", "job", "submit-batch", "--project", "p", "--wait", "../TASK.jsonl"]),
        works: "a/src",
    },
    StartMethod { name: "post-root", stands: "a", does: Posts(&[("project_root", "a/src")]), works: "a/src" },
    StartMethod { name: "post-link", stands: "a", does: Posts(&[("project_root", "link")]), works: "b/src" },
    StartMethod { name: "post-cwd", stands: "a", does: Posts(&[("cwd", "a/its own")]), works: "a/its own" },
    StartMethod {
        name: "post-both",
        stands: "a",
        does: Posts(&[("cwd", "a/src"), ("project_root", "b/src")]),
        works: "a/src",
    },
    StartMethod { name: "post-neither", stands: "a", does: Posts(&[]), works: "home of p" },
    StartMethod {
        name: "post-attach",
        stands: "a",
        does: Posts(&[("attach_mode", "attach"), ("project_root", "a/src")]),
        works: "a/src",
    },
    StartMethod {
        name: "post-resume",
        stands: "a",
        does: Posts(&[("attach_mode", "resume"), ("cwd", "a/src")]),
        works: "a/src",
    },
];

/// Every verb that takes a name looks in the project of the folder first, and says so where another one has it.
#[test]
fn a_short_name_means_the_task_of_the_folder() {
    let bench = Bench::new();
    let job = |folder: &str, task: &str| {
        let done = bench.at(folder, &["job", "--task", task, "--prompt", "x"]);
        assert_eq!(done.code, 0, "{done:?}");
    };
    job("a/src", "both");
    job("b/src", "both");
    job("a/src", "one");
    for verb in ["why", "output", "list", "diff", "stop", "bundle"] {
        for (folder, project, other) in [("a/src", "src", "src-2"), ("b/src", "src-2", "src")] {
            let said = bench.at(folder, &[verb, "both"]).stderr;
            let note =
                format!("note: this is {project}/both, of this folder's project; there is also {other}/both");
            let runs = verb == "output" || verb == "diff";
            assert!(
                said.contains(&note) || runs && said.contains(&format!("{project}/both/")),
                "{verb}: {said}"
            );
        }
        let said = bench.at("b/src", &[verb, "one"]).stderr;
        assert!(
            said.contains("note: project src-2, of this folder, has no task 'one'; this is src/one"),
            "{said}"
        );
    }
    let why = bench.at("b/src", &["why", "both", "--json"]);
    assert!(why.stdout.contains("\"src-2/both\"") && why.stderr.is_empty(), "{why:?}");
    let full = bench.at("b/src", &["why", "src/both"]);
    assert!(full.stdout.contains("task src/both") && full.stderr.is_empty(), "{full:?}");
    let nowhere = bench.at("home", &["why", "both"]);
    nowhere.fails(3, "'both' is the name of 2 tasks", "src/both, src-2/both");
}

#[test]
fn every_way_in_works_in_its_folder_in_every_run() {
    let bench = Bench::new();
    std::os::unix::fs::symlink(bench.sandbox.path("b/src"), bench.sandbox.path("link")).unwrap();
    // The daemon's own folder is another one.
    let daemon = Daemon::start_with(&bench.sandbox, &[("PWD", "/"), ("OLDPWD", "/")], &[]);
    for way in WAYS {
        let task = Bench::named("p", way.name);
        let folder = bench.path(way.works);
        match &way.does {
            Says(words) => {
                let line = json!({"prompt": "x", "task_id": way.name});
                bench.sandbox.write(format!("a/{}.jsonl", way.name), line.to_string());
                let words: Vec<String> = words.iter().map(|w| w.replace("TASK", way.name)).collect();
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let said = bench.at(way.stands, &words);
                let told = format!("works in {folder}\n");
                assert!(said.stderr.contains(&told), "{}: {said:?}", way.name);
            }
            Posts(fields) => {
                let answer = post(&bench, &daemon, way.name, fields);
                assert_eq!((answer.status, &answer.json()["cwd"]), (201, &json!(folder)), "{answer:?}");
                daemon.until_task(way.name, "failed");
            }
        }
        let config = bench.tree.task_config(&task).unwrap();
        assert_eq!(config.cwd.as_deref(), Some(folder.as_str()), "{}", way.name);
        let first = bench.all_runs_in(way.name, &task, &folder);
        let is_loop = !matches!(way.name, "job" | "job-cwd" | "batch");
        assert_eq!(first, if is_loop { 2 } else { 1 }, "{}", way.name);

        // The task is resumed from another folder, with three variants of `resume`.
        let resumed = match way.name.len() % 3 {
            0 => bench.at("b", &["resume", &task.to_string(), "--json"]).code == 0 || is_loop,
            1 => {
                let answer = daemon.post(&format!("/api/projects/p/tasks/{}/resume", way.name), &Value::Null);
                assert_eq!((answer.status, &answer.json()["cwd"]), (200, &json!(folder)), "{answer:?}");
                true
            }
            _ => {
                let words =
                    ["server", "job", "submit", "--project", "p", "--task", way.name, "--prompt", "x"];
                let said = bench.at("b", &[&words[..], &["--attach-mode", "resume"]].concat());
                said.code == 0 && said.stderr.contains(&format!("works in {folder}\n"))
            }
        };
        assert!(resumed, "{}", way.name);
        until("it has ended again", || bench.tree.ticket_of(&task).unwrap().is_none());
        let all = bench.all_runs_in(way.name, &task, &folder);
        assert!(all > first, "{}: {all}", way.name);
    }
    // The project keeps its home.
    assert_eq!(bench.projects()["p"], Path::new(&bench.path("home of p")));
}

fn post(
    bench: &Bench,
    daemon: &Daemon,
    task: &str,
    fields: &[(&str, &str)],
) -> crate::common::daemon::Response {
    let mut body = json!({"project_id": "p", "task_id": task, "agent_type": "here", "prompt": "x"});
    for (key, value) in fields {
        let is_path = matches!(*key, "cwd" | "project_root");
        body[*key] = if is_path { json!(bench.sandbox.path(value)) } else { json!(value) };
    }
    daemon.post("/api/v1/tasks", &body)
}

#[test]
fn a_monitor_a_wrapped_agent_and_a_child_of_an_agent_work_where_they_stand() {
    let bench = Bench::new();
    bench.sandbox.write("a/src/TODO.md", "- [ ] one thing\n");
    let said = bench.at("a/src", &["monitor", "--project", "p", "--job", "--json"]);
    let rows: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((said.code, &rows[0]["cwd"]), (0, &json!(bench.path("a/src"))), "{said:?}");
    assert!(said.stderr.contains(&format!("works in {}\n", bench.path("a/src"))), "{said:?}");

    let wrapped = bench.at("a/src", &["wrap", "--project", "p", "--task", "w", "--agent", "here"]);
    assert_eq!((wrapped.code, wrapped.stdout.trim_end()), (0, bench.path("a/src").as_str()), "{wrapped:?}");
    let config = bench.tree.task_config(&Bench::named("p", "w")).unwrap();
    assert_eq!(config.cwd, Some(bench.path("a/src")));

    let parent =
        bench.at("a/src", &["job", "--project", "p", "--task", "t", "--prompt", "x", "--agent", "child"]);
    assert_eq!(parent.code, 0, "{parent:?}");
    let child = Bench::named("p", "child");
    assert_eq!(bench.all_runs_in("child", &child, &bench.path("a/its own")), 1);
    // A replay does not use the folder of the recorded run, which may be on another machine.
    let replayed = bench.at("b/src", &["replay", "p/child", "--project", "q", "--json"]);
    let answer: Value = serde_json::from_str(&replayed.stdout).unwrap();
    assert_eq!((replayed.code, &answer["cwd"]), (0, &json!(bench.path("b/src"))), "{replayed:?}");
    assert!(!bench.projects().contains_key("q"), "a replay gives a project no home");
}

#[test]
fn a_project_is_found_by_its_folder() {
    let bench = Bench::new();
    let project = |folder: &str| {
        let said = bench.at(folder, &["job", "--prompt", "x", "--json"]);
        let answer: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|e| panic!("{e}: {said:?}"));
        assert_eq!(answer["cwd"], bench.path(folder), "{said:?}");
        assert_eq!(answer["output"].as_str().unwrap().trim_end(), bench.path(folder), "{said:?}");
        answer["project_id"].as_str().unwrap().to_owned()
    };
    fs::create_dir_all(bench.sandbox.path("c/src/below")).unwrap();
    std::os::unix::fs::symlink(bench.sandbox.path("b/src"), bench.sandbox.path("link")).unwrap();
    for (folder, id) in [
        ("a/src", "src"),
        ("b/src", "src-2"),
        ("a/src", "src"),
        // Through a link, and independent of the name that the project got.
        ("link", "src-2"),
        ("home of p", "p"),
        ("c/src", "src-3"),
        // A folder below has a project of its own.
        ("c/src/below", "below"),
    ] {
        assert_eq!(project(folder), id, "{folder}");
    }
    // A project without a home does not match, and keeps its name.
    fs::create_dir_all(bench.sandbox.root().join("its-own/t")).unwrap();
    assert_eq!(project("a/its own"), "its-own-2");
    // HTTP finds the same project.
    let _daemon = Daemon::start(&bench.sandbox, &[]);
    fs::create_dir_all(bench.sandbox.path("d/src")).unwrap();
    for (n, (folder, id)) in [("b/src", "src-2"), ("link", "src-2"), ("d/src", "src-4"), ("d/src", "src-4")]
        .into_iter()
        .enumerate()
    {
        let words = ["server", "job", "submit", "--prompt", "x", "--json", "--task", &format!("t{n}")];
        let said = bench.at(folder, &words);
        let answer: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|e| panic!("{e}: {said:?}"));
        assert_eq!((&answer["project_id"], &answer["cwd"]), (&json!(id), &json!(bench.path(folder))));
    }
    assert_eq!(bench.projects()["src-4"], Path::new(&bench.path("d/src")));
    // Inside the tree, the project is the one with these files.
    let inside = bench.at("home/run-agent/src-2", &["job", "--prompt", "x", "--json"]);
    assert!(inside.stdout.contains("\"project_id\": \"src-2\""), "{inside:?}");
    bench.at("home/run-agent", &["job", "--prompt", "x"]).fails(2, "cannot name a project", "--project");
}

#[test]
fn processes_that_begin_at_once_agree_on_the_projects() {
    let bench = Bench::new();
    let started: Vec<_> = (0..8)
        .map(|n| {
            let folder = if n % 2 == 0 { "a/src" } else { "b/src" };
            let mut command = bench.sandbox.command(["job", "--prompt", "x"]);
            command.current_dir(bench.sandbox.path(folder)).stdout(std::process::Stdio::piped());
            (folder, command.stderr(std::process::Stdio::piped()).spawn().unwrap())
        })
        .collect();
    for (folder, child) in started {
        let ended = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&ended.stdout).trim_end(), bench.path(folder), "{ended:?}");
    }
    let projects = bench.projects();
    let names: Vec<&str> = projects.keys().map(String::as_str).collect();
    assert_eq!(names, ["p", "src", "src-2"]);
    for name in ["src", "src-2"] {
        let project = name.parse().unwrap();
        let tasks = bench.tree.tasks(&project).unwrap();
        assert_eq!(tasks.len(), 4, "{name}");
        for task in tasks {
            let home = projects[name].to_str().unwrap();
            bench.all_runs_in(name, &TaskRef { project: project.clone(), task }, home);
        }
    }
}

#[test]
fn a_folder_that_cannot_be_used_is_said_before_anything_starts() {
    let bench = Bench::new();
    bench.sandbox.write("a/file", "");
    let before = bench.tree.projects().unwrap();
    for (dir, error) in [
        ("gone", "/a/gone cannot be used: No such file"),
        ("../a/file", "/a/file is not a folder"),
        ("file/below", "/a/file/below cannot be used: Not a directory"),
    ] {
        for verb in [&["job"][..], &["task"], &["job", "batch"], &["monitor", "../TODO.md"]] {
            bench.sandbox.write("TODO.md", "- [ ] x\n");
            let prompt: &[&str] = if verb[0] == "monitor" { &[] } else { &["--prompt", "x"] };
            let refused = bench.at("a", &[verb, prompt, &["--cwd", dir]].concat());
            let error =
                error.replace("/a/file is", if dir.starts_with("..") { "file is" } else { "/a/file is" });
            assert!(refused.code == 3 && refused.stderr.contains(&error), "{verb:?}: {refused:?}");
            assert!(
                refused.stderr.contains("hint: create the folder, or name another one with --cwd"),
                "{refused:?}"
            );
        }
    }
    // The caller's current folder is removed.
    fs::create_dir(bench.sandbox.path("leaving")).unwrap();
    let command = bench.sandbox.command(["job", "--prompt", "x"]);
    let mut shell = std::process::Command::new("sh");
    let script = "rmdir ../leaving && exec \"$0\" job --prompt x";
    shell.args(["-c", script]).arg(command.get_program()).env_clear().env("PATH", "/usr/bin:/bin");
    shell.env("HOME", bench.sandbox.home()).current_dir(bench.sandbox.path("leaving"));
    outcome(&mut shell).fails(3, "the current folder no longer exists", "change to an existing folder");
    assert_eq!(bench.tree.projects().unwrap(), before, "nothing is left behind");

    let daemon = Daemon::start(&bench.sandbox, &[]);
    for (fields, error) in [
        (&[("project_root", "gone")][..], "cannot be used"),
        (&[("project_root", "a/file")], "is not a folder"),
        (&[("project_root", "gone"), ("cwd", "a/src")], "cannot be used"),
        (&[("cwd", "gone"), ("project_root", "a/src")], "cannot be used"),
        (&[("attach_mode", "attach"), ("cwd", "gone")], "cannot be used"),
        (&[("attach_mode", "resume"), ("project_root", "gone")], "cannot be used"),
    ] {
        post(&bench, &daemon, "t", fields).fails(400, error);
        assert!(!bench.sandbox.root().join("p/t").exists(), "{fields:?}");
    }
    fs::remove_dir(bench.sandbox.path("home of p")).unwrap();
    post(&bench, &daemon, "t", &[]).fails(400, "home of p cannot be used");
    let new = json!({"project_id": "q", "task_id": "t", "agent_type": "here", "prompt": "x",
        "project_root": bench.sandbox.root()});
    daemon.post("/api/v1/tasks", &new).fails(400, "lies in the root of the tree");
    assert!(!bench.sandbox.root().join("q").exists());
    // An existing task keeps its folder, and the answer says so.
    assert_eq!(post(&bench, &daemon, "t", &[("cwd", "a/src")]).status, 201);
    daemon.until_task("t", "failed");
    let elsewhere = [("attach_mode", "resume"), ("cwd", "b/src")];
    post(&bench, &daemon, "t", &elsewhere).fails(409, "task p/t works in ");
    assert_eq!(bench.all_runs_in("t", &Bench::named("p", "t"), &bench.path("a/src")), 2);
    assert_eq!(post(&bench, &daemon, "t", &[("attach_mode", "resume"), ("cwd", "a/src")]).status, 201);
}

#[test]
fn a_folder_that_goes_while_the_task_works_ends_it_and_never_moves_it() {
    let bench = Bench::new();
    fs::create_dir(bench.sandbox.path("short")).unwrap();
    let folder = bench.path("short");
    let words =
        ["task", "--project", "p", "--task", "t", "--prompt", "x", "--", "sh", "-c", "pwd; rmdir \"$PWD\""];
    let ended = bench.at("short", &words);
    assert!(
        ended.code == 3 && ended.stderr.contains(&format!("{folder} of the task cannot be used")),
        "{ended:?}"
    );
    assert!(
        ended.stderr.contains("hint: create the folder again, or name another one as `cwd` in "),
        "{ended:?}"
    );
    let task = Bench::named("p", "t");
    let end = bench.tree.task_end(&task).unwrap().unwrap();
    assert!(end.reason.starts_with(&format!("{folder} cannot be used: ")), "{end:?}");
    assert_eq!(bench.tree.ticket_of(&task).unwrap(), None);
    bench.at("a", &["resume", "p/t"]).fails(3, "short of the task cannot be used", "TASK-CONFIG.yaml");
    assert_eq!(bench.all_runs_in("t", &task, &folder), 1);
    fs::create_dir(bench.sandbox.path("short")).unwrap();
    bench.at("a", &["resume", "p/t"]);
    assert!(bench.all_runs_in("t", &task, &folder) > 1);
}

#[test]
fn a_task_of_an_older_tree_works_where_its_first_run_did() {
    let bench = Bench::new();
    let forget = |task: &TaskRef| {
        let file = bench.config_file(task);
        let text = fs::read_to_string(&file).unwrap();
        let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("cwd:")).collect();
        assert!(kept.len() < text.lines().count(), "{text}");
        fs::write(file, kept.join("\n") + "\n").unwrap();
    };
    let task = Bench::named("p", "t");
    bench.at("a/src", &["job", "--project", "p", "--task", "t", "--prompt", "x"]);
    forget(&task);
    assert_eq!(bench.at("b", &["resume", "p/t"]).code, 0);
    assert_eq!(bench.all_runs_in("t", &task, &bench.path("a/src")), 2);
    // Without any run the folder is the project's home.
    fs::remove_dir_all(bench.sandbox.root().join("p/t/runs")).unwrap();
    assert_eq!(bench.at("b", &["resume", "p/t"]).code, 0);
    assert_eq!(bench.all_runs_in("t", &task, &bench.path("home of p")), 1);
    // A task that worked in its own folder keeps it, wherever the tree lies and whatever home its project has got.
    let daemon = Daemon::start(&bench.sandbox, &[]);
    let new = json!({"project_id": "q", "task_id": "t", "agent_type": "here", "prompt": "x"});
    assert_eq!(daemon.post("/api/v1/tasks", &new).status, 201);
    let task = Bench::named("q", "t");
    until("it has ended", || {
        bench.tree.task_end(&task).unwrap().is_some() && bench.tree.ticket_of(&task).unwrap().is_none()
    });
    daemon.kill();
    fs::rename(bench.sandbox.root(), bench.sandbox.path("moved")).unwrap();
    bench.sandbox.write("moved/q/PROJECT-ROOT.txt", bench.path("a/src"));
    let root = bench.sandbox.path("moved");
    bench.at("b", &["resume", "q/t", "--root", root.to_str().unwrap()]);
    let tree = Tree::open(&root, Durability::Never, Clock::System).unwrap();
    let last = tree.runs(&task).unwrap().pop().unwrap();
    assert_eq!(tree.run_info(&task.run(last)).unwrap().cwd.as_deref(), root.join("q/t").to_str());
}

#[test]
fn an_imported_task_works_where_it_did() {
    let bench = Bench::new();
    let there = bench.path("a/src");
    let own = bench.sandbox.path("original/p/own").display().to_string();
    for (task, config, run) in [
        ("by-run", String::new(), there.clone()),
        ("by-config", format!("cwd: {there}\n"), bench.path("b/src")),
        ("own", String::new(), own),
    ] {
        let at = |file: &str| format!("original/p/{task}/{file}");
        bench.sandbox.write(at("TASK.md"), "x");
        bench.sandbox.write(at("DONE"), "");
        bench.sandbox.write(at("TASK-CONFIG.yaml"), format!("agent: here\n{config}"));
        let record = format!(
            "agent: here\nstatus: completed\nexit_code: 0\nstart_time: 2026-02-22T16:01:00Z\ncwd: {run}\n"
        );
        bench.sandbox.write(at("runs/20260222-1601001234-12345-1/run-info.yaml"), record);
    }
    bench.sandbox.write("original/p/by-home/TASK.md", "x");
    bench.sandbox.write("original/p/by-home/DONE", "");
    bench.sandbox.write("original/p/by-home/TASK-CONFIG.yaml", "agent: here\n");
    bench.sandbox.write("original/p/PROJECT-ROOT.txt", format!("{}\n", bench.path("b/src")));
    let said = bench.at("b", &["import", "../original"]);
    assert!(said.code == 0 || said.code == 18, "{said:?}");
    for (task, folder) in [
        ("by-run", there.clone()),
        ("by-config", there),
        // `p` already exists here, with another home.
        ("by-home", bench.path("b/src")),
        ("own", bench.path("home/run-agent/p/own")),
    ] {
        bench.at("b", &["resume", &format!("p/{task}")]);
        let task = Bench::named("p", task);
        let runs = bench.tree.runs(&task).unwrap();
        for id in runs.iter().filter(|id| !id.as_str().starts_with("20260222")) {
            let info = bench.tree.run_info(&task.run(id.clone())).unwrap();
            assert_eq!(info.cwd.as_deref(), Some(folder.as_str()), "{task}");
        }
        let new = runs.iter().filter(|id| !id.as_str().starts_with("20260222")).count();
        assert_eq!(new, 2, "{task}: its first run here, and a restart");
    }
}

/// Simulates a daemon on another machine, which sees another file system.
fn foreign_daemon() -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let mut requests = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = [0; 8192];
            let mut request = String::new();
            let length = |head: &str| {
                let line = head
                    .lines()
                    .find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
                line.map_or(0, |n| n.trim().parse::<usize>().unwrap())
            };
            while request.split_once("\r\n\r\n").is_none_or(|(head, body)| body.len() < length(head)) {
                let read = stream.read(&mut bytes).unwrap();
                if read == 0 {
                    break;
                }
                request.push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
            let body = match request.split(' ').nth(1).unwrap_or_default() {
                "/api/v1/status" => json!({"file_system": "another"}),
                "/api/projects" => json!({"projects": [{"id": "src", "project_root": "/srv/one/src"}]}),
                "/quit" => return requests,
                _ => json!({"project_id": "src-2", "task_id": "t", "run_id": "r", "status": "started"}),
            }
            .to_string();
            requests.push(request);
            let head =
                format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
    });
    (url, answering)
}

#[test]
fn a_daemon_that_sees_other_files_is_told_the_folder() {
    let bench = Bench::new();
    let (url, answering) = foreign_daemon();
    let submit = |more: &[&str]| {
        let words =
            ["server", "--server", &url, "job", "submit", "--agent", "here", "--prompt", "x", "--task", "t"];
        bench.at("a/src", &[&words[..], more].concat())
    };
    submit(&[]).fails(2, "does not see this folder", "--cwd");
    submit(&["--project", "p"]).fails(2, "does not see this folder", "--cwd");
    submit(&["--cwd", "src"]).fails(2, "src is relative", "absolute path");
    let said = submit(&["--cwd", "/srv/two/src"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(submit(&["--cwd", "/srv/one/src"]).code, 0);
    let mut quit = std::net::TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    quit.write_all(b"GET /quit HTTP/1.1\r\n\r\n").unwrap();
    let requests = answering.join().unwrap();
    let bodies: Vec<Value> = requests
        .iter()
        .filter(|r| r.starts_with("POST"))
        .map(|r| serde_json::from_str(r.split_once("\r\n\r\n").unwrap().1).unwrap())
        .collect();
    let seen: Vec<_> = bodies.iter().map(|b| (b["project_id"].as_str(), b["cwd"].as_str())).collect();
    assert_eq!(seen, [(Some("src-2"), Some("/srv/two/src")), (Some("src"), Some("/srv/one/src"))]);
}
