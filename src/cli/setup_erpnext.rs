//! `setup-erpnext`: makes the gateway's account in ERPNext and all that belongs to it, or removes it.

use std::{fs, io::Write, path::PathBuf};

use clap::Args;
use serde_json::json;

use super::{ConfigArgs, DONE, REFUSED, WRONG_USAGE, key_file};
use crate::{
    config::{Config, secret_file},
    erpnext::{
        ErpnextSettings,
        setup::{Outcome, Setup, Step, Writes},
    },
    oauth::UserName,
    random::OsRandom,
    secret::Secret,
    server::{erpnext_settings, tools},
};

const API_KEY: &str = "API key";

/// The arguments of `setup-erpnext`.
#[derive(Debug, Args)]
pub(super) struct SetupArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The file with key:secret of an Administrator of ERPNext
    #[arg(long, value_name = "FILE")]
    admin_key_file: PathBuf,
    /// Shows what would be done, and writes nothing
    #[arg(long)]
    dry_run: bool,
    /// Removes what setup has made
    #[arg(long)]
    undo: bool,
    /// The name of the account, an e-mail address [default: the one that is there, or empress-gateway@ the site's
    /// host]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Does it, and says how to exit.
pub(super) fn run(args: &SetupArgs, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let loaded = Config::load_without_api_key(&args.config.config)
        .and_then(|config| Ok((config, secret_file("--admin-key-file", &args.admin_key_file)?)));
    let (config, admin) = match loaded {
        Ok(loaded) => loaded,
        Err(problems) => {
            // Whoever closed the pipe wants no more of it; the exit code tells the rest.
            let _ = writeln!(err, "{problems}");
            return WRONG_USAGE;
        }
    };
    let mut report = Report { out, json: args.json, dry_run: args.dry_run, steps: Vec::new() };
    let outcome = tools::runtime().map_err(Into::into).and_then(|runtime| {
        let work = Work::new(args, &config, admin)?;
        runtime
            .block_on(async { if args.undo { work.undo(&mut report).await } else { work.set_up(&mut report).await } })
    });
    let failure = outcome.err().map(|error| format!("{error:#}"));
    report.end(args.undo, failure.as_deref());
    if let Some(failure) = failure {
        let _ = writeln!(err, "setup-erpnext: {failure}");
        return REFUSED;
    }
    DONE
}

/// What the steps did, told as they go.
struct Report<'a> {
    out: &'a mut dyn Write,
    json: bool,
    dry_run: bool,
    steps: Vec<Step>,
}

impl Report<'_> {
    fn tell(&mut self, step: Step) {
        if !self.json {
            let word = match (self.dry_run, step.outcome) {
                (true, Outcome::Made) => "would make",
                (true, Outcome::Changed) => "would change",
                (true, Outcome::Removed) => "would remove",
                (_, outcome) => outcome.as_str(),
            };
            let detail = step.detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
            let _ = writeln!(self.out, "{word:<13} {}{detail}", step.subject);
        }
        self.steps.push(step);
    }

    fn end(&mut self, undo: bool, failure: Option<&str>) {
        if self.json {
            let steps: Vec<_> = self
                .steps
                .iter()
                .map(|step| json!({ "subject": step.subject, "outcome": step.outcome.as_str(), "detail": step.detail }))
                .collect();
            let whole = json!({ "dry_run": self.dry_run, "undo": undo, "steps": steps, "error": failure });
            let _ = writeln!(self.out, "{whole}");
        } else if failure.is_none() && !self.dry_run && !undo {
            let new_key = self.steps.iter().any(|step| step.subject == API_KEY && step.outcome != Outcome::Kept);
            let restart = if new_key { " A gateway that is running must be restarted to use the new key." } else { "" };
            let _ = writeln!(self.out, "ERPNext is set up; `empress-gateway check --online` asks it again.{restart}");
        }
    }
}

struct Work<'a> {
    setup: Setup,
    config: &'a Config,
    user: Option<UserName>,
    dry_run: bool,
}

impl<'a> Work<'a> {
    fn new(args: &SetupArgs, config: &'a Config, admin: Secret) -> anyhow::Result<Self> {
        let settings = ErpnextSettings { api_key: admin, ..erpnext_settings(config) };
        let writes = if args.dry_run { Writes::Spared } else { Writes::Done };
        // Frappe names users by their addresses in lower case.
        let user = args.user.as_ref().map(|user| UserName::new(user.trim().to_lowercase()));
        Ok(Self { setup: Setup::new(settings, writes)?, config, user, dry_run: args.dry_run })
    }

    /// The key that the configuration has, if it has one.
    fn key(&self) -> Option<&Secret> {
        Some(&self.config.erpnext.api_key).filter(|key| !key.expose().is_empty())
    }

    /// Whose key the configuration has.
    async fn key_owner(&self) -> anyhow::Result<Option<UserName>> {
        match self.key() {
            Some(key) => Ok(self.setup.owner_of(key).await?),
            None => Ok(None),
        }
    }

