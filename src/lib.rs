//! Encrypts Kubernetes Secrets in git, byte for byte, in the sops format.
//!
//! The modules stand in one order, and each imports only modules further down this list:
//!
//! | module | is | |
//! |---|---|---|
//! | [`cli`] | words typed, words printed; one file a command | front |
//! | [`git`] | a repository on disk: versions of files, its config | edge: touches the world, decides nothing |
//! | [`keys`] | key services: age today; one file a service | edge |
//! | [`host`] | files, terminal, processes, environment, clock, random | edge |
//! | [`report`] | findings as text, JSON, SARIF … | core: values in, values out |
//! | [`scrub`] | rewriting history: plan, fates, commits, proof | core |
//! | [`config`] | `.sops.yaml`, parsed | core |
//! | [`scan`] | leak rules, matching, findings | core |
//! | [`manifest`] | what Kubernetes objects mean | core |
//! | [`crypt`] | data keys, encrypted values, MAC, envelope, selection | core |
//! | [`document`] | a file as bytes plus a lossless tree; edits by span | core |

pub mod cli;
pub mod git;
pub mod keys;
pub mod host;
pub mod report;
pub mod scrub;
pub mod config;
pub mod scan;
pub mod manifest;
pub mod crypt;
pub mod document;
