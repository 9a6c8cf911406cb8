//! Ports that are known before the gateway is started, since its public URL names one.

use std::{
    net::{Ipv4Addr, TcpListener, UdpSocket},
    process,
    sync::atomic::{AtomicU16, Ordering},
};

/// Below what the kernel gives to outgoing connections, so that none of those takes a port between two starts.
const FIRST: u16 = 12_000;
const COUNT: u16 = 18_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A TCP port that no other test takes while this lives: the UDP port of the same number is the sign for it.
pub struct Port {
    pub number: u16,
    _sign: UdpSocket,
}

impl Port {
    pub fn reserve() -> Self {
        let start = u16::try_from(u64::from(process::id()) * 131 % u64::from(COUNT)).unwrap();
        for _ in 0..COUNT {
            let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
            let number = FIRST + u16::try_from((u32::from(start) + u32::from(step)) % u32::from(COUNT)).unwrap();
            let Ok(sign) = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)) else { continue };
            if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Self { number, _sign: sign };
            }
        }
        panic!("no port is free");
    }
}
