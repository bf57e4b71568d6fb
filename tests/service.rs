//! systemd and containers: their own tools accept our unit files and recipe, and the daemon notifies systemd as
//! expected.

#![expect(clippy::expect_used, reason = "a test that cannot prepare itself has failed")]

use std::{
    fs,
    net::TcpStream,
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use crate::common::{
    Sandbox,
    daemon::{Daemon, until},
    tools::program,
};

/// A systemctl that records its arguments.
fn with_systemctl(sandbox: &Sandbox) -> String {
    let path = sandbox.write(
        "bin/systemctl",
        "#!/bin/sh\necho \"$@\" >> \"$HOME/calls\"\n[ \"$2\" = is-active ] && echo active\nexit 0\n",
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
    format!("{}:/usr/bin:/bin", sandbox.path("bin").display())
}

#[test]
fn a_machine_without_systemctl_is_said_to_be_one() {
    let sandbox = Sandbox::new();
    let empty = sandbox.path("bin");
    fs::create_dir(&empty).expect("a folder");
    let run = |line: &str| sandbox.run_with(&[("PATH", empty.to_str().expect("text"))], line);
    let missing = "systemctl is not installed, or not in $PATH";
    for line in ["service install", "service uninstall"] {
        let said = run(line);
        assert!(said.code == 11 && said.stderr.contains(missing), "{said:?}");
        assert!(said.stderr.contains("hint: ") && said.stderr.contains("run-agent serve"), "{said:?}");
        let files = if line.ends_with(" install") { "written" } else { "removed" };
        assert!(said.stderr.contains(&format!("the unit files are {files}")), "{said:?}");
    }
    sandbox.write("home/.config/systemd/user/run-agent.service", "");
    assert!(run("service status").stderr.contains(missing));
}

#[test]
fn a_unit_is_installed_linted_and_removed() {
    let sandbox = Sandbox::new();
    let path = with_systemctl(&sandbox);
    // The actions are printed to stderr.
    let run = |line: &str| {
        let outcome = sandbox.run_with(&[("PATH", &path)], line);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        outcome.stdout + &outcome.stderr
    };
    let folder = sandbox.home().join(".config/systemd/user");
    let said = run("service install --socket --dry-run");
    assert!(said.contains("KillMode=process") && said.contains("ListenStream=127.0.0.1:14355"), "{said}");
    assert!(!folder.exists() && !sandbox.home().join("calls").exists(), "only said");

    run("service install --socket --root /srv/my%20agents");
    let unit = fs::read_to_string(folder.join("run-agent.service")).expect("a unit");
    let line = |key: &str| unit.lines().find(|l| l.starts_with(key)).unwrap_or_default().to_owned();
    assert_eq!(line("KillMode"), "KillMode=process");
    assert_eq!((line("Type"), line("NotifyAccess")), ("Type=notify".into(), "NotifyAccess=all".into()));
    let exec = line("ExecStart");
    assert!(exec.contains("\"--root\"") || exec.contains("--root \"/srv/my%%20agents\" serve"), "{exec}");
    assert!(line("Environment").contains(&path), "{unit}");
    let calls = fs::read_to_string(sandbox.home().join("calls")).expect("calls");
    assert_eq!(calls, "--user daemon-reload\n--user enable --now run-agent.socket\n");
    assert!(run("service status").contains("run-agent.service is active"));

    if program("systemd-analyze").is_some() {
        let units = ["run-agent.service", "run-agent.socket"].map(|name| folder.join(name));
        let verified = Command::new("systemd-analyze")
            .args(["verify", "--user", "--man=no"])
            .args(&units)
            .env("XDG_RUNTIME_DIR", sandbox.path("home"))
            .output()
            .expect("systemd-analyze");
        let said = String::from_utf8_lossy(&verified.stderr).into_owned();
        let ours: Vec<&str> = said.lines().filter(|l| l.contains("run-agent")).collect();
        assert!(verified.status.success() && ours.is_empty(), "{verified:?}");
    }

    run("service uninstall");
    assert!(!folder.join("run-agent.service").exists() && !folder.join("run-agent.socket").exists());
    assert!(run("service uninstall").contains("nothing is installed"));
    assert_ne!(sandbox.run_with(&[("PATH", &path)], "service status").code, 0);
}

#[test]
fn the_service_manager_is_told() {
    let sandbox = Sandbox::new();
    let socket = sandbox.path("notify");
    let manager = UnixDatagram::bind(&socket).expect("a socket");
    manager.set_read_timeout(Some(Duration::from_secs(30))).expect("a time limit");
    let hear = || {
        let mut text = [0; 4096];
        let n = manager.recv(&mut text).expect("a word in time");
        String::from_utf8_lossy(&text[..n]).into_owned()
    };
    let environment = [("NOTIFY_SOCKET", socket.to_str().expect("a path")), ("WATCHDOG_USEC", "300000")];
    let mut daemon = Daemon::start_with(&sandbox, &environment, &[]);
    let ready = hear();
    assert!(
        ready.starts_with("READY=1\n") && ready.contains(&format!("MAINPID={}\n", daemon.pid())),
        "{ready}"
    );
    assert!(ready.contains(&format!("STATUS=serving http://127.0.0.1:{}", daemon.port)), "{ready}");
    assert_eq!((hear(), hear()), ("WATCHDOG=1".to_owned(), "WATCHDOG=1".to_owned()));
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    while hear() != "STOPPING=1" {}
    assert_eq!(daemon.ended().0, Some(0));
}

#[test]
fn a_socket_of_the_service_manager_is_used() {
    if program("systemd-socket-activate").is_none() {
        return;
    }
    let sandbox = Sandbox::new();
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let model = sandbox.command(["serve", "--port", "1"]);
    let mut command = Command::new("systemd-socket-activate");
    command.args(["-l", &format!("127.0.0.1:{port}")]);
    for (name, value) in model.get_envs().filter_map(|(name, value)| Some((name, value?))) {
        command.arg("-E").arg(format!("{}={}", name.to_str().expect("text"), value.to_str().expect("text")));
    }
    command.arg(model.get_program()).args(model.get_args()).current_dir(sandbox.work());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    until("it listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    until("the daemon has announced itself", || {
        fs::read_to_string(sandbox.root().join("_daemon/daemon.yaml"))
            .is_ok_and(|t| t.contains(&port.to_string()))
    });
    let answer = sandbox.run("server status");
    let _ = child.kill();
    child.wait().expect("its end");
    assert_eq!(answer.code, 0, "{answer:?}");
}

/// No container can be built here, so the test checks the readable parts of the recipe.
#[test]
fn the_container_reaps_runs_as_nobody_and_pins_what_it_is_made_of() {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/container/Dockerfile"));
    let text = text.expect("a Dockerfile").replace("\\\n", " ");
    let lines: Vec<(&str, &str)> =
        text.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.split_once(' ')).collect();
    let all = |word: &str| -> Vec<&str> {
        lines.iter().filter(|(w, _)| *w == word).map(|(_, rest)| rest.trim()).collect()
    };
    let known = [
        "ARG",
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "ENV",
        "VOLUME",
        "EXPOSE",
        "USER",
        "ENTRYPOINT",
        "CMD",
        "HEALTHCHECK",
        "STOPSIGNAL",
        "LABEL",
    ];
    assert!(lines.iter().all(|(word, _)| known.contains(word)), "{lines:?}");
    let bases = all("FROM");
    assert_eq!(bases.len(), 3, "the page and the program are built, and run elsewhere");
    assert!(all("COPY").iter().any(|c| c.starts_with("--from=page")), "the page is in the program");
    assert!(bases.iter().all(|b| b.contains(':') && !b.contains(":latest")), "{bases:?}");
    let entry: Vec<String> =
        serde_json::from_str(all("ENTRYPOINT").last().expect("one")).expect("a JSON list");
    assert_eq!(entry[..2], ["/usr/bin/tini", "--"], "somebody has to reap what agents leave");
    assert!(all("RUN").iter().any(|r| r.contains(" tini")), "and it has to be there");
    let user = all("USER");
    assert!(user.last().is_some_and(|u| !u.starts_with("root") && *u != "0"), "{user:?}");
    assert!(
        all("HEALTHCHECK").iter().any(|h| h.replace(['"', ','], "").contains("run-agent server")),
        "health is asked for"
    );
    assert_eq!(all("STOPSIGNAL"), ["SIGTERM"]);
}
