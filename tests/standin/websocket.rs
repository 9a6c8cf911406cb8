//! A websocket that sends back what it gets (RFC 6455).

use std::io;

use super::wire::Wire;

/// Echoes text and binary frames, answers pings, until the peer closes.
pub async fn echo(wire: &mut Wire) {
    while let Ok(true) = frame(wire).await {}
}

/// One frame; whether more may come.
async fn frame(wire: &mut Wire) -> io::Result<bool> {
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
    let answer = match first & 0x0f {
        // A ping is answered by a pong.
        0x9 => first & 0xf0 | 0xa,
        0xa => return Ok(true),
        _ => first,
    };
    let mut bytes = vec![answer];
    match payload.len() {
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
    bytes.extend_from_slice(&payload);
    wire.send(&bytes).await?;
    Ok(first & 0x0f != 0x8)
}

fn be(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}
