//! Which commands are good: the checks of the Event Gateway, in its order and with its messages.
//!
//! Two things are stricter than there, on purpose: an authorizer that does not exist is the fault of the request
//! wherever it is named, and event types under `weir.` belong to Weir.

use std::{collections::BTreeSet, sync::Arc};

use weir_domain::{FunctionId, SpaceName};

use crate::{
    Activity, Catalog, CatalogError, Change, ChangeKind, Command, Cors, Detail, EventType, Function, Resource,
    SpaceCatalog, Subscription, SubscriptionKind, Token, limits, rules,
};

impl Catalog {
    /// Checks a command against the present catalog and makes the change that is to be recorded.
    ///
    /// # Errors
    /// The first check that fails; faults of fields are told all at once.
    pub fn plan(&self, space: &SpaceName, command: Command) -> Result<Change, CatalogError> {
        let present = self.space_or_empty(space);
        let kind = match command {
            Command::CreateEventType(it) => create_event_type(present, it)?,
            Command::UpdateEventType(it) => update_event_type(present, it)?,
            Command::DeleteEventType(name) => delete_event_type(present, name)?,
            Command::CreateFunction(it) => create_function(present, it)?,
            Command::UpdateFunction(it) => update_function(present, it)?,
            Command::UpdateFunctionKeeping { function, kept } => {
                update_function(present, with_kept(present, function, kept)?)?
            }
            Command::DeleteFunction(id) => delete_function(present, id)?,
            Command::CreateSubscription(it) => create_subscription(present, it)?,
            Command::ReplaceSubscription { id, subscription } => replace_subscription(present, id, subscription)?,
            Command::UpdateSubscription { id, subscription } => update_subscription(present, id, subscription)?,
            Command::SetActivity { id, activity } => set_activity(present, id, activity)?,
            Command::DeleteSubscription(id) => delete_subscription(present, id)?,
            Command::CreateCors(it) => create_cors(present, it)?,
            Command::UpdateCors { id, cors } => update_cors(present, id, cors)?,
            Command::DeleteCors(id) => delete_cors(present, id)?,
            Command::CreateToken(it) => create_token(self, it)?,
            Command::DeleteToken(id) => delete_token(self, id)?,
            Command::DeleteSpace { force } => delete_space(space, present, force)?,
        };
        Ok(Change { space: space.clone(), kind })
    }
}

fn create_event_type(present: &SpaceCatalog, mut it: EventType) -> Result<ChangeKind, CatalogError> {
    it.schema_version = u32::from(it.schema.is_some());
    valid(Resource::EventType, rules::event_type(&it))?;
    if present.registered_event_type(it.name.as_str()).is_some() {
        return Err(CatalogError::AlreadyExists { resource: Resource::EventType, id: it.name.to_string() });
    }
    authorizer_exists(present, &it)?;
    has_room(present, Resource::EventType)?;
    Ok(ChangeKind::EventTypeCreated(Arc::new(it)))
}

fn update_event_type(present: &SpaceCatalog, mut it: EventType) -> Result<ChangeKind, CatalogError> {
    if let Some(before) = present.registered_event_type(it.name.as_str()) {
        it.succeed(before);
    }
    valid(Resource::EventType, rules::event_type(&it))?;
    if present.registered_event_type(it.name.as_str()).is_none() {
        return Err(CatalogError::not_found(Resource::EventType, it.name.as_str()));
    }
    authorizer_exists(present, &it)?;
    Ok(ChangeKind::EventTypeUpdated(Arc::new(it)))
}

fn delete_event_type(present: &SpaceCatalog, name: String) -> Result<ChangeKind, CatalogError> {
    if present.is_subscribed_to(&name) {
        return Err(CatalogError::EventTypeInUse);
    }
    match present.registered_event_type(&name) {
        Some(it) => Ok(ChangeKind::EventTypeDeleted(it.name.clone())),
        None => Err(CatalogError::not_found(Resource::EventType, name)),
    }
}

fn create_function(present: &SpaceCatalog, it: Function) -> Result<ChangeKind, CatalogError> {
    valid(Resource::Function, rules::function(&it))?;
    if present.function(it.id.as_str()).is_some() {
        return Err(CatalogError::AlreadyExists { resource: Resource::Function, id: it.id.to_string() });
    }
    has_room(present, Resource::Function)?;
    Ok(ChangeKind::FunctionCreated(Arc::new(it)))
}

