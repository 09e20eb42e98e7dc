//! QuickJS made ready for the world `script`: linked and compiled once, and filled with a file each time.
//!
//! The crate componentize-qjs brings the runtime and the lines that join it to a world. What it would do anew for every
//! file is done once here, because compiling the runtime takes half a second: link it with the world, instrument it for
//! the snapshot, compile it. A file then costs running its top level, taking the snapshot, and compiling what came out,
//! most of which was compiled before ([`super::fragments`]).

use std::{sync::Arc, time::Duration};

use componentize_qjs::{codegen::generate_shim, default_sync_runtime_wasm, stubwasi::stub_internal_imports};
use parking_lot::Mutex;
use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER;
use wasmtime::{
    Engine, Store, StoreContextMut, Trap,
    component::{Component, InstancePre, Linker, ResourceTable},
    error::Context as _,
};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wizer::{WasmtimeWizerComponent, Wizer};
use wit_component::StringEncoding;
use wit_parser::{Resolve, SourceMap};

use super::{
    Shared,
    artifact::{Hold, Key},
};

/// The world of a JavaScript file.
const WORLD: &str = "script";
const FUNCTION_WIT: &str = include_str!("../../../../wit/function.wit");
const SCRIPT_WIT: &str = include_str!("../../../../wit/script.wit");
const ADAPTER: &str = "wasi_snapshot_preview1";

/// Where modules are asked for while a file is loaded.
const LOADER: &str = "local:init/module-loader";
/// Loads the file: the lines that join the world, the first module and where it lies, whether to collect no garbage.
const INIT: &str = "init";

type InitParams<'a> = (&'a str, &'a str, Option<&'a str>, bool);
type InitResults = (Result<(), String>,);

