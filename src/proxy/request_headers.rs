//! The request header that ERPNext gets: nothing that a peer could use to seem somebody else, and what ERPNext needs to
//! know of the peer.

use std::net::IpAddr;

use http::{
    HeaderName, HeaderValue,
    header::{AUTHORIZATION, COOKIE, HOST},
};
use ipnet::IpNet;
use pingora::http::RequestHeader;

use super::{
    context::{DownstreamPeer, RequestContext},
    cookies,
    realtime::{self, RealtimeHeaders},
};
use crate::{
    config::{ErpnextSettings, Origin},
    http1::{Fields, FieldsMut, TooManyFields},
};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(super) static X_FRAPPE_SITE_NAME: HeaderName = HeaderName::from_static("x-frappe-site-name");
/// The name of a request in our log and ERPNext's.
pub(super) static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the settings say of headers towards ERPNext.
#[derive(Debug)]
pub struct UpstreamHeaders {
    /// `X-Frappe-Site-Name`.
    pub site_name: Option<HeaderValue>,
    /// `Host`; `None`: downstream's.
    pub host: Option<HeaderValue>,
    /// Of requests to a realtime server that has no server of bench's before it.
    pub realtime: Option<RealtimeHeaders>,
}

/// Who sent a request: the peer of the connection, or whom a trusted proxy names. Of the addresses in
/// `X-Forwarded-For` the last one that is no trusted proxy counts; what stands before it anybody can have written.
pub(super) fn downstream_peer(connected: DownstreamPeer, headers: &impl Fields, trusted: &[IpNet]) -> DownstreamPeer {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(&address.to_canonical()));
    if !is_trusted(&connected.address) {
        return connected;
    }
    let mut address = connected.address;
    let texts = headers.each(&X_FORWARDED_FOR).map(|value| std::str::from_utf8(value).unwrap_or_default());
    let named: Vec<&str> = texts.flat_map(|text| text.split(',')).map(str::trim).collect();
    for text in named.into_iter().rev() {
        let Some(named) = parse_address(text) else { break };
        address = named;
        if !is_trusted(&address) {
            break;
        }
    }
    let proto = headers.each(&X_FORWARDED_PROTO).last().and_then(|value| std::str::from_utf8(value).ok());
    let secure = match proto.and_then(|text| text.rsplit(',').next()).map(str::trim) {
        Some(proto) if proto.eq_ignore_ascii_case("https") => true,
        Some(proto) if proto.eq_ignore_ascii_case("http") => false,
        _ => connected.secure,
    };
    DownstreamPeer { address, secure }
}

/// An address, perhaps with a port, as proxies write it.
fn parse_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.split_once(']')).map_or(text, |(address, _)| address);
    let address = bare.parse().ok().or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// HTTP/2 has the host in the target, which is about to be replaced by one without it.
pub(super) fn keep_authority(request: &mut RequestHeader) -> pingora::Result<()> {
    match request.uri.authority().map(|authority| authority.as_str().to_owned()) {
        Some(authority) if !request.headers.contains_key(HOST) => request.insert_header(HOST, authority),
        Some(_) | None => Ok(()),
    }
}

impl UpstreamHeaders {
    /// Those of these settings, whose values have been checked.
    pub(super) fn new(settings: &ErpnextSettings, public_url: &Origin) -> Self {
        let value = |text: &str| HeaderValue::from_str(text).ok();
        let site_name = settings.site_name.as_deref().and_then(value);
        let host = settings.host_header.as_deref().and_then(value);
        let realtime = settings.socketio_url.as_ref().and_then(|_| RealtimeHeaders::new(public_url, host.as_ref()));
        Self { site_name, host, realtime }
    }

    /// Makes the header of a request what ERPNext gets. Hop-by-hop headers, and those that `Connection` names, have been
    /// removed before.
    pub(super) fn apply(&self, request: &mut impl FieldsMut, context: &RequestContext) -> Result<(), TooManyFields> {
        request.remove_where(is_dropped);
        match context.permit.as_ref().map(|permit| &permit.credential) {
            Some(Some(credential)) => {
                request.set(AUTHORIZATION, credential.clone())?;
                request.remove(&COOKIE);
            }
            Some(None) => request.set(COOKIE, realtime::WITHOUT_SESSION)?,
            None => cookies::drop_private(request)?,
        }
        request.set(X_FORWARDED_FOR.clone(), context.peer_text())?;
        let proto = HeaderValue::from_static(if context.peer.secure { "https" } else { "http" });
        request.set(X_FORWARDED_PROTO.clone(), proto)?;
        request.set(X_REQUEST_ID.clone(), context.request_id.clone())?;
        if let Some(site_name) = &self.site_name {
            request.set(X_FRAPPE_SITE_NAME.clone(), site_name.clone())?;
        }
        match self.realtime.as_ref().filter(|_| context.is_realtime()) {
            Some(realtime) => realtime.apply(request)?,
            None => {
                if let Some(host) = &self.host {
                    request.set(HOST, host.clone())?;
                }
            }
        }
        Ok(())
    }
}

