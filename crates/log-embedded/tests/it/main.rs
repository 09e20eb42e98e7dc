//! The embedded engine: the contract, crashes on a simulated disk, damage, a full disk, and the kept format.

mod closing;
mod crash;
mod damage;
mod damaged_reads;
mod format;
mod full_disk;
mod index_failures;
mod long_reads;
mod support;
mod times;

use support::OnDisk;

weir_log::conformance_suite!(OnDisk::default());

/// The same suite with tiny segments and index blocks, so that every roll and flush happens.
mod tiny {
    use super::support::OnDisk;

    weir_log::conformance_suite!(OnDisk::tiny());
}
