//! `mallard-metrics healthcheck`: for images that have no shell and no curl.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use clap::Args;
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
    /// Seconds to wait for the connection, and again for the answer.
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
    let status =
        ask(&url, Duration::from_secs(options.timeout)).map_err(|error| Failure::Unhealthy(error.to_string()))?;
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

fn ask(url: &Url, timeout: Duration) -> std::io::Result<String> {
    let mut stream = connect(url, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let (host, path) = (url.host_str().unwrap_or_default(), url.path());
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")?;
    let mut line = [0; STATUS_LINE_BYTES];
    stream.read_exact(&mut line)?;
    Ok(String::from_utf8_lossy(&line).split_whitespace().nth(1).unwrap_or("nothing").to_owned())
}

fn connect(url: &Url, timeout: Duration) -> std::io::Result<TcpStream> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let addresses: Vec<SocketAddr> = (host, url.port_or_known_default().unwrap_or(80)).to_socket_addrs()?.collect();
    let mut refused = std::io::ErrorKind::AddrNotAvailable.into();
    for address in addresses {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

#[cfg(test)]
mod tests {
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
}
