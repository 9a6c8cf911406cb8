//! The gateway as a process of its own, with a configuration written for it.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::{
    clients::Clients,
    standin::{GATEWAY_API_KEY, GATEWAY_API_SECRET, MCP_METHOD, SITE},
};

/// A debug build on a busy machine needs some seconds to make its signing key.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The running gateway.
pub struct Gateway {
    child: Child,
    url: String,
    admin_url: String,
    dir: PathBuf,
}

/// `target/<profile>/empress-gateway`, from `target/<profile>/examples/demo`.
pub fn built_beside() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let profile = own.parent().and_then(Path::parent).context("this program lies in no target folder")?;
    let binary = profile.join("empress-gateway");
    if !binary.exists() {
        bail!("{} is missing: build it with `cargo build --bin empress-gateway`", binary.display());
    }
    Ok(binary)
}

/// What the gateway stands before, and who shows the login page.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// ERPNext.
    pub erpnext: &'a str,
    /// Its realtime server.
    pub realtime: &'a str,
    /// The gateway has a login page of its own, and a look.
    pub own_login: bool,
}

const OWN_PAGES: &str = r##"
[login]
page = "gateway"

[pages]
site_name = "Example Trading Company"
logo_file = "DIR/logo.svg"
colour = "#0b5fff"
"##;

const LOGO: &str = concat!(
    r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 40"><circle cx="20" cy="20" r="18" fill="#0b5fff"/>"##,
    r##"<rect x="48" y="12" width="104" height="16" rx="8" fill="#8a939c"/></svg>"##
);

impl Gateway {
    /// Writes the configuration, starts the gateway on it and waits until it is ready.
    pub async fn start(
        binary: &Path,
        dir: &Path,
        port: u16,
        site: Site<'_>,
        clients: &Clients,
    ) -> anyhow::Result<Self> {
        let (port, admin_port) = ports(port)?;
        let (url, admin_url) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{admin_port}"));
        let config = dir.join("empress-gateway.toml");
        write_private(&dir.join("erpnext.key"), &format!("{GATEWAY_API_KEY}:{GATEWAY_API_SECRET}\n"))?;
        write_private(&dir.join("logo.svg"), LOGO)?;
        write_private(&config, &configuration(dir, &url, (port, admin_port), site, clients))?;
        let log = fs::File::create(dir.join("gateway.log"))?;
        let child = Command::new(binary)
            .args(["serve".as_ref(), "--config".as_ref(), config.as_os_str()])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C goes to the terminal's foreground group: the gateway is ended by us, in order, not besides us.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} can't be started", binary.display()))?;
        let mut gateway = Self { child, url, admin_url, dir: dir.to_owned() };
        gateway.wait_until_ready().await?;
        Ok(gateway)
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn admin_url(&self) -> &str {
        &self.admin_url
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let (agent, deadline) = (reqwest::Client::builder().no_proxy().build()?, Instant::now() + READY_WITHIN);
        let ready = format!("{}/readyz", self.admin_url);
        let mut said = "nothing".to_owned();
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Err(self.gone(status));
            }
            match agent.get(&ready).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => said = answer.text().await.unwrap_or_default(),
                Err(error) => said = error.to_string(),
            }
            sleep(Duration::from_millis(50)).await;
        }
        let log = self.log_tail();
        self.stop().await;
        bail!("the gateway is not ready after {} s; /readyz: {said}\n{log}", READY_WITHIN.as_secs())
    }

    /// When the gateway ends though nobody asked it to.
    pub async fn ended(&mut self) -> anyhow::Error {
        match self.child.wait().await {
            Ok(status) => self.gone(status),
            Err(error) => error.into(),
        }
    }

    fn gone(&self, status: ExitStatus) -> anyhow::Error {
        anyhow::anyhow!("the gateway has ended ({status}); the end of its log:\n{}", self.log_tail())
    }

    fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.dir.join("gateway.log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
    }

    /// Asks it to drain and leave; what has not left after ten seconds is killed.
    pub async fn stop(&mut self) {
        if let Some(pid) = self.child.id() {
            // The shell's own `kill`: a system without procps has no other.
            let asked = Command::new("sh").args(["-c", "kill -TERM \"$0\"", &pid.to_string()]).status().await;
            if asked.is_ok() && timeout(Duration::from_secs(10), self.child.wait()).await.is_ok() {
                return;
            }
        }
        self.child.kill().await.ok();
    }
}

/// The gateway's port and its admin listener's. Both are held until both are known, so that they differ.
fn ports(wanted: u16) -> anyhow::Result<(u16, u16)> {
    let main = TcpListener::bind(("127.0.0.1", wanted)).with_context(|| format!("port {wanted} can't be used"))?;
    let admin = TcpListener::bind("127.0.0.1:0")?;
    Ok((main.local_addr()?.port(), admin.local_addr()?.port()))
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    let opened = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    let mut file = opened.with_context(|| format!("{} can't be written", path.display()))?;
    Ok(file.write_all(text.as_bytes())?)
}

fn configuration(
    dir: &Path,
    url: &str,
    (port, admin_port): (u16, u16),
    Site { erpnext, realtime, own_login }: Site<'_>,
    clients: &Clients,
) -> String {
    let pages = if own_login { OWN_PAGES.replace("DIR", &dir.display().to_string()) } else { String::new() };
    let dir = dir.display();
    format!(
        r#"# Written by the demo, for a stand-in of ERPNext.
[server]
listen = ["127.0.0.1:{port}"]
public_url = "{url}"

[admin]
listen = "127.0.0.1:{admin_port}"

[erpnext]
url = "{erpnext}"
socketio_url = "{realtime}"
site_name = "{SITE}"
api_key_file = "{dir}/erpnext.key"

[store]
path = "{dir}/empress.db"
secret_key_file = "{dir}/secret.key"

[registration]
enabled = true
scopes = ["openid", "profile", "email", "offline_access", "erp:read", "erp:write"]
rate = "1000/h"

[[route]]
path = "/api/method/{MCP_METHOD}"
auth = "bearer"
reads = true
resource = true

[log]
format = "text"
{pages}{}"#,
        clients.toml()
    )
}
