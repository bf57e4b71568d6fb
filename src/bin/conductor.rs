//! The daemon under its own name: `conductor` is `run-agent serve`.
//!
//! This launcher becomes the `run-agent` beside its own file, which tells by its first argument under which name it was
//! called. So the program is built and linked once, and an update replaces one file.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the launcher uses nothing of the library, so that linking it costs nothing"
)]

use std::{
    ffi::OsStr,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, ExitCode},
};

fn main() -> ExitCode {
    let (error, hint) = launch();
    eprintln!("error: {error}\nhint: {hint}");
    ExitCode::FAILURE
}

/// Becomes `run-agent`; returns only with the reason why it could not.
fn launch() -> (String, &'static str) {
    let own = match std::env::current_exe() {
        Ok(own) => own,
        Err(e) => return (format!("cannot read /proc/self/exe: {e}"), "mount /proc"),
    };
    // A copy under another name may stand where `run-agent` belongs, as the new version of an update does. It must not pass
    // for that program, and would start itself for ever.
    let name = own.file_name().unwrap_or_default().to_string_lossy();
    if name.trim_end_matches(" (deleted)") != "conductor" {
        let error = format!("{} is the launcher 'conductor' under another name", own.display());
        return (error, "use the program run-agent instead");
    }
    let program = own.with_file_name("run-agent");
    let mut args = std::env::args_os();
    // A link to the launcher may have any name; the program goes by this one.
    let called = args.next().filter(|name| Path::new(name).file_name() == Some(OsStr::new("conductor")));
    let called = called.unwrap_or_else(|| "conductor".into());
    let failure = Command::new(&program).arg0(called).args(args).exec();
    (format!("cannot start {}: {failure}", program.display()), "install run-agent beside conductor")
}
