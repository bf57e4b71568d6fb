//! The entry point of the program, under each of its names, and the one place that turns a failure into an exit code.

use std::{
    ffi::{OsStr, OsString},
    process::ExitCode,
};

use clap::{CommandFactory, Parser};
use nix::sys::signal::{SigSet, Signal};

use super::{
    args::Cli,
    colour::ColorWhen,
    completions,
    context::Context,
    daemon_resources::is_conductor,
    error::{CliError, CliResult, Kind},
    print::{self, Form, Printer},
};
use base::{fsx::steps, telemetry};
use config::Environment;
use process::{
    handoff,
    init::{self, Role},
};

/// Runs the program; called by `main`.
#[must_use]
pub fn program() -> ExitCode {
    // `run-agent shim <run-dir>`, hidden: one thread in a few megabytes, for hours. Nothing above this line may cost
    // memory, start a thread or read a file.
    let mut args = std::env::args_os();
    let (name, verb) = (args.next().unwrap_or_default(), args.next());
    if verb.as_ref().is_some_and(|verb| verb == "shim") {
        steps::arm(std::env::vars_os(), "CONDUCTOR_TEST_KILL_SHIM");
        return ExitCode::from(process::shim::main(args));
    }
    let role = init::divide();
    if let Role::Ended(code) = role {
        return ExitCode::from(code);
    }
    steps::arm_named(std::env::vars_os());
    if verb.as_ref().is_some_and(|verb| verb == handoff::VERB) {
        // The guard writes to the daemon's log. It also works without a log, so a failure is ignored.
        let _ = telemetry::init("info", telemetry::LogFormat::Text);
        return ExitCode::from(handoff::guard(args.collect(), std::env::vars_os().collect()));
    }
    let own_verb = verb.as_ref().is_some_and(|verb| OWN_VERBS.iter().any(|own| verb == own));
    // The launcher `conductor` has become this program, or an update has put this program in its place.
    let serve = (is_conductor(&name) && !own_verb).then(|| {
        // The kernel has named the process after the file.
        handoff::name_process(&name);
        OsString::from("serve")
    });
    steps::arm(std::env::vars_os(), "CONDUCTOR_TEST_KILL_DRIVER");
    // A limit on file sizes is treated and reported like a full disk. Unblocked, SIGXFSZ would end the process.
    let _ = SigSet::from_iter([Signal::SIGXFSZ]).thread_block();
    let args = std::iter::once(name).chain(serve).chain(std::env::args_os().skip(1));
    main(args, environment(role))
}

/// Takes the snapshot of the environment.
fn environment(role: Role) -> Environment {
    let all = Environment::capture();
    if role != Role::ProgramOfFirst {
        return all;
    }
    let own =
        |(name, value): (&OsStr, &OsStr)| (name.to_owned(), init::variable_of_program(name, value.into()));
    all.iter().map(own).collect()
}

/// The verbs with which a daemon starts its own program.
const OWN_VERBS: [&str; 7] =
    ["shim", "serve", "self-check", "update-guard", "demo-agent", "chat-agent", "replay-agent"];

/// Runs one command line to its end. `docs/exit-codes.md` lists the exit codes.
#[must_use]
pub fn main(args: impl IntoIterator<Item = OsString>, environment: Environment) -> ExitCode {
    print::report_panics();
    completions::answer(&environment, Cli::command);
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(e) => {
            // A command line that cannot be parsed still selects the form of its error.
            let form = if args.iter().take_while(|a| *a != "--").any(|a| a == "--json") {
                Form::Json
            } else {
                Form::Text
            };
            return Printer::new(ColorWhen::Auto, form, &environment).usage(&e);
        }
    };
    let printer = Printer::new(cli.global.color, cli.command.form(), &environment);
    let command = &cli.command;
    let context = Context::new(environment, cli.global, printer, command.settings(), command.missing_root());
    let usual_log = cli.command.usual_log();
    let outcome = start_log(&context, usual_log).and_then(|()| cli.command.run(&context));
    match outcome {
        Ok(code) => code,
        Err(e) => {
            context.printer().error(&e);
            e.exit_code()
        }
    }
}

fn start_log(context: &Context, usual: &str) -> CliResult<()> {
    telemetry::init(context.log_filter().unwrap_or(usual), context.log_format())
        .map_err(|e| CliError::caused(Kind::Usage, "cannot use --log", e))
}
