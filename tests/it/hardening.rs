//! What the process takes from itself.

use std::{fs, os::unix::fs::MetadataExt};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::TestGateway;

#[test]
fn a_gateway_that_may_write_cores_forbids_itself_to() {
    let allowed = getrlimit(Resource::Core).maximum;
    setrlimit(Resource::Core, Rlimit { current: allowed, maximum: allowed }).expect("up to the hard limit");
    let gateway = TestGateway::start();
    let process = format!("/proc/{}", gateway.pid());
    let limits = fs::read_to_string(format!("{process}/limits")).expect("its limits");
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).expect("one of them");
    let figures: Vec<_> = cores.split_whitespace().skip(4).collect();
    assert_eq!(figures, ["0", "0", "bytes"], "soft and hard: {cores}");
    // What the kernel lets nobody dump or trace, it shows as root's. (Run by root, this says nothing.)
    let owner = fs::metadata(format!("{process}/environ")).expect("it lives").uid();
    assert_eq!(owner, 0, "its memory is not its user's to read");
    assert!(gateway.metric("empress_process_open_fds") > 0.0, "it still sees itself");
}
