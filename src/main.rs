//! The `run-agent` program; everything it does is callable from a test.

fn main() {}
