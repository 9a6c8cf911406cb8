//! What the process takes from itself before it holds a secret: nobody gets its memory as a core, and no other process
//! of its user may read it or attach a debugger.

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// No core may be written, however long it is.
const NONE: Rlimit = Rlimit { current: Some(0), maximum: Some(0) };

/// No cores and no debuggers from here on, until the process ends.
///
/// Both halves are needed: the limit does not hold where the kernel hands cores to a program (systemd-coredump), and the
/// process's mark not for a program that it starts.
///
/// # Errors
/// When the kernel does not let it.
pub fn forbid_core_dumps() -> std::io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    // A service that has the limit already may not be allowed to set it.
    if getrlimit(Resource::Core) != NONE {
        setrlimit(Resource::Core, NONE)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rustix::process::dumpable_behavior;

    use super::*;

    #[test]
    fn a_process_without_core_dumps_stays_so() {
        for _ in 0..2 {
            forbid_core_dumps().expect("the kernel lets it");
            assert_eq!(dumpable_behavior(), Ok(DumpableBehavior::NotDumpable));
            assert_eq!(getrlimit(Resource::Core), NONE);
        }
    }
}