    async fn account_name(&self, key_owner: Option<&UserName>) -> anyhow::Result<UserName> {
        if let Some(user) = &self.user {
            return Ok(user.clone());
        }
        if let Some(owner) = key_owner
            && self.setup.is_account(owner).await?
        {
            return Ok(owner.clone());
        }
        // The key may be lost: an account that is alone with its role is the one that was made.
        if let [only] = self.setup.accounts().await?.as_slice()
            && self.setup.is_account(only).await?
        {
            return Ok(only.clone());
        }
        Ok(UserName::new(default_name(self.config.server.public_url.origin().host())))
    }

    async fn set_up(&self, report: &mut Report<'_>) -> anyhow::Result<()> {
        self.setup.administrator().await?;
        let owner = self.key_owner().await?;
        let name = self.account_name(owner.as_ref()).await?;
        report.tell(self.setup.role().await?);
        report.tell(self.setup.account(&name).await?);
        for step in self.setup.permissions().await? {
            report.tell(step);
        }
        let (step, key) = self.api_key(&name, owner.as_ref()).await?;
        report.tell(step);
        report.tell(self.setup.client().await?);
        match key {
            Some(key) if !self.dry_run => report.tell(self.setup.prove(&key, &name, &OsRandom).await?),
            _ => report.tell(Step::new("proof", Outcome::Made).with("a shadow token, deleted at once")),
        }
        Ok(())
    }

    /// Makes a key unless the account's own one is there; `None` in a dry run without one.
    async fn api_key(&self, name: &UserName, owner: Option<&UserName>) -> anyhow::Result<(Step, Option<Secret>)> {
        let path = &self.config.erpnext.api_key_file;
        if owner == Some(name) {
            return Ok((Step::new(API_KEY, Outcome::Kept), self.key().cloned()));
        }
        if self.key().is_some_and(|key| !key_file::holds(path, key)) {
            // It stands in the configuration itself, which is the operator's to write.
            anyhow::bail!(
                "erpnext.api_key is not the key of {name}: use api_key_file in its place, and run this again"
            );
        }
        let outcome = if self.key().is_some() { Outcome::Changed } else { Outcome::Made };
        let step = Step::new(API_KEY, outcome).with(path.display().to_string());
        if self.dry_run {
            return Ok((step, None));
        }
        let cannot = |error| anyhow::anyhow!("[erpnext].api_key_file {} can't be written: {error}", path.display());
        let file = key_file::NewKeyFile::beside(path).map_err(cannot)?;
        let key = self.setup.make_key(name).await?;
        file.place(&key).map_err(cannot)?;
        Ok((step, Some(key)))
    }

    async fn undo(&self, report: &mut Report<'_>) -> anyhow::Result<()> {
        self.setup.administrator().await?;
        let owner = self.key_owner().await?;
        let name = self.account_name(owner.as_ref()).await?;
        self.setup.check_undo(&name).await?;
        for step in self.setup.remove_client().await? {
            report.tell(step);
        }
        report.tell(self.setup.remove_account(&name).await?);
        for step in self.setup.remove_permissions().await? {
            report.tell(step);
        }
        report.tell(self.setup.remove_role().await?);
        report.tell(self.remove_key_file(&name, owner.as_ref())?);
        Ok(())
    }

    /// Removes the file if its key was the account's, or is nobody's any more.
    fn remove_key_file(&self, name: &UserName, owner: Option<&UserName>) -> anyhow::Result<Step> {
        let path = &self.config.erpnext.api_key_file;
        let step = |outcome| Step::new(API_KEY, outcome).with(path.display().to_string());
        let Some(key) = self.key().filter(|key| key_file::holds(path, key)) else { return Ok(step(Outcome::Absent)) };
        if owner.is_some_and(|owner| owner != name) {
            return Ok(step(Outcome::Kept).with(format!("{}: it holds another user's key", path.display())));
        }
        if !self.dry_run && key_file::holds(path, key) {
            fs::remove_file(path).map_err(|error| anyhow::anyhow!("{} can't be removed: {error}", path.display()))?;
        }
        Ok(step(Outcome::Removed))
    }
}

/// The account's name unless the operator chooses one. Frappe takes no address whose host has no dot.
fn default_name(host: &str) -> String {
    let host = host.trim_matches(['[', ']']);
    if host.contains('.') { format!("empress-gateway@{host}") } else { "empress-gateway@gateway.invalid".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_named_after_the_site_where_that_makes_an_address() {
        assert_eq!(default_name("erp.example.com"), "empress-gateway@erp.example.com");
        assert_eq!(default_name("127.0.0.1"), "empress-gateway@127.0.0.1");
        assert_eq!(default_name("localhost"), "empress-gateway@gateway.invalid");
        assert_eq!(default_name("[::1]"), "empress-gateway@gateway.invalid");
    }
}
