//! CORS configurations on the wire.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use serde_json::{Value, json};
use weir_catalog::{
    CatalogError, ChangeKind, Command, Cors, CorsId, Detail, Method, Resource as Kind, SpaceCatalog, draft::CorsDraft,
    limits,
};
use weir_domain::SpaceName;

use super::{
    described::Profile,
    fields::Fields,
    resource::{Resource, is_empty},
};
use crate::openapi::{self, Member};

/// What a client may write, and is shown again.
const MEMBERS: &[Member] = &[
    Member::new("method", || openapi::word("The method of the route.", Method::ALL.map(Method::as_str))),
    Member::new("path", || {
        openapi::text("The path of the route, written as that of a subscription.", limits::ROUTE_BYTES_MAX)
    }),
    Member::new("allowedOrigins", || {
        several("Origins that may call, each with at most one `*`; every origin where nothing is said.")
    }),
    Member::new("allowedMethods", || {
        several("Methods that may be asked for; `HEAD`, `GET` and `POST` where nothing is said.")
    }),
    Member::new("allowedHeaders", || {
        several("Request headers that may be asked for; `Origin`, `Accept` and `Content-Type` where nothing is said.")
    }),
    Member::new("allowCredentials", || openapi::flag("Whether cookies and the like may come along.")),
    Member::new("metadata", || openapi::texts("Texts of its owner by name; lists can be filtered by them.")),
];

/// What a client is shown beside it.
const SHOWN: &[Member] = &[
    Member::new("space", || openapi::space("The space.")),
    Member::new(
        "corsId",
        || json!({ "type": "string", "description": "Its identifier, which is derived from method and path." }),
    ),
];

fn several(about: &str) -> Value {
    json!({
        "type": "array",
        "description": about,
        "items": { "type": "string" },
        "maxItems": limits::ENTRIES_MAX,
    })
}

fn given() -> Value {
    json!({ "method": "GET", "path": "/hello", "allowedOrigins": ["https://example.com"] })
}

fn shown() -> Value {
    json!({
        "space": "default",
        "corsId": "GET%2Fhello",
        "method": "GET",
        "path": "/hello",
        "allowedOrigins": ["https://example.com"],
        "allowedMethods": ["HEAD", "GET", "POST"],
        "allowedHeaders": ["Origin", "Accept", "Content-Type"],
        "allowCredentials": false,
    })
}

fn schemas() -> Vec<(String, Value)> {
    let input = openapi::object("What a CORS configuration is to be.", MEMBERS, &[]);
    let needed =
        ["space", "corsId", "method", "path", "allowedOrigins", "allowedMethods", "allowedHeaders", "allowCredentials"];
    let output = openapi::object("A CORS configuration.", SHOWN.iter().chain(MEMBERS), &needed);
    vec![("CorsConfigurationInput".to_owned(), input), ("CorsConfiguration".to_owned(), output)]
}

/// The resource `cors`.
pub(super) struct CorsConfigurations;

/// A CORS configuration as clients see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View<'a> {
    space: &'a str,
    cors_id: &'a str,
    method: &'a str,
    path: &'a str,
    allowed_origins: &'a [String],
    allowed_methods: &'a [String],
    allowed_headers: &'a [String],
    allow_credentials: bool,
    #[serde(skip_serializing_if = "is_empty")]
    metadata: &'a BTreeMap<String, String>,
}

impl Resource for CorsConfigurations {
    type Item = Cors;
    type View<'a> = View<'a>;

    const KIND: Kind = Kind::Cors;
    const SEGMENT: &'static str = "cors";
    const LIST: &'static str = "cors";
    const PROFILE: Profile = Profile {
        name: "CorsConfiguration",
        names: "CorsConfigurations",
        tag: "CORS",
        one: "a CORS configuration",
        many: "CORS configurations",
        id: || {
            let about = "The identifier, as it was shown: `GET%2Fhello`. It may be escaped once more.";
            json!({ "type": "string", "description": about, "minLength": 1 })
        },
        needed: &["method", "path"],
        creating: "It says which other origins may call a route from a browser. It is no protection of the server.",
        replacing: "Method and path cannot be changed; they need not be said again.",
        deleting: "Browsers keep pages of other origins from reading answers of the route then.",
        given,
        shown,
        schemas,
    };

    fn all(present: &SpaceCatalog) -> impl Iterator<Item = &Arc<Cors>> {
        present.all_cors()
    }

