//! Named upper bounds of what the catalog takes. They hold for new changes; what the log has is always read.

pub use weir_routing::ROUTE_BYTES_MAX;

/// Event types, functions and subscriptions of one space, of each; tokens of the server.
pub const ITEMS_MAX: usize = 65_536;

/// The description of an event type or a token in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 16 * 1024;

/// The schema of an event type in bytes, written without spaces.
pub const SCHEMA_BYTES_MAX: usize = 256 * 1024;

/// How deeply arrays and objects of a schema nest; less than what readers of JSON take, because the log wraps it.
pub const SCHEMA_NESTING_MAX: usize = 64;

/// Schemas within one another, references followed. Compiling them takes stack.
pub const SCHEMA_DEPTH_MAX: usize = 128;

/// Schemas that apply to one value, references followed.
pub const SCHEMA_OVERLAP_MAX: u64 = 1000;

/// The most that checking one event may take: bytes of its data times schemas that apply to one value. About a tenth of a
/// second; data of 1 MiB may be checked against 32 schemas each.
pub const SCHEMA_WORK_MAX: u64 = 32 * 1024 * 1024;

/// Schemas within one another that apply to the same value, where the schema refers to itself: nested data repeat them,
/// and checking takes stack.
pub const SCHEMA_CHAIN_MAX: u64 = 10;

/// Patterns in one schema.
pub const SCHEMA_PATTERNS_MAX: usize = 256;

/// One compiled pattern of a schema in bytes, about.
pub const SCHEMA_PATTERN_BYTES_MAX: usize = 256 * 1024;

/// Violations of a schema that are told of one event; the rest is counted.
pub const VIOLATIONS_MAX: usize = 100;

/// The message of one violation in bytes.
pub const VIOLATION_BYTES_MAX: usize = 256;

/// The pointer of one violation in bytes.
pub const POINTER_BYTES_MAX: usize = 512;

/// Entries of one map of texts: metadata, headers of an HTTP function, configuration of a component.
pub const ENTRIES_MAX: usize = 256;

/// All names and values of one such map together, in bytes.
pub const ENTRIES_BYTES_MAX: usize = 64 * 1024;

/// Scopes of one token.
pub const SCOPES_MAX: usize = 64;

/// The longest that an answer of an authorizer may hold, in milliseconds: a right that was taken away ends by then.
pub const AUTHORIZER_CACHE_MS_MAX: u32 = 60 * 60 * 1000;

/// The URL of an HTTP function in bytes.
pub const URL_BYTES_MAX: usize = 2 * 1024;

/// The code of a function in bytes.
pub const CODE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The longest a call may take, in milliseconds.
pub const TIMEOUT_MS_MAX: u32 = 15 * 60 * 1000;

/// The least memory of a component in bytes: a JavaScript function does not start in less.
pub const MEMORY_BYTES_MIN: u64 = 4 * 1024 * 1024;

/// The most memory of a component in bytes: what 32-bit WebAssembly can address.
pub const MEMORY_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// Deliveries of one event to one subscription.
pub const ATTEMPTS_MAX: u32 = 1000;

/// For how long a delivery is tried where nothing else is said, in milliseconds: long enough for an outage that somebody
/// mends on the next morning.
pub const AGE_MS_DEFAULT: u64 = 24 * 60 * 60 * 1000;

/// The longest wait between two deliveries, in milliseconds.
pub const BACKOFF_MS_MAX: u32 = 24 * 60 * 60 * 1000;

/// The least by which the wait between deliveries grows, in hundredths: it stays as it is.
pub const MULTIPLIER_PERCENT_MIN: u32 = 100;

/// The most by which it grows, in hundredths.
pub const MULTIPLIER_PERCENT_MAX: u32 = 1000;

/// The longest wait that a function may be allowed to ask for, in milliseconds.
pub const RETRY_AFTER_MS_MAX: u64 = 7 * 24 * 60 * 60 * 1000;

/// Calls in flight of one subscription.
pub const CONCURRENCY_MAX: u32 = 4096;

/// Events in one call.
pub const BATCH_SIZE_MAX: u32 = 1000;

/// The longest that a call waits for more events, in milliseconds.
pub const BATCH_WAIT_MS_MAX: u32 = 60_000;

/// Events a second of one subscription, where it bounds them.
pub const RATE_MAX: u32 = 1_000_000;
