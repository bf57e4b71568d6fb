//! A scripted agent with exact timing, for the tests.

fn main() {}
