//! What one space has: its event types, functions and subscriptions, and the indexes that are derived from them.

use std::sync::Arc;

use weir_domain::{Event, FunctionId};
use weir_routing::{Arrival, Entrance, Matcher, Matching, Method, MethodSet, Params, RouteError, Router, Scratch};

use crate::{
    ApplyError, ChangeKind, Cors, EventType, Function, HTTP_REQUEST, Resource, Subscription, SubscriptionKind,
};

/// Resources by name or identifier. Catalogs share what they have in common: a change copies the way to what it changes.
pub(crate) type Map<T> = imbl::OrdMap<Arc<str>, Arc<T>>;

/// CORS configurations are for a method and a path, whatever the type of the event.
const ANY_TYPE: &str = "";

/// What one space has. Equal where the resources are equal; everything else is derived from them.
#[derive(Clone, Debug, Default)]
pub struct SpaceCatalog {
    event_types: Map<EventType>,
    /// How many of them have an authorizer.
    authorized: usize,
    functions: Map<Function>,
    subscriptions: Map<Subscription>,
    cors: Map<Cors>,
    origins: Arc<Router<Arc<Cors>>>,
    routes: Arc<Router<Arc<Subscription>>>,
    /// The async subscriptions.
    listeners: Matcher<Arc<Subscription>>,
}

/// The sync subscription that a request is for.
#[derive(Clone, Debug)]
pub struct RouteMatch<'a> {
    /// The subscription.
    pub subscription: Arc<Subscription>,
    /// The parameters of the path.
    pub params: Params<'a>,
}

impl PartialEq for SpaceCatalog {
    fn eq(&self, other: &Self) -> bool {
        self.event_types == other.event_types
            && self.functions == other.functions
            && self.subscriptions == other.subscriptions
            && self.cors == other.cors
    }
}

impl Eq for SpaceCatalog {}

impl SpaceCatalog {
    /// Finds an event type that the space knows: a registered one, or one that needs no registration: `http.request`
    /// and what the platform tells.
    #[must_use]
    pub fn event_type(&self, name: &str) -> Option<&Arc<EventType>> {
        self.registered_event_type(name).or_else(|| EventType::built_in(name))
    }

    /// Finds an event type that was registered.
    #[must_use]
    pub fn registered_event_type(&self, name: &str) -> Option<&Arc<EventType>> {
        self.event_types.get(name)
    }

    /// Returns the registered event types in the order of their names.
    pub fn event_types(&self) -> impl Iterator<Item = &Arc<EventType>> {
        self.event_types.values()
    }

    /// Tells whether any event type has an authorizer: where none has, only who shows a token can emit anything.
    #[must_use]
    pub fn has_authorizers(&self) -> bool {
        self.authorized > 0
    }

    /// Tells whether events of a type are let in by an authorizer.
    #[must_use]
    pub fn is_authorized(&self, event_type: &str) -> bool {
        self.event_type(event_type).is_some_and(|it| it.authorizer.is_some())
    }

    /// Finds a function.
    #[must_use]
    pub fn function(&self, id: &str) -> Option<&Arc<Function>> {
        self.functions.get(id)
    }

    /// Returns the functions in the order of their identifiers.
    pub fn functions(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.functions.values()
    }

    /// Finds a subscription.
    #[must_use]
    pub fn subscription(&self, id: &str) -> Option<&Arc<Subscription>> {
        self.subscriptions.get(id)
    }

    /// Returns the subscriptions in the order of their identifiers.
    pub fn subscriptions(&self) -> impl Iterator<Item = &Arc<Subscription>> {
        self.subscriptions.values()
    }

