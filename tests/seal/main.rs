//! The integration tests: seal as a program, and the house it lives in.
//!
//! One binary, as linking is what takes the time; a file a subject. What is pure is tested in `src`, next to the code.

#![allow(clippy::unwrap_used, unreachable_pub)]

mod support;

mod bad_input;
mod canary;
mod change;
mod changes;
mod comments;
mod config;
mod differential;
mod documents;
mod edit;
mod evasion;
mod exec;
mod faults;
mod filter_repo;
mod filter_repo_stream;
mod fix;
mod git;
mod gitleaks;
mod help;
mod history;
mod hooks;
mod house;
mod layout;
mod push;
mod recipients;
mod scan;
mod scan_kubernetes;
mod scan_options;
mod scrub_by_value;
mod scrub_remote;
mod scrub_value;
mod report;
mod scrub;
mod scrub_through;
mod sops_users;
mod sops_values;
mod sops_vectors;
mod stores;
mod switch;
mod tamper;
mod verify;