/// Modules that a file consists of: path and text.
pub(super) type Modules = Arc<[(&'static str, String)]>;

/// What a runtime that loads a file can reach: nothing but the clock, and the modules.
pub(super) struct Loading {
    wasi: WasiCtx,
    table: ResourceTable,
    modules: Modules,
}

impl WasiView for Loading {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Why a file was not loaded.
pub(super) enum LoadError {
    /// What QuickJS says of the file.
    Script(String),
    /// Its top level did not end within this time.
    Slow(Duration),
    /// Its top level did what WebAssembly forbids, such as a recursion that has no end.
    Trap(wasmtime::Error),
    /// What was not the file's doing.
    Internal(wasmtime::Error),
}

impl LoadError {
    /// Tells what became of a top level that has no answer.
    fn of_call(error: wasmtime::Error) -> Self {
        match error.downcast_ref::<Trap>() {
            Some(_) => Self::Trap(error),
            None => Self::Internal(error),
        }
    }
}

impl From<wasmtime::Error> for LoadError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Internal(error)
    }
}

/// The runtime, linked with the world and compiled.
pub(super) struct Base {
    linked: Vec<u8>,
    shim: String,
    pre: InstancePre<Loading>,
    _hold: Hold,
}

/// Makes the [`Base`] when it is needed first.
#[derive(Default)]
pub(super) struct Bases(Mutex<Option<Arc<Base>>>);

impl Bases {
    /// Returns the base. Blocks for about a second where it was not kept; whoever comes meanwhile waits for it.
    pub(super) fn get(&self, shared: &Shared) -> wasmtime::Result<Arc<Base>> {
        let mut base = self.0.lock();
        if let Some(base) = &*base {
            return Ok(Arc::clone(base));
        }
        let made = Arc::new(Base::make(shared)?);
        *base = Some(Arc::clone(&made));
        Ok(made)
    }
}

/// Returns the key of the base, of which every artefact of a file is a descendant.
pub(super) fn key(engine: &Engine) -> Key {
    let texts = [WORLD, FUNCTION_WIT, SCRIPT_WIT].map(str::as_bytes);
    let parts: Vec<&[u8]> = texts.into_iter().chain([default_sync_runtime_wasm()]).collect();
    Key::new(engine, &parts)
}

impl Base {
    fn make(shared: &Shared) -> wasmtime::Result<Self> {
        let engine = &shared.engine;
        let (linked, shim) = link()?;
        let key = key(engine);
        let compiled = match shared.artifacts.load(engine, key) {
            Some(compiled) => compiled,
            None => {
                let (_, instrumented) = Wizer::new().instrument_component(&linked)?;
                shared.artifacts.compile_base(engine, key, &instrumented)?
            }
        };
        let component = &compiled.component;
        let pre = linker(engine, component)?.instantiate_pre(component)?;
        Ok(Self { linked, shim, pre, _hold: compiled.hold })
    }

    /// Loads the modules, the first of which is the entry, and returns the component that has them loaded. What the modules
    /// do meanwhile may take `time_max`.
    pub(super) async fn load(
        &self,
        engine: &Engine,
        modules: &Modules,
        time_max: Duration,
    ) -> Result<Vec<u8>, LoadError> {
        let wizer = Wizer::new();
        let (context, _) = wizer.instrument_component(&self.linked)?;
        let wasi = WasiCtxBuilder::new().allow_tcp(false).allow_udp(false).build();
        let mut store = Store::new(engine, Loading { wasi, table: ResourceTable::new(), modules: Arc::clone(modules) });
        store.epoch_deadline_async_yield_and_update(1);
        store.set_epoch_deadline(1);
        let instance = self.pre.instantiate_async(&mut store).await?;
        let init = instance.get_typed_func::<InitParams<'_>, InitResults>(&mut store, INIT)?;
        let (path, text) = &modules[0];
        let loading = init.call_async(&mut store, (&self.shim, text, Some(path), false));
        let loaded = tokio::time::timeout(time_max, loading).await.map_err(|_| LoadError::Slow(time_max))?;
        let (loaded,) = loaded.map_err(LoadError::of_call)?;
        loaded.map_err(LoadError::Script)?;
        let mut state = WasmtimeWizerComponent { store: &mut store, instance };
        let snapshot = wizer.snapshot_component(context, &mut state).await?;
        stub_internal_imports(&snapshot).map_err(|error| LoadError::Internal(wasmtime::Error::from_anyhow(error)))
    }
}

/// Links the runtime with the world. Returns the component, and the lines of JavaScript that the runtime reads it by.
fn link() -> wasmtime::Result<(Vec<u8>, String)> {
    let mut sources = SourceMap::default();
    sources.push_str("function.wit", FUNCTION_WIT);
    sources.push_str("script.wit", SCRIPT_WIT);
    let mut resolve = Resolve::default();
    let group = sources.parse().map_err(|(_, error)| wasmtime::Error::msg(error.to_string()))?;
    let package = resolve.push_group(group).map_err(|error| wasmtime::Error::msg(error.to_string()))?;
    let linked = (|| {
        let world = resolve.select_world(&[package], Some(WORLD))?;
        let (mut dylib, metadata) = wit_dylib::create_with_metadata(&resolve, world, None);
        let shim = generate_shim(&resolve, &metadata);
        wit_component::embed_component_metadata(&mut dylib, &resolve, world, StringEncoding::UTF8)?;
        let mut linker = wit_component::Linker::default();
        linker.encoder().validate(true);
        linker.library("componentize_qjs_runtime.wasm", default_sync_runtime_wasm(), false)?;
        linker.library("wit-dylib.wasm", &dylib, false)?;
        linker.encoder().adapter(ADAPTER, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?;
        Ok((linker.encode()?, shim))
    })();
    linked.map_err(wasmtime::Error::from_anyhow).context("the JavaScript runtime cannot be linked with its world")
}

/// Returns what the runtime can import while it loads a file: the clock, and its modules by their paths.
fn linker(engine: &Engine, component: &Component) -> wasmtime::Result<Linker<Loading>> {
    let mut linker = Linker::<Loading>::new(engine);
    linker.allow_shadowing(true);
    linker.define_unknown_imports_as_traps(component)?;
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    let mut loader = linker.instance(LOADER)?;
    loader.func_wrap("resolve", |store: StoreContextMut<'_, Loading>, (from, name): (String, String)| {
        let path = absolute(&from, &name);
        let known = store.data().modules.iter().any(|(known, _)| *known == path);
        let resolved = if known { Ok(path) } else { Err(format!("there is no module {name:?}")) };
        Ok((resolved,))
    })?;
    loader.func_wrap("load", |store: StoreContextMut<'_, Loading>, (path,): (String,)| {
        let module = store.data().modules.iter().find(|(known, _)| *known == path);
        Ok((module.map(|(_, text)| text.clone()).ok_or_else(|| format!("there is no module {path:?}")),))
    })?;
    Ok(linker)
}

/// Resolves the name of a module against the path of the one that imports it (RFC 3986, section 5.2.4).
fn absolute(from: &str, name: &str) -> String {
    if !name.starts_with("./") && !name.starts_with("../") {
        return name.to_owned();
    }
    let mut parts: Vec<&str> = from.split('/').filter(|part| !part.is_empty()).collect();
    parts.pop();
    for part in name.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_modules_are_resolved() {
        assert_eq!(absolute("/weir/main.js", "./prelude.js"), "/weir/prelude.js");
        assert_eq!(absolute("/weir/main.js", "../function.js"), "/function.js");
        assert_eq!(absolute("/function.js", "../../a/./b.js"), "/a/b.js");
        assert_eq!(absolute("/function.js", "node:fs"), "node:fs");
    }
}
