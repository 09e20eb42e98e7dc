//! Who is let in: what the settings name, read and put together for the door.

use std::{fs::File, io::Read, path::Path, pin::Pin, sync::Arc, time::Duration};

use anyhow::Context;
use http::Uri;
use http_body_util::{BodyExt, Limited};
use weir_catalog::Catalog;
use weir_domain::error_chain;
use weir_gateway::{
    Algorithm, AuthOptions, FetchKeys, JwtOptions, KeyRefresher, Keys, OperatorToken, Rate, RateOptions,
};

use crate::{
    app::Plan,
    cli::output::Failure,
    https::{self, HttpsClient, Times},
    settings::{AuthMode, AuthSettings, RateSettings, Settings},
};

/// The largest file of keys or of a token, and the largest answer with keys, in bytes.
const TEXT_BYTES_MAX: u64 = 256 * 1024;

/// Of the connections by which keys are fetched, which is seldom.
const TIMES: Times = Times { connect_max: Duration::from_secs(5), idle_max: Duration::from_secs(5) };

/// Refuses to let in everybody from everywhere, unless that is wanted.
///
/// # Errors
/// Where other machines reach a server that asks nobody who they are.
pub(crate) fn check_reach(settings: &Settings, insecure: bool) -> Result<(), Failure> {
    if settings.host.is_loopback() || settings.auth.mode == AuthMode::Required || insecure {
        return Ok(());
    }
    Err(Failure::invalid(format!(
        "other machines reach {}, and whoever reaches the server may do everything: set auth.mode to required, \
         or start with --insecure where something in front of the server keeps others out",
        settings.host
    )))
}

/// Says in the log that everybody is let in, where other machines reach the server: when that was wanted, and in the place
/// of the Event Gateway, whose clients have no token that they could show.
pub(crate) fn warn_if_open(settings: &Settings) {
    if !settings.host.is_loopback() && settings.auth.mode == AuthMode::Off {
        tracing::warn!(
            host = %settings.host,
            "auth.mode is off, and whoever reaches the server may do everything: set it to required, or let something in \
             front of the server keep others out"
        );
    }
}

/// Refuses a start after which nobody could do anything.
///
/// # Errors
/// Where callers are asked for a token and there is none.
pub(crate) fn check_somebody(auth: Option<&AuthOptions>, catalog: &Catalog) -> Result<(), Failure> {
    let is_closed = auth.is_some_and(|auth| auth.operator.is_none() && auth.jwt.is_none());
    if is_closed && catalog.tokens().len() == 0 {
        return Err(Failure::invalid(
            "auth.mode is required, but there is no token that could be shown: name a file with one as \
             auth.admin_token_file, or run the server with auth.mode off on 127.0.0.1 and make one with \
             `weir token create --scope admin`",
        ));
    }
    Ok(())
}

/// Adds to the plan of a server who is let in, and how often.
///
/// # Errors
/// Where a file cannot be read, or is not what it should be.
pub(crate) fn guarded(mut plan: Plan, settings: &Settings) -> anyhow::Result<Plan> {
    plan.gateway.rates = rates(&settings.rates);
    if settings.auth.mode == AuthMode::Required {
        let (jwt, keys) = jwt(&settings.auth)?.unzip();
        let operator = settings.auth.admin_token_file.as_deref().map(operator).transpose()?;
        plan.gateway.auth = Some(AuthOptions { operator, jwt });
        plan.keys = keys.flatten();
    }
    // A page whose name resolves to this machine would else be as good as its user. Whoever names the server means the
    // same for one that other machines reach.
    let is_named = settings.allowed_hosts.is_some();
    plan.gateway.local_names_only = settings.auth.mode == AuthMode::Off && (settings.host.is_loopback() || is_named);
    plan.gateway.allowed_hosts =
        settings.allowed_hosts.iter().flat_map(|names| names.split(',')).map(str::to_owned).collect();
    Ok(plan)
}

