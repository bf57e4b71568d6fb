//! The built-in agent, which needs no key, no account and no network, and still does real work.
//!
//! It is started like any other agent, as a program of its own (`run-agent demo-agent`), with the prompt on stdin and
//! `JRUN_*` in its environment. It reports the composition of its folder's files, and posts its progress through
//! `run-agent bus post`, as the preamble asks every agent to. Unless it is a child itself, it asks one child task
//! about the largest folder. It writes output.md, and makes DONE last. SIGTERM ends it at any point.
//!
//! `question` parses the prompt, `survey` counts the files, `answer` formulates the result, and `work` performs these
//! steps in order.

mod agent;
mod answer;
mod call;
mod child;
mod language;
mod question;
mod run_environment;
mod survey;
mod work;

pub(super) use agent::Demo;
pub use work::{Assignment, DemoError, main};
