//! Automatic actions: so far, notifications about ends of runs.

pub mod webhook;
