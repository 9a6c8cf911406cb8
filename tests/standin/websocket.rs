//! Frames of a websocket (RFC 6455), and one that sends back what it gets.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::sha1::sha1;
use super::wire::Wire;

/// A frame, unmasked.
pub struct Frame {
    /// The first byte: whether it is the last of its message, and what it is.
    pub first: u8,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A whole text message.
    pub fn text(text: &str) -> Self {
        Self { first: 0x81, payload: text.as_bytes().to_vec() }
    }

    /// What it is: 1 text, 2 binary, 8 close, 9 ping, 10 pong.
    pub fn opcode(&self) -> u8 {
        self.first & 0x0f
    }

    /// As a server sends it.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.first];
        match self.payload.len() {
            length @ 0..126 => bytes.push(u8::try_from(length).unwrap_or(0)),
            length @ 126..65536 => {
                bytes.push(126);
                bytes.extend_from_slice(&u16::try_from(length).unwrap_or(0).to_be_bytes());
            }
            length => {
                bytes.push(127);
                bytes.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(&self.payload);
        bytes
    }
}

/// The value of `Sec-WebSocket-Accept` for a key.
pub fn accept(key: &str) -> String {
    STANDARD.encode(sha1(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes()))
}

/// Echoes text and binary frames, answers pings, until the peer closes.
pub async fn echo(wire: &mut Wire) {
    while let Ok(mut frame) = read(wire).await {
        match frame.opcode() {
            // A ping is answered by a pong.
            0x9 => frame.first = frame.first & 0xf0 | 0xa,
            0xa => continue,
            _ => {}
        }
        if wire.send(&frame.bytes()).await.is_err() || frame.opcode() == 0x8 {
            return;
        }
    }
}

/// The next frame of a client.
///
/// # Errors
///
/// The connection ended.
pub async fn read(wire: &mut Wire) -> io::Result<Frame> {
    let head = wire.exactly(2).await?;
    let (first, second) = (head[0], head[1]);
    let length = match second & 0x7f {
        126 => be(&wire.exactly(2).await?),
        127 => be(&wire.exactly(8).await?),
        short => usize::from(short),
    };
    let mask = if second & 0x80 == 0 { vec![0; 4] } else { wire.exactly(4).await? };
    let mut payload = wire.exactly(length).await?;
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    Ok(Frame { first, payload })
}

fn be(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}
