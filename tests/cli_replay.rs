//! `replay` and `bundle`: a recorded run is replayed byte for byte and in time, and a bundle contains no secrets.

use std::{
    io::{Read, Write},
    path::Path,
    time::Instant,
};

use crate::common::{
    outcome,
    tasks::{Bench, DONE},
};
use serde_json::Value;
use tree::run_info::RunStatus;

const KEY: &str = "sk-ant-api03-Ab1Cd2Ef3Gh4Ij5Kl6";

fn text(path: impl AsRef<Path>) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
}

#[test]
fn a_run_is_played_again_with_its_bytes_its_times_and_its_end() {
    let bench = Bench::new();
    let script = "echo one; sleep 0.5; printf 'two \\377 without end'; echo err >&2; \
                  echo answer >\"$JRUN_RUN_FOLDER\"/output.md; exit 7";
    let job = outcome(&mut bench.command("job", "t", "", script));
    assert_eq!(job.code, 1, "{job:?}");
    let began = Instant::now();
    let replay = bench.run("replay p/t --task again --json");
    assert_eq!(replay.code, 1, "{replay:?}");
    assert!(began.elapsed().as_millis() >= 450, "it took its time: {:?}", began.elapsed());
    for file in ["agent-stdout.txt", "agent-stderr.txt", "output.md"] {
        let (old, new) = (bench.run_file("t", 0, file), bench.run_file("again", 0, file));
        assert_eq!(std::fs::read(old).unwrap(), std::fs::read(new).unwrap(), "{file}");
    }
    let run = bench.runs("again").remove(0);
    assert_eq!((run.exit_code, run.agent.as_str(), run.status), (Some(7), "command", RunStatus::Failed));
    let played = bench.runs("t").remove(0);
    assert_eq!((run.replay_of, played.replay_of), (Some(played.run_id), None));
    let began = Instant::now();
    bench.run("replay p/t --task quick --speed 50 --max-pause 10ms");
    let quick = bench.runs("quick").remove(0);
    let took = quick.end_time.unwrap() - quick.start_time;
    assert!(took.num_milliseconds() < 450, "{took} {:?}", began.elapsed());
}

#[test]
fn a_run_is_played_as_the_agent_that_it_was_and_ends_by_its_signal() {
    let bench = Bench::new();
    let demo = bench.run("job --project p --task d --agent demo --prompt hello");
    assert_eq!(demo.code, 0, "{demo:?}");
    let replay = bench.run("replay p/d --task e --max-pause 0s");
    assert_eq!((replay.code, &replay.stdout), (0, &demo.stdout), "{replay:?}");
    assert_eq!(bench.runs("e")[0].agent_type.as_str(), "demo");

    let killed = bench.task("k", "--max-restarts 0", &format!("{DONE}; echo x; kill -9 $$"));
    assert_eq!(killed.outcome.code, 0, "DONE counts: {killed:?}");
    bench.run("replay p/k --task l");
    let run = bench.runs("l").remove(0);
    assert_eq!((run.signal, run.status), (Some(9), RunStatus::Failed));
    assert!(bench.marker("l", "DONE").exists());
}

#[test]
fn what_cannot_be_played_says_why() {
    let bench = Bench::new();
    let driver = bench.start("t", "", crate::common::tasks::UNTIL_GO);
    bench.run("replay p/t").fails(16, "it has not ended", "run-agent list");
    bench.run("stop p/t");
    drop(driver);
    bench.run("replay p/nobody").fails(3, "there is no task", "run-agent list");
    let still = bench.run("replay p/t --speed 0");
    assert_eq!(still.code, 2);
    assert!(still.stderr.contains("it is not 0.01 or more"), "{still:?}");
}

