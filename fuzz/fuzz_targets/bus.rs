//! Fuzzes the reader of message buses.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run_agent_fuzz::bus(bytes));
