//! The files: the configuration's own, and those that it names for secrets.

use std::{
    env, fs,
    io::{self, Read},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use super::{Config, LARGEST_LOGO, Logo, document::Document, findings::Findings, problem::Problems};
use crate::secret::Secret;

/// What stands for the directory of systemd's credentials in the path of a file.
const CREDENTIALS: &str = "${CREDENTIALS_DIRECTORY}";
/// No secret is longer; what is, was named by mistake.
const LONGEST_SECRET: u64 = 64 * 1024;

/// Where systemd has put the service's credentials, if it has.
pub(super) fn credentials_directory() -> Option<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one setting that only the environment has: systemd chooses the directory"
    )]
    env::var("CREDENTIALS_DIRECTORY").ok().map(PathBuf::from)
}

/// Whether the configuration can do without the file of the ERPNext account's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ApiKeyFile {
    /// It must be there.
    Needed,
    /// It may be missing or empty: whoever asks is about to make it.
    MayBeMissing,
}

/// Reads the configuration and the secrets that it names.
pub(super) fn load(path: &Path, credentials: Option<&Path>, api_key: ApiKeyFile) -> Result<Config, Problems> {
    let with_file = |problems: Problems| Problems { file: Some(path.to_owned()), ..problems };
    let text = fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|error| with_file(Problems::whole_file(format!("cannot be read: {error}"))))?;
    let document = Document::parse(&text).map_err(with_file)?;
    let (mut config, problems) = Config::check(&document);
    let mut reader = Reader { findings: Findings::new(&document, problems), credentials };
    let unmade = api_key == ApiKeyFile::MayBeMissing && reader.has_no_key_yet(&mut config);
    if !unmade {
        reader.read_api_key(&mut config);
    }
    reader.read_client_secrets(&mut config);
    reader.read_initial_token(&mut config);
    reader.check_key_files(&mut config);
    reader.read_logo(&mut config);
    reader.check_own_permissions(path, &config);
    let problems = reader.findings.into_problems();
    if problems.is_empty() { Ok(config) } else { Err(with_file(Problems::new(problems))) }
}

/// The secret in a file that no key of the configuration names; `what` names it to the operator.
pub(super) fn secret(what: &str, path: &Path, credentials: Option<&Path>) -> Result<Secret, Problems> {
    let document = Document::parse("")?;
    let mut reader = Reader { findings: Findings::new(&document, Vec::new()), credentials };
    let secret = reader.secret(what, &mut path.to_owned());
    secret.ok_or_else(|| Problems::new(reader.findings.into_problems()))
}

struct Reader<'a> {
    findings: Findings<'a>,
    credentials: Option<&'a Path>,
}

