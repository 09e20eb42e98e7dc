//! Functions on the wire.

mod provider;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Serialize;
use weir_catalog::{
    CatalogError, ChangeKind, Command, Detail, Function, Resource as Kind, SpaceCatalog, draft::FunctionDraft,
};
use weir_domain::SpaceName;

use super::{
    fields::Fields,
    resource::{Resource, is_empty},
};
pub(super) use provider::HIDDEN;
use provider::Shown;

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
pub(super) fn read_shown(text: &str, space: &str) -> Result<Function, CatalogError> {
    let (_, function) = shown_draft(text).map_err(invalid)?.check(space)?;
    Ok(function)
}

fn shown_draft(text: &str) -> Result<FunctionDraft, Detail> {
    let mut fields = Fields::read(text, "")?;
    let id = fields.text("functionId")?;
    let kind = fields.text("type")?;
    let provider = provider::read_shown(&kind, fields.take("provider")?)?;
    Ok(FunctionDraft { id, provider, metadata: fields.map("metadata")? })
}

fn invalid(detail: Detail) -> CatalogError {
    CatalogError::invalid(Kind::Function, detail)
}

/// Reads what a client wrote, and the names of the secrets that it wants to stay; an identifier from the path stands
/// above the one in the body.
fn draft(text: &str, id: Option<String>) -> Result<(FunctionDraft, BTreeSet<String>), Detail> {
    let mut fields = Fields::read(text, "")?;
    let given = fields.text("functionId")?;
    let kind = fields.text("type")?;
    let (provider, kept) = provider::read(&kind, fields.take("provider")?)?;
    let draft = FunctionDraft { id: id.unwrap_or(given), provider, metadata: fields.map("metadata")? };
    Ok((draft, kept))
}

#[cfg(test)]
mod tests;
