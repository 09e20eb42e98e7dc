//! TLS of the client: whom it trusts, and who it says it is.

use std::{error::Error, io, path::Path, sync::Arc};

use hyper_rustls::ConfigBuilderExt;
use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
};
use weir_domain::ErrorKind;

use crate::cli::output::Failure;

/// The files of a client, all in PEM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TlsFiles<'a> {
    /// Who issues the certificates of servers that are trusted; without it, Mozilla's list.
    pub(crate) ca: Option<&'a Path>,
    /// The certificate of the client, followed by those of its issuers, and the key that belongs to it.
    pub(crate) identity: Option<(&'a Path, &'a Path)>,
}

/// Makes what the files say. Mozilla's list is part of the program: only what was named is read from the machine.
///
/// # Errors
/// Where a file cannot be read or is not what it should be, or the key does not belong to the certificate.
pub(super) async fn config(files: TlsFiles<'_>) -> Result<ClientConfig, Failure> {
    let builder = match files.ca {
        None => builder().with_webpki_roots(),
        Some(path) => builder().with_root_certificates(roots(path).await?),
    };
    let Some((certificate, key)) = files.identity else { return Ok(builder.with_no_client_auth()) };
    builder.with_client_auth_cert(certificates(certificate).await?, self::key(key).await?).map_err(|error| {
        let (certificate, key) = (certificate.display(), key.display());
        Failure::invalid(format!(
            "the certificate in {certificate} cannot be used with the key in {key}: give the key that belongs to it: \
             {error}"
        ))
    })
}

fn builder() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    // Given here, because the process has no default one.
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has ciphers for all versions")
}

async fn roots(path: &Path) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    for issuer in certificates(path).await? {
        roots.add(issuer).map_err(|error| {
            let path = path.display();
            Failure::invalid(format!(
                "{path} has a certificate that cannot check servers: give it an issuer's: {error}"
            ))
        })?;
    }
    Ok(roots)
}

async fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let bytes = read(path).await?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err(without(path, "certificate", "BEGIN CERTIFICATE")),
        Ok(found) => Ok(found),
        Err(error) => Err(malformed(path, &error)),
    }
}

async fn key(path: &Path) -> Result<PrivateKeyDer<'static>, Failure> {
    PrivateKeyDer::from_pem_slice(&read(path).await?).map_err(|error| match error {
        pem::Error::NoItemsFound => without(path, "private key without a password", "BEGIN PRIVATE KEY"),
        error => malformed(path, &error),
    })
}

async fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    tokio::fs::read(path).await.map_err(|error| {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied => ErrorKind::Denied,
            _ => ErrorKind::Invalid,
        };
        Failure::new(kind, format!("{} cannot be read: {error}", path.display()))
    })
}

fn without(path: &Path, what: &str, beginning: &str) -> Failure {
    Failure::invalid(format!("{} has no {what}: give it one in PEM, which begins with {beginning}", path.display()))
}

fn malformed(path: &Path, error: &pem::Error) -> Failure {
    let path = path.display();
    Failure::invalid(format!("{path} is not in PEM: give it base64 between lines with BEGIN and END: {error}"))
}

/// Finds what TLS says among the causes of an error.
pub(super) fn failure<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let mut cause: Option<&'e (dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        // What an error of input and output was made of is not its source: that would be the source of this.
        cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(within) => Some(within as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}
