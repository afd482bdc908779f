//! `mallard-metrics healthcheck`: for images that have no shell and no curl.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use clap::Args;
use mallard_engine::env::{self, Clock};
use url::Url;

use crate::cli::ConfigFile;
use crate::config::Config;
use crate::exit::Failure;

const STATUS_LINE_BYTES: usize = "HTTP/1.1 200".len();

/// Whom to ask, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What to ask [default: /health/ready of the configured host and port].
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
    /// Seconds to wait, for the connection and the answer together.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    #[command(flatten)]
    pub(crate) config: ConfigFile,
}

/// Asks once.
pub(crate) fn run(options: &Options, config: &Config) -> Result<(), Failure> {
    let url = match &options.url {
        Some(url) if url.scheme() == "http" => url.clone(),
        Some(url) => return Err(Failure::Configuration(format!("--url {url}: expected http://host[:port]/path"))),
        None => own_url(config)?,
    };
    let clock = env::real().clock;
    let asked = ask(&url, &Deadline::after(&*clock, options.timeout));
    let status = asked.map_err(|error| Failure::Unhealthy(error.to_string()))?;
    if status == "200" { Ok(()) } else { Err(Failure::Unhealthy(format!("{url} answered {status}"))) }
}

/// The server of the same configuration on this machine.
fn own_url(config: &Config) -> Result<Url, Failure> {
    let host = match config.host.parse::<IpAddr>() {
        Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)) => Ipv4Addr::LOCALHOST.to_string(),
        Ok(IpAddr::V6(Ipv6Addr::UNSPECIFIED)) => format!("[{}]", Ipv6Addr::LOCALHOST),
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        _ => config.host.clone(),
    };
    let url = format!("http://{host}:{}/health/ready", config.port);
    Url::parse(&url).map_err(|error| Failure::Configuration(format!("{url}: {error}")))
}

/// The status code of the answer, if all of it arrives in time.
fn ask(url: &Url, deadline: &Deadline<'_>) -> io::Result<String> {
    let mut stream = connect(url, deadline)?;
    stream.set_write_timeout(Some(deadline.left()?))?;
    let (host, path) = (url.host_str().unwrap_or_default(), url.path());
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")?;
    let mut line = [0; STATUS_LINE_BYTES];
    let mut read = 0;
    while let Some(rest) = line.get_mut(read..).filter(|rest| !rest.is_empty()) {
        stream.set_read_timeout(Some(deadline.left()?))?;
        match stream.read(rest)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            bytes => read += bytes,
        }
    }
    Ok(String::from_utf8_lossy(&line).split_whitespace().nth(1).unwrap_or("nothing").to_owned())
}

fn connect(url: &Url, deadline: &Deadline<'_>) -> io::Result<TcpStream> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let addresses: Vec<SocketAddr> = (host, url.port_or_known_default().unwrap_or(80)).to_socket_addrs()?.collect();
    let mut refused = ErrorKind::AddrNotAvailable.into();
    for address in addresses {
        match TcpStream::connect_timeout(&address, deadline.left()?) {
            Ok(stream) => return Ok(stream),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

/// The end of the time for all of it: connection, question and answer.
struct Deadline<'a> {
    clock: &'a dyn Clock,
    end_us: i64,
}

impl<'a> Deadline<'a> {
    fn after(clock: &'a dyn Clock, secs: u64) -> Self {
        let micros = i64::try_from(secs).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        Self { clock, end_us: clock.steady_us().saturating_add(micros) }
    }

    /// What is left, which is something; else the time is up.
    fn left(&self) -> io::Result<Duration> {
        match u64::try_from(self.end_us.saturating_sub(self.clock.steady_us())) {
            Ok(0) | Err(_) => Err(io::Error::new(ErrorKind::TimedOut, "no answer in time")),
            Ok(micros) => Ok(Duration::from_micros(micros)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::Mutex;
    use std::sync::mpsc::{Sender, channel};
    use std::thread;

    use super::*;
    use crate::config::{Environment, load};

    fn url(host: &str, port: &str) -> String {
        let variables =
            [("MALLARD_HOST", host), ("MALLARD_PORT", port)].map(|(name, value)| (name.into(), value.into()));
        own_url(&load(None, &Environment::new(variables)).unwrap().config).unwrap().to_string()
    }

    #[test]
    fn the_own_server_is_asked_on_an_address_that_can_be_connected_to() {
        assert_eq!(url("0.0.0.0", "8080"), "http://127.0.0.1:8080/health/ready");
        assert_eq!(url("::", "8080"), "http://[::1]:8080/health/ready");
        assert_eq!(url("stats.internal", "80"), "http://stats.internal/health/ready");
    }

    /// A second passes whenever somebody looks, and the server hears of it.
    #[derive(Debug)]
    struct Ticking {
        secs: Mutex<i64>,
        heard: Sender<()>,
    }

    impl Clock for Ticking {
        fn now_us(&self) -> i64 {
            self.steady_us()
        }

        fn steady_us(&self) -> i64 {
            let mut secs = self.secs.lock().unwrap();
            *secs += 1;
            self.heard.send(()).unwrap();
            *secs * 1_000_000
        }
    }

    /// What is said of a server that sends another byte of its answer every second.
    fn asked_of_a_slow_server(timeout_secs: u64) -> io::Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse(&format!("http://{}/health/ready", listener.local_addr().unwrap())).unwrap();
        let (heard, seconds) = channel();
        let server = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            for byte in b"HTTP/1.1 200 OK\r\n" {
                // Whoever asks no more has gone.
                if seconds.recv().is_err() || client.write_all(&[*byte]).is_err() {
                    break;
                }
            }
            seconds.iter().for_each(drop);
        });
        let clock = Ticking { secs: Mutex::new(0), heard };
        let answer = ask(&url, &Deadline::after(&clock, timeout_secs));
        drop(clock);
        server.join().unwrap();
        answer
    }

    #[test]
    fn the_time_is_for_the_whole_answer_and_not_for_each_byte_of_it() {
        assert_eq!(asked_of_a_slow_server(60).unwrap(), "200");
        assert_eq!(asked_of_a_slow_server(8).unwrap_err().kind(), ErrorKind::TimedOut);
    }
}
