//! The declaration of which other origins may call a route from a browser (Fetch standard, CORS protocol).

use std::collections::BTreeMap;

use weir_routing::Method;

use crate::CorsId;

/// What browsers are told about one method and path.
///
/// Method and path are what it is known by; everything else may be changed. [`Cors::new`] keeps `id` in step with them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cors {
    /// Derived from method and path.
    pub id: CorsId,
    /// The method of the requests it is for.
    pub method: Method,
    /// The route of the requests it is for; begins with `/`, may have `:parameters` and a `*rest`.
    pub path: String,
    /// Origins that may call; `*` stands for all, and within one for any run of characters.
    pub allowed_origins: Vec<String>,
    /// Methods that a pre-flight may ask for.
    pub allowed_methods: Vec<String>,
    /// Request headers that a pre-flight may ask for; `*` stands for all.
    pub allowed_headers: Vec<String>,
    /// Whether cookies and HTTP authentication may come along.
    pub allow_credentials: bool,
    /// Free texts of its owner.
    pub metadata: BTreeMap<String, String>,
}

impl Cors {
    /// Declares a configuration with the defaults of the Event Gateway: every origin, simple methods and headers, no
    /// credentials.
    #[must_use]
    pub fn new(method: Method, path: &str) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self {
            id: CorsId::derive(method, path),
            method,
            path: path.to_owned(),
            allowed_origins: owned(&["*"]),
            allowed_methods: owned(&["HEAD", "GET", "POST"]),
            allowed_headers: owned(&["Origin", "Accept", "Content-Type"]),
            allow_credentials: false,
            metadata: BTreeMap::new(),
        }
    }

    /// Tells whether the identifier is that of the rest.
    pub(crate) fn is_consistent(&self) -> bool {
        self.id == CorsId::derive(self.method, &self.path)
    }

    /// Returns the first part that an update to `other` would change although it may not, as the Event Gateway calls it.
    pub(crate) fn fixed_difference(&self, other: &Self) -> Option<&'static str> {
        [("Method", self.method != other.method), ("Path", self.path != other.path)]
            .into_iter()
            .find_map(|(field, differs)| differs.then_some(field))
    }
}
