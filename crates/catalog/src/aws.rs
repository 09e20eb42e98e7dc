//! Functions that are resources of AWS: which service is called, what there, and in whose name.
//!
//! Names of kinds and members are those of the Event Gateway. How the services are spoken to is not known here.

use std::fmt;

use crate::CloudEventsVersion;

/// A service of AWS that takes events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AwsService {
    /// A Lambda function is invoked, and its result counts.
    Lambda,
    /// A record is put into a Kinesis data stream.
    Kinesis,
    /// A record is put into a Firehose delivery stream.
    Firehose,
    /// A message is sent to an SQS queue.
    Sqs,
}

impl AwsService {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Lambda, Self::Kinesis, Self::Firehose, Self::Sqs];

    /// Returns the name of the kind of function, as the configuration API calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lambda => "awslambda",
            Self::Kinesis => "awskinesis",
            Self::Firehose => "awsfirehose",
            Self::Sqs => "awssqs",
        }
    }

    /// Finds the service by the name of the kind of function.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.name() == name)
    }

    /// Returns the member of a provider that names what is called.
    #[must_use]
    pub const fn target_member(self) -> &'static str {
        match self {
            Self::Lambda => "arn",
            Self::Kinesis => "streamName",
            Self::Firehose => "deliveryStreamName",
            Self::Sqs => "queueUrl",
        }
    }

    /// The service in the sentences of the Event Gateway.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Lambda => "AWS Lambda",
            Self::Kinesis => "AWS Kinesis",
            Self::Firehose => "AWS Firehose",
            Self::Sqs => "AWS SQS",
        }
    }
}

/// A resource of AWS to which events are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsFunction {
    /// The service.
    pub service: AwsService,
    /// What is called there: the ARN of a Lambda function, the name of a stream, or the URL of a queue.
    pub target: String,
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// In whose name; where there are none, in that of the server.
    pub credentials: Option<AwsCredentials>,
    /// Another address than that of the region, as `http://127.0.0.1:4566`: for services that speak as AWS does.
    pub endpoint: Option<String>,
    /// How long one call may take.
    pub timeout_ms: u32,
    /// In which version of CloudEvents events are given; where none is said, in that of the server.
    pub version: Option<CloudEventsVersion>,
}

impl AwsFunction {
    /// How long one call may take where nothing is said. The Event Gateway had no bound, and Lambda functions are slow.
    pub const TIMEOUT_MS: u32 = 60_000;
}

/// In whose name AWS is called. `Debug` shows nothing of it. The default is empty, which no rule allows.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AwsCredentials {
    /// The access key id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: String,
    /// The session token of temporary credentials.
    pub session_token: Option<String>,
}

impl AwsCredentials {
    /// The member of a provider that has the access key id.
    pub const ACCESS_KEY_ID: &str = "awsAccessKeyId";
    /// The one that has the secret access key.
    pub const SECRET_ACCESS_KEY: &str = "awsSecretAccessKey";
    /// The one that has the session token.
    pub const SESSION_TOKEN: &str = "awsSessionToken";

    /// Returns the text of a member.
    pub(crate) fn text(&self, member: &str) -> Option<&str> {
        match member {
            Self::ACCESS_KEY_ID => Some(&self.access_key_id),
            Self::SECRET_ACCESS_KEY => Some(&self.secret_access_key),
            Self::SESSION_TOKEN => self.session_token.as_deref(),
            _ => None,
        }
    }

    /// Replaces the text of a member.
    pub(crate) fn set_text(&mut self, member: &str, text: String) {
        match member {
            Self::ACCESS_KEY_ID => self.access_key_id = text,
            Self::SECRET_ACCESS_KEY => self.secret_access_key = text,
            Self::SESSION_TOKEN => self.session_token = Some(text),
            _ => {}
        }
    }
}

impl fmt::Debug for AwsCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsCredentials(…)")
    }
}
