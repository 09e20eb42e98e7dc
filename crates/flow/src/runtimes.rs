//! The real functions: WebAssembly in this process, URLs, resources of AWS, and what is part of Weir.

mod aws;

use std::{sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, FutureExt, join};
use weir_catalog::{Builtin, CloudEventsVersion, Code, Function, FunctionKind, Instances};
use weir_domain::{Clock, Limits, error_chain};
use weir_functions::{
    AwsCredentials, AwsSetupError, BuiltinFunction, Code as WasmCode, EventForm, FunctionOptions, HttpClient,
    HttpFunction, HttpOptions, HttpSetupError, Instances as WasmInstances, Invoke, PrepareError, WasmRuntime, sha256,
};

use crate::{Compatibility, MakeError, MakeFunction};

/// Makes functions of all kinds ready.
pub struct Runtimes {
    wasm: WasmRuntime,
    http: HttpClient,
    limits: Limits,
    /// Requests to AWS carry the time.
    clock: Arc<dyn Clock>,
    aws: Option<AwsCredentials>,
    compatibility: Compatibility,
}

impl Runtimes {
    /// Uses these runtimes; events in answers of URLs keep the limits.
    #[must_use]
    pub fn new(wasm: WasmRuntime, http: HttpClient, limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self { wasm, http, limits, clock, aws: None, compatibility: Compatibility::default() }
    }

    /// Calls AWS in this name where a function has no credentials of its own.
    #[must_use]
    pub fn with_aws_credentials(self, aws: Option<AwsCredentials>) -> Self {
        Self { aws, ..self }
    }

    /// Does what functions see as the Event Gateway did.
    #[must_use]
    pub fn with_compatibility(self, compatibility: Compatibility) -> Self {
        Self { compatibility, ..self }
    }

    fn form(&self, version: Option<CloudEventsVersion>) -> EventForm {
        match version {
            Some(CloudEventsVersion::V1) => EventForm::V1,
            Some(CloudEventsVersion::V01) => EventForm::V01,
            None if self.compatibility.old_events => EventForm::V01,
            None => EventForm::V1,
        }
    }

    async fn ready(&self, function: &Function) -> Result<Arc<dyn Invoke>, MakeError> {
        match &function.kind {
            FunctionKind::Builtin { name: Builtin::Count } => Ok(Arc::new(BuiltinFunction::count())),
            FunctionKind::Aws(declared) => aws::ready(self, declared),
            FunctionKind::Http { url, timeout_ms, headers, version } => {
                let options = HttpOptions {
                    timeout: Duration::from_millis(u64::from(*timeout_ms)),
                    headers: headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
                    limits: self.limits,
                    form: self.form(*version),
                    only_500_fails: self.compatibility.only_500_fails,
                    only_answer_objects: self.compatibility.only_answer_objects,
                    ..HttpOptions::default()
                };
                let made = HttpFunction::new(self.http.clone(), url, options);
                made.map(|it| Arc::new(it) as Arc<dyn Invoke>).map_err(MakeError::from)
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
                let prepared = match code {
                    Code::JavaScript(source) => WasmCode::JavaScript(source.clone()),
                    Code::Component(component) => WasmCode::Component(component.bytes().clone()),
                };
                let (made, ()) = join(self.wasm.prepare(&function.id, prepared, options), digest(code)).await;
                made.map(|it| Arc::new(it) as Arc<dyn Invoke>).map_err(MakeError::from)
            }
        }
    }
}

/// Has the digest of a component computed apart, so that it is known to whoever shows it: that is done for a list of many
/// at once, on threads that others wait for.
async fn digest(code: &Code) {
    if let Code::Component(component) = code
        && !component.has_sha256()
        && let Some(sha256) = sha256(component.bytes().clone()).await
    {
        component.sha256(|_| sha256);
    }
}

impl MakeFunction for Runtimes {
    fn make<'a>(&'a self, function: &'a Function) -> BoxFuture<'a, Result<Arc<dyn Invoke>, MakeError>> {
        self.ready(function).boxed()
    }
}

impl From<PrepareError> for MakeError {
    fn from(error: PrepareError) -> Self {
        Self::new(error.kind(), error_chain(&error), error.cure())
    }
}

impl From<HttpSetupError> for MakeError {
    fn from(error: HttpSetupError) -> Self {
        Self::new(error.kind(), error_chain(&error), "correct the address or the headers of the function")
    }
}

impl From<AwsSetupError> for MakeError {
    fn from(error: AwsSetupError) -> Self {
        Self::new(error.kind(), error_chain(&error), "correct what the function calls at AWS")
    }
}
