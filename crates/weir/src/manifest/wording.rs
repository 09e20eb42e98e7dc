//! The keys of a manifest in the place of the members of the Configuration API, in whose words the catalog speaks.

/// The members that cures of the catalog name, and the keys that say the same in a manifest. None begins another one.
const KEYS: [(&str, &str); 9] = [
    ("provider.arn", "\"arn\""),
    ("provider.streamName", "\"stream_name\""),
    ("provider.deliveryStreamName", "\"delivery_stream_name\""),
    ("provider.queueUrl", "\"queue_url\""),
    ("provider.region", "\"region\""),
    ("provider.endpoint", "\"endpoint\""),
    ("provider.url", "\"url\""),
    ("awsAccessKeyId", "\"aws_access_key_id\""),
    ("awsSecretAccessKey", "\"aws_secret_access_key\""),
];

/// Says a cure of the catalog with the keys of a manifest.
pub(super) fn in_manifest(cure: &str) -> String {
    KEYS.iter().fold(cure.to_owned(), |text, (member, key)| text.replace(member, key))
}
