//! A websocket client (RFC 6455).

use std::io;

use super::{Answer, Connection, TestGateway};

/// An open one.
pub struct WebSocket {
    connection: Connection,
}

impl WebSocket {
    /// Asks for one; the answer where it is refused.
    pub fn open(gateway: &TestGateway, target: &str, fields: &[(&str, &str)]) -> Result<Self, Answer> {
        let mut connection = gateway.connect();
        let host = if fields.iter().any(|(name, _)| *name == "Host") {
            String::new()
        } else {
            format!("Host: 127.0.0.1:{}\r\n", gateway.port())
        };
        let mut request = format!(
            "GET {target} HTTP/1.1\r\n{host}Connection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        for (name, value) in fields {
            request.extend([name, ": ", value, "\r\n"]);
        }
        connection.write(format!("{request}\r\n").as_bytes()).expect("it reads");
        let answer = connection.answer(false).expect("an answer");
        if answer.status == 101 { Ok(Self { connection }) } else { Err(answer) }
    }

    /// Sends a text of up to 125 bytes, masked with nothing.
    pub fn say(&mut self, text: &str) {
        let length = u8::try_from(text.len()).ok().filter(|length| *length < 126).expect("a short text");
        let mut frame = vec![0x81, 0x80 | length, 0, 0, 0, 0];
        frame.extend(text.bytes());
        self.connection.write(&frame).expect("it reads");
    }

    /// Sends bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.connection.write(bytes)
    }

    /// The next frame's text.
    pub fn hear(&mut self) -> io::Result<String> {
        let head = self.connection.exactly(2)?;
        let length = match head[1] {
            126 => {
                let length = self.connection.exactly(2)?;
                usize::from(u16::from_be_bytes([length[0], length[1]]))
            }
            length => usize::from(length),
        };
        Ok(String::from_utf8_lossy(&self.connection.exactly(length)?).into_owned())
    }

    /// Joins a namespace of Socket.IO; what is said to that.
    pub fn join(&mut self, namespace: &str) -> String {
        let open = self.hear().expect("it is open");
        assert!(open.starts_with("0{\"sid\":"), "{open}");
        self.say(&format!("40/{namespace},"));
        self.hear().expect("an answer")
    }
}
