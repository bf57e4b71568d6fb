//! Assembly: the one place where the planner gate and the runner meet.

mod drive;

pub use drive::{drive_ticket, take_over};
