//! Load: requests over many connections for a while, each sent when the one before it is answered.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    observe::processor_time,
    template::{Template, is_complete, percentile},
};

/// What one run of load came to.
pub(crate) struct Load {
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// How much of a processor the load took itself.
    pub(crate) client: f64,
}

/// Sends requests over many connections for a while. Their numbers begin with that of the run.
pub(crate) fn load(
    address: SocketAddr,
    connections: usize,
    time: Duration,
    status: &'static str,
    run: usize,
    template: &Template,
) -> Load {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut latencies: Vec<u32> = Vec::new();
    let before = processor_time("thread-self");
    let begun = Instant::now();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for connection in 0..connections {
            let mut template = template.clone();
            let mut number = (run * 1000 + connection) as u64 * 1_000_000_000;
            tasks.spawn(async move {
                let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
                stream.set_nodelay(true).unwrap();
                let (mut answer, mut taken) = (vec![0; 16 * 1024], Vec::new());
                while begun.elapsed() < time {
                    template.number(number);
                    number += 1;
                    let sent = Instant::now();
                    stream.write_all(&template.bytes).await.unwrap();
                    let mut read = 0;
                    while !is_complete(&answer[..read]) {
                        let more = stream.read(&mut answer[read..]).await.unwrap();
                        assert!(more > 0, "the connection was closed");
                        read += more;
                    }
                    assert!(answer.starts_with(status.as_bytes()), "{}", String::from_utf8_lossy(&answer[..read]));
                    taken.push(sent.elapsed().as_micros() as u32);
                }
                taken
            });
        }
        while let Some(taken) = tasks.join_next().await {
            latencies.extend(taken.unwrap());
        }
    });
    let elapsed = begun.elapsed().as_secs_f64();
    let client = (processor_time("thread-self") - before).as_secs_f64() / elapsed;
    latencies.sort_unstable();
    let (p50, p99) = (percentile(&latencies, 0.5), percentile(&latencies, 0.99));
    Load { per_second: latencies.len() as f64 / elapsed, p50, p99, client }
}
