//! The daemon under its own name: `conductor` is `run-agent serve`.

fn main() -> std::process::ExitCode {
    run_agent::cli::conductor()
}
