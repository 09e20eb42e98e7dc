//! The draft of a function at AWS.

use crate::{AwsCredentials, AwsFunction, AwsService, CloudEventsVersion, Detail, rules};

/// A resource of AWS, as far as it is known. Texts that are empty count as absent.
#[derive(Clone, PartialEq, Eq)]
pub struct AwsDraft {
    /// The service.
    pub service: AwsService,
    /// What is called there; must be given.
    pub target: Option<String>,
    /// The region; must be given.
    pub region: Option<String>,
    /// The access key id; not without the secret.
    pub access_key_id: Option<String>,
    /// The secret access key; not without the id.
    pub secret_access_key: Option<String>,
    /// The session token; not without both.
    pub session_token: Option<String>,
    /// Another address than that of the region.
    pub endpoint: Option<String>,
    /// How long one call may take, else [`AwsFunction::TIMEOUT_MS`].
    pub timeout_ms: Option<u32>,
    /// In which version of CloudEvents events are given.
    pub version: Option<CloudEventsVersion>,
}

impl AwsDraft {
    /// Begins a draft that has only its service.
    #[must_use]
    pub const fn of(service: AwsService) -> Self {
        Self {
            service,
            target: None,
            region: None,
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            endpoint: None,
            timeout_ms: None,
            version: None,
        }
    }

    /// Makes the function.
    ///
    /// # Errors
    /// Where what is called or its region is missing, or credentials are there in part.
    pub fn check(self) -> Result<AwsFunction, Detail> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let (Some(target), Some(region)) = (given(self.target), given(self.region)) else {
            return Err(rules::missing_aws(self.service));
        };
        let session_token = given(self.session_token);
        let credentials = match (given(self.access_key_id), given(self.secret_access_key)) {
            (Some(access_key_id), Some(secret_access_key)) => {
                Some(AwsCredentials { access_key_id, secret_access_key, session_token })
            }
            (None, None) if session_token.is_none() => None,
            _ => return Err(rules::partial_credentials()),
        };
        Ok(AwsFunction {
            service: self.service,
            target,
            region,
            credentials,
            endpoint: given(self.endpoint),
            timeout_ms: self.timeout_ms.unwrap_or(AwsFunction::TIMEOUT_MS),
            version: self.version,
        })
    }
}
