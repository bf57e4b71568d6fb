//! The tests of the whole program, in one binary, which links once and shares its helpers.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests play users and programs that change a tree without `fsx`, and may panic"
)]

mod common;

mod agent_choice;
mod agents_chat;
mod agents_limits;
mod agents_real;
mod agents_registry;
mod bad_input;
mod bounded;
mod bus;
mod by_hand;
mod cli_bus;
mod cli_completions;
mod cli_config;
mod cli_diff;
mod cli_gc;
mod cli_help;
mod cli_import;
mod cli_monitor;
mod cli_output;
mod cli_replay;
mod cli_root;
mod cli_server;
mod cli_trust;
mod cli_wrap;
mod comments;
mod corrupt_files;
mod crash_points;
mod crash_points_daemon;
mod daemon_kill;
mod demo_agent;
mod doctor;
mod documents;
mod events;
mod executors;
mod exit_grace;
mod extra_roots;
mod fake_agent;
mod faults_bus;
mod faults_cost;
mod faults_doors;
mod faults_loops;
mod faults_truth;
mod first_process;
mod folders;
mod formats;
mod fsck;
mod hostile;
mod hostile_page;
mod hostile_tree;
mod http_access;
mod http_api;
mod http_document;
mod http_errors;
mod http_files;
mod http_lists;
mod http_messages;
mod http_openapi;
mod http_operator;
mod http_page;
mod http_page_stream;
mod http_patterns;
mod http_projects;
mod http_schemathesis;
mod http_streams;
mod http_survival;
mod http_threads;
mod hung_disk;
mod layers;
mod lineage;
mod lost_folders;
mod nested_environment;
mod notices;
mod ordinary_user;
mod original_clients;
mod original_faults;
mod pid_reuse;
mod scripts;
mod self_update;
mod service;
mod sessions;
mod shim_exit;
mod shim_killed;
mod shim_nested;
mod shim_output;
mod shim_start;
mod shim_stdin;
mod shim_stop;
mod sse_cuts;
mod sse_load;
mod task_loop;
mod transcript;
mod validate;
mod web_server;
mod web_sockets;
mod webhook;
mod wrong_kinds;
