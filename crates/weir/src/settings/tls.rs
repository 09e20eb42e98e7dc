//! The files of TLS: which of them belong together, and whether they can be used.

use std::{fs, path::Path};

use weir_domain::error_chain;
use weir_gateway::{Tls, TlsError, TlsOptions};

use crate::{
    report::Fault,
    settings::{Origins, Settings},
};

/// What is set for one API.
struct Files<'a> {
    certificate: File<'a>,
    key: File<'a>,
    client_ca: File<'a>,
}

/// A setting that names a file.
#[derive(Clone, Copy)]
struct File<'a> {
    name: &'static str,
    path: Option<&'a Path>,
}

impl Settings {
    /// Returns the files of the TLS of the Events API, where it has one.
    pub(crate) fn events_tls(&self) -> Option<TlsOptions> {
        Files::of_events(self).options()
    }

    /// Returns the files of the TLS of the Configuration API, where it has one.
    pub(crate) fn config_tls(&self) -> Option<TlsOptions> {
        Files::of_configuration(self).options()
    }
}

/// Finds what is missing and what cannot be used, unless something of it is a mistake anyway.
pub(super) fn faults(settings: &Settings, origins: &Origins, faulty: &[&str]) -> Vec<Fault> {
    let apis = [Files::of_events(settings), Files::of_configuration(settings)];
    let sound = apis.iter().filter(|files| files.all().iter().all(|file| !faulty.contains(&file.name)));
    sound.flat_map(|files| files.faults(origins)).collect()
}

impl<'a> Files<'a> {
    fn of_events(settings: &'a Settings) -> Self {
        Self {
            certificate: File::new("events_tls_cert", settings.events_tls_cert.as_deref()),
            key: File::new("events_tls_key", settings.events_tls_key.as_deref()),
            client_ca: File::new("events_tls_client_ca", settings.events_tls_client_ca.as_deref()),
        }
    }

    fn of_configuration(settings: &'a Settings) -> Self {
        Self {
            certificate: File::new("config_tls_cert", settings.config_tls_cert.as_deref()),
            key: File::new("config_tls_key", settings.config_tls_key.as_deref()),
            client_ca: File::new("config_tls_client_ca", settings.config_tls_client_ca.as_deref()),
        }
    }

    fn all(&self) -> [File<'a>; 3] {
        [self.certificate, self.key, self.client_ca]
    }

    fn options(&self) -> Option<TlsOptions> {
        Some(TlsOptions {
            certificate: self.certificate.path?.to_owned(),
            key: self.key.path?.to_owned(),
            client_ca: self.client_ca.path.map(Path::to_owned),
        })
    }

    fn faults(&self, origins: &Origins) -> Vec<Fault> {
        let fault = |file: File<'_>, message: String| Fault::new(origins.get(file.name), message);
        let mut faults: Vec<Fault> = self.lonely().map(|(file, message)| fault(file, message)).collect();
        // Each of them, where the reading of all would stop at the first.
        let missing = self.all().into_iter().filter_map(|file| Some((file, file.missing()?)));
        faults.extend(missing.map(|(file, error)| fault(file, error_chain(&error))));
        if faults.is_empty()
            && let Some(options) = self.options()
            && let Err(error) = Tls::load(options)
        {
            faults.push(fault(self.meant(&error), error_chain(&error)));
        }
        faults
    }

    /// Finds what stands without what it needs.
    fn lonely(&self) -> impl Iterator<Item = (File<'a>, String)> {
        let Self { certificate, key, client_ca } = self;
        let (has_certificate, has_key) = (certificate.path.is_some(), key.path.is_some());
        let found = [
            (has_certificate && !has_key).then(|| {
                (*certificate, format!("{} needs the key that belongs to it: set {}", certificate.name, key.name))
            }),
            (has_key && !has_certificate).then(|| {
                (*key, format!("{} needs the certificate that it belongs to: set {}", key.name, certificate.name))
            }),
            (client_ca.path.is_some() && !has_certificate && !has_key).then(|| {
                let message = format!(
                    "{} asks clients for certificates, which only TLS can: set {} and {}",
                    client_ca.name, certificate.name, key.name
                );
                (*client_ca, message)
            }),
        ];
        found.into_iter().flatten()
    }

    /// Tells which file an error is about.
    fn meant(&self, error: &TlsError) -> File<'a> {
        match error {
            TlsError::NoKey { .. } => self.key,
            TlsError::UnfitClientCa { .. } => self.client_ca,
            TlsError::Unfit { .. } => self.certificate,
            TlsError::Unreadable { path, .. } | TlsError::Malformed { path, .. } | TlsError::NoCertificate { path } => {
                self.all().into_iter().find(|file| file.path == Some(path.as_path())).unwrap_or(self.certificate)
            }
        }
    }
}

impl<'a> File<'a> {
    const fn new(name: &'static str, path: Option<&'a Path>) -> Self {
        Self { name, path }
    }

    /// Returns the error of a file that is set and not there.
    fn missing(self) -> Option<TlsError> {
        let path = self.path?;
        fs::metadata(path).err().map(|source| TlsError::Unreadable { path: path.to_owned(), source })
    }
}
