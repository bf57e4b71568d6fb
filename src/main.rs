//! The `run-agent` program; everything it does is callable from a test.

fn main() -> std::process::ExitCode {
    run_agent::cli::program()
}
