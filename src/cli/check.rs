//! `check`: whether the configuration can work.

use std::{io::Write, iter};

use clap::Args;

use super::{ConfigArgs, DONE, REFUSED};
use crate::{config::Config, route::Router, server};

/// The arguments of `check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Also asks ERPNext and the store
    #[arg(long)]
    online: bool,
}

/// Writes the outcome, and says how to exit.
pub(super) fn run(args: &CheckArgs, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let outcome = checked(args).and_then(|config| if args.online { online(args, config) } else { Ok(config) });
    // Whoever closed the pipe wants no more of it; the exit code tells the rest.
    match outcome {
        Ok(config) => {
            let ok = format!("{}: ok", args.config.config.display());
            let notices = config.notices().into_iter().map(|notice| format!("  notice: {notice}"));
            let _ = writeln!(out, "{}", iter::once(ok).chain(notices).collect::<Vec<_>>().join("\n"));
            DONE
        }
        Err(problems) => {
            let _ = writeln!(err, "{problems}");
            REFUSED
        }
    }
}

/// The configuration, if it can work.
fn checked(args: &CheckArgs) -> Result<Config, String> {
    let config = args.config.load().map_err(|problems| problems.to_string())?;
    match Router::new(&config.route) {
        Ok(_) => Ok(config),
        Err(problems) => Err(format!("{}: {problems}", args.config.config.display())),
    }
}

/// Asks ERPNext and the store.
fn online(args: &CheckArgs, config: Config) -> Result<Config, String> {
    let problems =
        server::ask_parts(&config).map_err(|error| format!("{}: {error:#}", args.config.config.display()))?;
    if problems.is_empty() {
        return Ok(config);
    }
    let lines = problems.iter().map(|problem| format!("  {}: {}", problem.part, problem.reason));
    let head = format!("{}: the configuration is good, but not everything answers", args.config.config.display());
    Err(iter::once(head).chain(lines).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, path::Path};

    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command, WRONG_USAGE};

    fn check(file: &Path, online: bool) -> (u8, String, String) {
        let mut arguments =
            vec!["empress-gateway".to_owned(), "check".to_owned(), format!("--config={}", file.display())];
        arguments.extend(online.then(|| "--online".to_owned()));
        let Command::Check(args) = Cli::try_parse_from(arguments).expect("good arguments").command else {
            panic!("the arguments name check");
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = run(&args, &mut out, &mut err);
        (code, String::from_utf8(out).expect("text"), String::from_utf8(err).expect("text"))
    }

    fn write(file: &Path, text: &str) {
        fs::write(file, text).expect("a file");
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("permissions");
    }

    #[test]
    fn a_good_file_is_ok_with_what_is_worth_knowing() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("gateway.toml");
        let text = "server.public_url = \"https://erp.example.com\"\nerpnext.api_key = \"k:s\"\n\
                    [[client]]\nid = \"s1p7u9lop3\"\nmode = \"strict\"\n";
        write(&file, text);
        let (code, out, err) = check(&file, false);
        assert_eq!((code, err.as_str()), (DONE, ""));
        assert!(out.starts_with(&format!("{}: ok\n", file.display())), "{out}");
        assert!(out.contains("notice: client[0]"), "{out}");
    }

    #[test]
    fn every_problem_of_a_bad_file_is_numbered_with_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("gateway.toml");
        write(&file, "[server]\npublic_url = \"https://erp.example.com/\"\nthreds = 2\n[erpnext]\napi_key = \"k:s\"\n");
        let (code, out, err) = check(&file, false);
        assert_eq!((code, out.as_str()), (REFUSED, ""));
        let lines: Vec<_> = err.lines().collect();
        assert_eq!(lines[0], format!("{}: 2 problems", file.display()));
        assert!(lines[1].starts_with("  1. line 2: server.public_url: write an origin"), "{err}");
        assert!(
            lines[2]
                .starts_with("  2. line 3: server.threds: there is no such key here; there are: listen, public_url"),
            "{err}"
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("gateway.toml");
        let (code, _, err) = check(&file, false);
        assert_eq!(code, REFUSED);
        assert!(err.contains("cannot be read"), "{err}");
    }

    #[test]
    fn a_bad_route_is_refused_by_its_index() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("gateway.toml");
        let text = "server.public_url = \"https://erp.example.com\"\nerpnext.api_key = \"k:s\"\n\
                    [[route]]\npath = \"/api/{a}{b}\"\n";
        write(&file, text);
        let (code, _, err) = check(&file, false);
        assert_eq!(code, REFUSED, "{err}");
        assert!(err.contains("route[0]"), "{err}");
    }

    #[test]
    fn online_tells_what_does_not_answer_and_makes_no_store() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("gateway.toml");
        let path = |name: &str| folder.path().join(name).display().to_string();
        // Nothing listens on port 1 of loopback.
        let text = format!(
            "server.public_url = \"https://erp.example.com\"\nerpnext.api_key = \"k:s\"\n\
             erpnext.url = \"http://127.0.0.1:1\"\nstore.path = \"{}\"\nstore.secret_key_file = \"{}\"\n",
            path("empress.db"),
            path("secret.key")
        );
        write(&file, &text);
        let (code, _, err) = check(&file, true);
        assert_eq!(code, REFUSED, "{err}");
        assert!(err.contains("erpnext: "), "{err}");
        assert!(!folder.path().join("empress.db").exists());
        assert!(!folder.path().join("secret.key").exists());
    }

    #[test]
    fn wrong_usage_is_clap_s_to_report_with_code_2() {
        for arguments in
            [&["empress-gateway"][..], &["empress-gateway", "check"], &["empress-gateway", "chek", "--config", "x"]]
        {
            let error = Cli::try_parse_from(arguments).expect_err("wrong usage");
            assert_eq!(error.exit_code(), i32::from(WRONG_USAGE), "{arguments:?}");
        }
    }
}
