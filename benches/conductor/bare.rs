//! The limits of the machine itself: no figure of ours can be better.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::{
    Plan, Result,
    table::{Row, Table},
    times::{Times, now},
};

/// First argument of this program when it acts as the agent, and its first instruction is awaited.
pub const FIRST_INSTRUCTION: &str = "first-instruction";
/// The file in which that agent records its start.
const FIRST: &str = "first";

pub fn measure(plan: &Plan, table: &mut Table) -> Result<()> {
    let folder = plan.fresh("bare")?;
    let rounds = plan.rounds(500);
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join("synced"))?;
    let synced = Times::of(rounds, || {
        file.write_all(&[b'x'; 200])?;
        Ok(file.sync_data()?)
    })?;
    table.add(Row::times("append of 200 bytes + fdatasync", &synced));
    let dir = File::open(&folder)?;
    let replaced = Times::of(rounds, || {
        let mut new = File::create(folder.join("new"))?;
        new.write_all(&[b'x'; 200])?;
        new.sync_data()?;
        fs::rename(folder.join("new"), folder.join("replaced"))?;
        Ok(dir.sync_all()?)
    })?;
    table.add(Row::times("replaced file: fdatasync, rename, fsync of the folder", &replaced));
    let started = (0..plan.rounds(200)).map(|_| start(&folder)).collect::<Result<Vec<_>>>()?;
    table.add(Row::times("fork + exec to the first instruction", &Times::new(started)));
    table.add(Row::times("round trip over the loopback", &round_trips(rounds * 10)?));
    table.add(Row::times("append to a file -> inotify -> read", &watched(&folder, plan.rounds(200))?));
    Ok(())
}

/// Acts as the agent: records its start in a file that appears complete.
pub fn first_instruction(began: u64) -> Result<()> {
    let folder = std::env::var_os("JRUN_RUN_FOLDER").ok_or("no run folder")?;
    let (temp, path) = (Path::new(&folder).join("first.new"), Path::new(&folder).join(FIRST));
    fs::write(&temp, began.to_string())?;
    fs::rename(temp, path)?;
    if let Some(task) = std::env::var_os("JRUN_TASK_FOLDER") {
        File::create(Path::new(&task).join("DONE"))?;
    }
    Ok(())
}

/// Returns the start of a run's agent; `None` before the start.
pub fn began(run_folder: &Path) -> Option<u64> {
    fs::read_to_string(run_folder.join(FIRST)).ok()?.parse().ok()
}

fn start(folder: &Path) -> Result<u64> {
    let before = now();
    let status = Command::new(std::env::current_exe()?)
        .arg(FIRST_INSTRUCTION)
        .env("JRUN_RUN_FOLDER", folder)
        .stdin(Stdio::null())
        .status()?;
    let began = began(folder).filter(|_| status.success()).ok_or("the bare agent did not start")?;
    Ok(began - before)
}

fn round_trips(rounds: usize) -> Result<Times> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut near = TcpStream::connect(listener.local_addr()?)?;
    let (mut far, _) = listener.accept()?;
    for stream in [&near, &far] {
        stream.set_nodelay(true)?;
    }
    let echo = thread::spawn(move || {
        let mut byte = [0];
        while far.read_exact(&mut byte).and_then(|()| far.write_all(&byte)).is_ok() {}
    });
    let mut byte = [0];
    let times = Times::of(rounds, || {
        near.write_all(&byte)?;
        Ok(near.read_exact(&mut byte)?)
    });
    drop(near);
    echo.join().map_err(|_| "the echo panicked")?;
    times
}

fn watched(folder: &Path, lines: usize) -> Result<Times> {
    let path = folder.join("watched");
    let mut writer = File::create(&path)?;
    let inotify = Inotify::init(InitFlags::empty())?;
    inotify.add_watch(&path, AddWatchFlags::IN_MODIFY)?;
    let said = thread::spawn(move || -> std::io::Result<()> {
        for _ in 0..lines {
            thread::sleep(Duration::from_millis(5));
            writeln!(writer, "{}", now())?;
        }
        Ok(())
    });
    let (mut file, mut text, mut times) = (File::open(&path)?, String::new(), Vec::new());
    while times.len() < lines {
        inotify.read_events()?;
        file.read_to_string(&mut text)?;
        let read = now();
        while let Some((line, rest)) = text.split_once('\n') {
            times.push(read - line.parse::<u64>()?);
            text = rest.to_owned();
        }
    }
    said.join().map_err(|_| "the writer panicked")??;
    Ok(Times::new(times))
}
