//! The built-in agent: no key, no account, no network, and real work all the same.
//!
//! It is started like any other agent, as a program of its own (`run-agent demo-agent`),
//! with the prompt on stdin and `JRUN_*` in its environment. It reports what the files of
//! its folder consist of, keeps the bus informed through `run-agent bus post` as the
//! preamble tells every agent, asks one child task about the largest folder (unless it
//! is a child itself), writes output.md, and makes DONE last. SIGTERM ends it
//! where it stands.
//!
//! `question` understands the prompt, `survey` looks at the files, `answer` puts it into
//! words; `work` is the order in which that happens.

mod agent;
mod answer;
mod call;
mod child;
mod language;
mod place;
mod question;
mod survey;
mod work;

pub(super) use agent::Demo;
pub use work::{Assignment, DemoError, main};