/// An address as it is told to ERPNext.
#[must_use]
pub fn address_value(address: IpAddr) -> HeaderValue {
    // Digits, dots and colons: always a value.
    HeaderValue::try_from(address.to_canonical().to_string()).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

/// Headers that never come from a peer: they say who or what a request is, or make ERPNext or a server before it behave
/// as if another had come. WSGI merges `-` and `_`, so a name with `_` is none that could be judged.
fn is_dropped(name: &[u8]) -> bool {
    const PREFIXES: [&[u8]; 6] =
        [b"x-forwarded-", b"x-original-", b"x-rewrite-", b"x-remote-", b"remote-", b"x-accel-"];
    const NAMES: [&[u8]; 26] = [
        b"client-ip",
        b"fly-client-ip",
        b"cf-connecting-ip",
        b"dpop",
        b"forwarded",
        b"frappe-authorization-source",
        b"front-end-https",
        b"path-info",
        b"proxy",
        b"script-name",
        b"true-client-ip",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"x-forwarded",
        b"x-frappe-site-name",
        b"x-host",
        b"x-http-method",
        b"x-http-method-override",
        b"x-method-override",
        b"x-real-ip",
        b"x-scheme",
        b"x-sendfile-type",
        b"x-url-scheme",
        b"x-use-x-accel-redirect",
        b"proxy-connection",
        b"x-proxy-user",
    ];
    /// What the prefixes and names begin with.
    const INITIALS: &[u8] = b"cdfprstx";
    if name.contains(&b'_') {
        return true;
    }
    name.first().is_some_and(|initial| INITIALS.contains(initial))
        && (PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::clock::UnixTime;

    const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    fn upstream_of(lines: &[(&'static str, &str)]) -> RequestHeader {
        let mut request = RequestHeader::build("GET", b"/", None).expect("a request");
        for (name, value) in lines {
            request.append_header(*name, *value).expect("a header");
        }
        let mut context = RequestContext::new(HeaderValue::from_static("r1"), UnixTime::default());
        context.peer = DownstreamPeer { address: PEER, secure: true };
        let headers =
            UpstreamHeaders { site_name: Some(HeaderValue::from_static("site1")), host: None, realtime: None };
        headers.apply(&mut request, &context).expect("applied");
        request
    }

    fn all(request: &RequestHeader, name: &str) -> Vec<String> {
        request.headers.get_all(name).iter().map(|value| value.to_str().expect("ASCII").to_owned()).collect()
    }

    /// T47, T48, T49
    #[test]
    fn what_says_who_a_request_is_comes_from_us_alone() {
        let request = upstream_of(&[
            ("X-Forwarded-For", "1.2.3.4"),
            ("X-Forwarded-For", "5.6.7.8"),
            ("X_Forwarded_For", "1.2.3.4"),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Host", "evil"),
            ("X-Forwarded-Uri", "/assets/x"),
            ("Forwarded", "for=1.2.3.4"),
            ("X-Original-URL", "/x"),
            ("X-Rewrite-URL", "/x"),
            ("X-Real-IP", "1.2.3.4"),
            ("X-Remote-User", "Administrator"),
            ("Remote-Addr", "127.0.0.1"),
            ("X-Frappe-Site-Name", "other"),
            ("x-frappe_site-name", "other"),
            ("Frappe-Authorization-Source", "X"),
            ("X-Use-X-Accel-Redirect", "1"),
            ("X-HTTP-Method-Override", "DELETE"),
            ("X-Request-Id", "theirs"),
            ("X-Frappe-CSRF-Token", "kept"),
            ("Host", "erp.example.com"),
        ]);
        assert_eq!(all(&request, "x-forwarded-for"), ["192.0.2.1"]);
        assert_eq!(all(&request, "x-forwarded-proto"), ["https"]);
        assert_eq!(all(&request, "x-frappe-site-name"), ["site1"]);
        assert_eq!(all(&request, "x-request-id"), ["r1"]);
        assert_eq!(all(&request, "host"), ["erp.example.com"]);
        let mut names: Vec<_> = request.headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "host",
                "x-forwarded-for",
                "x-forwarded-proto",
                "x-frappe-csrf-token",
                "x-frappe-site-name",
                "x-request-id"
            ]
        );
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().expect("a network")];
        let mut headers = http::HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("6.6.6.6, 203.0.113.9"));
        headers.append("x-forwarded-for", HeaderValue::from_static("10.0.0.2"));
        headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
        let near = DownstreamPeer { address: "10.0.0.1".parse().expect("an address"), secure: false };
        let told = downstream_peer(near, &headers, &trusted);
        assert_eq!(told, DownstreamPeer { address: "203.0.113.9".parse().expect("an address"), secure: true });
        let far = DownstreamPeer { address: PEER, secure: false };
        assert_eq!(downstream_peer(far, &headers, &trusted), far);
        headers.insert("x-forwarded-for", HeaderValue::from_static("unknown"));
        assert_eq!(downstream_peer(near, &headers, &trusted).address, near.address);
    }
}
