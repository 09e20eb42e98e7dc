//! In whose name AWS is called for functions that have no credentials of their own: what the variables say that AWS's own
//! tools read. They are no settings of the server: its list of settings shows values, and these are secrets.

use std::ffi::OsString;

use weir_functions::AwsCredentials;

const ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";

/// Reads the credentials; none where one of the two keys is missing or no text.
pub(crate) fn credentials(environment: &[(OsString, OsString)]) -> Option<AwsCredentials> {
    let text = |name: &str| {
        let (_, value) = environment.iter().find(|(each, _)| each == name)?;
        value.to_str().filter(|text| !text.is_empty()).map(str::to_owned)
    };
    Some(AwsCredentials {
        access_key_id: text(ACCESS_KEY_ID)?,
        secret_access_key: text(SECRET_ACCESS_KEY)?,
        session_token: text(SESSION_TOKEN),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_keys_are_needed() {
        let check = |variables: &[(&str, &str)], expected: Option<(&str, &str, Option<&str>)>| {
            let variables: Vec<(OsString, OsString)> =
                variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            let found = credentials(&variables);
            let found = found
                .as_ref()
                .map(|it| (it.access_key_id.as_str(), it.secret_access_key.as_str(), it.session_token.as_deref()));
            assert_eq!(found, expected, "{variables:?}");
        };
        let (id, secret) = (("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "s3cret"));
        check(&[id, secret], Some(("AKIDEXAMPLE", "s3cret", None)));
        check(&[secret, ("AWS_SESSION_TOKEN", "t"), id], Some(("AKIDEXAMPLE", "s3cret", Some("t"))));
        check(&[id], None);
        check(&[("AWS_ACCESS_KEY_ID", ""), secret], None);
        check(&[], None);
    }
}
