//! The resources of a space as commands speak of them: their names, and the way to the Configuration API.

use std::{collections::BTreeMap, time::Duration};

use clap::{Args, ValueEnum};
use http::StatusCode;
use serde_json::value::RawValue;
use weir_catalog::{Catalog, Change, Command, Resource, limits};
use weir_domain::SpaceName;
use weir_gateway::wire::{self, Components, Request};

use crate::{
    cli::{AccessArgs, CONFIG_URL},
    client::{Answer, BaseUrl, Client, ClientError},
    naming::noun,
};

/// How long one answer may take: code is compiled before it, and other code may be compiled first.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// Which server.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServerArgs {
    /// The Configuration API of the server
    #[arg(long, visible_alias = "url", value_name = "URL", default_value = CONFIG_URL)]
    config_url: BaseUrl,
    /// How it is spoken to.
    #[command(flatten)]
    access: AccessArgs,
}

impl ServerArgs {
    /// Makes a client of the server; nothing is connected yet.
    ///
    /// # Errors
    /// Where the certificates or the token that it is to use cannot be read.
    pub(super) async fn client(&self) -> anyhow::Result<Client> {
        self.access.client(&self.config_url).await
    }

    /// Returns the flag for the server in a command that is shown, behind a blank; nothing where it is the usual one.
    pub(super) fn flag(&self) -> String {
        let url = self.config_url.to_string();
        if url == CONFIG_URL { String::new() } else { format!(" --url {url}") }
    }
}

/// The kinds of resources, under the names that people give them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    /// Event types
    #[value(name = "eventtypes", aliases = ["eventtype", "event-types", "event-type", "et"])]
    EventTypes,
    /// Functions
    #[value(name = "functions", aliases = ["function", "fn"])]
    Functions,
    /// Subscriptions
    #[value(name = "subscriptions", aliases = ["subscription", "subs", "sub"])]
    Subscriptions,
    /// CORS configurations
    #[value(name = "cors")]
    Cors,
}

impl Kind {
    /// Returns what the catalog calls it.
    pub(super) const fn resource(self) -> Resource {
        match self {
            Self::EventTypes => Resource::EventType,
            Self::Functions => Resource::Function,
            Self::Subscriptions => Resource::Subscription,
            Self::Cors => Resource::Cors,
        }
    }

    /// Returns the word for all of them, as a command takes it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::EventTypes => "eventtypes",
            Self::Functions => "functions",
            Self::Subscriptions => "subscriptions",
            Self::Cors => "cors",
        }
    }

    /// Returns the identifier that is meant: a CORS configuration may be named by method and path as well.
    pub(super) fn id(self, given: &str) -> String {
        match given.split_once(' ') {
            Some((method, path)) if self == Self::Cors => {
                format!("{}{}", method.to_ascii_uppercase(), path.trim_start())
            }
            _ => given.to_owned(),
        }
    }

    /// Makes the command to delete one.
    pub(super) fn deletion(self, given: &str) -> Command {
        let id = self.id(given);
        match self {
            Self::EventTypes => Command::DeleteEventType(id),
            Self::Functions => Command::DeleteFunction(id),
            Self::Subscriptions => Command::DeleteSubscription(id),
            Self::Cors => Command::DeleteCors(id),
        }
    }
}

/// The Configuration API of a server, for one space.
pub(super) struct Api {
    client: Client,
    space: SpaceName,
}

impl Api {
    /// Makes the way to a server; nothing is connected yet.
    ///
    /// # Errors
    /// Where the certificates or the token that it is to use cannot be read.
    pub(super) async fn new(server: ServerArgs, space: SpaceName) -> anyhow::Result<Self> {
        let client = server.client().await?;
        Ok(Self { client, space })
    }

    /// Returns the space.
    pub(super) const fn space(&self) -> &SpaceName {
        &self.space
    }

    /// Returns the client, for what is no resource.
    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Asks for one resource.
    ///
    /// # Errors
    /// Where it does not come.
    pub(super) async fn item(&self, kind: Resource, id: &str) -> Result<Answer, ClientError> {
        let answer = self.client.get(&wire::path(&self.space, kind, Some(id)), ANSWER_TIMEOUT).await?;
        if answer.status == StatusCode::OK { Ok(answer) } else { Err(self.refused(kind, &answer).await) }
    }

