//! The contract of a log engine.

use std::ops::Range;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use weir_domain::{Position, SpaceName, Timestamp};

use crate::{Append, Counted, Filter, LogError, Page, Read, Receipt};

/// A durable ordered log of events, shared by all spaces of a server.
///
/// ```text
///   position   1    2    3    4    5    6    7
///   space      a    a    b    a    b    b    a
///                                       ▲         durable end = 6: 7 is being written
///   read(a, from 2, forwards) ──▶ 2, 4
///   read(b, from 6, backwards) ──▶ 6, 5, 3
/// ```
///
/// An engine keeps these promises, and the module `conformance` checks each of them:
///
/// 1. **Acknowledged is durable.** When [`append`](Self::append) returns a receipt, the events are on stable storage
///    (embedded: synced; cluster: acknowledged by a quorum), and every later read and every reopened engine has them.
/// 2. **All or nothing.** A batch is written whole, at positions that grow in the order of the batch, or not at all.
///    An append that failed wrote nothing that a reader may see before it is repeated; after an unclean stop, an append that was
///    never answered may stand in the log, whole.
/// 3. **One order.** Positions grow strictly along a space and are never given twice. They may have gaps. The order
///    of two appends where one was answered before the other was made is the order of their positions.
/// 4. **`(source, id)` is unique** in its space, for ever. An event that was there before is not written again: its entry
///    in the receipt is its first position, marked as duplicate. This holds within one batch too. The content of
///    the repeated event is not compared: CloudEvents says that equal source and id mean the same event.
/// 5. **Conditions are atomic.** With a [`Condition`](crate::Condition), the batch is written only if no event of the space
///    that matches its query stands after its position; otherwise [`LogError::ConditionFailed`] names the newest that
///    does. A batch that consists of duplicates only is answered with its receipt before the condition is looked at,
///    so that a writer who missed an answer can repeat a conditional append.
/// 6. **Reads see the durable part only**, in order, without gaps or repeats, however they are paged: reading on from
///    [`Page::next`] returns each matching event exactly once. A read never waits for new events.
/// 7. **The durable end** that [`durable_end`](Self::durable_end) shows never goes back, and is at least the last position
///    of every receipt that was returned before.
/// 8. **Checkpoints are pencil.** When [`store_checkpoints`](Self::store_checkpoints) has returned, the values are on
///    stable storage. Of one that was under way at an unclean stop the engine may return the value before it, never a
///    mixture. Who reads a checkpoint must be able to do the work since then again.
/// 9. **Errors change nothing.** Whatever an operation returns as error, the engine goes on serving the others, except
///    after [`LogError::Closed`].
/// 10. **Arrivals are told to those whom they concern.** What [`arrivals`](Self::arrivals) shows never goes back, and is at
///     least the position of each of its events of which a receipt was returned before. Whoever sees what it shows, reads to
///     the end and waits for a change misses nothing: an event that the read did not return yet changes it, and can be read
///     by then. Events of other types and spaces, and duplicates, change nothing.
/// 11. **Counts are those of reads.** [`count`](Self::count) says how many events of the durable part reads would return.
/// 12. **What would be a duplicate is found.** [`find`](Self::find) returns the position that the receipt of a repeated event
///     would have.
pub trait LogEngine: Send + Sync + 'static {
    /// Appends a batch and waits until it is durable.
    ///
    /// Waits for room where the engine has much to write; dropping the future does not take the batch back.
    fn append(&self, append: Append) -> BoxFuture<'_, Result<Receipt, LogError>>;

    /// Reads one page.
    fn read(&self, read: Read) -> BoxFuture<'_, Result<Page, LogError>>;

    /// Returns the first position whose event was recorded at or after a time; one past the durable end where none was.
    ///
    /// Times are those of the writer's clock. Where that clock was set back, any place between is as good as another.
    fn position_at(&self, time: Timestamp) -> BoxFuture<'_, Result<Position, LogError>>;

    /// Shows the last durable position of the whole log and wakes its watchers when it grows.
    fn durable_end(&self) -> watch::Receiver<Position>;

    /// Shows the last durable position of an event of one of these types in a space, where none are named of any type, and
    /// wakes its watchers only when one comes.
    ///
    /// At first it may show a later position, up to the durable end: whoever has read up to what it shows has missed nothing.
    /// Watchers of other types cost the writer nothing, and neither do those that were dropped.
    fn arrivals(&self, space: &SpaceName, types: &[String]) -> watch::Receiver<Position>;

    /// Counts the events of a space that match, from a position on and before another one, up to a limit. That is for
    /// figures that people look at: it takes what the index knows and reads no events where it can do without.
    fn count(
        &self,
        space: SpaceName,
        filter: Filter,
        range: Range<Position>,
        limit: u64,
    ) -> BoxFuture<'_, Result<Counted, LogError>>;

    /// Finds the event of a source and id in a space; `None` where there is none.
    fn find(&self, space: SpaceName, source: String, id: String) -> BoxFuture<'_, Result<Option<Position>, LogError>>;

    /// Returns the newest stored value of a checkpoint.
    fn load_checkpoint(&self, name: &str) -> BoxFuture<'_, Result<Option<Bytes>, LogError>>;

    /// Returns the newest stored value of each of these checkpoints, in the order of the names. For who looks up many, this
    /// is one wait instead of as many.
    fn load_checkpoints(&self, names: Vec<String>) -> BoxFuture<'_, Result<Vec<Option<Bytes>>, LogError>>;

    /// Stores checkpoints, all of them or none, and waits until they are durable. That may take a sync of its own: who has
    /// many to store gathers them.
    fn store_checkpoints(&self, values: Vec<(String, Bytes)>) -> BoxFuture<'_, Result<(), LogError>>;

    /// Removes checkpoints, all of them or none. One that is not there is no error.
    fn remove_checkpoints(&self, names: Vec<String>) -> BoxFuture<'_, Result<(), LogError>>;

    /// Finishes what was appended, writes down what would otherwise be rebuilt, and refuses everything after.
    fn close(&self) -> BoxFuture<'_, Result<(), LogError>>;
}
