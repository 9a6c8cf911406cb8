//! Secrets in files: how they are named, and who may read them.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::super::{
    Config, Problems,
    files::{self, ApiKeyFile},
};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("permissions");
        path
    }

    /// Loads the least that works, then `more`; the folder itself is where credentials are.
    fn load(&self, more: &str) -> Result<Config, Problems> {
        let text = format!("server.public_url = \"https://erp.example.com\"\n{more}");
        files::load(&self.file("gateway.toml", text, 0o600), Some(self.0.path()), ApiKeyFile::Needed)
    }

    fn load_with_key(&self, key: &Path) -> Result<Config, Problems> {
        self.load(&format!("erpnext.api_key_file = \"{}\"", key.display()))
    }

    #[track_caller]
    fn assert_wrong(&self, more: &str, path: &str, part: &str) {
        let problems = self.load(more).expect_err(more);
        let [problem] = problems.list.as_slice() else { panic!("{problems}") };
        assert_eq!(problem.path, path, "{problems}");
        assert!(problem.message.contains(part), "{problems}");
    }
}

#[test]
fn secrets_are_read_from_their_files_without_the_last_newline() {
    let folder = Folder::new();
    let key = folder.file("erpnext.key", "key:secret\n", 0o600);
    let secret = folder.file("shop", " two\nlines \r\n", 0o400);
    let text = format!(
        "erpnext.api_key_file = \"{}\"\n[[client]]\nid = \"shop\"\nredirect_uris = [\"https://a.example/\"]\nsecret_file = \"{}\"",
        key.display(),
        secret.display()
    );
    let config = folder.load(&text).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(config.erpnext.api_key.matches("key:secret"));
    assert!(config.client[0].to_client().secret.is_some_and(|secret| secret.matches(" two\nlines ")));
}

#[test]
fn a_systemd_credential_is_found_in_its_directory() {
    let folder = Folder::new();
    folder.file("erpnext.key", "key:secret", 0o400);
    let config = folder.load("erpnext.api_key_file = \"${CREDENTIALS_DIRECTORY}/erpnext.key\"").expect("good");
    assert!(config.erpnext.api_key.matches("key:secret"));
    assert_eq!(config.erpnext.api_key_file, folder.0.path().join("erpnext.key"));
}

#[test]
fn other_expansions_and_ways_out_of_the_directory_are_refused() {
    let folder = Folder::new();
    for name in [
        "${CREDENTIALS_DIRECTORY}/../x",
        "${CREDENTIALS_DIRECTORY}/a/b",
        "${CREDENTIALS_DIRECTORY}",
        "${CREDENTIALS_DIRECTORY}/..",
    ] {
        folder.assert_wrong(&format!("erpnext.api_key_file = \"{name}\""), "erpnext.api_key_file", "LoadCredential");
    }
    for name in ["${HOME}/x", "/run/${CREDENTIALS_DIRECTORY}/x"] {
        folder.assert_wrong(
            &format!("erpnext.api_key_file = \"{name}\""),
            "erpnext.api_key_file",
            "only ${CREDENTIALS_DIRECTORY}",
        );
    }
    let text = "server.public_url = \"https://erp.example.com\"\nerpnext.api_key_file = \"${CREDENTIALS_DIRECTORY}/k\"";
    let problems =
        files::load(&folder.file("gateway.toml", text, 0o600), None, ApiKeyFile::Needed).expect_err("no directory");
    assert!(problems.list[0].message.contains("CREDENTIALS_DIRECTORY is not set"), "{problems}");
}

#[test]
fn a_secret_that_others_can_use_is_refused() {
    let folder = Folder::new();
    for mode in [0o644, 0o604, 0o620, 0o602, 0o660, 0o601] {
        let key = folder.file("erpnext.key", "key:secret", mode);
        let problems = folder.load_with_key(&key).expect_err("open to others");
        assert_eq!(problems.list[0].path, "erpnext.api_key_file");
        assert!(
            problems.list[0].message.contains(&format!("{mode:04o}")) && problems.list[0].message.contains("chmod"),
            "{problems}"
        );
    }
    for mode in [0o600, 0o400, 0o440, 0o640] {
        // The folder is where systemd's credentials are: there the group's permission is an access list's mask.
        let key = folder.file("erpnext.key", "key:secret", mode);
        assert!(folder.load_with_key(&key).is_ok(), "{mode:o}");
    }
}

#[test]
fn the_group_may_read_what_is_root_s_and_nothing_else() {
    let (folder, elsewhere) = (Folder::new(), Folder::new());
    let key = elsewhere.file("erpnext.key", "key:secret", 0o640);
    // Whose the file is decides; the tests run as root and as another user.
    let owner_is_root = std::os::unix::fs::MetadataExt::uid(&fs::metadata(&key).expect("the file")) == 0;
    assert_eq!(folder.load_with_key(&key).is_ok(), owner_is_root);
    if owner_is_root {
        std::os::unix::fs::chown(&key, Some(12_345), None).expect("root may");
        assert!(folder.load_with_key(&key).is_err());
    }
}

#[test]
fn a_configuration_that_holds_a_secret_is_a_secret_file() {
    let folder = Folder::new();
    let text = "server.public_url = \"https://erp.example.com\"\nerpnext.api_key = \"key:secret\"";
    let problems =
        files::load(&folder.file("open.toml", text, 0o644), None, ApiKeyFile::Needed).expect_err("open to others");
    assert_eq!(problems.list[0].path, "erpnext.api_key");
    assert!(!problems.to_string().contains("key:secret"), "{problems}");
    assert!(files::load(&folder.file("closed.toml", text, 0o600), None, ApiKeyFile::Needed).is_ok());
}

