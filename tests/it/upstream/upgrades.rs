//! The start of a websocket.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use crate::{
    standin::Failure,
    support::{Request, Setup, TestGateway, WebSocket},
};

const AGREES: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Agrees before it is asked, and sends back what comes after the request.
fn hasty_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("it has an address"));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || {
                stream.write_all(AGREES).ok()?;
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") {
                    stream.read_exact(&mut byte).ok()?;
                    head.push(byte[0]);
                }
                // The mask is nought: without it the frame is a server's.
                let mut frame = [0; 11];
                while stream.read_exact(&mut frame).is_ok() {
                    stream.write_all(&[&[0x81, 5][..], &frame[6..]].concat()).ok()?;
                }
                Some(())
            });
        }
    });
    url
}

#[test]
fn a_websocket_stays_open_however_fast_the_upstream_agrees() {
    let gateway = Setup::new().set("erpnext.socketio_url", hasty_server()).start();
    for _ in 0..30 {
        let target = "/socket.io/?EIO=4&transport=websocket";
        let mut socket = WebSocket::open(&gateway, target, &[]).expect("an upgrade");
        for _ in 0..2 {
            socket.say("hello");
            assert_eq!(socket.hear().expect("an echo"), "hello");
        }
    }
}

#[test]
fn an_upgrade_that_is_refused_is_answered_and_leaves_no_connection_behind() {
    let gateway = TestGateway::start();
    for _ in 0..3 {
        let Err(answer) = WebSocket::open(&gateway, "/ws-refused", &[]) else { panic!("it was agreed to") };
        assert_eq!((answer.status, answer.text().as_str()), (200, "no upgrade here"));
    }
    assert_eq!(gateway.get("/api/method/ping").status, 200);
}

#[test]
fn a_websocket_to_a_server_that_is_away_is_told_so() {
    let gateway = TestGateway::start();
    gateway.standin.fail(Failure::Refuse);
    let Err(answer) = WebSocket::open(&gateway, "/ws-echo", &[]) else { panic!("it was agreed to") };
    assert_eq!(answer.status, 502, "{answer}");
    gateway.standin.heal();
    let mut socket = WebSocket::open(&gateway, "/ws-echo", &[]).expect("an upgrade");
    socket.say("hello");
    assert_eq!(socket.hear().expect("an echo"), "hello");
    assert_eq!(gateway.send(&Request::get("/api/method/ping")).status, 200);
}
