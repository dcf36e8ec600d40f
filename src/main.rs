//! seal: see the library's documentation. This file only wires the process together.

use std::alloc::System;
use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// Wipes all memory that is given back, so that no parser, buffer or copy leaves a secret behind.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    seal::cli::run()
}
