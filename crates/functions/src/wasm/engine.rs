//! The wasmtime engine: which features guests have, and how much is set aside for how many of them.
//!
//! The pool reserves address space, not memory: what is resident is what instances have touched. A slot that is given
//! back keeps its first pages and is reset by copying, because taking the pages away and faulting them in again is what
//! makes a fresh instance slow: measured with a JavaScript function, 27 instead of 130 µs for the first call.

use std::sync::Arc;

use wasmtime::{CacheStore, Config, Engine, PoolingAllocationConfig};

use super::{RuntimeOptions, fragments::Fragments};

/// Stack of guest code. JavaScript gets about 1,500 calls deep with it; then the call traps.
const WASM_STACK_BYTES: usize = 1024 * 1024;
/// Stack of a fiber: that of the guest, and room for the host functions that it calls.
const FIBER_STACK_BYTES: usize = 2 * 1024 * 1024;
/// What a slot keeps when it is given back: the whole image of a JavaScript function.
const KEEP_RESIDENT_BYTES: usize = 2 * 1024 * 1024;
const TABLE_KEEP_RESIDENT_BYTES: usize = 64 * 1024;
/// Parts of one component. A JavaScript function has one memory that counts and a handful of core instances.
const CORE_INSTANCES_PER_GUEST: u32 = 32;
const MEMORIES_PER_GUEST: u32 = 4;
const TABLES_PER_GUEST: u32 = 8;
/// Entries of one table.
pub(super) const TABLE_ELEMENTS_MAX: usize = 20_000;
/// A call runs on one fiber, and may hold a second one while it is handed over.
const STACKS_PER_GUEST: u32 = 2;

pub(super) fn new(options: &RuntimeOptions, fragments: &Arc<Fragments>) -> wasmtime::Result<Engine> {
    let guests = options.instances_max;
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(guests)
        .total_core_instances(guests.saturating_mul(CORE_INSTANCES_PER_GUEST))
        .max_core_instances_per_component(CORE_INSTANCES_PER_GUEST)
        .total_memories(guests.saturating_mul(MEMORIES_PER_GUEST))
        .max_memories_per_component(MEMORIES_PER_GUEST)
        .total_tables(guests.saturating_mul(TABLES_PER_GUEST))
        .max_tables_per_component(TABLES_PER_GUEST)
        .table_elements(TABLE_ELEMENTS_MAX)
        .total_stacks(guests.saturating_mul(STACKS_PER_GUEST))
        .total_gc_heaps(1)
        .max_memory_size(options.memory_bytes_max)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(TABLE_KEEP_RESIDENT_BYTES);
    let mut config = Config::new();
    config
        .allocation_strategy(pool)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(FIBER_STACK_BYTES)
        // Promises are waited for through an async export. It costs every call half a microsecond.
        .wasm_component_model_async(true);
    config.enable_incremental_compilation(Arc::clone(fragments) as Arc<dyn CacheStore>)?;
    Engine::new(&config)
}
