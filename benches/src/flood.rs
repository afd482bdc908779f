//! A flood of log-ins: many connections that guess a password, each from an address of its own, for as long as it is held.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Guesses until it is ended.
#[derive(Debug)]
pub struct Flood {
    is_over: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Flood {
    /// Begins with `connections` guesses at a time, and returns when the first is answered.
    pub fn start(server: SocketAddr, connections: usize) -> Self {
        let (is_over, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let thread = {
            let (is_over, answers) = (Arc::clone(&is_over), Arc::clone(&answers));
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async move {
                    let mut clients = JoinSet::new();
                    for client in 0..connections {
                        clients.spawn(guess(server, client, Arc::clone(&is_over), Arc::clone(&answers)));
                    }
                    clients.join_all().await;
                });
            })
        };
        while answers.load(Ordering::Relaxed) == 0 {
            std::thread::yield_now();
        }
        Self { is_over, answers, thread }
    }

    /// Ends it; how many guesses were answered.
    pub fn end(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().expect("the flood does not panic");
        self.answers.load(Ordering::Relaxed)
    }
}

async fn guess(server: SocketAddr, client: usize, is_over: Arc<AtomicBool>, answers: Arc<AtomicU64>) {
    let mut stream = TcpStream::connect(server).await.expect("a connection");
    let mut buffer = vec![0; 4096];
    for number in 0_usize.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        // A new address every few guesses: nobody of these is locked out.
        let address = format!("20.{}.{}.{}", client % 256, number / 4 % 256, number / 1024 % 256);
        let body = r#"{"password":"not the password"}"#;
        let request = format!(
            "POST /api/auth/login HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: {address}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.expect("a request is sent");
        let read = stream.read(&mut buffer).await.expect("an answer");
        assert!(read > 0, "the server has closed the connection");
        answers.fetch_add(1, Ordering::Relaxed);
    }
}
