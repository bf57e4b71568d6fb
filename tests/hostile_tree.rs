//! Hostile files: links, pipes, devices and sockets in the place of a run's files, and links that are swapped during
//! requests. Nothing outside the root is ever read, and nothing hangs. Also tests the modes of our own files.

#![expect(clippy::expect_used, reason = "a test that cannot prepare itself has failed")]

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, symlink},
        net::UnixStream,
    },
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::{Value, json};

use crate::common::{
    Sandbox,
    daemon::{Daemon, Response, agents, until},
    fake,
};

const SECRET: &str = "what-lies-outside-of-the-root";

fn soak() -> bool {
    std::env::var_os("CONDUCTOR_SOAK").is_some()
}

/// Creates a root with an ended run, and a secret beside the root.
fn prepared() -> (Sandbox, Daemon, String) {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 2] =
        [("talks", &["say:inside", "err:inside", "done"]), ("waits", &["say:ready", "sleep:60000"])];
    agents(&sandbox, &fake::agent(), &steps, "");
    for name in [
        "output.md",
        "agent-stdout.txt",
        "agent-stderr.txt",
        "prompt.md",
        "run-info.yaml",
        "events.jsonl",
        "TASK.md",
    ] {
        sandbox.write(format!("outside/{name}"), SECRET);
    }
    let daemon = Daemon::start(&sandbox, &[]);
    let run = daemon.create("t", "talks");
    daemon.until_task("t", "completed");
    (sandbox, daemon, run)
}

fn run_folder(sandbox: &Sandbox, run: &str) -> PathBuf {
    sandbox.root().join("p/t/runs").join(run)
}

/// Every way to read a file of a run.
fn ways(run: &str, name: &str) -> Vec<String> {
    let run = format!("/api/projects/p/tasks/t/runs/{run}");
    ["file?name=", "file?format=raw&name=", "file?tail=3&name=", "stream?name=", "stream?format=json&name="]
        .iter()
        .map(|way| format!("{run}/{way}{name}"))
        .collect()
}

#[track_caller]
fn hides(answer: &Response) {
    assert!(!answer.body.contains(SECRET), "{answer:?}");
}

#[test]
fn what_is_no_file_is_not_read_and_holds_nobody_up() {
    let (sandbox, daemon, run) = prepared();
    let folder = run_folder(&sandbox, &run);
    let outside = sandbox.path("outside");
    let replace = |with: &dyn Fn(&Path)| {
        for name in ["output.md", "agent-stdout.txt"] {
            let path = folder.join(name);
            let _ = fs::remove_file(&path);
            let _ = fs::remove_dir_all(&path);
            with(&path);
        }
    };
    let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
    for (what, with) in [
        (
            "a link out",
            &(|path: &Path| symlink(outside.join("output.md"), path).expect("a link")) as &dyn Fn(&Path),
        ),
        ("a relative link out", &|path: &Path| {
            symlink("../../../../../../outside/output.md", path).expect("a link");
        }),
        ("a link to a device", &|path: &Path| symlink("/dev/zero", path).expect("a link")),
        ("a link to the kernel", &|path: &Path| symlink("/proc/self/environ", path).expect("a link")),
        ("a link to itself", &|path: &Path| symlink(path, path).expect("a link")),
        ("a pipe", &|path: &Path| nix::unistd::mkfifo(path, mode).expect("a pipe")),
        ("a folder", &|path: &Path| fs::create_dir(path).expect("a folder")),
        ("a socket", &|path: &Path| {
            nix::sys::stat::mknod(path, nix::sys::stat::SFlag::S_IFSOCK, mode, 0).expect("a socket");
        }),
    ] {
        replace(with);
        for path in ways(&run, "output.md").iter().chain(&ways(&run, "stdout")) {
            let began = Instant::now();
            let answer = daemon.get(path);
            hides(&answer);
            assert!((400..500).contains(&answer.status), "{what}, {path}: {answer:?}");
            assert!(began.elapsed() < Duration::from_secs(10), "{what}, {path}: {:?}", began.elapsed());
        }
        for path in [
            format!("/api/v1/runs/{run}"),
            format!("/api/v1/runs/{run}/info"),
            "/api/v1/tasks/t?project_id=p".to_owned(),
        ] {
            let began = Instant::now();
            let answer = daemon.get(&path);
            hides(&answer);
            assert!(
                answer.status < 500 || answer.status == 500 && began.elapsed() < Duration::from_secs(10),
                "{what}, {path}: {answer:?}"
            );
        }
        assert_eq!(daemon.get("/api/v1/health").status, 200, "{what}");
    }
}

