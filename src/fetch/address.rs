//! Which addresses may be connected to on behalf of somebody else: those that the whole world can reach, and no others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether the address is one of the public internet's, by the registries of special-purpose addresses (RFC 6890). Addresses
/// of IPv6 that carry one of IPv4's are as good as that one.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        // "This network" (RFC 791), private (RFC 1918), loopback, multicast, reserved and broadcast.
        (0 | 10 | 127 | 224..=255, _, _)
        // Between carrier and customer (RFC 6598).
        | (100, 64..=127, _)
        // Link-local, where clouds have the metadata of machines (RFC 3927).
        | (169, 254, _)
        // Private (RFC 1918).
        | (172, 16..=31, _)
        | (192, 168, _)
        // Protocol assignments (RFC 6890), documentation (RFC 5737), relays of 6to4 (RFC 7526).
        | (192, 0, 0 | 2)
        | (192, 88, 99)
        // Benchmarks (RFC 2544), documentation.
        | (198, 18 | 19, _)
        | (198, 51, 100)
        | (203, 0, 113) => true,
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(carried) = carried_v4(address) {
        return is_public_v4(carried);
    }
    let [a, b, ..] = address.segments();
    // Global unicast is 2000::/3: loopback, unspecified, unique local, link-local, site-local and multicast are outside it.
    let global = a & 0xe000 == 0x2000;
    let special = match a {
        // Protocol assignments (2001::/23, RFC 2928), Teredo and ORCHID among them; documentation (RFC 3849).
        0x2001 => matches!(b, 0..=0x01ff | 0x0db8),
        // Documentation (3fff::/20, RFC 9637).
        0x3fff => b <= 0x0fff,
        _ => false,
    };
    global && !special
}

/// The address of IPv4 that one of IPv6 stands for: mapped (RFC 4291 §2.5.5.2), translated by NAT64 (RFC 6052), or of 6to4
/// (RFC 3056).
fn carried_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some(of(high, low))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T64
    #[test]
    fn addresses_of_each_special_class_are_not_public() {
        for (class, addresses) in [
            ("this network, unspecified", &["0.0.0.0", "0.1.2.3", "::"][..]),
            ("loopback", &["127.0.0.1", "127.255.255.254", "::1"]),
            ("private", &["10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1"]),
            ("unique local", &["fc00::1", "fd12:3456:789a::1"]),
            ("link-local", &["169.254.169.254", "169.254.0.1", "fe80::1", "febf::1"]),
            ("site-local", &["fec0::1"]),
            ("carrier-grade NAT", &["100.64.0.1", "100.100.100.200", "100.127.255.255"]),
            ("multicast", &["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"]),
            ("reserved, broadcast", &["240.0.0.1", "255.255.255.255"]),
            ("documentation", &["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1", "3fff:fff::1"]),
            ("benchmarks", &["198.18.0.1", "198.19.255.255", "2001:2::1"]),
            ("protocol assignments", &["192.0.0.8", "192.88.99.1", "2001::1", "2001:1ff::1", "100::1", "5f00::1"]),
            ("mapped", &["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"]),
            ("compatible", &["::127.0.0.1", "::10.0.0.1"]),
            ("NAT64", &["64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "64:ff9b:1::1"]),
            ("6to4", &["2002:7f00:1::1", "2002:a00:1::", "2002:a9fe:a9fe::1", "2002:c0a8:1::1"]),
        ] {
            for address in addresses {
                assert!(!is_public(address.parse().unwrap()), "{class}: {address}");
            }
        }
    }

    #[test]
    fn addresses_of_the_internet_are_public() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.1",
            "93.184.216.34",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.169.0.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2a00:1450::1",
            "64:ff9b::101:101",
            "2002:101:101::1",
            "::ffff:1.1.1.1",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }
}
