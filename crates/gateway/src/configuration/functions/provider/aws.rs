//! Functions at AWS on the wire, with the members that the Event Gateway gave them, and some of our own.
//!
//! | member | of | meaning |
//! |---|---|---|
//! | `arn` | `awslambda` | the function |
//! | `streamName` | `awskinesis` | the data stream |
//! | `deliveryStreamName` | `awsfirehose` | the delivery stream |
//! | `queueUrl` | `awssqs` | the queue |
//! | `region` | all | the region |
//! | `awsAccessKeyId`, `awsSecretAccessKey`, `awsSessionToken` | all | in whose name; else in that of the server |
//! | `endpoint`, `timeoutMs`, `cloudEventsVersion` | all | ours |
//!
//! None of the three credentials is ever shown to a reader.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer, ser::SerializeMap};
use weir_catalog::{
    AwsCredentials, AwsFunction, AwsService, CloudEventsVersion, Detail,
    draft::{AwsDraft, ProviderDraft},
};

use super::{HIDDEN, version};
use crate::configuration::fields::Fields;

/// Reads the members, and the names of the credentials that are to stay, in whose place the mark is; what must be there is
/// for the draft to ask.
pub(super) fn read(service: AwsService, mut fields: Fields<'_>) -> Result<(ProviderDraft, BTreeSet<String>), Detail> {
    let mut kept = BTreeSet::new();
    let mut secret = |name: &str| -> Result<Option<String>, Detail> {
        let given = fields.optional(name)?;
        if given.as_deref() == Some(HIDDEN) {
            kept.insert(name.to_owned());
        }
        Ok(given)
    };
    let access_key_id = secret(AwsCredentials::ACCESS_KEY_ID)?;
    let secret_access_key = secret(AwsCredentials::SECRET_ACCESS_KEY)?;
    let session_token = secret(AwsCredentials::SESSION_TOKEN)?;
    let draft = ProviderDraft::Aws(AwsDraft {
        service,
        target: fields.optional(service.target_member())?,
        region: fields.optional("region")?,
        access_key_id,
        secret_access_key,
        session_token,
        endpoint: fields.optional("endpoint")?,
        timeout_ms: fields.take("timeoutMs")?,
        version: version(&mut fields)?,
    });
    Ok((draft, kept))
}

/// A function at AWS as clients see it. What has its default is left out, and credentials are not shown where they are
/// covered.
pub(in crate::configuration::functions) struct Shown<'a> {
    pub(super) function: &'a AwsFunction,
    pub(super) is_covered: bool,
}

impl<'a> Serialize for Shown<'a> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let AwsFunction { service, target, region, credentials, endpoint, timeout_ms, version } = self.function;
        let secret = |text: &'a str| if self.is_covered { HIDDEN } else { text };
        let mut members = serializer.serialize_map(None)?;
        members.serialize_entry(service.target_member(), target)?;
        members.serialize_entry("region", region)?;
        if let Some(AwsCredentials { access_key_id, secret_access_key, session_token }) = credentials {
            members.serialize_entry(AwsCredentials::ACCESS_KEY_ID, secret(access_key_id))?;
            members.serialize_entry(AwsCredentials::SECRET_ACCESS_KEY, secret(secret_access_key))?;
            if let Some(token) = session_token {
                members.serialize_entry(AwsCredentials::SESSION_TOKEN, secret(token))?;
            }
        }
        if let Some(endpoint) = endpoint {
            members.serialize_entry("endpoint", endpoint)?;
        }
        if *timeout_ms != AwsFunction::TIMEOUT_MS {
            members.serialize_entry("timeoutMs", timeout_ms)?;
        }
        if let Some(version) = version.map(CloudEventsVersion::as_str) {
            members.serialize_entry("cloudEventsVersion", version)?;
        }
        members.end()
    }
}