    /// Makes the error of an answer that is no success. What is no Configuration API answers that something is not there
    /// as well: then a list is asked for, which one would have.
    async fn refused(&self, kind: Resource, answer: &Answer) -> ClientError {
        if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
            let list = format!("{}?limit=1", wire::path(&self.space, kind, None));
            // What else is wrong with the list says nothing about this answer.
            if let Err(error @ ClientError::Unreadable { .. }) = self.page(kind, &list).await {
                return error;
            }
        }
        self.client.refused(answer)
    }

    /// Asks for all resources of a kind, as far as a query, which begins with `?`, lets them through. Where the server gives
    /// them in several pages, the answer is what one page would have been.
    ///
    /// # Errors
    /// Where they do not come.
    pub(super) async fn list(&self, kind: Resource, query: &str) -> Result<Answer, ClientError> {
        let list = wire::path(&self.space, kind, None);
        let mut path = format!("{list}{query}");
        let mut body = format!("{{\"{}\":[", wire::list_name(kind)).into_bytes();
        let mut count = 0_usize;
        // A page has one resource at least.
        for _ in 0..=limits::ITEMS_MAX {
            let answer = self.page(kind, &path).await?;
            let next = self.client.next_page(&answer, &list)?;
            if next.is_none() && count == 0 {
                return Ok(answer);
            }
            for item in self.items(kind, &answer)? {
                if count > 0 {
                    body.push(b',');
                }
                body.extend_from_slice(item.get().as_bytes());
                count += 1;
            }
            let Some(next) = next else {
                body.extend_from_slice(b"]}");
                return Ok(Answer { body: body.into(), ..answer });
            };
            path = next;
        }
        Err(self.unreadable("its list has no end"))
    }

    /// Asks for one page of a list.
    async fn page(&self, kind: Resource, path: &str) -> Result<Answer, ClientError> {
        let answer = self.client.get(path, ANSWER_TIMEOUT).await?;
        match answer.status {
            StatusCode::OK => Ok(answer),
            // A Configuration API has a list for every space.
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                Err(self.unreadable(format!("it has no list of the {} of a space", wire::list_name(kind))))
            }
            _ => Err(self.client.refused(&answer)),
        }
    }

    /// Takes an answer with a list apart.
    ///
    /// # Errors
    /// Where it is none.
    pub(super) fn items<'a>(&self, kind: Resource, answer: &'a Answer) -> Result<Vec<&'a RawValue>, ClientError> {
        let name = wire::list_name(kind);
        let broken = |error: serde_json::Error| self.unreadable(format!("it is no list of {name}: {error}"));
        let mut members: BTreeMap<String, &'a RawValue> = serde_json::from_slice(&answer.body).map_err(broken)?;
        let list = members.remove(name).ok_or_else(|| self.unreadable(format!("it has no member {name}")))?;
        serde_json::from_str(list.get()).map_err(broken)
    }

    /// Asks for everything that the space has, kind by kind: whoever changes it meanwhile is seen in part. Components are
    /// not shown: those that it has are known among these.
    ///
    /// # Errors
    /// Where it does not come, or is not understood.
    pub(super) async fn present(&self, components: &Components) -> Result<Catalog, ClientError> {
        let mut catalog = Catalog::new();
        for kind in wire::KINDS {
            let answer = self.list(kind, "").await?;
            for item in self.items(kind, &answer)? {
                let strange = |detail: String| {
                    self.unreadable(format!("it has a {} of another version of weir ({detail})", noun(kind)))
                };
                let shown = wire::read_shown(kind, item.get(), components);
                let shown = shown.map_err(|error| strange(error.to_string()))?;
                let Some(change) = shown else { return Err(strange("of another kind".into())) };
                let change = Change { space: self.space.clone(), kind: change };
                catalog.fold(&change).map_err(|error| strange(error.to_string()))?;
            }
        }
        Ok(catalog)
    }

    /// Asks for a change; returns its receipt, the position in the log.
    ///
    /// # Errors
    /// Where the change is not confirmed.
    pub(super) async fn change(&self, command: &Command) -> Result<Option<u64>, ClientError> {
        let Request { method, path, body } = wire::request(&self.space, command);
        let answer = self.client.request(method, &path, body.into(), ANSWER_TIMEOUT).await?;
        if !answer.status.is_success() {
            return Err(self.refused(Resource::Function, &answer).await);
        }
        Ok(answer.header("weir-position").and_then(|position| position.parse().ok()))
    }

    /// Makes the error of an answer that is not what such a server gives.
    pub(super) fn unreadable(&self, detail: impl Into<String>) -> ClientError {
        self.client.unreadable(detail)
    }
}
