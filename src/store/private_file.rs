//! Files that nobody but their owner may read, and directories whose entries survive a crash.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Makes the file, readable and writable by its owner alone. An existing file is left as it is: `AlreadyExists`.
pub fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// Makes the entry of `path` in its directory durable.
pub fn sync_directory_of(path: &Path) -> io::Result<()> {
    directory_of(path)?.sync_all()
}

/// Waits until no other process prepares a file in the directory of `path`; they wait until the answer is dropped.
pub fn lock_directory_of(path: &Path) -> io::Result<File> {
    let directory = directory_of(path)?;
    directory.lock()?;
    Ok(directory)
}

fn directory_of(path: &Path) -> io::Result<File> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or_else(|| Path::new(".")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_made_file_is_its_owners_alone_and_is_not_made_twice() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        create(&path).expect("made");
        sync_directory_of(&path).expect("synced");
        assert_eq!(path.metadata().expect("metadata").permissions().mode() & 0o777, 0o600);
        assert_eq!(create(&path).map_err(|error| error.kind()).err(), Some(io::ErrorKind::AlreadyExists));
    }
}
