//! The members that resources have. A server passes over others, as the Event Gateway did; who applies a file is told, since
//! a misspelt `schema` would leave the data unchecked.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use weir_catalog::Resource;

use crate::report::did_you_mean;

/// The members of one object.
#[derive(Clone, Copy, Debug)]
struct Members {
    /// What can be declared.
    written: &'static [&'static str],
    /// What servers show beside it: a file may have been printed by `weir get`.
    shown: &'static [&'static str],
}

const EVENT_TYPE: Members = Members {
    written: &["name", "key", "description", "authorizerId", "authorizerCacheMs", "schema", "onInvalid", "metadata"],
    shown: &["space", "schemaVersion"],
};
const FUNCTION: Members = Members { written: &["functionId", "type", "provider", "metadata"], shown: &["space"] };
const SUBSCRIPTION: Members = Members {
    written: &[
        "type",
        "eventType",
        "functionId",
        "path",
        "method",
        "filter",
        "start",
        "order",
        "concurrency",
        "batch",
        "rate",
        "priority",
        "timeoutMs",
        "onFailure",
        "retry",
        "metadata",
        "continues",
    ],
    shown: &["space", "subscriptionId", "state"],
};
const CORS: Members = Members {
    written: &["method", "path", "allowedOrigins", "allowedMethods", "allowedHeaders", "allowCredentials", "metadata"],
    shown: &["space", "corsId"],
};
const RETRY: Members = Members {
    written: &["attemptsMax", "backoffFirstMs", "backoffMaxMs", "ageMaxMs", "multiplier", "jitter", "retryAfterMaxMs"],
    shown: &[],
};
const BATCH: Members = Members { written: &["size", "waitMs"], shown: &[] };
const START: Members = Members { written: &["position", "time"], shown: &[] };
const HTTP: Members = Members { written: &["url", "timeoutMs", "headers", "cloudEventsVersion"], shown: &[] };
const WASM: Members = Members {
    written: &["javascript", "component", "instances", "callsMax", "timeoutMs", "memoryBytesMax", "config"],
    shown: &["componentBytes", "componentDigest"],
};

const BUILTIN: Members = Members { written: &["name"], shown: &[] };

/// A service of AWS, whose first member says what is called there.
macro_rules! aws {
    ($target:literal) => {
        Members {
            written: &[
                $target,
                "region",
                "awsAccessKeyId",
                "awsSecretAccessKey",
                "awsSessionToken",
                "endpoint",
                "timeoutMs",
                "cloudEventsVersion",
            ],
            shown: &[],
        }
    };
}

/// Returns what a provider has; `None` where there is no such type of function, which is a fault of its own.
fn provider(function_type: &str) -> Option<Members> {
    Some(match function_type {
        "http" => HTTP,
        "wasm" => WASM,
        "builtin" => BUILTIN,
        "awslambda" => aws!("arn"),
        "awskinesis" => aws!("streamName"),
        "awsfirehose" => aws!("deliveryStreamName"),
        "awssqs" => aws!("queueUrl"),
        _ => return None,
    })
}

/// The members of an object as they stand in the text.
type Given<'a> = BTreeMap<String, &'a RawValue>;

/// Says of each member that a resource does not have where it stands and what was probably meant.
///
/// Nothing is said of a text that is no object, of what has names of its owner's choice: `metadata`, `headers`, `config` and
/// `schema`, and of a `filter`, whose faults the server tells.
pub(super) fn unknown(kind: Resource, place: &str, body: &str) -> Vec<String> {
    let members = match kind {
        Resource::EventType => EVENT_TYPE,
        Resource::Function => FUNCTION,
        Resource::Subscription => SUBSCRIPTION,
        Resource::Cors => CORS,
        // No file declares tokens.
        Resource::Token => return Vec::new(),
    };
    let Ok(given) = serde_json::from_str::<Given<'_>>(body) else { return Vec::new() };
    let mut faults = members.unknown(place, &given);
    let inner = match kind {
        Resource::Function => {
            let function_type = member(&given, "type").and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
            let members = function_type.and_then(|it| provider(&it));
            members.map(|members| ("provider", members)).into_iter().collect()
        }
        Resource::Subscription => vec![("retry", RETRY), ("batch", BATCH), ("start", START)],
        Resource::EventType | Resource::Cors | Resource::Token => Vec::new(),
    };
    for (name, members) in inner {
        if let Some(raw) = member(&given, name)
            && let Ok(given) = serde_json::from_str::<Given<'_>>(raw.get())
        {
            faults.extend(members.unknown(&format!("{place}.{name}"), &given));
        }
    }
    faults
}

/// Finds a member as servers do: in any case of letters.
fn member<'a>(given: &Given<'a>, name: &str) -> Option<&'a RawValue> {
    given.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, raw)| *raw)
}

impl Members {
    fn unknown(self, place: &str, given: &Given<'_>) -> Vec<String> {
        let is_known = |name: &str| self.written.iter().chain(self.shown).any(|known| known.eq_ignore_ascii_case(name));
        let unknown = given.keys().filter(|name| !is_known(name));
        let told =
            unknown.map(|name| format!("{place}: there is no member {name:?}: {}", did_you_mean(name, self.written)));
        told.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// What the server says of itself: a member that is added there has to be added here.
    const TOLD: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi/configuration.json"));

    #[test]
    fn these_are_the_members_that_the_configuration_api_tells_of() {
        let told: Value = serde_json::from_str(TOLD).expect("JSON");
        let names = |schema: &str| -> BTreeSet<String> {
            let properties = told["components"]["schemas"][schema]["properties"].as_object().expect("properties");
            properties.keys().cloned().collect()
        };
        let of = |function_type: &str| provider(function_type).expect("a type");
        for (members, input, output) in [
            (EVENT_TYPE, "EventTypeInput", "EventType"),
            (FUNCTION, "FunctionInput", "Function"),
            (SUBSCRIPTION, "SubscriptionInput", "Subscription"),
            (CORS, "CorsConfigurationInput", "CorsConfiguration"),
            (RETRY, "RetryPolicy", "RetryPolicy"),
            (BATCH, "BatchPolicy", "BatchPolicy"),
            (START, "SubscriptionStart", "SubscriptionStart"),
            (BUILTIN, "BuiltinProvider", "BuiltinProvider"),
            (HTTP, "HttpProvider", "HttpProvider"),
            (WASM, "WasmProviderInput", "WasmProvider"),
            (of("awslambda"), "AwsLambdaProvider", "AwsLambdaProvider"),
            (of("awskinesis"), "AwsKinesisProvider", "AwsKinesisProvider"),
            (of("awsfirehose"), "AwsFirehoseProvider", "AwsFirehoseProvider"),
            (of("awssqs"), "AwsSqsProvider", "AwsSqsProvider"),
        ] {
            let set = |names: &[&str]| -> BTreeSet<String> { names.iter().map(|name| (*name).to_owned()).collect() };
            assert_eq!(set(members.written), names(input), "{input}");
            let shown: BTreeSet<String> = names(output).difference(&names(input)).cloned().collect();
            assert_eq!(set(members.shown), shown, "{output}");
        }
    }
}
