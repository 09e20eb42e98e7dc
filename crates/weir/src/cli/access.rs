//! How a command speaks to a server: whom it trusts, and what it shows, so that the server knows who asks.

use std::{fs, path::PathBuf};

use anyhow::Context;
use clap::Args;
use http::HeaderValue;

use crate::{
    cli::output::Failure,
    client::{BaseUrl, Client, TlsFiles},
    settings,
};

/// Flags of every command that speaks to a server.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AccessArgs {
    /// TLS with the server.
    #[command(flatten)]
    pub(super) tls: TlsArgs,
    /// A file with the token that is shown to the server [default: WEIR_TOKEN in the environment]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// TLS with an address that begins with `https://`.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct TlsArgs {
    /// Trust a server whose certificate is of these issuers (PEM) [default: Mozilla's list]
    #[arg(long, value_name = "FILE")]
    ca_cert: Option<PathBuf>,
    /// Show the server this certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// The private key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
}

impl TlsArgs {
    /// Returns the files that were given.
    pub(super) fn files(&self) -> TlsFiles<'_> {
        TlsFiles { ca: self.ca_cert.as_deref(), identity: self.client_cert.as_deref().zip(self.client_key.as_deref()) }
    }
}

impl AccessArgs {
    /// Makes a client that shows the token of the file, else that of the environment, else none.
    ///
    /// # Errors
    /// Where a file cannot be read, what is in it can be no token, or the files of TLS cannot be used.
    pub(crate) async fn client(&self, base: &BaseUrl) -> anyhow::Result<Client> {
        let client = Client::new(base.clone(), self.tls.files()).await?;
        let (text, origin) = match &self.token_file {
            Some(path) => {
                let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
                (text, path.display().to_string())
            }
            None => match settings::token_variable() {
                Some(text) => (text.to_string_lossy().into_owned(), "WEIR_TOKEN".to_owned()),
                None => return Ok(client),
            },
        };
        let value = HeaderValue::try_from(format!("Bearer {}", text.trim())).ok().filter(|_| !text.trim().is_empty());
        let mut value = value.ok_or_else(|| Failure::invalid(format!("{origin} must hold one token on one line")))?;
        value.set_sensitive(true);
        Ok(client.with_authorization(value))
    }
}
