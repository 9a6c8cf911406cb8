//! Arguments in, exit code out.

use std::process::ExitCode;

/// Takes a third to a half of the bearer check's own time away, and gives the memory of connections that have ended back: by
/// threads of its own, since where nothing happens any more nobody else would.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    empress_gateway::cli::main()
}
