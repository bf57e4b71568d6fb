//! Where the scripted agent is, for every test that starts it.

#[path = "example.rs"]
mod example;

/// The program built from `tests/helpers/fake_agent`.
pub fn agent() -> std::path::PathBuf {
    example::program("fake_agent")
}
