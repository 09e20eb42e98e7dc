//! The world around a guest: what belongs to one instance, and the functions that it can import.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use wasmtime::{
    Engine, ResourceLimiter, StoreContextMut,
    component::{ComponentType, Lift, Linker, ResourceTable},
};
use wasmtime_wasi::{HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use weir_domain::{Clock, Ids};

use super::{
    RuntimeOptions,
    engine::TABLE_ELEMENTS_MAX,
    stdio::Stdio,
    voice::{Stream, Voice},
};
use crate::GuestLevel;

const LOG: &str = "weir:function/log@0.1.0";
const CONFIG: &str = "weir:function/config@0.1.0";
const ENTROPY: &str = "weir:function/entropy@0.1.0";

/// What belongs to one instance.
pub(super) struct Host {
    wasi: WasiCtx,
    table: ResourceTable,
    pub(super) memory: MemoryLimit,
    voice: Arc<Voice>,
    settings: Arc<BTreeMap<String, String>>,
    ids: Arc<dyn Ids>,
}

impl Host {
    pub(super) fn new(
        options: &RuntimeOptions,
        voice: &Arc<Voice>,
        settings: &Arc<BTreeMap<String, String>>,
        memory_bytes_max: usize,
    ) -> Self {
        let wasi = WasiCtxBuilder::new()
            .stdout(Stdio::new(voice, Stream::Out))
            .stderr(Stdio::new(voice, Stream::Err))
            .wall_clock(WallClock(Arc::clone(&options.clock)))
            .allow_tcp(false)
            .allow_udp(false)
            .build();
        Self {
            wasi,
            table: ResourceTable::new(),
            memory: MemoryLimit { bytes: 0, bytes_max: memory_bytes_max, is_refused: false },
            voice: Arc::clone(voice),
            settings: Arc::clone(settings),
            ids: Arc::clone(&options.ids),
        }
    }
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// The wall clock of the platform, as WASI wants it.
struct WallClock(Arc<dyn Clock>);

impl HostWallClock for WallClock {
    fn resolution(&self) -> Duration {
        Duration::from_micros(1)
    }

    fn now(&self) -> Duration {
        Duration::from_micros(self.0.now().unix_micros())
    }
}

/// Bounds the memory of one instance, all its linear memories together.
pub(super) struct MemoryLimit {
    bytes: usize,
    bytes_max: usize,
    /// Whether the guest asked for more than it may have. It may have coped with that.
    pub(super) is_refused: bool,
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let bytes = self.bytes.saturating_add(desired.saturating_sub(current));
        if bytes > self.bytes_max {
            self.is_refused = true;
            return Ok(false);
        }
        self.bytes = bytes;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}

/// The enum `level` of the interface `log`.
#[derive(Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[allow(dead_code, reason = "values are made by lifting, which the compiler does not see")]
enum Level {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

impl From<Level> for GuestLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}

/// Returns what guests can import.
pub(super) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Host>> {
    let mut linker = Linker::<Host>::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    linker.instance(LOG)?.func_wrap("write", |store: StoreContextMut<'_, Host>, (level, text): (Level, String)| {
        store.data().voice.line(level.into(), &text);
        Ok(())
    })?;
    let mut config = linker.instance(CONFIG)?;
    config.func_wrap("get", |store: StoreContextMut<'_, Host>, (name,): (String,)| {
        Ok((store.data().settings.get(&name).cloned(),))
    })?;
    config.func_wrap("all", |store: StoreContextMut<'_, Host>, (): ()| {
        let settings = &store.data().settings;
        let all: Vec<(String, String)> = settings.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Ok((all,))
    })?;
    linker.instance(ENTROPY)?.func_wrap("seed", |store: StoreContextMut<'_, Host>, (): ()| {
        let hash = blake3::hash(store.data().ids.unique().as_bytes());
        let bytes = hash.as_bytes();
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Ok(((word(0), word(4), word(8), word(12)),))
    })?;
    Ok(linker)
}
