//! Looks after the files of the certificate: what an ACME client renews is shown without a signal.

use std::{fs, path::Path, sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};

use super::tls::{Certificate, TlsFiles};

/// Between two looks at the files.
const INTERVAL: Duration = Duration::from_secs(5);

/// What is seen of a file without reading it; a link counts as what it leads to.
type Seen = Option<(u64, u64, u64, i64, i64)>;

/// Takes over what is new in the files until `shutdown` says so. Files that don't work, as while both are being written,
/// are read again until they do; meanwhile the certificate stays as it is.
pub(super) async fn follow(certificate: Arc<Certificate>, mut shutdown: watch::Receiver<bool>) {
    // The files may have changed since the certificate was read from them: the first look reads them in any case.
    let mut seen = None;
    let mut told = None;
    loop {
        tokio::select! {
            () = sleep(INTERVAL) => {}
            _ = shutdown.wait_for(|stop| *stop) => return,
        }
        let files = certificate.files();
        let now = Some(look(&files));
        if now == seen && told.is_none() {
            continue;
        }
        match Certificate::read(TlsFiles::clone(&files)) {
            Ok(next) => {
                if certificate.show(next) {
                    tracing::info!(file = %files.certificate.display(), "the certificate is another one");
                }
                told = None;
            }
            Err(problem) => {
                let problem = problem.to_string();
                if told.as_ref() != Some(&problem) {
                    tracing::error!("the certificate stays as it was: {problem}");
                    told = Some(problem);
                }
            }
        }
        seen = now;
    }
}

fn look(files: &TlsFiles) -> [Seen; 2] {
    [seen(&files.certificate), seen(&files.key)]
}

fn seen(path: &Path) -> Seen {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec()))
}
