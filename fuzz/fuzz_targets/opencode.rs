//! Fuzzes the reader of opencode's streams.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run_agent_fuzz::stream("opencode", bytes));
