//! The real binary as a process of its own.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use tempfile::TempDir;

use super::{Answer, Connection, Request, Setup, ports::Port, until};
use crate::standin::{Recorded, StandIn};

/// Which OAuth client the gateway's own tokens belong to.
const OWN_CLIENT: &str = "/api/resource/OAuth%20Client?";

/// The tokens that ERPNext issued.
const NATIVE_TOKENS: &str = "/api/resource/OAuth%20Bearer%20Token?";

const NATIVES_ARE_READ: &str = "tokens that ERPNext issued have been read";

fn is_upkeep(record: &Recorded) -> bool {
    let zone = "/api/method/frappe.client.get_time_zone";
    let lists = ["/api/resource/User?", "/api/resource/User%20Social%20Login?", OWN_CLIENT, NATIVE_TOKENS];
    let is_check = record.header("user-agent").is_some_and(|value| value.contains("health check"));
    let by_account = record.header("authorization").is_some_and(|value| value.starts_with("token gateway-key:"));
    is_check || record.target == zone || (by_account && lists.iter().any(|list| record.target.starts_with(list)))
}

/// A gateway and the stand-in behind it. Both end when it is dropped.
pub struct TestGateway {
    pub standin: StandIn,
    setup: Setup,
    folder: TempDir,
    port: Port,
    admin: Port,
    child: Option<Child>,
    /// The process that has taken over from the child.
    successor: Option<u32>,
}

impl TestGateway {
    /// One with the configuration of the tests.
    pub fn start() -> Self {
        Setup::new().start()
    }

    pub(super) fn new(setup: Setup, site: impl FnOnce(&StandIn)) -> Self {
        let standin = StandIn::start();
        site(&standin);
        Self::before(standin, setup)
    }

    /// One before a stand-in, not started yet.
    pub(super) fn unstarted(standin: StandIn, setup: Setup) -> Self {
        Self {
            standin,
            setup,
            folder: tempfile::tempdir().expect("a folder"),
            port: Port::reserve(),
            admin: Port::reserve(),
            child: None,
            successor: None,
        }
    }

    /// One before this stand-in.
    pub fn before(standin: StandIn, setup: Setup) -> Self {
        let mut gateway = Self::unstarted(standin, setup);
        gateway.run();
        if gateway.setup.waits_for_first_calls {
            gateway.wait_for_first_calls();
        }
        gateway
    }

    /// What the gateway asks of ERPNext when it starts has been answered, so that what comes later is a test's doing.
    fn wait_for_first_calls(&self) {
        until("the first calls are answered", || {
            let answered = |part: &str| {
                self.standin.count(|record| record.target.starts_with(part) && record.status.is_some()) > 0
            };
            let all =
                ["/api/resource/User?", "/api/resource/User%20Social%20Login?", OWN_CLIENT].into_iter().all(answered);
            let natives = !self.setup.accepts_natives() || self.log().contains(NATIVES_ARE_READ);
            let all = all && natives;
            all.then_some(())
        });
    }

    /// Starts the process, and waits until it serves. A port that somebody else has taken meanwhile is replaced.
    fn run(&mut self) {
        while !self.spawn_and_wait() {
            assert!(self.log().contains("in use"), "the gateway does not start:\n{}", self.log());
            (self.port, self.admin) = (Port::reserve(), Port::reserve());
        }
    }

    fn spawn_and_wait(&mut self) -> bool {
        self.write_configuration();
        let log = File::options().create(true).append(true).open(self.log_file()).expect("a file");
        let program = env!("CARGO_BIN_EXE_empress-gateway");
        let mut command = Command::new(if self.setup.files_may_be_limited { "sh" } else { program });
        if self.setup.files_may_be_limited {
            command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", program]);
        }
        let mut child = command
            .arg("serve")
            .arg("--config")
            .arg(self.folder().join("gateway.toml"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        let (path, admin) = (self.setup.ready_path, self.admin.number);
        let serves = until("the gateway is ready", || {
            if child.try_wait().expect("it is our child").is_some() {
                return Some(false);
            }
            let answer = Connection::open(admin).and_then(|mut admin| admin.send(&Request::get(path)));
            answer.is_ok_and(|answer| answer.status == 200).then_some(true)
        });
        self.child = Some(child);
        serves
    }

    /// Writes the configuration; where.
    pub fn write_configuration(&self) -> PathBuf {
        self.setup.write(self.folder(), self.port.number, self.admin.number, &self.standin.url());
        self.folder().join("gateway.toml")
    }

    /// Ends the process at once, as a power cut does.
    pub fn kill_9(&mut self) {
        self.successor = None;
        // Also one that a test which failed knows nothing of.
        for successor in successors_in(&self.log()) {
            let command = fs::read(format!("/proc/{successor}/cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&command).contains(&*self.folder().to_string_lossy()) {
                Command::new("kill").args(["-KILL", &successor.to_string()]).status().ok();
            }
        }
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is our child");
            child.wait().expect("it is our child");
        }
    }

    /// Has it leave in order, and waits for that.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let id = child.id().to_string();
            let sent = Command::new("kill").args(["-TERM", &id]).status().expect("kill is there");
            assert!(sent.success(), "it takes the signal");
            until("the gateway has left", || child.try_wait().expect("it is our child"));
        }
    }

    /// Starts it again, on the same store.
    pub fn restart(&mut self) {
        self.kill_9();
        self.run();
    }

    /// Starts it again with another configuration, on the same store.
    pub fn restart_with(&mut self, setup: Setup) {
        self.setup = setup;
        self.restart();
    }