    /// Tells whether the space has nothing: then it is as if it had never been named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.event_types.is_empty()
            && self.functions.is_empty()
            && self.subscriptions.is_empty()
            && self.cors.is_empty()
    }

    /// Finds the sync subscription of an event type that has a route for this path, which is still percent-encoded.
    #[must_use]
    pub fn route<'a>(&'a self, method: Method, event_type: &str, path: &'a str) -> Option<RouteMatch<'a>> {
        let found = self.routes.find(method, event_type, path)?;
        Some(RouteMatch { subscription: Arc::clone(found.value), params: found.params })
    }

    /// Finds a CORS configuration.
    #[must_use]
    pub fn cors(&self, id: &str) -> Option<&Arc<Cors>> {
        self.cors.get(id)
    }

    /// Returns the CORS configurations in the order of their identifiers.
    pub fn all_cors(&self) -> impl Iterator<Item = &Arc<Cors>> {
        self.cors.values()
    }

    /// Finds the CORS configuration for requests with this method and path, which is still percent-encoded.
    #[must_use]
    pub fn cors_for<'a>(&'a self, method: Method, path: &'a str) -> Option<&'a Arc<Cors>> {
        self.origins.find(method, ANY_TYPE, path).map(|found| found.value)
    }

    /// Tells whether there is any CORS configuration: where there is none, nobody need look for it.
    #[must_use]
    pub fn has_cors(&self) -> bool {
        !self.cors.is_empty()
    }

    /// Returns the methods that have a route of this event type for a path: the header `Allow` of a 405.
    #[must_use]
    pub fn methods(&self, event_type: &str, path: &str) -> MethodSet {
        self.routes.methods(event_type, path)
    }

    /// Tells whether a plain HTTP request with this method and path has a route.
    #[must_use]
    pub fn is_routed(&self, method: Method, path: &str) -> bool {
        self.methods(HTTP_REQUEST, path).contains(method)
    }

    /// Returns the async subscriptions in the order of their identifiers.
    pub fn async_subscriptions(&self) -> impl Iterator<Item = &Arc<Subscription>> {
        self.subscriptions.values().filter(|each| each.kind == SubscriptionKind::Async)
    }

    /// Returns what finds the async subscriptions that are given an event: for who asks of many events.
    #[must_use]
    pub fn listeners(&self) -> &Matcher<Arc<Subscription>> {
        &self.listeners
    }

    /// Returns the async subscriptions that are given events of one type which come in so, in no particular order. What
    /// filters let through is not asked: those that have one may be given none of these.
    pub fn async_of<'a>(
        &'a self,
        event_type: &str,
        arrival: Arrival<'a>,
        matching: Matching,
    ) -> impl Iterator<Item = &'a Arc<Subscription>> + use<'a> {
        self.listeners.could_match(event_type, arrival, matching)
    }

    /// Returns the async subscriptions that are given an event, in the order of their identifiers.
    pub fn async_for<'a>(
        &'a self,
        event: &Event,
        matching: Matching,
    ) -> impl Iterator<Item = &'a Arc<Subscription>> + use<'a> {
        let mut found = Vec::new();
        self.listeners.matches(event, matching, &mut Scratch::default(), &mut found);
        found.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        found.into_iter()
    }

    /// Tells whether a subscription could be added: a sync one beside those that are there; an async one is in nobody's
    /// way, and need only be such that a request could reach it.
    pub(crate) fn check_path(&self, subscription: &Subscription) -> Result<(), RouteError> {
        let Subscription { kind, event_type, method, path, .. } = subscription;
        match kind {
            SubscriptionKind::Sync => self.routes.check(*method, event_type.as_str(), path),
            SubscriptionKind::Async => Entrance::check(path),
        }
    }

    pub(crate) fn is_subscribed_to(&self, event_type: &str) -> bool {
        self.subscriptions.values().any(|each| each.event_type.as_str() == event_type)
    }

    pub(crate) fn is_subscriber(&self, function: &str) -> bool {
        self.subscriptions.values().any(|each| each.function.as_str() == function)
    }

    pub(crate) fn authorized_by(&self, function: &str) -> Option<&Arc<EventType>> {
        let names = |each: &&Arc<EventType>| each.authorizer.as_ref().map(FunctionId::as_str) == Some(function);
        self.event_types.values().find(names)
    }

    /// Tells whether a CORS configuration could be added beside those that are there.
    pub(crate) fn check_origins(&self, cors: &Cors) -> Result<(), RouteError> {
        self.origins.check(cors.method, ANY_TYPE, &cors.path)
    }

    /// Returns how many of a kind there are.
    #[must_use]
    pub fn count(&self, resource: Resource) -> usize {
        match resource {
            Resource::EventType => self.event_types.len(),
            Resource::Function => self.functions.len(),
            Resource::Subscription => self.subscriptions.len(),
            Resource::Cors => self.cors.len(),
            // They are of no space: see `Catalog::tokens`.
            Resource::Token => 0,
        }
    }

    /// Makes the change; on an error nothing has changed.
    pub(crate) fn fold(&mut self, change: &ChangeKind) -> Result<(), ApplyError> {
        match change {
            ChangeKind::EventTypeCreated(it) => {
                create(&mut self.event_types, it.name.as_str(), it)?;
                self.authorized += usize::from(it.authorizer.is_some());
                Ok(())
            }
            ChangeKind::EventTypeUpdated(it) => {
                let was_authorized = self.is_authorized(it.name.as_str());
                update(&mut self.event_types, it.name.as_str(), it)?;
                self.authorized = self.authorized - usize::from(was_authorized) + usize::from(it.authorizer.is_some());
                Ok(())
            }
            ChangeKind::EventTypeDeleted(name) => {
                let gone = delete(&mut self.event_types, name.as_str())?;
                self.authorized -= usize::from(gone.authorizer.is_some());
                Ok(())
            }
            ChangeKind::FunctionCreated(it) => create(&mut self.functions, it.id.as_str(), it),
            ChangeKind::FunctionUpdated(it) => update(&mut self.functions, it.id.as_str(), it),
            ChangeKind::FunctionDeleted(id) => delete(&mut self.functions, id.as_str()).map(drop),
            ChangeKind::SubscriptionCreated(it) => self.subscribe(it),
            ChangeKind::SubscriptionReplaced { id, subscription } => {
                absent(&self.subscriptions, subscription.id.as_str())?;
                self.unsubscribe(id.as_str())?;
                self.subscribe(subscription)
            }
            ChangeKind::SubscriptionUpdated(it) => self.resubscribe(it),
            ChangeKind::SubscriptionDeleted(id) => self.unsubscribe(id.as_str()),
            ChangeKind::CorsCreated(it) => {
                absent(&self.cors, it.id.as_str())?;
                Arc::make_mut(&mut self.origins).insert(it.method, ANY_TYPE, &it.path, Arc::clone(it))?;
                create(&mut self.cors, it.id.as_str(), it)
            }
            ChangeKind::CorsUpdated(it) => {
                present(&self.cors, it.id.as_str())?;
                Arc::make_mut(&mut self.origins).replace(it.method, ANY_TYPE, &it.path, Arc::clone(it));
                update(&mut self.cors, it.id.as_str(), it)
            }
            ChangeKind::CorsDeleted(id) => {
                let gone = delete(&mut self.cors, id.as_str())?;
                Arc::make_mut(&mut self.origins).remove(gone.method, ANY_TYPE, &gone.path);
                Ok(())
            }
            // They are of no space: `Catalog::fold` has made the change.
            ChangeKind::TokenCreated(_) | ChangeKind::TokenDeleted(_) => Ok(()),
            ChangeKind::SpaceDeleted => {
                *self = Self::default();
                Ok(())
            }
        }
    }

    fn subscribe(&mut self, it: &Arc<Subscription>) -> Result<(), ApplyError> {
        absent(&self.subscriptions, it.id.as_str())?;
        match it.kind {
            SubscriptionKind::Sync => {
                let routes = Arc::make_mut(&mut self.routes);
                routes.insert(it.method, it.event_type.as_str(), &it.path, Arc::clone(it))?;
            }
            SubscriptionKind::Async => self.listen(it),
        }
        create(&mut self.subscriptions, it.id.as_str(), it)
    }

    fn resubscribe(&mut self, it: &Arc<Subscription>) -> Result<(), ApplyError> {
        let former = self.subscriptions.get(it.id.as_str()).map(Arc::clone);
        let former = former.ok_or_else(|| ApplyError::Missing { id: it.id.to_string() })?;
        match it.kind {
            SubscriptionKind::Sync => {
                let routes = Arc::make_mut(&mut self.routes);
                routes
                    .replace(it.method, it.event_type.as_str(), &it.path, Arc::clone(it))
                    .ok_or_else(|| ApplyError::Missing { id: it.id.to_string() })?;
            }
            SubscriptionKind::Async => {
                self.unlisten(&former);
                self.listen(it);
            }
        }
        update(&mut self.subscriptions, it.id.as_str(), it)
    }

    fn unsubscribe(&mut self, id: &str) -> Result<(), ApplyError> {
        let gone = delete(&mut self.subscriptions, id)?;
        match gone.kind {
            SubscriptionKind::Sync => {
                Arc::make_mut(&mut self.routes).remove(gone.method, gone.event_type.as_str(), &gone.path);
            }
            SubscriptionKind::Async => self.unlisten(&gone),
        }
        Ok(())
    }

    fn listen(&mut self, it: &Arc<Subscription>) {
        if let Some(event_type) = it.events() {
            self.listeners.insert(&it.rule(&event_type), Arc::clone(it));
        }
    }

    fn unlisten(&mut self, it: &Arc<Subscription>) {
        if let Some(event_type) = it.events() {
            self.listeners.remove(&it.rule(&event_type), it);
        }
    }
}

fn absent<T>(map: &Map<T>, id: &str) -> Result<(), ApplyError> {
    if map.contains_key(id) { Err(ApplyError::Exists { id: id.to_owned() }) } else { Ok(()) }
}

fn present<T>(map: &Map<T>, id: &str) -> Result<(), ApplyError> {
    if map.contains_key(id) { Ok(()) } else { Err(ApplyError::Missing { id: id.to_owned() }) }
}

pub(crate) fn create<T>(map: &mut Map<T>, id: &str, value: &Arc<T>) -> Result<(), ApplyError> {
    absent(map, id)?;
    map.insert(id.into(), Arc::clone(value));
    Ok(())
}

fn update<T>(map: &mut Map<T>, id: &str, value: &Arc<T>) -> Result<(), ApplyError> {
    present(map, id)?;
    map.insert(id.into(), Arc::clone(value));
    Ok(())
}

pub(crate) fn delete<T>(map: &mut Map<T>, id: &str) -> Result<Arc<T>, ApplyError> {
    map.remove(id).ok_or_else(|| ApplyError::Missing { id: id.to_owned() })
}