    fn find<'c>(present: &'c SpaceCatalog, id: &str) -> Option<&'c Arc<Cors>> {
        present.cors(id)
    }

    /// Identifiers are escaped themselves: clients send one as it is, and it comes here decoded.
    fn id(in_path: String) -> String {
        let parts = in_path.find('/').map(|slash| in_path.split_at(slash));
        match parts.and_then(|(method, path)| Some(CorsId::derive(Method::parse(method)?, path))) {
            Some(id) => id.to_string(),
            None => in_path,
        }
    }

    fn name(item: &Cors) -> &str {
        item.id.as_str()
    }

    fn metadata(item: &Cors) -> &BTreeMap<String, String> {
        &item.metadata
    }

    fn view<'a>(space: &'a str, item: &'a Cors) -> View<'a> {
        View {
            space,
            cors_id: item.id.as_str(),
            method: item.method.as_str(),
            path: &item.path,
            allowed_origins: &item.allowed_origins,
            allowed_methods: &item.allowed_methods,
            allowed_headers: &item.allowed_headers,
            allow_credentials: item.allow_credentials,
            metadata: &item.metadata,
        }
    }

    fn create(text: &str, space: &str) -> Result<(SpaceName, Command), CatalogError> {
        let (space, cors) = draft(text, None).map_err(invalid)?.check(space)?;
        Ok((space, Command::CreateCors(cors)))
    }

    fn replace(text: &str, space: &str, id: String) -> Result<(SpaceName, Command), CatalogError> {
        let (space, cors) = draft(text, CorsId::parts(&id)).map_err(invalid)?.check(space)?;
        Ok((space, Command::UpdateCors { id, cors }))
    }

    fn delete(id: String) -> Command {
        Command::DeleteCors(id)
    }

    fn changed(kind: &ChangeKind) -> Option<&Arc<Cors>> {
        match kind {
            ChangeKind::CorsCreated(item) | ChangeKind::CorsUpdated(item) => Some(item),
            _ => None,
        }
    }
}

fn invalid(detail: Detail) -> CatalogError {
    CatalogError::invalid(Kind::Cors, detail)
}

/// Reads what a client wrote; method and path of an update need not be said again, its identifier says them.
fn draft(text: &str, known: Option<(Method, String)>) -> Result<CorsDraft, Detail> {
    let mut fields = Fields::read(text, "", MEMBERS)?;
    let (method, path) = known.map(|(method, path)| (method.to_string(), path)).unwrap_or_default();
    Ok(CorsDraft {
        method: fields.optional("method")?.unwrap_or(method),
        path: fields.optional("path")?.unwrap_or(path),
        allowed_origins: list(&mut fields, "allowedOrigins")?,
        allowed_methods: list(&mut fields, "allowedMethods")?,
        allowed_headers: list(&mut fields, "allowedHeaders")?,
        allow_credentials: fields.take("allowCredentials")?.unwrap_or_default(),
        metadata: fields.map("metadata")?,
    })
}

/// An empty list is as good as none, as in the Event Gateway.
fn list(fields: &mut Fields<'_>, name: &str) -> Result<Option<Vec<String>>, Detail> {
    Ok(fields.take(name)?.filter(|texts: &Vec<String>| !texts.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::fields::check_taken;

    #[test]
    fn every_member_that_is_told_of_is_read() {
        check_taken(MEMBERS, |text| draft(text, None).is_err());
    }

    fn create(text: &str) -> Result<Value, String> {
        let (space, command) = CorsConfigurations::create(text, "shop").map_err(|error| error.to_string())?;
        let Command::CreateCors(item) = command else { panic!("another command") };
        Ok(serde_json::to_value(CorsConfigurations::view(space.as_str(), &item)).expect("JSON"))
    }

    #[test]
    fn all_fields_come_back_and_defaults_are_those_of_the_event_gateway() {
        let whole = json!({
            "space": "shop",
            "corsId": "PUT%2Fhello",
            "method": "PUT",
            "path": "/hello",
            "allowedOrigins": ["https://example.com"],
            "allowedMethods": ["PUT"],
            "allowedHeaders": ["X-Api-Key"],
            "allowCredentials": true,
            "metadata": { "team": "a" },
        });
        assert_eq!(create(&whole.to_string()), Ok(whole));
        let plain = json!({
            "space": "shop",
            "corsId": "GET%2Fhello",
            "method": "GET",
            "path": "/hello",
            "allowedOrigins": ["*"],
            "allowedMethods": ["HEAD", "GET", "POST"],
            "allowedHeaders": ["Origin", "Accept", "Content-Type"],
            "allowCredentials": false,
        });
        assert_eq!(create(r#"{"method":"GET","path":"/hello","allowedOrigins":[]}"#), Ok(plain));
    }

    #[test]
    fn faults_are_told_in_the_words_of_the_event_gateway() {
        let prefix = "CORS configuration doesn't validate. Validation error: ";
        let check = |text: &str, detail: &str| assert_eq!(create(text), Err(format!("{prefix}{detail}")), "{text}");
        check("{", "unexpected EOF");
        let field = |name: &str, rule: &str| {
            format!("Key: 'CORS.{name}' Error:Field validation for '{name}' failed on the '{rule}' tag")
        };
        check("{}", &format!("{}\n{}", field("Method", "required"), field("Path", "required")));
        let methods = "eq=GET|eq=POST|eq=DELETE|eq=PUT|eq=PATCH|eq=HEAD|eq=OPTIONS";
        check(r#"{"method":"get","path":"/"}"#, &field("Method", methods));
    }
}
