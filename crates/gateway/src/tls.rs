//! TLS of a port: who the server is, which clients it takes, and how both are replaced while it runs.
//!
//! Nothing here watches files or waits for signals: whoever does that asks for the files and tells when to read them
//! again.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::RwLock;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, RootCertStore, ServerConfig,
        crypto::{CryptoProvider, ring},
        pki_types::{
            CertificateDer, PrivateKeyDer,
            pem::{self, PemObject},
        },
        server::{WebPkiClientVerifier, danger::ClientCertVerifier},
        version::{TLS12, TLS13},
    },
};
use weir_domain::ErrorKind;

/// The name of HTTP/2 in the handshake (ALPN, RFC 9113, section 3.2).
pub(crate) const ALPN_HTTP2: &[u8] = b"h2";
/// The name of HTTP/1.1 in the handshake (ALPN, RFC 7301, section 6).
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// The files of a port with TLS, all in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    /// The certificate of the server, followed by those of its issuers.
    pub certificate: PathBuf,
    /// The private key that belongs to the certificate, without a password.
    pub key: PathBuf,
    /// The certificates of those who issue certificates to clients: where they are given, a client without a
    /// certificate of theirs is refused.
    pub client_ca: Option<PathBuf>,
}

/// TLS of a port: a handle, cheap to clone.
#[derive(Clone)]
pub struct Tls {
    shared: Arc<Shared>,
}

struct Shared {
    options: TlsOptions,
    present: RwLock<Present>,
}

/// What new connections are given.
struct Present {
    material: Material,
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// Where a file cannot be read or is not what it should be, or the key does not belong to the certificate.
    pub fn load(options: TlsOptions) -> Result<Self, TlsError> {
        let material = Material::read(&options)?;
        let config = material.config(&options)?;
        let present = RwLock::new(Present { material, config });
        Ok(Self { shared: Arc::new(Shared { options, present }) })
    }

    /// Reads the files again, and tells whether there was anything new in them.
    ///
    /// New connections are given what is new; those that stand go on with what they have. It waits for the disk.
    ///
    /// # Errors
    /// As [`load`](Self::load); then everything stays as it was. Between the replacement of a certificate and that of
    /// its key this is to be expected, and the next call succeeds.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let Shared { options, present } = &*self.shared;
        let material = Material::read(options)?;
        if present.read().material == material {
            return Ok(false);
        }
        let config = material.config(options)?;
        *present.write() = Present { material, config };
        Ok(true)
    }

    /// Returns what accepts a connection with what the files said last.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.shared.present.read().config).into()
    }

    /// Returns the files, for whoever watches them.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let TlsOptions { certificate, key, client_ca } = &self.shared.options;
        [certificate, key].into_iter().chain(client_ca).map(PathBuf::as_path)
    }
}

impl fmt::Debug for Tls {
    /// Shows the names of the files, and nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.shared.options).finish()
    }
}

/// What the files say. Kept beside the configuration made of it, which cannot be compared.
#[derive(PartialEq, Eq)]
struct Material {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    client_issuers: Option<Vec<CertificateDer<'static>>>,
}

impl Material {
    fn read(options: &TlsOptions) -> Result<Self, TlsError> {
        let chain = certificates(&options.certificate)?;
        let key = key(&options.key)?;
        let client_issuers = options.client_ca.as_deref().map(certificates).transpose()?;
        Ok(Self { chain, key, client_issuers })
    }

    fn config(&self, options: &TlsOptions) -> Result<Arc<ServerConfig>, TlsError> {
        // Given here, because the process has no default one, and a library is not to set it.
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("ring has ciphers for both versions");
        let clients = options.client_ca.as_deref().zip(self.client_issuers.as_deref());
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some((path, issuers)) => builder.with_client_cert_verifier(verifier(path, issuers, provider)?),
        };
        let mut config =
            builder.with_single_cert(self.chain.clone(), self.key.clone_key()).map_err(|source| TlsError::Unfit {
                certificate: options.certificate.clone(),
                key: options.key.clone(),
                source: Box::new(source),
            })?;
        config.alpn_protocols = vec![ALPN_HTTP2.to_vec(), ALPN_HTTP1.to_vec()];
        Ok(Arc::new(config))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Unreadable { path: path.to_owned(), source })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|source| TlsError::Malformed { path: path.to_owned(), source })?;
    if found.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(found)
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|source| match source {
        pem::Error::NoItemsFound => TlsError::NoKey { path: path.to_owned() },
        source => TlsError::Malformed { path: path.to_owned(), source },
    })
}

fn verifier(
    path: &Path,
    issuers: &[CertificateDer<'static>],
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for issuer in issuers {
        roots
            .add(issuer.clone())
            .map_err(|source| TlsError::UnfitClientCa { path: path.to_owned(), source: Box::new(source) })?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    Ok(builder.build().expect("there is an issuer, and no list of revocations that could be wrong"))
}

/// What is wrong with the files of a port with TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{path} cannot be read: check that it exists and that the server may read it")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A file is not in PEM.
    #[error("{path} is not in PEM: give it base64 between lines with BEGIN and END")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What cannot be understood.
        #[source]
        source: pem::Error,
    },
    /// A file has no certificate.
    #[error("{path} has no certificate: give it one in PEM, which begins with BEGIN CERTIFICATE")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A file has no private key.
    #[error("{path} has no private key: give it one in PEM, without a password, which begins with BEGIN PRIVATE KEY")]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// A certificate and a key cannot be used, or not together.
    #[error("the certificate in {certificate} cannot be used with the key in {key}: give the key that belongs to it")]
    Unfit {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why not.
        #[source]
        source: Box<rustls::Error>,
    },
    /// A certificate cannot be that of an issuer.
    #[error("{path} has a certificate that cannot check clients: give it the certificates of their issuers")]
    UnfitClientCa {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Box<rustls::Error>,
    },
}

impl TlsError {
    /// Tells what the reader must do next.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreadable { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => ErrorKind::NotFound,
                io::ErrorKind::PermissionDenied => ErrorKind::Denied,
                _ => ErrorKind::Unavailable { retry_after: None },
            },
            Self::Malformed { .. }
            | Self::NoCertificate { .. }
            | Self::NoKey { .. }
            | Self::Unfit { .. }
            | Self::UnfitClientCa { .. } => ErrorKind::Invalid,
        }
    }
}
