//! What happens by itself: so far, telling others of the ends of runs.

pub mod webhook;