/// A bench with a task that has printed secrets, and its bundle.
fn bundled() -> (Bench, std::path::PathBuf) {
    let bench = Bench::new();
    let script = format!(
        "echo 'key {KEY} here'; echo '{{\"password\": \"a\\\"b\", \"n\": 1}}'; echo $MY_SECRET $GIVEN $MYWORD; \
         printf '\\377 TOKEN=abc123 end\\n'; touch big; ln -s /etc/passwd \"$JRUN_TASK_FOLDER\"/link; \
         printf 'a\\0b' >\"$JRUN_TASK_FOLDER\"/binary; echo {KEY} >\"$JRUN_TASK_FOLDER\"/notes.txt"
    );
    let flags = "--config-key env.GIVEN_TOKEN=given-1234567 --config-key env.MYWORD=plain6";
    let mut job = bench.command("job", "t", flags, &script);
    let job = outcome(job.env("MY_SECRET", "hunter2hunter2").env("GIVEN", "given-1234567"));
    assert_eq!(job.code, 0, "{job:?}");
    let bundle = outcome(
        bench.sandbox.command(["bundle", "p/t", "-o", "b.tar.gz"]).env("MY_SECRET", "hunter2hunter2"),
    );
    assert_eq!(bundle.code, 0, "{bundle:?}");
    assert!(bundle.stderr.contains("b.tar.gz: 1 run, "), "{bundle:?}");
    for left_out in ["left out: p/t/link is a link", "left out: p/t/binary is not text"] {
        assert!(bundle.stderr.contains(left_out), "{bundle:?}");
    }
    let path = bench.sandbox.work().join("b.tar.gz");
    (bench, path)
}

fn unpacked(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()));
    let mut files = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        files.push((entry.path().unwrap().display().to_string(), bytes));
    }
    files
}

#[test]
fn a_bundle_keeps_offsets_and_no_secret() {
    let (bench, path) = bundled();
    let files = unpacked(&path);
    let find =
        |end: &str| &files.iter().find(|(name, _)| name.ends_with(end)).unwrap_or_else(|| panic!("{end}")).1;
    for (name, bytes) in &files {
        let text = String::from_utf8_lossy(bytes);
        for secret in [KEY, "hunter2hunter2", "given-1234567", "plain6", "abc123", "a\\\"b"] {
            assert!(!text.contains(secret), "{secret} in {name}:\n{text}");
        }
        assert!(!name.contains(".lock") && !name.contains("/git/"), "{name}");
    }
    let original = std::fs::read(bench.run_file("t", 0, "agent-stdout.txt")).unwrap();
    let masked = find("agent-stdout.txt");
    assert_eq!(masked.len(), original.len());
    let line = masked.split(|b| *b == b'\n').nth(1).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(line).unwrap()["n"], 1, "JSON stays JSON");
    let manifest: Value = serde_json::from_slice(find("manifest.json")).unwrap();
    assert_eq!((manifest["version"].as_u64(), manifest["task_id"].as_str()), (Some(1), Some("t")));
    // A second bundle does not overwrite the first.
    bench.run("bundle p/t -o b.tar.gz").fails(4, "b.tar.gz already exists", "-o");
}

#[test]
fn a_bundle_is_checked_and_played_elsewhere() {
    let (_bench, path) = bundled();
    let elsewhere = Bench::new();
    let path = path.display();
    let temporary = elsewhere.sandbox.path("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let variables = [("TMPDIR", temporary.to_str().unwrap())];
    let checked = elsewhere.sandbox.run_with(&variables, &format!("fsck '{path}' --json"));
    let report: Value = serde_json::from_str(&checked.stdout).unwrap();
    assert_eq!((checked.code, report["clean"].as_bool()), (0, Some(true)), "{checked:?}");
    let played = elsewhere.sandbox.run_with(&variables, &format!("replay '{path}' --task u --speed 100"));
    assert_eq!(played.code, 0, "{played:?}");
    assert!(text(elsewhere.run_file("u", 0, "agent-stdout.txt")).starts_with("key ****"));
    let own = std::fs::read_dir(temporary).unwrap().count();
    assert_eq!(own, 0, "nothing is left among the temporary files");
}

/// Packs entries as an attacker would.
fn evil(bench: &Bench, name: &str, entries: &[(&str, tar::EntryType, &str)]) -> std::path::PathBuf {
    let mut archive =
        tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default()));
    for (path, kind, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        let field = &mut header.as_old_mut().name;
        field[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(if *kind == tar::EntryType::Regular { content.len() as u64 } else { 0 });
        if *kind != tar::EntryType::Regular {
            header.set_link_name(content).unwrap();
        }
        header.set_cksum();
        let bytes = if *kind == tar::EntryType::Regular { content.as_bytes() } else { b"" };
        archive.append(&header, bytes).unwrap();
    }
    bench.sandbox.write(format!("work/{name}"), archive.into_inner().unwrap().finish().unwrap())
}

