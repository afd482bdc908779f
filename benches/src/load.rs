//! The load generator: many keep-alive connections on one thread, each sending its next request when it has its answer. It shares the
//! machine with what it measures, so it does as little as it can. No two events of a process have the same id: a duplicate is
//! acknowledged, too, and stores nothing.

use std::io::Write as _;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::stopwatch::Stopwatch;

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// Answers with status 202 per second.
    pub rate: f64,
    /// Number of answers with status 202.
    pub accepted: u64,
    /// Number of other answers.
    pub refused: u64,
    /// Every hundredth part of the latencies, ascending, in milliseconds.
    pub percentiles_ms: Vec<f64>,
}

/// Numbers the clients of all runs.
static CLIENTS: AtomicU32 = AtomicU32::new(0);

/// Sends events to `server` over `connections` connections for `time`.
pub fn run(server: SocketAddr, connections: usize, time: Duration) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, async move {
        let watch = Rc::new(Stopwatch::start());
        let tasks: Vec<_> =
            (0..connections).map(|_| tokio::task::spawn_local(client_loop(server, time, Rc::clone(&watch)))).collect();
        let (mut refused, mut latencies) = (0, Vec::new());
        for task in tasks {
            let (times, others) = task.await.expect("a client");
            latencies.extend(times);
            refused += others;
        }
        summarise(latencies, refused, watch.seconds())
    })
}

fn summarise(mut latencies: Vec<f64>, refused: u64, seconds: f64) -> Outcome {
    latencies.sort_by(f64::total_cmp);
    let at = |part: usize| latencies.get((latencies.len() * part / 100).min(latencies.len().saturating_sub(1)));
    let accepted = latencies.len() as u64;
    #[expect(clippy::cast_precision_loss, reason = "a count of requests is far below 2^52")]
    let rate = accepted as f64 / seconds;
    let percentiles_ms = (0..=100).filter_map(|part| at(part).copied()).collect();
    Outcome { rate, accepted, refused, percentiles_ms }
}

async fn client_loop(server: SocketAddr, time: Duration, watch: Rc<Stopwatch>) -> (Vec<f64>, u64) {
    let client = CLIENTS.fetch_add(1, Ordering::Relaxed);
    let mut stream = TcpStream::connect(server).await.expect("a connection");
    stream.set_nodelay(true).expect("TCP_NODELAY");
    let (mut latencies, mut refused) = (Vec::new(), 0);
    let (mut request, mut buffer) = (Vec::new(), vec![0; 4096]);
    for number in 0_u64.. {
        if watch.elapsed() >= time {
            break;
        }
        let sent_at = watch.seconds();
        write_request(&mut request, client, number);
        stream.write_all(&request).await.expect("a request is sent");
        if answer(&mut stream, &mut buffer).await == Some(202) {
            latencies.push((watch.seconds() - sent_at) * 1e3);
        } else {
            refused += 1;
        }
    }
    (latencies, refused)
}

/// An event as the tracker sends it. Its body always has the same length.
fn write_request(request: &mut Vec<u8>, client: u32, number: u64) {
    const BODY_BYTES: usize = 167;
    request.clear();
    write!(
        request,
        "POST /api/event HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\n\
         user-agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 c{client}\r\n\
         content-length: {BODY_BYTES}\r\n\r\n"
    )
    .expect("memory");
    let head_bytes = request.len();
    write!(
        request,
        r#"{{"n":"pageview","u":"https://bench.example/page/{:02}?utm_source=load","d":"bench.example","r":"https://www.google.com/","w":1440,"id":"{client:016x}{number:016x}"}}"#,
        number % 50
    )
    .expect("memory");
    assert_eq!(request.len() - head_bytes, BODY_BYTES);
}

/// Reads one answer without a body; its status.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Option<u16> {
    let mut filled = 0;
    loop {
        let read = stream.read(buffer.get_mut(filled..)?).await.ok().filter(|read| *read > 0)?;
        filled += read;
        let answer = buffer.get(..filled)?;
        if answer.ends_with(b"\r\n\r\n") {
            return std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok();
        }
    }
}
