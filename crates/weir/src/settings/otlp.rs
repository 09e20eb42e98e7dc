//! Where and what to export by OTLP, as it is set: here, or in the words that all programs share
//! (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>).

use std::ffi::OsString;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::{settings::Settings, telemetry};

/// Variables of OpenTelemetry that set something here, where no variable of Weir does.
pub(super) const STANDARD: [(&str, &str); 3] = [
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "otlp_endpoint"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "otlp_headers"),
    ("OTEL_SERVICE_NAME", "otlp_service_name"),
];
/// With `true`, nothing of OpenTelemetry is to run.
const DISABLED: &str = "OTEL_SDK_DISABLED";
/// How it is to be sent.
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
/// The way in which it is sent here.
const PROTOCOL_SPOKEN: &str = "http/protobuf";

/// A part of a whole, from 0 to 1, and never no number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Ratio(f64);

impl Eq for Ratio {}

impl Ratio {
    /// All of it.
    pub(super) const WHOLE: Self = Self(1.0);
}

impl Settings {
    /// Returns where and what to export, where anything is.
    ///
    /// # Errors
    /// Where what is set is no URL or no headers, which the settings would have said before.
    pub(crate) fn otlp(&self) -> Result<Option<telemetry::Options>, String> {
        let Some(endpoint) = &self.otlp_endpoint else { return Ok(None) };
        let place = |signal: &str| -> Result<Uri, String> {
            let text = format!("{}/v1/{signal}", endpoint.trim_end_matches('/'));
            text.parse().map_err(|_| "otlp_endpoint is no URL".to_owned())
        };
        Ok(Some(telemetry::Options {
            traces: place("traces")?,
            metrics: place("metrics")?,
            headers: self.otlp_headers.as_deref().map(headers).transpose()?.unwrap_or_default(),
            sample_ratio: self.otlp_sample_ratio.0,
            service_name: self.otlp_service_name.clone(),
        }))
    }
}

/// Tells whether the variables of OpenTelemetry are meant for what is sent here.
pub(super) fn is_standard_wanted(variables: &[(OsString, OsString)]) -> bool {
    let value = |wanted: &str| {
        let found = variables.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.to_string_lossy().trim().to_ascii_lowercase()).unwrap_or_default()
    };
    value(DISABLED) != "true" && ["", PROTOCOL_SPOKEN].contains(&value(PROTOCOL).as_str())
}

/// Tells whether a text is the URL of a receiver. It may be in clear text, and of any machine: a collector beside the server
/// is the usual one.
pub(super) fn is_endpoint(text: &str) -> bool {
    let Ok(url) = text.parse::<Uri>() else { return false };
    let has_host =
        url.authority().is_some_and(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'));
    matches!(url.scheme_str(), Some("http" | "https")) && has_host && url.query().is_none()
}

/// Reads `name=value` separated by commas, with percent-encoded values, as W3C Baggage has them. What is wrong is said
/// without the values, which are secrets.
pub(super) fn headers(text: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (index, pair) in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()).enumerate() {
        let place = index + 1;
        let cure = "write them as name=value,name=value, with other characters percent-encoded";
        let (name, value) = pair.split_once('=').ok_or_else(|| format!("has no = in entry {place}: {cure}"))?;
        let name = HeaderName::from_bytes(name.trim().as_bytes());
        let name = name.map_err(|_| format!("has a name that is none in entry {place}: {cure}"))?;
        let value: Vec<u8> = percent_decode_str(value.trim()).collect();
        let mut value = HeaderValue::from_bytes(&value)
            .map_err(|_| format!("has a value that cannot be sent in entry {place}: {cure}"))?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_and_their_values_are_not_told() {
        let read = headers("api-key=s3cret, x-team = a%20b%2Cc,,").expect("good");
        assert_eq!(read.get("api-key").map(HeaderValue::as_bytes), Some(&b"s3cret"[..]));
        assert_eq!(read.get("x-team").map(HeaderValue::as_bytes), Some(&b"a b,c"[..]));
        assert!(!format!("{read:?}").contains("s3cret"));
        for wrong in ["s3cret", "a b=s3cret", "a=s3cret%0A", "a=1,s3cret"] {
            let problem = headers(wrong).expect_err("wrong");
            assert!(!problem.contains("s3cret"), "{problem}");
        }
    }

    #[test]
    fn an_endpoint_is_an_absolute_url() {
        for good in ["http://collector:4318", "https://otlp.example/base/", "http://127.0.0.1:4318"] {
            assert!(is_endpoint(good), "{good}");
        }
        for wrong in ["collector:4317", "grpc://collector:4317", "http://", "/v1", "http://me:pw@a/", "http://a/?k=v"] {
            assert!(!is_endpoint(wrong), "{wrong}");
        }
    }
}
