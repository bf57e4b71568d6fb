//! `run-agent diff`: exactly the changes of a run in its working folder, in repositories of every kind.

use std::{path::Path, process::Command, time::Duration};

use serde_json::Value;
use tree::changes::NotRecorded;

use crate::common::{
    tasks::{Bench, DONE, UNTIL_GO, until},
    words,
};

/// Runs git in a folder as a user would.
#[track_caller]
fn git(folder: &Path, line: &str) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=me", "-c", "user.email=me@localhost", "-c", "commit.gpgsign=false"])
        .args(words(line))
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("HOME", folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A bench that works in a repository with a commit of `a.txt` and `b.txt`.
fn bench() -> Bench {
    let bench = Bench::new();
    let work = bench.sandbox.work();
    git(&work, "init -q -b main");
    bench.sandbox.write("work/a.txt", "one\ntwo\n");
    bench.sandbox.write("work/b.txt", "b\n");
    git(&work, "add -A");
    git(&work, "commit -q -m first");
    bench
}

/// Every file of a folder with its content.
fn state_of(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(state_of(&path));
        } else {
            found.push((path.clone(), std::fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

fn files(bench: &Bench, name: &str) -> Vec<String> {
    let json = bench.run(&format!("diff {name} --stat --json"));
    assert_eq!(json.code, 0, "{json:?}");
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let file = |f: &Value| format!("{} {}", f["change"].as_str().unwrap(), f["path"].as_str().unwrap());
    json["files"].as_array().unwrap().iter().map(file).collect()
}

#[test]
fn only_what_the_run_itself_did_is_shown_however_the_folder_was_before() {
    let bench = bench();
    let work = bench.sandbox.work();
    bench.sandbox.write("work/.gitignore", "ignored\n");
    bench.sandbox.write("work/a.txt", "one\ntwo\nmine\n");
    bench.sandbox.write("work/staged.txt", "mine\n");
    git(&work, "add staged.txt");
    bench.sandbox.write("work/untracked.txt", "mine\n");
    let before = state_of(&work.join(".git"));
    let first = format!("echo run >>a.txt; echo new >new.txt; echo x >ignored; rm b.txt; {DONE}");
    assert_eq!(bench.task("t", "", &first).outcome.code, 0);
    assert_eq!(files(&bench, "p/t"), ["modified a.txt", "deleted b.txt", "added new.txt"]);
    let patch = bench.run("diff p/t").succeeds();
    assert!(patch.contains("\n+run\n") && patch.contains("\n+new\n"), "{patch}");
    let mine =
        patch.lines().any(|l| l.starts_with("+mine") || l.contains("untracked") || l.contains("ignored"));
    assert!(!mine, "{patch}");
    let stat = bench.run("diff p/t --stat");
    assert!(stat.stdout.contains("M  1      0        a.txt\n"), "{stat:?}");
    assert_eq!(stat.stderr, "3 files, 2 lines added, 1 removed\n");
    assert_eq!(bench.task("one", "", &format!("echo x >one.txt; {DONE}")).outcome.code, 0);
    assert_eq!(bench.run("diff p/one --stat").stderr, "1 file, 1 line added, 0 removed\n");

    // The repository was not written to, and the patch applies.
    assert!(state_of(&work.join(".git")) == before);
    let file = bench.sandbox.write("work.patch", &patch);
    git(&work, &format!("apply -R --check '{}'", file.display()));

    // Later runs do not alter the recorded changes of this one.
    let second = format!("echo later >>a.txt; rm new.txt; {DONE}");
    assert_eq!(bench.task("u", "", &second).outcome.code, 0);
    assert_eq!(files(&bench, "p/u"), ["modified a.txt", "deleted new.txt"]);
    assert_eq!(bench.run("diff p/t").succeeds(), patch);
}

#[test]
fn commits_are_changes_too_and_the_record_names_them() {
    let bench = bench();
    let head = git(&bench.sandbox.work(), "rev-parse HEAD").trim().to_owned();
    let commit = "git -c user.name=a -c user.email=a@b commit -qam work";
    let script =
        format!("printf '\\000bin' >pic; git add pic; echo c >>a.txt; {commit}; git mv b.txt moved; {DONE}");
    assert_eq!(bench.task("t", "", &script).outcome.code, 0);
    assert_eq!(files(&bench, "p/t"), ["modified a.txt", "renamed moved", "added pic"]);
    let record = bench.runs("t").remove(0).git.unwrap();
    let after = git(&bench.sandbox.work(), "rev-parse HEAD").trim().to_owned();
    assert_eq!((record.head_before, record.head_after), (Some(head.clone()), Some(after.clone())));
    assert_ne!(head, after);
    let stat = record.diffstat.unwrap();
    assert_eq!((stat.files, stat.insertions, stat.deletions, record.note), (3, 1, 0, None));
    assert!(!bench.run_file("t", 0, "git").exists(), "what was kept is gone");
}

#[test]
fn a_run_that_goes_on_shows_what_it_has_changed_so_far() {
    let bench = bench();
    let script = format!("echo now >>a.txt; touch begun; {UNTIL_GO}; {DONE}");
    let driver = bench.start("t", "", &script);
    until("it has begun", || bench.sandbox.work().join("begun").exists());
    assert_eq!(files(&bench, "p/t"), ["modified a.txt", "added begun"]);
    bench.touch("go");
    assert_eq!(driver.wait().outcome.code, 0);
    assert_eq!(files(&bench, "p/t"), ["modified a.txt", "added begun", "added go"]);
}

#[test]
fn in_no_repository_nothing_is_looked_at() {
    let bench = Bench::new();
    assert_eq!(bench.task("t", "", &format!("echo x >x; {DONE}")).outcome.code, 0);
    assert_eq!(not_recorded(&bench, "t"), Some(NotRecorded::NoRepository));
    assert!(!bench.run_file("t", 0, "git").exists(), "nothing is written");
    bench.run("diff p/t").fails(3, "its working folder was not in a git repository", "--cwd");
}

fn not_recorded(bench: &Bench, task: &str) -> Option<NotRecorded> {
    bench.runs(task)[0].git.as_ref().and_then(|git| git.not_recorded)
}

/// A `$PATH` with the programs that the scripts of this file need, and without git.
fn path_without_git(bench: &Bench) -> std::path::PathBuf {
    let folder = bench.sandbox.path("no-git");
    std::fs::create_dir(&folder).unwrap();
    for program in ["sh", "touch", "sleep", "rm"] {
        let paths = ["/bin", "/usr/bin"].map(|at| Path::new(at).join(program));
        let found = paths.iter().find(|path| path.exists()).unwrap();
        std::os::unix::fs::symlink(found, folder.join(program)).unwrap();
    }
    folder
}

#[test]
fn a_machine_without_git_is_not_taken_for_a_folder_without_a_repository() {
    let bench = bench();
    let path = path_without_git(&bench);
    let outcome = crate::common::outcome(bench.command("job", "t", "", "echo c >>a.txt").env("PATH", &path));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    // The record holds, whether or not git is installed by now.
    for at in [path.to_str().unwrap(), "/usr/bin:/bin"] {
        let said = bench.sandbox.run_with(&[("PATH", at)], "diff p/t");
        said.fails(3, "git was not installed, or not in $PATH, when it ran", "install git");
    }
    assert_eq!(not_recorded(&bench, "t"), Some(NotRecorded::GitMissing));
    let doctor = bench.sandbox.run_with(&[("PATH", path.to_str().unwrap())], "doctor");
    let line = doctor.stdout.lines().find(|line| line.starts_with("git ")).unwrap();
    assert!(line.contains("warn") && line.contains("`run-agent diff` has nothing to show"), "{line}");
    assert!(doctor.stderr.contains("hint: git: install git"), "{doctor:?}");
    assert!(bench.run("doctor").stdout.lines().any(|l| l.starts_with("git ") && l.contains("ok")));

    let driver = bench.command("job", "live", "", UNTIL_GO).env("PATH", &path).spawn().unwrap();
    bench.until_running("live");
    bench.run("diff p/live").fails(16, "the changes of run p/live/", "");
    let said = bench.run("diff p/live").stderr;
    assert!(said.contains("git is not installed"), "{said}");
    bench.touch("go");
    assert!(driver.wait_with_output().unwrap().status.success());
}

#[test]
fn a_folder_that_the_run_removed_is_not_taken_for_a_missing_git() {
    let bench = bench();
    let outcome = crate::common::outcome(&mut bench.command("job", "t", "", "rm -rf \"$PWD\""));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(not_recorded(&bench, "t"), Some(NotRecorded::Failed));
    std::fs::create_dir_all(bench.sandbox.work()).unwrap();
    bench.run("diff p/t").fails(3, "no longer exists", "");
}

#[test]
fn looks_that_were_turned_off_are_said_to_be() {
    let bench = bench();
    let config = bench.sandbox.write("off.yaml", "defaults: {record_changes: false}\n");
    let off = [("CONDUCTOR_CONFIG", config.to_str().unwrap())];
    let mut job = bench.command("job", "t", "", "echo c >>a.txt");
    assert_eq!(crate::common::outcome(job.envs(off)).code, 0);
    assert_eq!(not_recorded(&bench, "t"), Some(NotRecorded::Disabled));
    bench.run("diff p/t").fails(3, "defaults.record_changes was false", "set defaults.record_changes: true");
    let doctor = bench.sandbox.run_with(&off, "doctor").stdout;
    assert!(doctor.contains("not used: defaults.record_changes is false"), "{doctor}");
}

#[test]
fn a_run_that_never_started_is_not_said_to_have_had_no_repository() {
    let bench = bench();
    assert_eq!(bench.task("t", "", DONE).outcome.code, 0);
    assert_eq!(bench.run("resume p/t --no-wait").code, 0);
    assert_eq!(bench.run("stop p/t").code, 0);
    bench.run("diff p/t").fails(3, "it may never have started", "run-agent list");
}

#[test]
fn odd_repositories_are_notes_and_never_failures() {
    // A repository without a commit.
    let bench = Bench::new();
    git(&bench.sandbox.work(), "init -q");
    assert_eq!(bench.task("empty", "", &format!("echo x >x; {DONE}")).outcome.code, 0);
    assert_eq!(files(&bench, "p/empty"), ["added x"]);
    assert_eq!(bench.runs("empty")[0].git.as_ref().unwrap().head_before, None);

    // The folder contains a repository without commits, a pipe, an unreadable file, a link over a folder, and a file
    // that is too large.
    let odd = "git init -q inner; echo i >inner/i; mkfifo pipe; echo s >secret; chmod 000 secret; \
               truncate -s 20M large; mkdir d; echo d >d/f";
    assert_eq!(bench.task("odd", "", &format!("{odd}; {DONE}")).outcome.code, 0);
    assert_eq!(
        files(&bench, "p/odd"),
        if root() { vec!["added d/f", "added secret"] } else { vec!["added d/f"] }
    );
    let note = bench.runs("odd")[0].git.clone().unwrap().note.unwrap();
    assert!(note.contains("large"), "{note}");
    let link = format!("git add d; rm -r d; ln -s inner d; {DONE}");
    assert_eq!(bench.task("link", "", &link).outcome.code, 0);
    assert_eq!(files(&bench, "p/link"), ["added d", "deleted d/f"]);

    // A folder that only looks like a repository.
    let broken = Bench::new();
    broken.sandbox.write("work/.git", "gitdir: /proc/nonexistent\n");
    assert_eq!(broken.task("t", "", DONE).outcome.code, 0);
    let note = broken.runs("t")[0].git.clone().unwrap().note.unwrap();
    assert!(note.contains("not a git repository"), "{note}");
    broken.run("diff p/t").fails(3, "not a git repository", "run-agent list");
}

#[test]
fn one_file_that_git_refuses_costs_no_other() {
    let bench = Bench::new();
    git(&bench.sandbox.work(), "init -q");
    bench.sandbox.write("work/.gitattributes", "*.utf16 text working-tree-encoding=UTF-16\n");
    let odd =
        "for n in 1 2 3 4 5; do echo $n >$n; done; printf abc >bad.utf16; git init -q inner; echo i >inner/i";
    assert_eq!(bench.task("t", "", &format!("{odd}; {DONE}")).outcome.code, 0);
    assert_eq!(files(&bench, "p/t"), ["added 1", "added 2", "added 3", "added 4", "added 5"]);
    let note = bench.runs("t")[0].git.clone().unwrap().note.unwrap();
    // The first of them is named, the other one counted.
    assert!(note.contains("inner/ and 1 more") || note.contains("bad.utf16 and 1 more"), "{note}");
}

#[test]
fn only_runs_that_are_known_to_have_changed_nothing_count_as_no_progress() {
    let ends = |bench: &Bench, task: &str, script: &str| {
        let answer = bench.task(task, "--config-key no_progress_runs=2 --max-restarts 3", script);
        let (_, status, reason) = answer.ended();
        (status.to_owned(), reason.contains("changed nothing"), bench.runs(task).len())
    };
    let repository = bench();
    assert_eq!(ends(&repository, "idle", "echo same"), ("stopped".to_owned(), true, 2));
    for (task, script) in [
        ("changes", "echo x >>a.txt; echo same"),
        ("commits", "git -c user.name=m -c user.email=m@x commit -q --allow-empty -m x; echo same"),
        ("nested", "[ -e inner ] || git init -q inner; echo x >>inner/x; echo same"),
    ] {
        assert_eq!(ends(&repository, task, script), ("failed".to_owned(), false, 4), "{task}");
    }
    // Without a repository nothing is compared.
    assert_eq!(ends(&Bench::new(), "t", "echo same"), ("failed".to_owned(), false, 4));
}

/// Runs a task with a limit of two runs without progress. Returns the number of its runs, and the places of changes
/// outside of the comparison, as `diff` names those of the first run.
fn runs_without_progress(bench: &Bench, task: &str, script: &str) -> (usize, String) {
    let limits = "--config-key no_progress_runs=2 --max-restarts 2";
    let answer = bench.task(task, limits, &format!("{script}; echo same"));
    let (_, status, reason) = answer.ended();
    assert_eq!(reason.contains("changed nothing"), status == "stopped", "{task}: {reason}");
    let first = bench.runs(task).remove(0).run_id;
    (bench.runs(task).len(), bench.run(&format!("diff p/{task}/{first}")).stderr)
}

#[test]
fn changes_that_the_diff_cannot_show_are_named_and_count_as_progress() {
    let bench = bench();
    let work = bench.sandbox.work();
    let library = bench.sandbox.path("library");
    std::fs::create_dir(&library).unwrap();
    git(&library, "init -q -b main");
    git(&library, "commit -q --allow-empty -m first");
    bench.sandbox.write("work/.gitignore", "ignored/\n*.log\n");
    bench.sandbox.write("work/ignored/old", "o");
    git(&work, &format!("-c protocol.file.allow=always submodule -q add '{}' sub", library.display()));
    git(&work, "init -q inner");
    git(&work, "add .gitignore");
    git(&work, "commit -q -m second");
    git(&work, "branch other");
    git(&work, "worktree add -q ../linked other");
    let identity = "-c user.name=m -c user.email=m@x";
    let commit = format!("git {identity} commit-tree -m $$ HEAD^{{tree}}");
    for (task, script, named) in [
        ("ignored", "echo x >>ignored/deep.log", "ignored/deep.log (ignored by git)"),
        ("file", "echo x >>a.log", "a.log (ignored by git)"),
        ("dirty", "echo x >>sub/file", "sub/file (in a submodule)"),
        ("inner", "echo x >>inner/file", "inner/file (in a folder that is not compared)"),
        ("linked", "echo x >>../linked/file", "linked/file (in another worktree)"),
        ("branch", &format!("git branch -f made $({commit})"), "refs/heads/made (a branch or tag)"),
        ("tag", &format!("git tag -f t $({commit})"), "refs/tags/t (a branch or tag)"),
    ] {
        let (runs, words) = runs_without_progress(&bench, task, script);
        assert!(words.contains(named), "{task}: {words}");
        assert_eq!(runs, 3, "{task}: {words}");
    }
    // A branch that is there is checked out, at the same commit.
    let switch = "git switch -q made2";
    git(&work, "branch made2");
    let (_, words) = runs_without_progress(&bench, "switch", switch);
    assert!(words.contains("refs/heads/made2 (checked out now)"), "{words}");
    git(&work, "switch -q main");
    // All of them are there, and a run that touches none has changed nothing.
    assert_eq!(runs_without_progress(&bench, "idle", "git status >/dev/null").0, 2);
    assert!(bench.runs("idle")[0].git.as_ref().unwrap().unchanged);
}

#[test]
fn heavy_a_folder_with_too_many_files_costs_the_others_nothing() {
    let bench = bench();
    let work = bench.sandbox.work();
    let many = |range: std::ops::Range<u32>| {
        std::fs::create_dir_all(work.join("data")).unwrap();
        for n in range {
            std::fs::write(work.join(format!("data/{n}")), "").unwrap();
        }
    };
    many(0..60_000);
    bench.sandbox.write("work/mine", "m");
    // The second look has fewer files than the limit; the first one has left them out.
    let script = format!("echo x >new; echo x >>mine; echo x >>a.txt; rm -r data; {DONE}");
    assert_eq!(bench.task("t", "", &script).outcome.code, 0);
    assert_eq!(files(&bench, "p/t"), ["modified a.txt", "modified mine", "added new"]);
    let note = bench.runs("t")[0].git.clone().unwrap().note.unwrap();
    assert!(note.contains("data/"), "{note}");
    // Now the first look has read files that the second one leaves out.
    many(0..100);
    let script = format!(
        "mkdir data/x; for n in a b c d e f g h i j k l m; do for m in $(seq 4000); do : >data/$n$m; done; done; \
         rm data/5 new; {DONE}"
    );
    assert_eq!(bench.task("u", "", &script).outcome.code, 0);
    assert_eq!(files(&bench, "p/u"), ["deleted data/5", "deleted new"]);
}

fn root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn programs_that_the_repository_configures_do_not_run() {
    let bench = bench();
    let work = bench.sandbox.work();
    let trap = work.join("ran");
    let program = format!("touch '{}'; cat", trap.display());
    for key in ["filter.f.clean", "filter.f.process", "core.fsmonitor", "diff.external", "core.pager"] {
        let set = Command::new("git").args(["config", key, &program]).current_dir(&work).output().unwrap();
        assert!(set.status.success());
    }
    bench.sandbox.write("work/.gitattributes", "* filter=f\n");
    for hook in ["post-index-change", "pre-commit"] {
        let hook = bench.sandbox.write(format!("work/.git/hooks/{hook}"), format!("#!/bin/sh\n{program}\n"));
        Command::new("chmod").arg("755").arg(&hook).output().unwrap();
    }
    assert_eq!(bench.task("t", "", &format!("echo c >>a.txt; {DONE}")).outcome.code, 0);
    assert_eq!(files(&bench, "p/t"), ["modified a.txt"]);
    assert!(!trap.exists());
}

#[test]
fn a_git_that_hangs_holds_up_no_run() {
    let bench = bench();
    let fake = bench.sandbox.write("bin/git", "#!/bin/sh\nexec sleep 60\n");
    Command::new("chmod").arg("755").arg(&fake).output().unwrap();
    let mut command = bench.command("job", "t", "", "true");
    let path = format!("{}:/usr/bin:/bin", fake.parent().unwrap().display());
    let began = std::time::Instant::now();
    let outcome = crate::common::outcome(command.env("PATH", path));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let note = bench.runs("t")[0].git.clone().unwrap().note.unwrap();
    assert_eq!(note, "git took too long");
    assert_eq!(not_recorded(&bench, "t"), Some(NotRecorded::Deadline));
    bench.run("diff p/t").fails(3, "git took too long", "did not answer in time");
}
