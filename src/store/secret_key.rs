//! The file that holds the secret key: one line of base64, 32 random bytes, readable by its owner alone.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use zeroize::Zeroizing;

use super::private_file;
use crate::{
    random::{OsRandom, Random},
    secret::SecretKey,
};

/// What a key's file may hold at most: the line itself is 45 bytes.
const MOST_BYTES: usize = 256;

/// Why there is no secret key.
#[derive(Debug, thiserror::Error)]
pub enum SecretKeyError {
    /// The file can't be read, or not be made.
    #[error("the secret key file {} can't be used: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Others than the owner may read or change it.
    #[error(
        "the secret key file {0} has mode {mode:03o}, so that others than its owner may use it: run `chmod 600 {0}`",
        path.display()
    )]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It holds something else than a key.
    #[error(
        "the secret key file {} does not hold 32 bytes in base64: restore it from a backup; a store that was made with \
         the lost key can't be opened with a new one",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

/// Reads the key; where there is no file, makes one with a fresh key. An existing file is never written to.
///
/// # Errors
/// [`SecretKeyError`] says what is wrong with the file, and what to do about it.
pub fn load_or_make(path: &Path) -> Result<SecretKey, SecretKeyError> {
    let failed = |source| SecretKeyError::Io { path: path.to_owned(), source };
    match File::open(path) {
        Ok(file) => load(path, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(path).map_err(failed)?;
            // Read back in any case: of two processes that start together, one has made it.
            load(path, File::open(path).map_err(failed)?)
        }
        Err(error) => Err(failed(error)),
    }
}

fn load(path: &Path, file: File) -> Result<SecretKey, SecretKeyError> {
    let failed = |source| SecretKeyError::Io { path: path.to_owned(), source };
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretKeyError::OpenToOthers { path: path.to_owned(), mode });
    }
    // Large enough from the start: growing would leave copies behind.
    let mut line = Zeroizing::new(Vec::with_capacity(2 * MOST_BYTES));
    file.take(MOST_BYTES as u64).read_to_end(&mut line).map_err(failed)?;
    let decoded = STANDARD.decode(line.trim_ascii()).map(Zeroizing::new).ok();
    let bytes = decoded.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
    bytes.map(SecretKey::new).ok_or_else(|| SecretKeyError::Malformed { path: path.to_owned() })
}

/// Writes a fresh key beside `path` and links it there when it is whole and durable: nobody ever reads half a key, and
/// a file that is there already stays.
fn make(path: &Path) -> io::Result<()> {
    let random: &dyn Random = &OsRandom;
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", URL_SAFE_NO_PAD.encode(random.bytes::<9>())));
    let beside = PathBuf::from(beside);
    let outcome = write_key(&beside, &Zeroizing::new(random.bytes::<32>())).and_then(|()| fs::hard_link(&beside, path));
    fs::remove_file(&beside)?;
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => private_file::sync_directory_of(path),
    }
}

fn write_key(path: &Path, key: &[u8; 32]) -> io::Result<()> {
    let mut line = Zeroizing::new(String::with_capacity(MOST_BYTES));
    STANDARD.encode_string(key, &mut line);
    line.push('\n');
    let mut file = private_file::create(path)?;
    file.write_all(line.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use tempfile::TempDir;

    use super::*;

    fn key_file() -> (TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("secret.key");
        (directory, path)
    }

    fn holding(text: &str, mode: u32) -> (TempDir, PathBuf) {
        let (directory, path) = key_file();
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("permissions");
        (directory, path)
    }

    #[test]
    fn a_made_key_is_read_back_and_leaves_one_file_of_its_owner() {
        let (directory, path) = key_file();
        let made = load_or_make(&path).expect("made");
        assert_eq!(load_or_make(&path).expect("loaded").expose(), made.expose());
        assert_eq!(path.metadata().expect("metadata").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1);
    }

    #[test]
    fn processes_that_start_together_get_the_same_key() {
        let (_directory, path) = key_file();
        let keys: Vec<_> = thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| load_or_make(&path).expect("a key"))).collect();
            starts.into_iter().map(|start| *start.join().expect("no panic").expose()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]), "eight starts, one key");
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_with_what_to_do() {
        for mode in [0o640, 0o604, 0o660] {
            let (_directory, path) = holding(&STANDARD.encode([7; 32]), mode);
            let error = load_or_make(&path).expect_err("refused");
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn a_wrong_length_and_junk_are_refused_and_stay_as_they_are() {
        for text in ["", "junk!", &STANDARD.encode([7; 31]), &STANDARD.encode([7; 33]), &"A".repeat(5000)] {
            let (_directory, path) = holding(text, 0o600);
            assert!(matches!(load_or_make(&path), Err(SecretKeyError::Malformed { .. })), "{text:?}");
            assert_eq!(fs::read_to_string(&path).expect("still there"), text);
        }
    }

    #[test]
    fn a_missing_directory_is_an_error_that_names_the_file() {
        let (_directory, path) = key_file();
        let error = load_or_make(&path.join("below")).map(|_| ()).expect_err("no such directory");
        assert!(error.to_string().contains("secret.key"), "{error}");
    }
}
