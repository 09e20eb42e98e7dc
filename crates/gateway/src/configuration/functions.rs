//! Functions on the wire.

mod provider;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Serialize;
use serde_json::{Value, json};
use weir_catalog::{
    CatalogError, ChangeKind, Command, Detail, Function, Resource as Kind, SpaceCatalog, draft::FunctionDraft,
};
use weir_domain::SpaceName;

use super::{
    components::Components,
    described::Profile,
    fields::Fields,
    resource::{Resource, is_empty},
};
use crate::openapi::{self, Member};
pub(super) use provider::HIDDEN;
use provider::Shown;

/// What a client may write, and is shown again.
const MEMBERS: &[Member] = &[
    Member::new("functionId", || openapi::text("Its identifier: characters `a-z A-Z 0-9 . - _`.", 256)),
    Member::new("type", || openapi::word("What is called; `provider` says how.", provider::kinds())),
    Member::new("provider", || {
        let about = "What is called, and how: its members depend on `type`. Values that may be secret are shown as `*****`; \
                     writing `*****` back with `PUT` keeps the value that is there.";
        json!({ "type": "object", "description": about })
    }),
    Member::new("metadata", || openapi::texts("Texts of its owner by name; lists can be filtered by them.")),
];

/// What a client is shown beside it.
const SHOWN: &[Member] = &[Member::new("space", || openapi::space("The space."))];

fn given() -> Value {
    json!({
        "functionId": "partner",
        "type": "http",
        "provider": {
            "url": "https://example.com/hooks",
            "timeoutMs": 3000,
            "headers": { "x-api-key": "secret" },
        },
    })
}

fn shown() -> Value {
    let mut shown = given();
    shown["space"] = json!("default");
    shown["provider"]["headers"]["x-api-key"] = json!(HIDDEN);
    shown
}

fn schemas() -> Vec<(String, Value)> {
    let mut input = openapi::object("What a function is to be.", MEMBERS, &["type", "provider"]);
    input["oneOf"] = provider::choices(true);
    let needed = ["space", "functionId", "type", "provider"];
    let mut output = openapi::object("A function.", SHOWN.iter().chain(MEMBERS), &needed);
    output["oneOf"] = provider::choices(false);
    let mut all = vec![("FunctionInput".to_owned(), input), ("Function".to_owned(), output)];
    all.extend(provider::schemas());
    all
}

/// The resource `functions`.
pub(super) struct Functions;

/// A function as clients see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View<'a> {
    space: &'a str,
    function_id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    provider: Shown<'a>,
    #[serde(skip_serializing_if = "is_empty")]
    metadata: &'a BTreeMap<String, String>,
}

impl Resource for Functions {
    type Item = Function;
    type View<'a> = View<'a>;

    const KIND: Kind = Kind::Function;
    const SEGMENT: &'static str = "functions";
    const LIST: &'static str = "functions";
    const PROFILE: Profile = Profile {
        name: "Function",
        names: "Functions",
        tag: "Functions",
        one: "a function",
        many: "functions",
        id: || openapi::text("The identifier of the function.", 256),
        needed: &["functionId"],
        creating: "Code is compiled before the answer: a mistake in it is told with 400, by line and column where it has them.",
        replacing: "The identifier in the path counts. A value that is written as `*****` stays as it is when the change is \
                    made. A component is shown by its size and digest, so that it must be sent again.",
        deleting: "Refused with 400 while something subscribes it, or an event type has it as its authorizer.",
        given,
        shown,
        schemas,
    };

    fn all(present: &SpaceCatalog) -> impl Iterator<Item = &Arc<Function>> {
        present.functions()
    }

    fn find<'c>(present: &'c SpaceCatalog, id: &str) -> Option<&'c Arc<Function>> {
        present.function(id)
    }

    fn name(item: &Function) -> &str {
        item.id.as_str()
    }

    fn metadata(item: &Function) -> &BTreeMap<String, String> {
        &item.metadata
    }

    fn view<'a>(space: &'a str, item: &'a Function) -> View<'a> {
        View {
            space,
            function_id: item.id.as_str(),
            kind: item.kind.name(),
            provider: Shown::of(&item.kind),
            metadata: &item.metadata,
        }
    }

    fn create(text: &str, space: &str) -> Result<(SpaceName, Command), CatalogError> {
        let (draft, kept) = draft(text, None).map_err(invalid)?;
        let (space, function) = draft.check(space)?;
        // What is to be made has nothing yet that could stay.
        match kept.first() {
            Some(name) => Err(CatalogError::nothing_to_keep(function.kind.secrets(), name)),
            None => Ok((space, Command::CreateFunction(function))),
        }
    }

    fn replace(text: &str, space: &str, id: String) -> Result<(SpaceName, Command), CatalogError> {
        let (draft, kept) = draft(text, Some(id)).map_err(invalid)?;
        let (space, function) = draft.check(space)?;
        if kept.is_empty() {
            return Ok((space, Command::UpdateFunction(function)));
        }
        Ok((space, Command::UpdateFunctionKeeping { function, kept }))
    }

    fn delete(id: String) -> Command {
        Command::DeleteFunction(id)
    }

    fn changed(kind: &ChangeKind) -> Option<&Arc<Function>> {
        match kind {
            ChangeKind::FunctionCreated(item) | ChangeKind::FunctionUpdated(item) => Some(item),
            _ => None,
        }
    }
}

/// Writes a function as a client sends it, with what readers are not shown.
pub(super) fn whole<'a>(space: &'a str, item: &'a Function) -> View<'a> {
    View { provider: Shown::whole(&item.kind), ..Functions::view(space, item) }
}

/// Reads a function as a server shows it; see [`provider::read_shown`] for what it hides.
///
/// # Errors
/// Where the text is no such function.
pub(super) fn read_shown(text: &str, space: &str, components: &Components) -> Result<Function, CatalogError> {
    let (_, function) = shown_draft(text, components).map_err(invalid)?.check(space)?;
    Ok(function)
}

fn shown_draft(text: &str, components: &Components) -> Result<FunctionDraft, Detail> {
    let mut fields = Fields::read(text, "", MEMBERS)?;
    let id = fields.text("functionId")?;
    let kind = fields.text("type")?;
    let provider = provider::read_shown(&kind, fields.take("provider")?, components)?;
    Ok(FunctionDraft { id, provider, metadata: fields.map("metadata")? })
}

fn invalid(detail: Detail) -> CatalogError {
    CatalogError::invalid(Kind::Function, detail)
}

/// Reads what a client wrote, and the names of the secrets that it wants to stay; an identifier from the path stands
/// above the one in the body.
fn draft(text: &str, id: Option<String>) -> Result<(FunctionDraft, BTreeSet<String>), Detail> {
    let mut fields = Fields::read(text, "", MEMBERS)?;
    let given = fields.text("functionId")?;
    let kind = fields.text("type")?;
    let (provider, kept) = provider::read(&kind, fields.take("provider")?)?;
    let draft = FunctionDraft { id: id.unwrap_or(given), provider, metadata: fields.map("metadata")? };
    Ok((draft, kept))
}

#[cfg(test)]
mod tests;
