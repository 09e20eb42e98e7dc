//! The catalog: event types, functions and subscriptions of all spaces as one immutable value.
//!
//! A [`Command`] is checked by [`Catalog::plan`] and becomes a [`Change`], which the log keeps in its [`stored`] form;
//! [`Catalog::apply`] makes the next catalog from a change, and folding all changes of the log makes the present one.
//! Rules are asked when planning, never when applying: a log that was accepted once can always be read.
//!
//! Nothing here does input or output, and nothing knows the wire format of the configuration API or the manifest: both
//! hand over [`draft`]s, whose faults are reported together in the words of the Event Gateway.

#![forbid(unsafe_code)]

mod aws;
mod catalog;
mod change;
mod component;
mod cors;
mod delivery;
mod diff;
pub mod draft;
mod error;
mod event_type;
mod function;
mod key_rule;
pub mod limits;
mod names;
mod plan;
mod pointer;
mod rules;
mod schema;
mod space;
pub mod stored;
mod subscription;
mod system;
mod token;
mod words;

pub use weir_routing::{Arrival, Entrance, Filter, FilterFault, Matching, Method, MethodSet, Params, RouteError};

pub use aws::{AwsCredentials, AwsFunction, AwsService};
pub use catalog::Catalog;
pub use change::{Change, ChangeKind, Command, Target};
pub use component::Component;
pub use cors::Cors;
pub use delivery::{Activity, DeliveryPolicy, Jitter, OnFailure, Order, Priority, RetryPolicy, Start};
pub use diff::{Desired, diff};
pub use error::{ApplyError, CatalogError, Detail, Resource};
pub use event_type::{EventType, OnInvalid};
pub use function::{Builtin, CloudEventsVersion, Code, Function, FunctionKind, Instances};
pub use key_rule::{KeyError, KeyRule, KeyRuleError};
pub use names::{CorsId, EventTypeName, EventTypeNameError, HTTP_REQUEST, SubscriptionId, is_reserved};
pub use pointer::{JsonPointer, PointerError};
pub use schema::{DataFault, Schema, SchemaError, Violation, Violations};
pub use space::{RouteMatch, SpaceCatalog};
pub use subscription::{Subscription, SubscriptionKind};
pub use system::SystemEvent;
pub use token::{Action, Scope, ScopeError, Scopes, Token, TokenId};
