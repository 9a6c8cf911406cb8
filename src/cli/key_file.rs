//! The file of the ERPNext account's key: read by the configuration, written and removed by `setup-erpnext`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::secret::Secret;

/// A file beside the key's, to take its place when it is whole. Made before there is a key: a key that could not be
/// written would be lost.
pub(super) struct NewKeyFile {
    path: PathBuf,
    beside: PathBuf,
    file: File,
    placed: bool,
}

impl NewKeyFile {
    /// Makes it, with the owner and the permissions of the file that it will replace; 0600 if there is none.
    pub(super) fn beside(path: &Path) -> io::Result<Self> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        // One that was left behind by a command that was cut off.
        fs::remove_file(&beside).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        let new = Self { path: path.to_owned(), beside, file, placed: false };
        if let Ok(old) = fs::metadata(path) {
            fchown(&new.file, Some(old.uid()), Some(old.gid()))?;
            new.file.set_permissions(fs::Permissions::from_mode(old.permissions().mode() & 0o640))?;
        }
        Ok(new)
    }

    /// Writes the key, and puts the file into its place.
    pub(super) fn place(mut self, key: &Secret) -> io::Result<()> {
        self.file.write_all(key.expose().as_bytes())?;
        self.file.write_all(b"\n")?;
        self.file.sync_all()?;
        fs::rename(&self.beside, &self.path)?;
        self.placed = true;
        let folder = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
    }
}

impl Drop for NewKeyFile {
    fn drop(&mut self) {
        if !self.placed {
            // What can't be removed holds no key.
            let _ = fs::remove_file(&self.beside);
        }
    }
}

/// Whether the file holds this key.
pub(super) fn holds(path: &Path, key: &Secret) -> bool {
    fs::read_to_string(path).map(Zeroizing::new).is_ok_and(|text| key.matches(text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_its_owners_alone_and_a_replaced_one_keeps_its_permissions() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("erpnext.key");
        let mode = || fs::metadata(&path).expect("the file").permissions().mode() & 0o777;
        NewKeyFile::beside(&path).expect("made").place(&Secret::new("k:1")).expect("placed");
        assert_eq!(mode(), 0o600);
        assert!(holds(&path, &Secret::new("k:1")));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("permissions");
        NewKeyFile::beside(&path).expect("made").place(&Secret::new("k:2")).expect("placed");
        assert_eq!((mode(), fs::read_to_string(&path).expect("text").as_str()), (0o640, "k:2\n"));
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn a_file_that_is_not_placed_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("erpnext.key");
        fs::write(folder.path().join("erpnext.key.new"), "left behind").expect("written");
        drop(NewKeyFile::beside(&path).expect("made"));
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
        assert!(NewKeyFile::beside(&folder.path().join("nowhere").join("key")).is_err());
    }
}
