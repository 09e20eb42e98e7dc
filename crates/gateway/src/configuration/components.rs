//! Components by their digest, which a server shows in their place: whoever has a component knows it again.
//!
//! Code is no secret: JavaScript is shown whole. What may be secret, values of headers and of the configuration and
//! credentials, has no digest: texts are short, and readers could try until one fits.

use std::collections::BTreeMap;

use ring::digest::{SHA256, digest as hash};
use weir_catalog::{Code, Component, Function, FunctionKind};

/// In front of the digits, as in the digests of container images.
const PREFIX: &str = "sha256:";

/// Returns the digest of a component: `sha256:` and 64 hexadecimal digits. It is computed once for each component, and
/// known already where a function was made of it.
pub(super) fn digest(component: &Component) -> String {
    let sha256 = component.sha256(|bytes| {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(hash(&SHA256, bytes).as_ref());
        sha256
    });
    let digits = sha256.iter().map(|byte| format!("{byte:02x}"));
    std::iter::once(PREFIX.to_owned()).chain(digits).collect()
}

/// Components that a program has itself, to be known again by the digests that a server shows.
#[derive(Clone, Debug, Default)]
pub struct Components(BTreeMap<String, Component>);

impl Components {
    /// Takes the components of all functions that have one.
    #[must_use]
    pub fn of(functions: &[Function]) -> Self {
        let components = functions.iter().filter_map(|function| match &function.kind {
            FunctionKind::Wasm { code: Code::Component(component), .. } => Some(component),
            _ => None,
        });
        Self(components.map(|component| (digest(component), component.clone())).collect())
    }

    /// Returns the component with this digest; one without bytes where it is not among them.
    pub(super) fn find(&self, digest: Option<&str>) -> Component {
        digest.and_then(|digest| self.0.get(digest)).cloned().unwrap_or_default()
    }
}
