//! Fuzzes the reader of a chat API's answers.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run_agent_fuzz::chat(bytes));