#[test]
fn a_missing_empty_huge_or_binary_secret_is_refused() {
    let folder = Folder::new();
    for (name, content, part) in [
        ("empty", Vec::new(), "is empty"),
        ("newline", b"\n".to_vec(), "is empty"),
        ("huge", vec![b'a'; 70_000], "longer than any secret"),
        ("binary", vec![0xff, 0xfe], "cannot be read"),
        ("half", b"key".to_vec(), "key:secret"),
        ("halves", b"key:".to_vec(), "key:secret"),
    ] {
        let file = folder.file(name, content, 0o600);
        folder.assert_wrong(&format!("erpnext.api_key_file = \"{}\"", file.display()), "erpnext.api_key_file", part);
    }
    folder.assert_wrong(
        "erpnext.api_key_file = \"/nowhere/key\"",
        "erpnext.api_key_file",
        "/nowhere/key cannot be read",
    );
    let directory = folder.0.path().display();
    folder.assert_wrong(&format!("erpnext.api_key_file = \"{directory}\""), "erpnext.api_key_file", "not a file");
}

#[test]
fn a_secret_is_given_once() {
    let folder = Folder::new();
    let key = folder.file("erpnext.key", "key:secret", 0o600);
    let both = format!("erpnext.api_key = \"key:secret\"\nerpnext.api_key_file = \"{}\"", key.display());
    folder.assert_wrong(&both, "erpnext.api_key", "not both");
}

#[test]
fn key_files_of_tls_and_store_are_looked_at() {
    let folder = Folder::new();
    let tls =
        "erpnext.api_key = \"k:s\"\n[server.tls]\ncertificate_file = \"/nowhere/cert\"\nkey_file = \"/nowhere/key\"";
    let problems = folder.load(tls).expect_err("no files");
    let paths: Vec<_> = problems.list.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["server.tls.certificate_file", "server.tls.key_file"]);
    let key = folder.file("secret.key", [7; 32], 0o644);
    let text = format!("erpnext.api_key = \"k:s\"\nstore.secret_key_file = \"{}\"", key.display());
    folder.assert_wrong(&text, "store.secret_key_file", "chmod");
    // What is not there is made at the first start.
    assert!(folder.load("erpnext.api_key = \"k:s\"\nstore.secret_key_file = \"/nowhere/secret.key\"").is_ok());
}

#[test]
fn a_key_that_is_still_to_be_made_may_be_missing_or_empty_and_nothing_else() {
    let folder = Folder::new();
    let load = |key: &Path| {
        let text =
            format!("server.public_url = \"https://erp.example.com\"\nerpnext.api_key_file = \"{}\"", key.display());
        files::load(&folder.file("gateway.toml", text, 0o600), None, ApiKeyFile::MayBeMissing)
    };
    for unmade in [folder.0.path().join("missing"), folder.file("empty", "", 0o640)] {
        let config = load(&unmade).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(config.erpnext.api_key.matches(""));
    }
    let made = load(&folder.file("made", "key:secret\n", 0o600)).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(made.erpnext.api_key.matches("key:secret"));
    assert!(load(&folder.file("open", "key:secret\n", 0o644)).is_err());
    assert!(load(&folder.file("junk", "junk\n", 0o600)).is_err());
}

#[test]
fn a_secret_that_no_key_names_is_read_as_strictly() {
    let folder = Folder::new();
    let read = |file: &Path| files::secret("--admin-key-file", file, None);
    assert!(read(&folder.file("key", "k:s\n", 0o600)).is_ok_and(|secret| secret.matches("k:s")));
    let problems = read(&folder.file("open", "k:s\n", 0o644)).expect_err("open to others").to_string();
    assert!(problems.contains("--admin-key-file: ") && problems.contains("chmod 0600"), "{problems}");
    assert!(read(&folder.0.path().join("missing")).is_err());
}

#[test]
fn a_logo_is_read_from_its_file_and_must_be_an_image() {
    let folder = Folder::new();
    let key = folder.file("erpnext.key", "key:secret\n", 0o600);
    let with =
        |logo: &Path| format!("erpnext.api_key_file = \"{}\"\npages.logo_file = \"{}\"", key.display(), logo.display());
    let svg = folder.file("logo.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>", 0o644);
    let config = folder.load(&with(&svg)).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.pages.logo.expect("a logo").media_type, "image/svg+xml");
    for (name, bytes, part) in [
        ("page.html", b"<html>".to_vec(), "no PNG"),
        ("empty.png", Vec::new(), "no PNG"),
        ("large.png", [&b"\x89PNG\r\n\x1a\n"[..], &vec![0; 64 * 1024]].concat(), "more than 64 KiB"),
    ] {
        let file = folder.file(name, bytes, 0o644);
        folder.assert_wrong(&with(&file), "pages.logo_file", part);
    }
    folder.assert_wrong(&with(&folder.0.path().join("missing.png")), "pages.logo_file", "cannot be read");
    folder.assert_wrong(&with(folder.0.path()), "pages.logo_file", "not a file");
    for (name, part) in [(" ", "one line"), ("a\\nb", "one line"), ("x".repeat(81).as_str(), "at most 80")] {
        folder.assert_wrong(&format!("{}\npages.site_name = \"{name}\"", with(&svg)), "pages.site_name", part);
    }
    folder.assert_wrong(&format!("{}\npages.colour = \"red\"", with(&svg)), "pages.colour", "#rrggbb");
}
