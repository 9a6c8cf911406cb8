//! Redirect URIs: a registered one, a byte, and the presented one, which begins with so many bytes of the registered one.
#![no_main]

use empress_fuzz::first_line;
use empress_gateway::oauth::RedirectUri;
use libfuzzer_sys::fuzz_target;
use url::{Host, Url};

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = first_line(bytes) else { return };
    let (Ok(text), Some((kept, rest))) = (std::str::from_utf8(first), rest.split_first()) else { return };
    let Ok(registered) = RedirectUri::parse(text) else { return };
    sound(text, &registered);
    assert!(registered.matches(text));
    let mut presented = text.as_bytes().iter().copied().take(usize::from(*kept)).collect::<Vec<_>>();
    presented.extend(rest);
    let Ok(presented) = std::str::from_utf8(&presented) else { return };
    if registered.matches(presented) && presented != text {
        leads_to_the_same(text, presented);
        assert!(RedirectUri::parse(presented).is_ok(), "{presented} could not be registered");
    }
});

fn sound(text: &str, registered: &RedirectUri) {
    assert_eq!(registered.as_str(), text);
    let url = Url::parse(text).expect("a URI");
    assert!(url.fragment().is_none() && url.username().is_empty() && url.password().is_none());
    assert!(!["javascript", "data", "vbscript", "blob", "about", "file"].contains(&url.scheme()));
    // Whoever reads it by RFC 3986 alone finds the same host.
    if matches!(url.scheme(), "http" | "https") {
        let authority = text.split_once("://").expect("an authority").1.split(['/', '?', '#']).next().expect("a text");
        let host = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let host = host.map_or(authority, |(host, _)| host);
        assert!(!authority.contains(['@', '\\']), "{text}");
        let as_url = Url::parse(&format!("{}://{host}/", url.scheme())).expect("a host");
        assert_eq!(as_url.host(), url.host(), "{text}");
    }
    assert_eq!(registered.is_https(), url.scheme() == "https");
    let origin = registered.origin_or_scheme();
    assert!(!origin.is_empty() && !origin.contains([' ', ';', ',', '\'', '"']), "{origin} of {text}");
}

/// Another spelling matches for loopback alone, and differs in nothing but the port.
fn leads_to_the_same(registered: &str, presented: &str) {
    let (ours, theirs) = (Url::parse(registered).expect("a URI"), Url::parse(presented).expect("a URI"));
    let without_port = |url: &Url| {
        let mut url = url.clone();
        url.set_port(None).expect("http has ports");
        url
    };
    assert_eq!(without_port(&ours), without_port(&theirs), "{registered} and {presented}");
    assert_eq!(ours.scheme(), "http");
    let loopback = match ours.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    assert!(loopback, "{registered} and {presented}");
}