/// Swaps two names repeatedly, while every path that reads one of them is requested.
fn flip(daemon: &Daemon, one: &Path, other: &Path, paths: &[String], rounds: u64) {
    let (done, read, inside) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for n in 0..4 {
            let (done, read, inside) = (&done, &read, &inside);
            scope.spawn(move || {
                let mut at = n;
                while !done.load(Ordering::Relaxed) {
                    let answer = daemon.get(&paths[at % paths.len()]);
                    hides(&answer);
                    read.fetch_add(1, Ordering::Relaxed);
                    inside.fetch_add(u64::from(answer.body.contains("inside")), Ordering::Relaxed);
                    at += 1;
                }
            });
        }
        for round in 0.. {
            renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).expect("the names are exchanged");
            // The readers get their turn, so that they meet both states.
            if round % 7 == 0 {
                std::thread::sleep(Duration::from_micros(300));
            }
            if round >= rounds
                && inside.load(Ordering::Relaxed) > 0
                && read.load(Ordering::Relaxed) >= rounds / 10
            {
                break;
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn heavy_a_link_that_is_flipped_leads_nowhere() {
    let rounds = if soak() { 10_000 } else { 300 };
    let (sandbox, daemon, run) = prepared();
    let folder = run_folder(&sandbox, &run);
    // First the file itself.
    for name in ["output.md", "agent-stdout.txt"] {
        let link = sandbox.path("link");
        symlink(sandbox.path("outside").join(name), &link).expect("a link");
        let paths = ways(&run, if name == "output.md" { name } else { "stdout" });
        flip(&daemon, &folder.join(name), &link, &paths, rounds);
        // The present link is replaced by the original file again.
        if folder.join(name).is_symlink() {
            renameat_with(CWD, folder.join(name), CWD, &link, RenameFlags::EXCHANGE).expect("an exchange");
        }
        fs::remove_file(&link).expect("the link");
    }
    // Then its folder.
    let link = sandbox.path("folder-link");
    symlink(sandbox.path("outside"), &link).expect("a link");
    let paths: Vec<String> =
        ["output.md", "stdout", "stderr"].iter().flat_map(|name| ways(&run, name)).collect();
    flip(&daemon, &folder, &link, &paths, rounds);
    if folder.is_symlink() {
        renameat_with(CWD, &folder, CWD, &link, RenameFlags::EXCHANGE).expect("an exchange");
    }
    // And a folder above, so that our writes would go elsewhere.
    let task = sandbox.root().join("p/t");
    let elsewhere = sandbox.path("elsewhere");
    fs::create_dir(&elsewhere).expect("a folder");
    let link = sandbox.path("task-link");
    symlink(&elsewhere, &link).expect("a link");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (daemon, done) = (&daemon, &done);
        scope.spawn(move || {
            let mut posted = 0;
            while !done.load(Ordering::Relaxed) || posted < 5 {
                daemon.post("/api/projects/p/tasks/t/messages", &json!({"body": "inside"}));
                posted += 1;
            }
        });
        for _ in 0..rounds {
            renameat_with(CWD, &task, CWD, &link, RenameFlags::EXCHANGE).expect("an exchange");
            std::thread::sleep(Duration::from_micros(200));
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(fs::read_dir(&elsewhere).expect("the folder").count(), 0, "nothing was written there");
}

/// Every file and folder below, with its mode.
fn modes(folder: &Path, found: &mut Vec<(PathBuf, bool, u32)>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let meta = entry.metadata().expect("its mode");
        found.push((entry.path(), meta.is_dir(), meta.permissions().mode() & 0o7777));
        if meta.is_dir() {
            modes(&entry.path(), found);
        }
    }
}

#[test]
fn nobody_else_may_read_what_is_in_the_tree() {
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 1] = [("talks", &["say:inside", "err:inside", "done"])];
    agents(&sandbox, &fake::agent(), &steps, "api: {api_key: key-of-the-owner}\n");
    // The most permissive umask.
    let mut command = std::process::Command::new("/bin/sh");
    let program = env!("CARGO_BIN_EXE_run-agent");
    let script = format!("umask 0; exec '{program}' job --project p --task t --agent talks --prompt x");
    command.args(["-c", &script]).current_dir(sandbox.work()).env_clear().env("HOME", sandbox.home());
    command.env("PATH", "/usr/bin:/bin");
    let status = command.status().expect("a shell");
    assert!(status.success(), "{status}");
    let daemon = Daemon::start(&sandbox, &[]);
    let key = "X-API-Key: key-of-the-owner\r\nContent-Type: application/json\r\n";
    assert_eq!(daemon.send("POST", "/api/projects/p/messages", key, r#"{"body":"x"}"#).status, 201);
    let url = sandbox.run("ui --print").succeeds();
    let code = url.trim().split_once("#code=").expect("a code").1;
    assert_eq!(daemon.post("/api/v1/auth/keys", &json!({ "code": code })).status, 201);
    sandbox.run("ui --print").succeeds();
    let mut found = Vec::new();
    modes(&sandbox.root(), &mut found);
    assert!(found.len() > 20, "{found:?}");
    // DONE is written by the agent itself, with a mode of its own.
    for (path, is_folder, mode) in found.into_iter().filter(|(path, ..)| !path.ends_with("DONE")) {
        assert_eq!(mode, if is_folder { 0o700 } else { 0o600 }, "{} has mode {mode:o}", path.display());
    }
    let root = fs::metadata(sandbox.root()).expect("the root").permissions().mode() & 0o777;
    assert_eq!(root, 0o700, "the root itself has mode {root:o}");
}

#[test]
fn the_socket_is_for_the_user_alone_and_needs_no_key() {
    use std::io::{Read, Write};
    let sandbox = Sandbox::new();
    let steps: [(&str, &[&str]); 1] = [("talks", &["say:inside", "done"])];
    agents(&sandbox, &fake::agent(), &steps, "api: {api_key: key-of-the-owner}\n");
    // Short enough for the kernel, wherever the checkout lies.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run/api.sock");
    let mut daemon = Daemon::start(&sandbox, &["--socket", path.to_str().expect("a path")]);
    let ask = |request: &str| {
        let mut stream = UnixStream::connect(&path).expect("the daemon listens");
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    let body = json!({"project_id": "p", "task_id": "t", "agent_type": "talks", "prompt": "x"}).to_string();
    let new = format!(
        "POST /api/v1/tasks HTTP/1.1\r\nHost: whatever\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let created = ask(&new);
    assert!(created.starts_with("HTTP/1.1 201"), "{created}");
    let audit = fs::read_to_string(sandbox.root().join("_audit/form-submissions.jsonl")).expect("the log");
    let entry: Value = serde_json::from_str(audit.lines().next().expect("an entry")).expect("JSON");
    assert_eq!((&entry["key_name"], &entry["remote_addr"]), (&json!("owner"), &json!("unix")));
    assert_eq!(daemon.get("/api/v1/tasks").status, 401, "by its port it asks for a key");
    let mode = |path: &Path| fs::metadata(path).expect("its mode").permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().expect("a folder"))), (0o600, 0o700));
    let by_socket = format!("unix:{}", path.display());
    let listed = sandbox.run(&format!("server task list --project p --json --server {by_socket}")).succeeds();
    assert!(listed.contains("\"t\""), "{listed}");
    // Another user is refused, even if the modes were opened by hand.
    if nix::unistd::geteuid().is_root() {
        for open in [path.as_path(), path.parent().expect("a folder"), folder.path()] {
            fs::set_permissions(open, fs::Permissions::from_mode(0o777)).expect("a mode");
        }
        let script = format!(
            "import socket; s = socket.socket(socket.AF_UNIX); s.connect({path:?}); \
             s.sendall(b'GET /api/v1/tasks HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n'); print(len(s.recv(100)))"
        );
        let mut stranger = std::process::Command::new("setpriv");
        stranger.args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "/usr/bin/python3",
            "-c",
            &script,
        ]);
        // 126 and 127: there is no such program that this user may run.
        if let Ok(output) = stranger.output()
            && !matches!(output.status.code(), Some(126 | 127))
        {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(!output.status.success() || said.trim() == "0", "{output:?}");
            until("he is told of", || daemon.log().contains("refused a connection of another user"));
        }
    }
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(daemon.ended().0, Some(0));
    assert!(!path.exists(), "its name goes with it");
}
