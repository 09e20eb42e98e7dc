//! The other side of a ratio: this program again, as a server whose handler reads the body and does nothing.

use std::{
    net::SocketAddr,
    process::{Child, Command},
};

use crate::process::{Http, free_port};

/// The process.
pub(crate) struct Noop {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Noop {
    pub(crate) fn start() -> Self {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let child =
            Command::new(std::env::current_exe().unwrap()).args(["--noop", &address.to_string()]).spawn().unwrap();
        while Http::connect(address).is_err() {
            std::thread::yield_now();
        }
        Self { child, address }
    }
}

impl Drop for Noop {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the process does.
pub(crate) fn noop(address: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let handler = |body: bytes::Bytes| async move {
            std::hint::black_box(body);
            axum::http::StatusCode::ACCEPTED
        };
        let router = axum::Router::new().fallback(handler);
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        axum::serve(axum::serve::ListenerExt::tap_io(listener, |io| drop(io.set_nodelay(true))), router).await.unwrap();
    });
}
