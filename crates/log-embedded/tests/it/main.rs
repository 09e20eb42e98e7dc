//! The embedded engine: the contract, crashes on a simulated disk, damage, a full disk, and the kept format.

mod crash;
mod damage;
mod format;
mod full_disk;
mod sim_disk;
mod support;

use support::OnDisk;

weir_log::conformance_suite!(OnDisk::default());

/// The same suite with tiny segments and index blocks, so that every roll and flush happens.
mod tiny {
    use super::support::OnDisk;

    weir_log::conformance_suite!(OnDisk::tiny());
}
