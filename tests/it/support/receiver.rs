//! A client's own server: takes what is posted to it, and answers as a test says.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    thread::JoinHandle,
};

/// What was posted.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The request line and the fields.
    pub head: String,
    pub body: String,
}

/// Listens on loopback until it is dropped.
pub struct Receiver {
    address: SocketAddr,
    taken: Arc<Taken>,
    thread: Option<JoinHandle<()>>,
}

struct Taken {
    posted: Mutex<Vec<Posted>>,
    status: AtomicU16,
    over: AtomicBool,
}

impl Receiver {
    /// One that answers 200.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let taken =
            Arc::new(Taken { posted: Mutex::default(), status: AtomicU16::new(200), over: AtomicBool::new(false) });
        let for_thread = Arc::clone(&taken);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if for_thread.over.load(Ordering::SeqCst) {
                    return;
                }
                // A peer that gives up is none of our business.
                take(&stream, &for_thread);
            }
        });
        Self { address, taken, thread: Some(thread) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers with this status from now on.
    pub fn answer(&self, status: u16) {
        self.taken.status.store(status, Ordering::SeqCst);
    }

    /// All that was posted so far.
    pub fn posted(&self) -> Vec<Posted> {
        self.taken.posted.lock().expect("no panic").clone()
    }
}

fn take(stream: &TcpStream, taken: &Taken) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    taken.posted.lock().expect("no panic").push(Posted { head, body });
    let status = taken.status.load(Ordering::SeqCst);
    let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let mut stream = stream;
    stream.write_all(answer.as_bytes()).ok()
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.taken.over.store(true, Ordering::SeqCst);
        // Wakes the thread; nobody answers.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
