//! An HTTP/2 client that sends the frames a test wrote, and no others. Header fields are literals without an index, and no
//! string is coded; what the server sends is read as far as the tests ask.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
};

use super::tls_site::Stream;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

/// Flags.
pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

const HEADER_TABLE_SIZE: u16 = 1;
const INITIAL_WINDOW_SIZE: u16 = 4;

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A field as it stands in a header block (RFC 7541 §6.2.2).
pub fn field(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name.as_ref(), value.as_ref()] {
        string_length(text.len(), &mut bytes);
        bytes.extend_from_slice(text);
    }
    bytes
}

/// An integer with a prefix of seven bits (RFC 7541 §5.1).
fn string_length(length: usize, bytes: &mut Vec<u8>) {
    if length < 127 {
        return bytes.push(u8::try_from(length).unwrap());
    }
    bytes.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap());
}

/// A header block of these fields, in this order.
pub fn block<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: &[(N, V)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| field(name, value)).collect()
}

/// The block of an ordinary request.
pub fn request(method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let pseudo = [(":method", method), (":scheme", "https"), (":path", path), (":authority", "x")];
    block(&[&pseudo[..], more].concat())
}

/// HEADERS with a whole block.
pub fn headers(flags: u8, stream: u32, block: &[u8]) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, block)
}

/// HEADERS of an ordinary GET.
pub fn get(stream: u32, path: &str) -> Vec<u8> {
    headers(END_STREAM, stream, &request("GET", path, &[]))
}

/// SETTINGS with the initial window.
pub fn initial_window(size: u32) -> Vec<u8> {
    frame(SETTINGS, 0, 0, &[&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &size.to_be_bytes()].concat())
}

pub fn window_update(stream: u32, more: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &more.to_be_bytes())
}

/// CANCEL.
pub fn cancel(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())
}

/// A frame that came.
#[derive(Clone, Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// What became of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer, whole.
    Answer(u16, Vec<u8>),
    /// `RST_STREAM`, with its code.
    Reset(u32),
    /// The connection ended first, with `GOAWAY`'s code if there was one.
    Closed(Option<u32>),
}

impl Outcome {
    pub fn status(&self) -> Option<u16> {
        if let Self::Answer(status, _) = self { Some(*status) } else { None }
    }
}

/// A connection whose preface has been sent.
pub struct Http2 {
    stream: Stream,
    bytes: VecDeque<u8>,
    /// Frames that came while others were waited for.
    kept: Vec<Frame>,
    going: Option<u32>,
}

impl Http2 {
    pub fn new(stream: Stream) -> Self {
        Self::with(stream, &[])
    }

    /// One whose SETTINGS are followed by these frames. The server's header table is empty, so that what it sends can be
    /// read without one.
    pub fn with(stream: Stream, more: &[u8]) -> Self {
        let mut client = Self { stream, bytes: VecDeque::new(), kept: Vec::new(), going: None };
        let no_table = frame(SETTINGS, 0, 0, &[&HEADER_TABLE_SIZE.to_be_bytes()[..], &[0; 4]].concat());
        client.send(&[PREFACE, &no_table, more].concat()).unwrap();
        client
    }

    /// An error is the server having closed, which a test may be about.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Sends the same again and again until the server has closed. Says how often it went.
    pub fn flood(&mut self, mut bytes: impl FnMut(u32) -> Vec<u8>) -> u32 {
        for count in 0..10_000 {
            if self.send(&bytes(count)).is_err() {
                return count;
            }
        }
        panic!("it goes on for ever");
    }

    /// The next frame. `None`: the connection has ended.
    pub fn next(&mut self) -> Option<Frame> {
        while self.bytes.len() < 9 {
            self.more()?;
        }
        let head: Vec<u8> = self.bytes.drain(..9).collect();
        let length = usize::try_from(u32::from_be_bytes([0, head[0], head[1], head[2]])).unwrap();
        while self.bytes.len() < length {
            self.more()?;
        }
        let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
        let frame = Frame { kind: head[3], flags: head[4], stream, payload: self.bytes.drain(..length).collect() };
        if frame.kind == GOAWAY {
            self.going = Some(u32::from_be_bytes(frame.payload[4..8].try_into().unwrap()));
        }
        Some(frame)
    }

    fn more(&mut self) -> Option<()> {
        let mut bytes = [0; 16 * 1024];
        let count = match self.stream.read(&mut bytes) {
            Ok(count) => count,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                panic!("the server says nothing")
            }
            Err(_) => 0,
        };
        self.bytes.extend(&bytes[..count]);
        (count > 0).then_some(())
    }

    /// Waits until a frame of a stream comes for which `wanted` holds.
    pub fn until(&mut self, stream: u32, wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        loop {
            let is_it = |frame: &Frame| frame.stream == stream && wanted(frame);
            if let Some(at) = self.kept.iter().position(is_it) {
                return Some(self.kept.remove(at));
            }
            let frame = self.next()?;
            self.kept.push(frame);
        }
    }

    /// Waits for what becomes of a stream. Windows are not kept open for it.
    pub fn outcome(&mut self, stream: u32) -> Outcome {
        let (mut status, mut body) = (None, Vec::new());
        loop {
            let Some(frame) = self.until(stream, |frame| matches!(frame.kind, DATA | HEADERS | RST_STREAM)) else {
                return Outcome::Closed(self.going);
            };
            match frame.kind {
                RST_STREAM => return Outcome::Reset(u32::from_be_bytes(frame.payload[..4].try_into().unwrap())),
                HEADERS => status = Some(status_of(&frame.payload)),
                _ => body.extend(&frame.payload),
            }
            if frame.flags & END_STREAM != 0 {
                return Outcome::Answer(status.expect("a head before a body"), body);
            }
        }
    }

    /// Waits for the end of the connection. Says `GOAWAY`'s code if there was one.
    pub fn closed(&mut self) -> Option<u32> {
        while self.next().is_some() {}
        self.going
    }
}

/// The status stands first in a block: indexed, or with its name indexed and its digits literal, most often coded.
fn status_of(block: &[u8]) -> u16 {
    let after_table_sizes = block.iter().position(|byte| byte & 0xe0 != 0x20).unwrap();
    let block = &block[after_table_sizes..];
    if block[0] & 0x80 != 0 {
        let indexed = [200, 204, 206, 304, 400, 404, 500];
        return indexed[usize::from(block[0] & 0x7f) - 8];
    }
    let value = &block[2..2 + usize::from(block[1] & 0x7f)];
    if block[1] & 0x80 == 0 {
        return std::str::from_utf8(value).unwrap().parse().unwrap();
    }
    let bits = value.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (32 - 8 * value.len());
    coded_digits(bits)
}

/// RFC 7541, appendix B: 0, 1 and 2 have five bits, the other digits six.
fn coded_digits(mut bits: u32) -> u16 {
    let mut number = 0;
    for _ in 0..3 {
        let short = bits >> 27;
        let (digit, length) = if short <= 2 { (short, 5) } else { ((bits >> 26) - 22, 6) };
        number = number * 10 + u16::try_from(digit).unwrap();
        bits <<= length;
    }
    number
}

#[test]
fn statuses_are_read_in_each_of_their_forms() {
    assert_eq!(status_of(&[0x20, 0x88]), 200);
    assert_eq!(status_of(&[0x48, 0x03, b'4', b'0', b'5']), 405);
    // 431, as RFC 7541's code has it: 011010 011001 00001, padded with ones.
    assert_eq!(status_of(&[0x08, 0x83, 0b0110_1001, 0b1001_0000, 0b1111_1111]), 431);
}