fn update_function(present: &SpaceCatalog, it: Function) -> Result<ChangeKind, CatalogError> {
    valid(Resource::Function, rules::function(&it))?;
    if present.function(it.id.as_str()).is_none() {
        return Err(CatalogError::not_found(Resource::Function, it.id.as_str()));
    }
    Ok(ChangeKind::FunctionUpdated(Arc::new(it)))
}

/// Puts the present texts where they are to stay. This is done here and not by who asks, so that what stays is what is
/// there when the change is made.
fn with_kept(present: &SpaceCatalog, mut it: Function, kept: BTreeSet<String>) -> Result<Function, CatalogError> {
    let Some(current) = present.function(it.id.as_str()) else {
        return Err(CatalogError::not_found(Resource::Function, it.id.as_str()));
    };
    // Those of another kind of function mean something else.
    let (field, is_like) = (it.kind.secrets(), it.kind.secrets() == current.kind.secrets());
    for name in kept {
        match current.kind.secret(&name).filter(|_| is_like) {
            Some(text) => it.kind.set_secret(&name, text.to_owned()),
            None => return Err(CatalogError::nothing_to_keep(field, &name)),
        }
    }
    Ok(it)
}

fn delete_function(present: &SpaceCatalog, id: String) -> Result<ChangeKind, CatalogError> {
    if present.is_subscriber(&id) {
        return Err(CatalogError::FunctionInUse);
    }
    if let Some(event_type) = present.authorized_by(&id) {
        return Err(CatalogError::FunctionIsAuthorizer { function: id, event_type: event_type.name.to_string() });
    }
    match present.function(&id) {
        Some(it) => Ok(ChangeKind::FunctionDeleted(it.id.clone())),
        None => Err(CatalogError::not_found(Resource::Function, id)),
    }
}

fn create_subscription(present: &SpaceCatalog, it: Subscription) -> Result<ChangeKind, CatalogError> {
    valid(Resource::Subscription, rules::subscription(&it))?;
    if present.subscription(it.id.as_str()).is_some() {
        return Err(CatalogError::AlreadyExists { resource: Resource::Subscription, id: it.id.to_string() });
    }
    let conflict = |error| CatalogError::PathConflict { resource: Resource::Subscription, error };
    present.check_path(&it).map_err(conflict)?;
    if present.event_type(it.event_type.as_str()).is_none() {
        let id = it.event_type.to_string();
        return Err(CatalogError::MissingReference { resource: Resource::EventType, id });
    }
    function_exists(present, &it.function)?;
    has_room(present, Resource::Subscription)?;
    Ok(ChangeKind::SubscriptionCreated(Arc::new(it)))
}

fn replace_subscription(present: &SpaceCatalog, id: String, mut it: Subscription) -> Result<ChangeKind, CatalogError> {
    valid(Resource::Subscription, rules::subscription(&it))?;
    let Some(current) = present.subscription(&id) else {
        return Err(CatalogError::MissingReference { resource: Resource::Subscription, id });
    };
    if present.subscription(it.id.as_str()).is_some() {
        return Err(CatalogError::AlreadyExists { resource: Resource::Subscription, id: it.id.to_string() });
    }
    // What waits for the one is for the other, as far as its filter lets it through.
    if let Some(detail) = current.cannot_be_continued_by(&it) {
        return Err(CatalogError::invalid(Resource::Subscription, detail));
    }
    function_exists(present, &it.function)?;
    it.succeed(current);
    Ok(ChangeKind::SubscriptionReplaced { id: current.id.clone(), subscription: Arc::new(it) })
}

fn update_subscription(present: &SpaceCatalog, id: String, mut it: Subscription) -> Result<ChangeKind, CatalogError> {
    valid(Resource::Subscription, rules::subscription(&it))?;
    let Some(current) = present.subscription(&id) else {
        return Err(CatalogError::not_found(Resource::Subscription, id));
    };
    if let Some(field) = current.fixed_difference(&it) {
        return Err(CatalogError::FixedField { resource: Resource::Subscription, field });
    }
    function_exists(present, &it.function)?;
    it.succeed(current);
    Ok(ChangeKind::SubscriptionUpdated(Arc::new(it)))
}