fn rates(settings: &RateSettings) -> RateOptions {
    let rate = |per_second: u32, burst: u32| Rate::new(per_second, if burst == 0 { per_second } else { burst });
    RateOptions {
        per_token: rate(settings.requests_per_second_per_token, settings.requests_burst_per_token),
        per_space: rate(settings.requests_per_second_per_space, settings.requests_burst_per_space),
    }
}

fn operator(path: &Path) -> anyhow::Result<OperatorToken> {
    let token = OperatorToken::new(&text(path, "auth.admin_token_file")?);
    let least = OperatorToken::BYTES_MIN;
    let message = || {
        format!(
            "auth.admin_token_file: {} must hold one token of {least} characters or more, of a-z A-Z 0-9 - . _ ~ + / =; \
             make one with `openssl rand -hex 32`",
            path.display()
        )
    };
    Ok(token.ok_or_else(|| Failure::invalid(message()))?)
}

/// Returns whose JWTs are taken, and what keeps their keys up to date where those are published somewhere.
fn jwt(settings: &AuthSettings) -> anyhow::Result<Option<(JwtOptions, Option<KeyRefresher>)>> {
    let (keys, refresher) = match (&settings.jwt_keys_file, &settings.jwt_jwks_url) {
        (Some(path), _) => {
            let named = || format!("auth.jwt_keys_file: {}", path.display());
            let keys = Keys::parse(&text(path, "auth.jwt_keys_file")?);
            (keys.map_err(|error| Failure::invalid(format!("{}: {}", named(), error_chain(&error))))?, None)
        }
        (None, Some(url)) => {
            let keys = Keys::default();
            let source = Published::new(url.parse().context("auth.jwt_jwks_url is no URL")?);
            (keys.clone(), Some(KeyRefresher::new(keys, Arc::new(source))))
        }
        (None, None) => return Ok(None),
    };
    let options = JwtOptions {
        keys,
        algorithms: settings.jwt_algorithms.split(',').filter_map(Algorithm::parse).collect(),
        // The settings are refused without them.
        issuer: settings.jwt_issuer.clone().unwrap_or_default(),
        audience: settings.jwt_audience.clone().unwrap_or_default(),
        leeway: Duration::from_secs(settings.jwt_leeway_s),
    };
    Ok(Some((options, refresher)))
}

fn text(path: &Path, setting: &str) -> anyhow::Result<String> {
    let failed = || format!("{setting}: {} cannot be read", path.display());
    let mut text = String::new();
    let length = File::open(path).and_then(|file| file.take(TEXT_BYTES_MAX + 1).read_to_string(&mut text));
    if length.with_context(failed)? as u64 > TEXT_BYTES_MAX {
        let message = format!("{setting}: {} has more than {TEXT_BYTES_MAX} bytes", path.display());
        return Err(Failure::invalid(message).into());
    }
    Ok(text)
}

/// Keys that are published at a URL.
struct Published {
    url: Uri,
    http: HttpsClient,
}

impl Published {
    fn new(url: Uri) -> Self {
        Self { url, http: https::client(None, TIMES) }
    }

    async fn text(&self) -> Result<String, String> {
        let url = &self.url;
        let response = self.http.get(url.clone()).await.map_err(|error| format!("{url}: {}", error_chain(&error)))?;
        if !response.status().is_success() {
            return Err(format!("{url} answers {}", response.status()));
        }
        let body = Limited::new(response.into_body(), TEXT_BYTES_MAX as usize).collect().await;
        let body = body.map_err(|error| format!("{url}: {}", error_chain(&*error)))?.to_bytes();
        String::from_utf8(body.into()).map_err(|_| format!("{url} answers with what is not UTF-8"))
    }
}

impl FetchKeys for Published {
    fn fetch(&self) -> Pin<Box<dyn Future<Output = Result<String, String>> + Send + '_>> {
        Box::pin(self.text())
    }
}

#[cfg(test)]
mod tests;
