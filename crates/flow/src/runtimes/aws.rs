//! From the declaration of a function at AWS to one that can be called.

use std::{sync::Arc, time::Duration};

use weir_catalog::{AwsFunction as Declared, AwsService as Service};
use weir_functions::{AwsCredentials, AwsFunction, AwsOptions, AwsService, AwsTarget, Invoke};

use super::Runtimes;
use crate::MakeError;

/// Makes one ready; its own credentials stand above those of the server.
pub(super) fn ready(runtimes: &Runtimes, declared: &Declared) -> Result<Arc<dyn Invoke>, MakeError> {
    let own = declared.credentials.as_ref().map(|own| AwsCredentials {
        access_key_id: own.access_key_id.clone(),
        secret_access_key: own.secret_access_key.clone(),
        session_token: own.session_token.clone(),
    });
    let target = AwsTarget {
        service: match declared.service {
            Service::Lambda => AwsService::Lambda,
            Service::Kinesis => AwsService::Kinesis,
            Service::Firehose => AwsService::Firehose,
            Service::Sqs => AwsService::Sqs,
        },
        name: declared.target.clone(),
        region: declared.region.clone(),
        endpoint: declared.endpoint.clone(),
    };
    let options = AwsOptions {
        credentials: own.or_else(|| runtimes.aws.clone()),
        timeout: Duration::from_millis(u64::from(declared.timeout_ms)),
        limits: runtimes.limits,
        form: runtimes.form(declared.version),
        ..AwsOptions::default()
    };
    let made = AwsFunction::new(runtimes.http.clone(), runtimes.clock.clone(), target, options);
    made.map(|it| Arc::new(it) as Arc<dyn Invoke>).map_err(MakeError::from)
}
