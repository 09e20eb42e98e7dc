//! Which settings of authentication go together.

use super::{AuthMode, Origins, Settings};
use crate::report::Fault;

/// Finds settings that lack another, or that do nothing beside another.
pub(super) fn contradictions(settings: &Settings, origins: &Origins, faulty: &[&str]) -> Vec<Fault> {
    let auth = &settings.auth;
    let is_set = |key: &str| match key {
        "auth.admin_token_file" => auth.admin_token_file.is_some(),
        "auth.jwt_keys_file" => auth.jwt_keys_file.is_some(),
        "auth.jwt_jwks_url" => auth.jwt_jwks_url.is_some(),
        "auth.jwt_issuer" => auth.jwt_issuer.is_some(),
        "auth.jwt_audience" => auth.jwt_audience.is_some(),
        _ => false,
    };
    let mut faults = Vec::new();
    let mut fault = |key: &str, message: String| faults.push(Fault::new(origins.get(key), message));
    let keys = ["auth.jwt_keys_file", "auth.jwt_jwks_url"];
    if auth.mode == AuthMode::Off && !faulty.contains(&"auth.mode") {
        for key in ["auth.admin_token_file", keys[0], keys[1]].into_iter().filter(|key| is_set(key)) {
            // Whoever sets this takes the server for closed.
            fault(key, format!("{key} is set, but auth.mode is off and everybody is let in: set it to required"));
        }
    }
    if keys.iter().all(|key| is_set(key)) {
        let message = "auth.jwt_keys_file and auth.jwt_jwks_url both say where keys are: set one of them";
        fault(keys[0], message.into());
    }
    for key in keys.into_iter().filter(|key| is_set(key)) {
        for other in ["auth.jwt_issuer", "auth.jwt_audience"] {
            if !is_set(other) && !faulty.contains(&other) {
                let reason = "else tokens that were made for others would be taken";
                fault(key, format!("{key} needs {other} beside it, {reason}: set it"));
            }
        }
    }
    faults
}
