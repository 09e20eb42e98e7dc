//! The engine in memory keeps the contract.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt, ready};
use weir_log::{
    LogEngine, MemoryLog,
    conformance::{Harness, StoppedClock},
};

struct Memory(parking_lot::Mutex<MemoryLog>);

impl Default for Memory {
    fn default() -> Self {
        Self(MemoryLog::new(Arc::new(StoppedClock)).into())
    }
}

impl Harness for Memory {
    fn open(&self) -> BoxFuture<'_, Arc<dyn LogEngine>> {
        let mut held = self.0.lock();
        *held = held.reopen();
        let log: Arc<dyn LogEngine> = Arc::new(held.reopen());
        ready(log).boxed()
    }
}

weir_log::conformance_suite!(Memory::default());
