//! host

pub mod files;
mod leftovers;
pub mod target;
