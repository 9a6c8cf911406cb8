//! The upstream of `benches/load.sh`. A connection whose first request begins like one of [`FAST`] gets the same kilobyte of
//! JSON for each request, as fast as can be; every other connection is handed to the stand-in for ERPNext, which the gateway
//! asks about users and shadow tokens. The gateway never sends both kinds on one connection.
//!
//! `bench_upstream PORT`, on 127.0.0.1.

#[path = "../tests/standin/mod.rs"]
mod standin;

use std::{env, io, net::SocketAddr};

use standin::StandIn;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

const FAST: [&[u8]; 2] = [b"GET /api/resource/Customer ", b"POST /api/resource/Customer "];
const HEAD_END: &[u8] = b"\r\n\r\n";
const BODY_LENGTH: usize = 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let port = env::args().nth(1).and_then(|port| port.parse::<u16>().ok());
    let port = port.ok_or_else(|| io::Error::other("usage: bench_upstream PORT"))?;
    let erpnext = StandIn::start();
    erpnext.set_recording(false);
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    loop {
        let (connection, _) = listener.accept().await?;
        connection.set_nodelay(true)?;
        let erpnext = erpnext.addr();
        // A connection that breaks is its peer's business.
        tokio::spawn(async move { serve(connection, erpnext).await });
    }
}

async fn serve(mut connection: TcpStream, erpnext: SocketAddr) -> io::Result<()> {
    let answer = answer();
    let mut received = Vec::with_capacity(4096);
    let mut known_as_fast = false;
    while connection.read_buf(&mut received).await? > 0 {
        if !known_as_fast && FAST.iter().any(|start| received.len() < start.len() && start.starts_with(&received)) {
            continue;
        }
        if !known_as_fast && !FAST.iter().any(|start| received.starts_with(start)) {
            let mut upstream = TcpStream::connect(erpnext).await?;
            upstream.write_all(&received).await?;
            copy_bidirectional(&mut connection, &mut upstream).await?;
            return Ok(());
        }
        known_as_fast = true;
        // One request at a time.
        if is_whole(&received) {
            connection.write_all(&answer).await?;
            received.clear();
        }
    }
    Ok(())
}

/// Whether a request is there with its body, if it has one; its length is always told.
fn is_whole(received: &[u8]) -> bool {
    if received.starts_with(b"GET ") {
        return received.ends_with(HEAD_END);
    }
    let Some(end) = received.windows(HEAD_END.len()).position(|window| window == HEAD_END) else { return false };
    let (head, body) = received.split_at(end + HEAD_END.len());
    let length = head.split(|&byte| byte == b'\n').find_map(|line| {
        let line = str::from_utf8(line).ok()?;
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    body.len() >= length.unwrap_or_default()
}

fn answer() -> Vec<u8> {
    let row = |n: u32| format!(r#"{{"name":"CUST-{n:05}","customer_name":"Customer {n}","territory":"All"}}"#);
    let mut body = format!(r#"{{"data":[{}]}}"#, (0..13).map(row).collect::<Vec<_>>().join(","));
    body.extend(std::iter::repeat_n(' ', BODY_LENGTH - body.len()));
    let head = format!(
        "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head, body].concat().into_bytes()
}
