//! Certificate and key for the TLS listener: read from files, kept where a reload can replace them.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

/// The files of a TLS listener.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate chain, PEM, the server's own certificate first.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

/// Certificate and key can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsProblem {
    /// A file is missing or may not be read.
    #[error("can't read {path}: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// A file has nothing of the kind in it, or isn't PEM.
    #[error("{path} has no {what} in PEM format")]
    Empty {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        what: &'static str,
    },
    /// The key isn't the certificate's, or neither can be used.
    #[error("the certificate {certificate} and the key {key} don't work together: {reason}")]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What rustls says.
        reason: rustls::Error,
    },
    /// The TLS library refuses the settings.
    #[error("TLS can't be set up: {0}")]
    Setup(rustls::Error),
}

/// The certificate in use. A handshake takes the one of its moment.
pub struct Certificate {
    files: ArcSwap<TlsFiles>,
    current: ArcSwap<CertifiedKey>,
}

/// A certificate that has been read and waits to be shown.
pub struct NextCertificate {
    files: TlsFiles,
    key: CertifiedKey,
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// They can't be read, or don't work together.
    pub fn load(files: TlsFiles) -> Result<Arc<Self>, TlsProblem> {
        let current = read(&files)?;
        Ok(Arc::new(Self { files: ArcSwap::from_pointee(files), current: ArcSwap::from_pointee(current) }))
    }

    /// The files that it is read from.
    #[must_use]
    pub fn files(&self) -> Arc<TlsFiles> {
        self.files.load_full()
    }

    /// Reads these files, for [`Self::show`].
    ///
    /// # Errors
    /// As for `load`.
    pub fn read(files: TlsFiles) -> Result<NextCertificate, TlsProblem> {
        Ok(NextCertificate { key: read(&files)?, files })
    }

    /// Shows another certificate in handshakes from now on; tells whether it is another one.
    pub fn show(&self, next: NextCertificate) -> bool {
        let is_new = self.current.load().cert != next.key.cert;
        self.files.store(Arc::new(next.files));
        self.current.store(Arc::new(next.key));
        is_new
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files.load()).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

/// The TLS settings of a listener that shows `certificate`.
///
/// # Errors
/// The library refuses them.
pub fn server_config(certificate: Arc<Certificate>, http2: bool) -> Result<Arc<ServerConfig>, TlsProblem> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsProblem::Setup)?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = if http2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] };
    // Resumption without a server-side cache that others could fill.
    config.ticketer = ring::Ticketer::new().map_err(TlsProblem::Setup)?;
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn read(files: &TlsFiles) -> Result<CertifiedKey, TlsProblem> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(|reason| pem_problem(&files.certificate, "certificate", reason))?;
    if chain.is_empty() {
        return Err(TlsProblem::Empty { path: files.certificate.clone(), what: "certificate" });
    }
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|reason| pem_problem(&files.key, "private key", reason))?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(|reason| TlsProblem::Unusable {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        reason,
    })
}

fn pem_problem(path: &Path, what: &'static str, reason: pem::Error) -> TlsProblem {
    let path = path.to_owned();
    match reason {
        pem::Error::Io(reason) => TlsProblem::Unreadable { path, reason },
        _ => TlsProblem::Empty { path, what },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn files(folder: &Path, certificate: &str, key: &str) -> TlsFiles {
        let files = TlsFiles { certificate: folder.join("chain.pem"), key: folder.join("key.pem") };
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.key, key).unwrap();
        files
    }

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_pair_is_loaded_and_can_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = pair();
        let loaded = Certificate::load(files(folder.path(), &certificate, &key)).unwrap();
        let before = loaded.current.load_full();
        let (certificate, key) = pair();
        files(folder.path(), &certificate, &key);
        assert!(loaded.show(Certificate::read(TlsFiles::clone(&loaded.files())).unwrap()));
        assert_ne!(before.cert, loaded.current.load_full().cert);
        fs::write(&loaded.files().key, "").unwrap();
        let kept = loaded.current.load_full();
        assert!(Certificate::read(TlsFiles::clone(&loaded.files())).is_err());
        assert_eq!(kept.cert, loaded.current.load_full().cert, "the old one stays");
    }

    #[test]
    fn what_is_wrong_with_the_files_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = pair();
        let problem = |files| Certificate::load(files).unwrap_err().to_string();

        let mut missing = files(folder.path(), &certificate, &key);
        missing.key = folder.path().join("absent.pem");
        assert!(problem(missing).contains("can't read"));
        assert!(problem(files(folder.path(), "no PEM at all", &key)).contains("no certificate"));
        assert!(problem(files(folder.path(), &certificate, &certificate)).contains("no private key"));
        assert!(problem(files(folder.path(), &certificate, &pair().1)).contains("don't work together"));
    }
}
