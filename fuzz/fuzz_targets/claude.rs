//! Fuzzes the reader of claude's streams.
#![no_main]

use run_agent::transcript::Dialect;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| run_agent_fuzz::stream(Dialect::Claude, bytes));
