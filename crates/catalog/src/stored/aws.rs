//! The stored form of a function at AWS. It came with version 2, because a reader of version 1 does not know the kind.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::StoredError;
use crate::{AwsCredentials, AwsFunction, AwsService, CloudEventsVersion};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Aws<'a> {
    service: Cow<'a, str>,
    target: Cow<'a, str>,
    region: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credentials: Option<Credentials<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<Cow<'a, str>>,
    timeout_ms: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cloud_events_version: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credentials<'a> {
    access_key_id: Cow<'a, str>,
    secret_access_key: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_token: Option<Cow<'a, str>>,
}

impl<'a> From<&'a AwsFunction> for Aws<'a> {
    fn from(it: &'a AwsFunction) -> Self {
        let credentials = it.credentials.as_ref().map(|it| Credentials {
            access_key_id: it.access_key_id.as_str().into(),
            secret_access_key: it.secret_access_key.as_str().into(),
            session_token: it.session_token.as_deref().map(Cow::Borrowed),
        });
        Self {
            service: it.service.name().into(),
            target: it.target.as_str().into(),
            region: it.region.as_str().into(),
            credentials,
            endpoint: it.endpoint.as_deref().map(Cow::Borrowed),
            timeout_ms: it.timeout_ms,
            cloud_events_version: it.version.map(|version| version.as_str().into()),
        }
    }
}

impl TryFrom<Aws<'_>> for AwsFunction {
    type Error = StoredError;

    fn try_from(it: Aws<'_>) -> Result<Self, StoredError> {
        let credentials = it.credentials.map(|it| AwsCredentials {
            access_key_id: it.access_key_id.into_owned(),
            secret_access_key: it.secret_access_key.into_owned(),
            session_token: it.session_token.map(Cow::into_owned),
        });
        Ok(Self {
            service: AwsService::parse(&it.service).ok_or_else(|| StoredError::value(&it.service))?,
            target: it.target.into_owned(),
            region: it.region.into_owned(),
            credentials,
            endpoint: it.endpoint.map(Cow::into_owned),
            timeout_ms: it.timeout_ms,
            version: version(it.cloud_events_version.as_deref())?,
        })
    }
}

/// Reads a version of CloudEvents.
pub(super) fn version(text: Option<&str>) -> Result<Option<CloudEventsVersion>, StoredError> {
    let parse = |text: &str| CloudEventsVersion::parse(text).ok_or_else(|| StoredError::value(text));
    text.map(parse).transpose()
}