#[test]
fn a_bundle_of_somebody_else_is_not_trusted() {
    use tar::EntryType::{Link, Regular, Symlink};
    let bench = Bench::new();
    for (n, (entries, problem)) in [
        (vec![("../../escaped", Regular, "x")], "is not a valid path in a bundle"),
        (vec![("/tmp/escaped", Regular, "x")], "is not a valid path in a bundle"),
        (vec![("p/t/x", Symlink, "/etc/passwd")], "is a Symlink"),
        (vec![("p/t/x", Link, "/etc/passwd")], "is a Link"),
        (vec![("p/t/TASK.md", Regular, "x")], "it has no manifest.json"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("evil{n}.tar.gz");
        evil(&bench, &name, &entries);
        bench.run(&format!("fsck {name}")).fails(16, problem, "run-agent bundle");
    }
    bench.sandbox.write("work/no.tar.gz", "this is no archive");
    bench.run("fsck no.tar.gz").fails(16, "not a readable tar.gz", "run-agent bundle");
    bench.run("fsck absent.tar.gz").fails(3, "absent.tar.gz", "check the path");
    let (_other, path) = bundled();
    let whole = std::fs::read(&path).unwrap();
    let mut half = std::fs::File::create(bench.sandbox.work().join("half.tar.gz")).unwrap();
    half.write_all(&whole[..whole.len() / 2]).unwrap();
    bench.run("fsck half.tar.gz").fails(16, "not a readable tar.gz", "run-agent bundle");
}

/// Repacks the files of a bundle unchanged.
fn packed(bench: &Bench, files: &[(String, Vec<u8>)]) {
    let texts: Vec<String> =
        files.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect();
    let entries: Vec<_> = files
        .iter()
        .zip(&texts)
        .map(|((path, _), text)| (path.as_str(), tar::EntryType::Regular, text.as_str()))
        .collect();
    evil(bench, "again.tar.gz", &entries);
}

#[test]
fn a_bundle_is_what_its_manifest_says() {
    let bench = Bench::new();
    assert_eq!(outcome(&mut bench.command("job", "t", "", "echo hello")).code, 0);
    assert_eq!(bench.run("bundle p/t -o b.tar.gz").code, 0);
    let files = unpacked(&bench.sandbox.work().join("b.tar.gz"));
    packed(&bench, &files);
    assert_eq!(bench.run("fsck again.tar.gz").code, 0, "packed as it was");
    let is_stdout = |name: &str| name.ends_with("agent-stdout.txt");

    let mut other = files.clone();
    other.retain(|(name, _)| !is_stdout(name));
    packed(&bench, &other);
    bench.run("fsck again.tar.gz").fails(16, "agent-stdout.txt is missing", "run-agent bundle");
    bench.run("replay again.tar.gz --task u").fails(16, "again.tar.gz is not a bundle", "run-agent bundle");

    let mut other = files.clone();
    other.iter_mut().filter(|(name, _)| is_stdout(name)).for_each(|(_, bytes)| bytes.truncate(3));
    packed(&bench, &other);
    let problem = "agent-stdout.txt has 3 bytes, and manifest.json says 6";
    bench.run("fsck again.tar.gz").fails(16, problem, "run-agent bundle");

    let mut other = files.clone();
    other.insert(0, ("p/t/more.txt".to_owned(), b"x".to_vec()));
    packed(&bench, &other);
    let problem = "p/t/more.txt is not listed in its manifest.json";
    bench.run("fsck again.tar.gz").fails(16, problem, "run-agent bundle");

    let mut other = files.clone();
    other.insert(0, other[0].clone());
    packed(&bench, &other);
    bench.run("fsck again.tar.gz").fails(16, "is in it twice", "run-agent bundle");

    let mut other = files;
    other.iter_mut().filter(|(name, _)| name == "manifest.json").for_each(|(_, bytes)| bytes.truncate(9));
    packed(&bench, &other);
    let said = bench.run("fsck again.tar.gz");
    assert!(said.stderr.contains("again.tar.gz is not a bundle that can be used: manifest.json"), "{said:?}");
    assert_eq!(said.code, 16, "{said:?}");
}

#[test]
fn a_bundle_that_was_packed_again_by_tar_is_opened() {
    let bench = Bench::new();
    assert_eq!(outcome(&mut bench.command("job", "t", "", "echo hello")).code, 0);
    assert_eq!(bench.run("bundle p/t -o b.tar.gz").code, 0);
    let work = bench.sandbox.work();
    let folder = work.join("unpacked");
    std::fs::create_dir(&folder).unwrap();
    let tar = |args: &[&str]| {
        let status = std::process::Command::new("tar").args(args).current_dir(&work).status().unwrap();
        assert!(status.success(), "{args:?}");
    };
    tar(&["-xzf", "b.tar.gz", "-C", "unpacked"]);
    for (n, format) in ["gnu", "pax", "ustar"].into_iter().enumerate() {
        let file = format!("again{n}.tar.gz");
        tar(&["-czf", &file, &format!("--format={format}"), "-C", "unpacked", "."]);
        assert_eq!(bench.run(&format!("fsck {file}")).code, 0, "{format}");
        assert_eq!(bench.run(&format!("replay {file} --task u{n} --speed 100")).code, 0, "{format}");
    }
    tar(&["-czf", "named.tar.gz", "-C", "unpacked", "manifest.json", "p"]);
    assert_eq!(bench.run("fsck named.tar.gz").code, 0);
}

#[test]
fn a_bundle_that_lost_or_gained_a_byte_is_refused() {
    let bench = Bench::new();
    assert_eq!(outcome(&mut bench.command("job", "t", "", "echo hello")).code, 0);
    assert_eq!(bench.run("bundle p/t -o b.tar.gz").code, 0);
    let whole = std::fs::read(bench.sandbox.work().join("b.tar.gz")).unwrap();
    let temporary = bench.sandbox.path("opened");
    std::fs::create_dir(&temporary).unwrap();
    let open = |bytes: &[u8]| {
        let path = bench.sandbox.write("work/changed.tar.gz", bytes);
        tree::archive::open(&path, &temporary)
    };
    open(&whole).unwrap();
    // The bytes 5 to 10 of gzip hold the time, the compression level and the system, and do not affect the content.
    let ends = (0..4).chain(10..24).chain(whole.len() - 24..whole.len());
    for at in ends.chain((24..whole.len() - 24).step_by(61)) {
        let mut changed = whole.clone();
        changed[at] ^= 0xff;
        let error = open(&changed).expect_err(&format!("byte {at} of {}", whole.len())).to_string();
        assert!(error.contains("changed.tar.gz") && !error.contains("opened"), "{at}: {error}");
    }
    for length in (0..whole.len()).step_by(211).chain(whole.len() - 12..whole.len()) {
        assert!(open(&whole[..length]).is_err(), "cut to {length} of {}", whole.len());
    }
    for more in [&b"\0"[..], b"junk", &whole] {
        assert!(open(&[&whole, more].concat()).is_err(), "with {} bytes more", more.len());
    }
    bench.sandbox.write("work/crc.tar.gz", {
        let mut changed = whole.clone();
        let crc = whole.len() - 8;
        changed[crc] ^= 1;
        changed
    });
    bench.run("fsck crc.tar.gz").fails(16, "crc.tar.gz is not a readable tar.gz", "run-agent bundle");
    bench.run("replay crc.tar.gz --task u").fails(16, "crc.tar.gz is not a readable", "run-agent bundle");
}
