//! The real functions: WebAssembly in this process and URLs.

use std::{sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, FutureExt};
use weir_catalog::{Code, Function, FunctionKind, Instances};
use weir_domain::{Limits, error_chain};
use weir_functions::{
    Code as WasmCode, FunctionOptions, HttpClient, HttpFunction, HttpOptions, Instances as WasmInstances, Invoke,
    WasmRuntime,
};

use crate::MakeFunction;

/// Makes functions of all kinds ready.
pub struct Runtimes {
    wasm: WasmRuntime,
    http: HttpClient,
    limits: Limits,
}

impl Runtimes {
    /// Uses these runtimes; events in answers of URLs keep the limits.
    #[must_use]
    pub fn new(wasm: WasmRuntime, http: HttpClient, limits: Limits) -> Self {
        Self { wasm, http, limits }
    }

    async fn ready(&self, function: &Function) -> Result<Arc<dyn Invoke>, String> {
        match &function.kind {
            FunctionKind::Http { url, timeout_ms, headers } => {
                let options = HttpOptions {
                    timeout: Duration::from_millis(u64::from(*timeout_ms)),
                    headers: headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
                    limits: self.limits,
                    ..HttpOptions::default()
                };
                let made = HttpFunction::new(self.http.clone(), url, options);
                made.map(|it| Arc::new(it) as Arc<dyn Invoke>).map_err(|error| error_chain(&error))
            }
            FunctionKind::Wasm { code, instances, timeout_ms, memory_bytes_max, config } => {
                let options = FunctionOptions {
                    instances: match instances {
                        Instances::Reuse { calls_max } => WasmInstances::Reuse { calls_max: *calls_max },
                        Instances::Fresh => WasmInstances::Fresh,
                    },
                    timeout: Duration::from_millis(u64::from(*timeout_ms)),
                    // The catalog bounds it to 4 GiB.
                    memory_bytes_max: usize::try_from(*memory_bytes_max).unwrap_or(usize::MAX),
                    config: config.clone(),
                    ..FunctionOptions::default()
                };
                let code = match code {
                    Code::JavaScript(source) => WasmCode::JavaScript(source.clone()),
                    Code::Component(bytes) => WasmCode::Component(bytes.clone()),
                };
                let made = self.wasm.prepare(&function.id, code, options).await;
                made.map(|it| Arc::new(it) as Arc<dyn Invoke>).map_err(|error| error_chain(&error))
            }
        }
    }
}

impl MakeFunction for Runtimes {
    fn make<'a>(&'a self, function: &'a Function) -> BoxFuture<'a, Result<Arc<dyn Invoke>, String>> {
        self.ready(function).boxed()
    }
}
