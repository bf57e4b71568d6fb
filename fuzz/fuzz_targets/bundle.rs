//! Fuzzes the reader of bundles.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run_agent_fuzz::bundle(bytes));
