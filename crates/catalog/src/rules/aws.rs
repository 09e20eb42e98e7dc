//! The rules of functions at AWS. What only AWS can know, whether a queue exists for example, is not asked.

use crate::{AwsCredentials, AwsFunction, AwsService, Detail, Resource, limits};

use super::{Faults, is_header_value, is_http_url};

/// A label of a host name (RFC 1035), which a region becomes.
const REGION_BYTES_MAX: usize = 63;
/// Names and ARNs at AWS are far shorter.
const TARGET_BYTES_MAX: usize = 2 * 1024;
/// Session tokens have no fixed length; a header must carry them.
const SECRET_BYTES_MAX: usize = 16 * 1024;

pub(super) fn check(faults: &mut Faults, aws: &AwsFunction) {
    if aws.target.is_empty() || aws.region.is_empty() {
        faults.details.push(missing(aws.service));
    }
    let is_region = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    faults.field(aws.region.len() > REGION_BYTES_MAX || !aws.region.bytes().all(is_region), "Region", "region", || {
        "give a region such as eu-central-1".into()
    });
    let member = aws.service.target_member();
    let is_plain = aws.target.len() <= TARGET_BYTES_MAX && aws.target.bytes().all(|b| b.is_ascii_graphic());
    let is_target = is_plain && (aws.service != AwsService::Sqs || is_http_url(&aws.target));
    faults.field(!aws.target.is_empty() && !is_target, "Target", "aws", || match aws.service {
        AwsService::Sqs => format!("give provider.{member} the URL of a queue, which begins with https://"),
        _ => format!("give provider.{member} as AWS shows it, without spaces, up to {TARGET_BYTES_MAX} bytes"),
    });
    if let Some(endpoint) = &aws.endpoint {
        let is_origin = is_http_url(endpoint) && !endpoint.contains(['@', '?', '#']);
        faults.field(!is_origin || endpoint.len() > limits::URL_BYTES_MAX, "Endpoint", "endpoint", || {
            "give provider.endpoint an address such as http://127.0.0.1:4566, or leave it out".into()
        });
    }
    if let Some(credentials) = &aws.credentials {
        faults.field(!are_usable(credentials), "Credentials", "credentials", || {
            "give the credentials as AWS shows them, in visible ASCII without spaces".into()
        });
    }
    faults.between("Timeout", aws.timeout_ms, 1, limits::TIMEOUT_MS_MAX);
}

fn are_usable(credentials: &AwsCredentials) -> bool {
    let AwsCredentials { access_key_id, secret_access_key, session_token } = credentials;
    let is_usable = |text: &str| {
        !text.is_empty() && text.len() <= SECRET_BYTES_MAX && is_header_value(text) && !text.contains([' ', '\t'])
    };
    [access_key_id, secret_access_key].into_iter().chain(session_token).all(|text| is_usable(text))
}

/// What the Event Gateway says where what is called, or its region, is missing.
pub(crate) fn missing(service: AwsService) -> Detail {
    let (title, member) = (service.title(), service.target_member());
    Detail::new(
        format!("missing required fields for {title} function"),
        format!("give provider.{member} and provider.region"),
    )
}

/// One half of a pair of keys signs nothing.
pub(crate) fn partial_credentials() -> Detail {
    Detail::field(
        Resource::Function,
        "Credentials",
        "credentials",
        "give awsAccessKeyId and awsSecretAccessKey together, or leave all credentials out to use those of the server",
    )
}
