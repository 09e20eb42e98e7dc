//! Named upper bounds of what the catalog takes. They hold for new changes; what the log has is always read.

pub use weir_routing::ROUTE_BYTES_MAX;

/// Event types, functions and subscriptions of one space, of each.
pub const ITEMS_MAX: usize = 65_536;

/// The description of an event type in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 16 * 1024;

/// Entries of one map of texts: metadata, headers of an HTTP function, configuration of a component.
pub const ENTRIES_MAX: usize = 256;

/// All names and values of one such map together, in bytes.
pub const ENTRIES_BYTES_MAX: usize = 64 * 1024;

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

/// The longest wait between two deliveries, in milliseconds.
pub const BACKOFF_MS_MAX: u32 = 24 * 60 * 60 * 1000;