impl Reader<'_> {
    /// Whether the file of the API key is still to be made; an empty one says with which permissions.
    fn has_no_key_yet(&mut self, config: &mut Config) -> bool {
        let (at, file) = ("erpnext.api_key_file", &mut config.erpnext.api_key_file);
        !self.findings.has("erpnext.api_key")
            && self.expand(at, file)
            && fs::metadata(&*file).map_or_else(
                |error| error.kind() == io::ErrorKind::NotFound,
                |metadata| metadata.is_file() && metadata.len() == 0,
            )
    }

    fn read_api_key(&mut self, config: &mut Config) {
        let (erpnext, file) = (&mut config.erpnext, "erpnext.api_key_file");
        let given = self.findings.has("erpnext.api_key");
        if given && self.findings.has(file) {
            self.findings.add("erpnext.api_key", "give api_key or api_key_file, not both");
        } else if !given && let Some(secret) = self.secret(file, &mut erpnext.api_key_file) {
            erpnext.api_key = secret;
        } else if !given {
            return;
        }
        let at = if given { "erpnext.api_key" } else { file };
        let halves = erpnext.api_key.expose().split_once(':');
        let sound = |half: &str| !half.is_empty() && half.bytes().all(|b| matches!(b, 0x21..=0x7e));
        if !halves.is_some_and(|(key, secret)| sound(key) && sound(secret)) {
            self.findings
                .add(at, "must hold the API key and the API secret of the gateway's ERPNext account: key:secret");
        }
    }

    fn read_client_secrets(&mut self, config: &mut Config) {
        for (index, client) in config.client.iter_mut().enumerate() {
            let at = format!("client[{index}].secret_file");
            if let Some(file) = &mut client.secret_file
                && let Some(secret) = self.secret(&at, file)
                && client.secret.is_none()
            {
                client.secret = Some(secret);
            }
        }
    }

    fn read_initial_token(&mut self, config: &mut Config) {
        let registration = &mut config.registration;
        if let Some(file) = &mut registration.initial_token_file
            && let Some(secret) = self.secret("registration.initial_token_file", file)
            && registration.initial_token.is_none()
        {
            registration.initial_token = Some(secret);
        }
    }

    /// Key files are read by those who use them; that they can be is known here.
    fn check_key_files(&mut self, config: &mut Config) {
        if let Some(tls) = &mut config.server.tls {
            self.expand("server.tls.certificate_file", &mut tls.certificate_file);
            if let Err(error) = fs::File::open(&tls.certificate_file) {
                self.findings.add("server.tls.certificate_file", cannot_be_read(&tls.certificate_file, &error));
            }
            // Only that it can be read: what is in it is rustls's business.
            self.secret("server.tls.key_file", &mut tls.key_file);
        }
        if let Some(file) = &mut config.fetch.ca_file
            && self.expand("fetch.ca_file", file)
            && let Err(error) = fs::File::open(&*file)
        {
            self.findings.add("fetch.ca_file", cannot_be_read(file, &error));
        }
        let key_file = &mut config.store.secret_key_file;
        if self.expand("store.secret_key_file", key_file) && key_file.exists() {
            let opened = self.open("store.secret_key_file", key_file);
            drop(opened);
        }
    }

    /// Everybody who sees a page sees it: it may be anybody's to read.
    fn read_logo(&mut self, config: &mut Config) {
        const AT: &str = "pages.logo_file";
        let Some(file) = &mut config.pages.logo_file else { return };
        if !self.expand(AT, file) {
            return;
        }
        let mut bytes = Vec::new();
        let opened = fs::metadata(&*file).and_then(|metadata| {
            if metadata.is_file() { fs::File::open(&*file) } else { Err(io::Error::other("not a file")) }
        });
        if let Err(error) = opened.and_then(|opened| opened.take(LARGEST_LOGO + 1).read_to_end(&mut bytes)) {
            return self.findings.add(AT, cannot_be_read(file, &error));
        }
        if bytes.len() as u64 > LARGEST_LOGO {
            return self.findings.add(AT, format!("{} has more than 64 KiB: make it smaller", file.display()));
        }
        config.pages.logo = Logo::of(bytes);
        if config.pages.logo.is_none() {
            self.findings.add(
                AT,
                format!(
                    "{} is no PNG, JPEG, WebP or SVG image (an SVG needs xmlns=\"http://www.w3.org/2000/svg\")",
                    file.display()
                ),
            );
        }
    }

    /// A configuration that holds a secret is a secret file itself.
    fn check_own_permissions(&mut self, path: &Path, config: &Config) {
        let client_secrets = (0..config.client.len()).map(|index| format!("client[{index}].secret"));
        let inline = client_secrets
            .chain(["erpnext.api_key", "registration.initial_token"].map(str::to_owned))
            .find(|key| self.findings.has(key));
        if let Some(key) = inline
            && let Ok(metadata) = fs::metadata(path)
            && let Some(breach) = self.breach(path, &metadata)
        {
            self.findings.add(&key, format!("the configuration holds a secret, but {breach}"));
        }
    }

    /// The secret in the file, without the newline that editors leave behind.
    fn secret(&mut self, at: &str, file: &mut PathBuf) -> Option<Secret> {
        if !self.expand(at, file) {
            return None;
        }
        let opened = self.open(at, file)?;
        // Large enough from the start: growing would leave copies behind.
        let length = opened.metadata().map_or(0, |metadata| metadata.len().min(LONGEST_SECRET));
        let mut text = Zeroizing::new(String::with_capacity(usize::try_from(length).unwrap_or_default() + 64));
        let read = opened.take(LONGEST_SECRET + 1).read_to_string(&mut text);
        if let Err(error) = read {
            self.findings.add(at, cannot_be_read(file, &error));
            return None;
        }
        let trimmed = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
        let wrong = match text.len() as u64 {
            length if length > LONGEST_SECRET => Some("is longer than any secret"),
            _ if trimmed.trim().is_empty() => Some("is empty"),
            _ => None,
        };
        if let Some(wrong) = wrong {
            self.findings.add(at, format!("{} {wrong}", file.display()));
            return None;
        }
        Some(Secret::new(trimmed))
    }

    /// Puts the directory of the credentials where the path names it. Whether the path can be used.
    fn expand(&mut self, at: &str, file: &mut PathBuf) -> bool {
        let text = file.to_string_lossy();
        let Some(name) = text.strip_prefix(CREDENTIALS) else {
            if text.contains("${") {
                self.findings.add(at, format!("only {CREDENTIALS} is expanded, and only at the beginning"));
                return false;
            }
            return true;
        };
        let name = name.trim_start_matches('/');
        let plain = !name.is_empty() && !name.contains(['/', '$']) && name != "..";
        match self.credentials {
            Some(directory) if plain => {
                *file = directory.join(name);
                true
            }
            Some(_) => {
                self.findings.add(at, format!("write {CREDENTIALS}/name, as LoadCredential=name:… has it"));
                false
            }
            None => {
                self.findings
                    .add(at, "CREDENTIALS_DIRECTORY is not set: systemd sets it for a service with LoadCredential=");
                false
            }
        }
    }

    /// Opens a file that only its owner may read.
    fn open(&mut self, at: &str, file: &Path) -> Option<fs::File> {
        let opened = fs::metadata(file).and_then(|metadata| {
            // A pipe would wait for a writer.
            if metadata.is_file() { fs::File::open(file) } else { Err(io::Error::other("not a file")) }
        });
        let checked = opened.and_then(|opened| opened.metadata().map(|metadata| (opened, metadata)));
        match checked {
            Ok((opened, metadata)) => match self.breach(file, &metadata) {
                None => return Some(opened),
                Some(breach) => self.findings.add(at, breach),
            },
            Err(error) => self.findings.add(at, cannot_be_read(file, &error)),
        }
        None
    }

    /// How a file is open to others than its owner. Its group may read a file of root's, so that a service can be let
    /// in, and a credential of systemd's, whose access list shows as the group's permission.
    fn breach(&self, file: &Path, metadata: &fs::Metadata) -> Option<String> {
        let mode = metadata.permissions().mode() & 0o777;
        let credential = self.credentials.is_some_and(|directory| file.starts_with(directory));
        let let_in = if metadata.uid() == 0 || credential { 0o040 } else { 0 };
        (mode & 0o077 & !let_in != 0).then(|| {
            format!(
                "{} has the permissions {mode:04o}, so that others than its owner can use it: chmod 0600 (or root's with 0640 \
                 and the service's group; systemd credentials are 0400)",
                file.display()
            )
        })
    }
}

fn cannot_be_read(file: &Path, error: &io::Error) -> String {
    format!("{} cannot be read: {error}", file.display())
}
