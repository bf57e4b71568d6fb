//! The command line: verbs, printing, exit codes.
//!
//! Each verb is one file. A verb reads the user's input, calls the modules below and prints their results. It
//! contains no rules of its own.

mod agent_choice;
mod agent_report;
mod amount;
mod args;
mod attend;
mod batch;
mod bundle;
mod bus;
mod chat_agent;
mod colour;
mod completions;
mod config;
mod confirm;
mod context;
mod demo_agent;
mod diff;
mod doctor;
mod drive;
mod entry;
mod error;
mod flags;
mod fsck;
mod gc;
mod help;
mod import;
mod interrupt;
mod job;
mod list;
mod man;
mod monitor;
mod output;
mod place;
mod print;
mod reference;
mod replay;
mod replay_agent;
mod resume;
mod self_check;
mod serve;
mod server;
mod service;
mod shell_setup;
mod status;
mod stop;
mod submission;
mod table;
mod task;
mod trust;
mod ui;
mod validate;
mod version;
mod watch;
mod why;
mod wrap;

pub use args::{Cli, Command};
pub use colour::{ColorWhen, Colour, Style};
pub use context::Context;
pub use entry::{main, program};
pub use error::{CliError, CliResult, Kind};
pub use flags::{GlobalFlags, JsonFlag};
pub use print::{Form, Printer};
pub use reference::{Named, References};
pub use table::{Cell, Table};