fn set_activity(present: &SpaceCatalog, id: String, activity: Activity) -> Result<ChangeKind, CatalogError> {
    let Some(current) = present.subscription(&id) else {
        return Err(CatalogError::not_found(Resource::Subscription, id));
    };
    if current.kind != SubscriptionKind::Async {
        let message = "only an async subscription can be paused, drained or resumed: the callers of this one wait";
        return Err(CatalogError::invalid(Resource::Subscription, Detail::new(message, "delete it to end its calls")));
    }
    Ok(ChangeKind::SubscriptionUpdated(Arc::new(Subscription::clone(current).with_activity(activity))))
}

fn delete_subscription(present: &SpaceCatalog, id: String) -> Result<ChangeKind, CatalogError> {
    match present.subscription(&id) {
        Some(it) => Ok(ChangeKind::SubscriptionDeleted(it.id.clone())),
        None => Err(CatalogError::not_found(Resource::Subscription, id)),
    }
}

fn create_cors(present: &SpaceCatalog, it: Cors) -> Result<ChangeKind, CatalogError> {
    valid(Resource::Cors, rules::cors(&it))?;
    if present.cors(it.id.as_str()).is_some() {
        return Err(CatalogError::AlreadyExists { resource: Resource::Cors, id: it.id.to_string() });
    }
    let conflict = |error| CatalogError::PathConflict { resource: Resource::Cors, error };
    present.check_origins(&it).map_err(conflict)?;
    has_room(present, Resource::Cors)?;
    Ok(ChangeKind::CorsCreated(Arc::new(it)))
}

fn update_cors(present: &SpaceCatalog, id: String, it: Cors) -> Result<ChangeKind, CatalogError> {
    valid(Resource::Cors, rules::cors(&it))?;
    let Some(current) = present.cors(&id) else { return Err(CatalogError::not_found(Resource::Cors, id)) };
    if let Some(field) = current.fixed_difference(&it) {
        return Err(CatalogError::FixedField { resource: Resource::Cors, field });
    }
    Ok(ChangeKind::CorsUpdated(Arc::new(it)))
}

fn delete_cors(present: &SpaceCatalog, id: String) -> Result<ChangeKind, CatalogError> {
    match present.cors(&id) {
        Some(it) => Ok(ChangeKind::CorsDeleted(it.id.clone())),
        None => Err(CatalogError::not_found(Resource::Cors, id)),
    }
}

fn create_token(present: &Catalog, it: Token) -> Result<ChangeKind, CatalogError> {
    valid(Resource::Token, rules::token(&it))?;
    if present.token(it.id.as_str()).is_some() {
        return Err(CatalogError::AlreadyExists { resource: Resource::Token, id: it.id.to_string() });
    }
    if present.tokens().len() >= limits::ITEMS_MAX {
        return Err(CatalogError::Full { resource: Resource::Token });
    }
    Ok(ChangeKind::TokenCreated(Arc::new(it)))
}

fn delete_token(present: &Catalog, id: String) -> Result<ChangeKind, CatalogError> {
    match present.token(&id) {
        Some(it) => Ok(ChangeKind::TokenDeleted(it.id.clone())),
        None => Err(CatalogError::not_found(Resource::Token, id)),
    }
}

fn delete_space(space: &SpaceName, present: &SpaceCatalog, force: bool) -> Result<ChangeKind, CatalogError> {
    if present.is_empty() {
        return Err(CatalogError::SpaceNotFound { space: space.to_string() });
    }
    if force {
        return Ok(ChangeKind::SpaceDeleted);
    }
    Err(CatalogError::SpaceInUse {
        space: space.to_string(),
        has: Resource::ALL.map(|resource| present.count(resource)),
    })
}

fn valid(resource: Resource, details: Vec<Detail>) -> Result<(), CatalogError> {
    if details.is_empty() { Ok(()) } else { Err(CatalogError::Invalid { resource, details }) }
}

fn authorizer_exists(present: &SpaceCatalog, it: &EventType) -> Result<(), CatalogError> {
    match &it.authorizer {
        Some(function) if present.function(function.as_str()).is_none() => Err(CatalogError::AuthorizerMissing),
        _ => Ok(()),
    }
}

fn function_exists(present: &SpaceCatalog, id: &FunctionId) -> Result<(), CatalogError> {
    if present.function(id.as_str()).is_some() {
        return Ok(());
    }
    Err(CatalogError::MissingReference { resource: Resource::Function, id: id.to_string() })
}

fn has_room(present: &SpaceCatalog, resource: Resource) -> Result<(), CatalogError> {
    if present.count(resource) < limits::ITEMS_MAX { Ok(()) } else { Err(CatalogError::Full { resource }) }
}
