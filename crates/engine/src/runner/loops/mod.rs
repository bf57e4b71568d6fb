//! A task's loop: the decision after each run, and what ends it.

pub(in crate::runner) mod children;
pub(in crate::runner) mod end_messages;
pub(in crate::runner) mod give_up;
pub(in crate::runner) mod limits;
pub(in crate::runner) mod next_run;
pub(in crate::runner) mod restart;
pub(in crate::runner) mod task_loop;
