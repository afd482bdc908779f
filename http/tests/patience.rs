//! Clients that send nothing, or take nothing: how long the server waits for them, and that others do not.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test fails by panicking, prints its counts, and is no interface"
)]

mod support;

use std::net::TcpStream;
use std::time::Duration;

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use support::http::{Client, Response};
use support::large::{EXPORT, LARGE, fill, request};
use support::{Server, Session, until};

/// How many connections are served at a time.
const CONNECTIONS: usize = 512;
/// Long enough for any answer on a busy machine; a test that waits as long has failed.
const NEVER: Duration = Duration::from_mins(2);

/// A connection whose client takes next to nothing before it reads.
fn narrow(server: &Server) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&server.address().into()).unwrap();
    Client::of(TcpStream::from(socket))
}

/// An event of a client that would rather fail than wait for ever.
fn is_accepted(server: &Server) -> bool {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(NEVER)).unwrap();
    let answer = Client::of(stream).post_event(&json!({ "d": "a.example", "n": "pageview", "u": "/" })).unwrap();
    answer.status == 202
}

#[test]
fn an_event_behind_512_clients_that_send_nothing_is_accepted_when_they_are_dropped() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[("MALLARD_TEST_CLIENT_TIMEOUT_MS", "1000")]);
    let mut silent: Vec<Client> = (0..CONNECTIONS).map(|_| server.connect()).collect();
    assert!(is_accepted(&server));
    assert!(silent.iter_mut().any(Client::is_closed_by_now), "it has waited for a place");
}

#[test]
fn an_event_behind_512_clients_that_take_nothing_is_accepted_when_they_are_dropped() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::start(data_dir.path(), &[("MALLARD_TEST_CLIENT_TIMEOUT_MS", "1000")]);
    // Of a kind that is larger than what fits into the buffers of a connection, all together.
    let request = "GET /api/openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(40);
    let deaf: Vec<Client> = (0..CONNECTIONS)
        .map(|_| {
            let mut client = narrow(&server);
            client.send(request.as_bytes()).unwrap();
            client
        })
        .collect();
    assert!(is_accepted(&server));
    drop(deaf);
}

/// An export of events, as soon as no other one is being sent.
fn next_export(session: &Session<'_>) -> Response {
    loop {
        let answer = session.get(EXPORT);
        if answer.status != 429 {
            return answer;
        }
    }
}

#[test]
fn an_export_that_its_client_does_not_take_breaks_off_and_passes_for_no_whole_one() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[("MALLARD_TEST_CLIENT_TIMEOUT_MS", "1000")]);
    let session = server.log_in();
    fill(&server, &session);
    let mut reader = server.connect();
    reader.send(&request(&session)).unwrap();
    until("the answer begins", || reader.has_answer());
    let next = next_export(&session);
    assert_eq!((next.status, next.text().lines().count()), (200, LARGE), "the next one is whole");
    reader.read_response().expect_err("the end is missing");
}

#[test]
fn an_export_to_a_client_that_takes_gzip_unpacks_to_the_same_bytes() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[]);
    let session = server.log_in();
    fill(&server, &session);
    let ask = |coding: &str| {
        let headers = [("cookie", session.cookie()), ("accept-encoding", coding)];
        server.connect().request("GET", EXPORT, &headers, "").unwrap()
    };
    let (plain, packed) = (ask("identity"), ask("gzip"));
    assert_eq!((plain.header("content-encoding"), packed.header("content-encoding")), (None, Some("gzip")));
    assert_eq!((packed.status, packed.header("vary")), (200, Some("Accept-Encoding")));
    assert!(packed.body.len() * 2 < plain.body.len(), "{} of {} bytes", packed.body.len(), plain.body.len());
    let unpacked = std::io::read_to_string(GzDecoder::new(&*packed.body)).unwrap();
    assert_eq!(unpacked.lines().count(), LARGE);
    assert!(unpacked == plain.text(), "they are the same");
}

#[test]
fn an_erasure_does_not_wait_for_an_export_that_its_client_does_not_take() {
    let data_dir = tempfile::tempdir().unwrap();
    let server = Server::with_password(data_dir.path(), &[("MALLARD_QUERY_TIMEOUT_SECS", "1")]);
    let session = server.log_in();
    fill(&server, &session);
    let event = json!({ "d": "b.example", "n": "pageview", "u": "/" });
    assert_eq!(server.post_event(&event).status, 202);
    let key = session.create_key(&json!({ "name": "reader", "scope": "ReadOnly" }));
    let mut reader = server.connect();
    let request = format!("GET {EXPORT} HTTP/1.1\r\nhost: localhost\r\nx-api-key: {key}\r\n\r\n");
    reader.send(request.as_bytes()).unwrap();
    until("the answer begins", || reader.has_answer());
    let days = "start_date=2025-01-01&end_date=2034-12-31";
    let erased = session.delete(&format!("/api/gdpr/erase?site_id=b.example&{days}"), Some("http://localhost"));
    let body: Value = serde_json::from_slice(&erased.body).unwrap();
    assert_eq!((erased.status, &body["db_records_deleted"]), (200, &json!(1)), "{body}");
    reader.read_response().expect_err("the export broke off");
}
