//! The integration tests: seal as a program, and the house it lives in.
//!
//! One binary, as linking is what takes the time; a file a subject. What is pure is tested in `src`, next to the code.

#![allow(clippy::unwrap_used, unreachable_pub)]

mod support;

mod differential;
mod bad_input;
mod canary;
mod change;
mod documents;
mod edit;
mod exec;
mod faults;
mod git;
mod house;
mod layout;
mod sops_vectors;
mod tamper;
