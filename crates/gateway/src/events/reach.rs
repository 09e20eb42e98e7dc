//! Which spaces a request is for that names none, where spaces are not told apart, as in the Event Gateway.
//!
//! There an event reached the subscriptions of all spaces. Here each space keeps an event of its own, with its own key and
//! schema and by the word of its own authorizer, so that nothing behind the door has to know of it. Of the spaces that a
//! caller may emit to, one answers: that with a route, else the first that listens or knows the type. The default space
//! comes first, then the others by their names. All others that know the type keep the event as well; a plain request only
//! those that listen to it.
//!
//! A request that names a space is for that space alone, and so is a batch, which the Event Gateway did not have.

use std::iter;

use http::request::Parts;
use weir_catalog::{Catalog, HTTP_REQUEST, SpaceCatalog};
use weir_domain::SpaceName;

use super::{Exchange, cors, route, stamp::Stamp};
use crate::problem::Problem;

/// In how many further spaces one event is kept.
const FURTHER_MAX: usize = 64;

/// The spaces that a request is for.
pub(super) struct Reach {
    /// Where it is answered.
    pub(super) home: SpaceName,
    /// Where its event is kept as well.
    pub(super) also: Vec<SpaceName>,
}

/// Finds the spaces that a request with an event of this type is for.
///
/// # Errors
/// Where they are too many: 400.
pub(super) fn of(exchange: &Exchange<'_>, catalog: &Catalog, event_type: &str) -> Result<Reach, Problem> {
    let Exchange { shared, parts, ref space, path, ref caller, is_for_all, notes, .. } = *exchange;
    if !is_for_all {
        return Ok(Reach { home: space.clone(), also: Vec::new() });
    }
    let stamp = Stamp::of(parts, path, &*shared.ids);
    let has_route = |present: &SpaceCatalog| route(present, parts, event_type, path).is_some();
    let listens = |present: &SpaceCatalog| shared.flow.listeners(present, event_type, stamp.arrival()).next().is_some();
    let keeps = |present: &SpaceCatalog| match event_type {
        HTTP_REQUEST => listens(present),
        _ => present.registered_event_type(event_type).is_some(),
    };
    // Then the answer says by which methods the path is there.
    let has_path = |present: &SpaceCatalog| !present.methods(event_type, path).is_empty();
    let all: Vec<(&SpaceName, &SpaceCatalog)> =
        in_order(catalog, space).filter(|(name, _)| caller.may_emit(name, event_type)).collect();
    let first = |is_it: &dyn Fn(&SpaceCatalog) -> bool| all.iter().find(|(_, present)| is_it(present));
    let found = first(&has_route).or_else(|| first(&listens)).or_else(|| first(&keeps)).or_else(|| first(&has_path));
    let home = found.map_or(space, |(name, _)| *name);
    let others = all.iter().filter(|(name, present)| *name != home && keeps(present));
    let also: Vec<SpaceName> = others.map(|(name, _)| (*name).clone()).collect();
    if also.len() > FURTHER_MAX {
        let message = format!(
            "the request names no space, and is for {} of them, over the limit of {}: name one with the header Weir-Space",
            also.len() + 1,
            FURTHER_MAX + 1
        );
        return Err(Problem::invalid(message));
    }
    if let Some(notes) = notes {
        notes.space(home);
    }
    Ok(Reach { home: home.clone(), also })
}

/// Finds the space whose CORS configuration a request is under that names none; the default one where there is none.
pub(super) fn of_page<'c>(catalog: &'c Catalog, default: &'c SpaceName, parts: &Parts, path: &str) -> &'c SpaceCatalog {
    let mut all = in_order(catalog, default).map(|(_, present)| present);
    all.find(|present| cors::is_configured(present, parts, path)).unwrap_or_else(|| catalog.space_or_empty(default))
}

/// Returns the default space, whether or not it has anything, and then the others by their names.
fn in_order<'c>(
    catalog: &'c Catalog,
    default: &'c SpaceName,
) -> impl Iterator<Item = (&'c SpaceName, &'c SpaceCatalog)> {
    let others = catalog.spaces().filter(move |(name, _)| *name != default);
    iter::once((default, catalog.space_or_empty(default))).chain(others).map(|(name, present)| (name, &**present))
}
