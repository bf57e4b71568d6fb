//! Any bytes as the answer of an API.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run_agent_fuzz::chat(bytes));