    /// Has it read another configuration; what it said of that.
    pub fn reload(&mut self, setup: Setup) -> String {
        let said = self.controls().with(&setup);
        self.setup = setup;
        said
    }

    /// Sends SIGHUP, and waits until the log says this; what it said since.
    pub fn hang_up(&self, until_said: &str) -> String {
        self.controls().hang_up(until_said)
    }

    /// Another process has taken over: it is the gateway's from now on.
    pub fn taken_over_by(&mut self, successor: u32) {
        self.successor = Some(successor);
    }

    /// The means to change it while it is in use.
    pub fn controls(&self) -> Controls {
        Controls {
            pid: self.pid(),
            folder: self.folder().to_owned(),
            log: self.log_file(),
            ports: (self.port.number, self.admin.number),
            erpnext: self.standin.url(),
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.successor.unwrap_or_else(|| self.child.as_ref().expect("it runs").id())
    }

    /// The memory that it has now, in bytes.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    pub fn port(&self) -> u16 {
        self.port.number
    }

    pub fn admin_port(&self) -> u16 {
        self.admin.number
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The public URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number)
    }

    fn log_file(&self) -> PathBuf {
        self.folder().join("gateway.log")
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read(self.log_file()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    pub fn connect(&self) -> Connection {
        Connection::open(self.port.number).expect("it listens")
    }

    /// Sends one request on a connection of its own.
    pub fn send(&self, request: &Request) -> Answer {
        self.connect().send(request).unwrap_or_else(|error| panic!("no answer to {request:?}: {error}"))
    }

    pub fn get(&self, target: &str) -> Answer {
        self.send(&Request::get(target))
    }

    /// Sends bytes, and reads until the peer closes: the last request should ask for that.
    pub fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut connection = self.connect();
        connection.write(bytes).ok();
        connection.rest().unwrap_or_default()
    }

    /// Asks the admin listener.
    pub fn admin(&self, target: &str) -> Answer {
        let mut admin = Connection::open(self.admin.number).expect("it listens");
        admin.send(&Request::get(target)).expect("it answers")
    }

    /// The sum of a metric over the lines that start so.
    pub fn metric(&self, start: &str) -> f64 {
        let text = self.admin("/metrics").text();
        let lines = text.lines().filter(|line| line.starts_with(start));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// What reached the stand-in while `work` was done, without what the gateway regularly asks by itself.
    pub fn upstream_of<T>(&self, work: impl FnOnce() -> T) -> (T, Vec<Recorded>) {
        let last = self.standin.requests().last().map_or(0, |record| record.id);
        let done = work();
        let new = self.standin.requests().into_iter().filter(|record| record.id > last && !is_upkeep(record)).collect();
        (done, new)
    }

    /// Does `work`, and fails if anything of it reached the stand-in.
    pub fn without_upstream<T>(&self, what: &str, work: impl FnOnce() -> T) -> T {
        let (done, reached) = self.upstream_of(work);
        let lines: Vec<_> = reached.iter().map(|record| format!("{} {}", record.method, record.target)).collect();
        assert!(lines.is_empty(), "{what}: reached ERPNext: {lines:?}");
        done
    }
}

/// Changes a gateway that runs.
pub struct Controls {
    pid: u32,
    folder: PathBuf,
    log: PathBuf,
    ports: (u16, u16),
    erpnext: String,
}

impl Controls {
    /// Has it read another configuration; what it said of that.
    pub fn with(&self, setup: &Setup) -> String {
        setup.write(&self.folder, self.ports.0, self.ports.1, &self.erpnext);
        self.hang_up("\"reloaded\"")
    }

    /// Sends SIGHUP, and waits until the log says this; what it said since.
    pub fn hang_up(&self, until_said: &str) -> String {
        let before = self.log().len();
        self.signal("-HUP");
        until("it has read its configuration again", || {
            let said = self.log().split_off(before);
            (said.contains(until_said) && said.ends_with('\n')).then_some(said)
        })
    }
}

impl Controls {
    /// Sends a signal.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid.to_string()]).status().expect("kill is there");
        assert!(sent.success(), "it takes the signal");
    }

    /// Has another process take over, and waits until that serves and this one leaves; the other one's id.
    pub fn hand_over(&mut self) -> u32 {
        let before = self.log().len();
        self.signal("-USR2");
        self.pid = until("another process takes over", || successors_in(&self.log()[before..]).first().copied());
        until("this one leaves", || self.log()[before..].contains("draining").then_some(()));
        self.pid
    }

    /// Has another process take over, and waits until this one has left; the other one's id.
    pub fn upgrade(&mut self) -> u32 {
        let (before, left) = (self.log().len(), format!("/proc/{}/task", self.pid));
        let successor = self.hand_over();
        // A child of ours that has ended stays until it is waited for, without threads.
        until("the one before has left", || {
            let threads = fs::read_dir(&left).map(Iterator::count).unwrap_or_default();
            let log = self.log();
            (threads <= 1 && log[before..].contains("\"stopped\"")).then_some(())
        });
        successor
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("a log")
    }
}

/// The processes that have taken over, as the log tells.
fn successors_in(log: &str) -> Vec<u32> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines
        .filter(|line| line["message"] == "taking over")
        .filter_map(|line| line["successor"].as_u64()?.try_into().ok())
        .collect()
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        self.kill_9();
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let last = lines.len().saturating_sub(60);
            #[expect(clippy::print_stderr, reason = "the test failed: its output is where one looks")]
            {
                eprintln!("--- the last lines of the gateway's log\n{}", lines[last..].join("\n"));
            }
        }
    }
}
