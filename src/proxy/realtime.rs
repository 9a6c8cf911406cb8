//! The headers that ERPNext's realtime server gets, as bench's nginx sends them. It takes a client only if `Host` and
//! `Origin` name the same host and there is a cookie, asks who the client is at `Origin` (so through the public URL), and
//! by the cookie `sid` where there is one, else by `Authorization`.

use http::{HeaderValue, header::HOST, header::ORIGIN};

use super::request_headers::X_FRAPPE_SITE_NAME;
use crate::{
    config::Origin,
    http1::{Fields, FieldsMut, TooManyFields},
};

/// The cookie of a request with a bearer token. A `sid` in it, even the guest's, would count instead of the token.
pub(super) const WITHOUT_SESSION: HeaderValue = HeaderValue::from_static("by=token");

/// What is the same for all requests.
#[derive(Debug)]
pub struct RealtimeHeaders {
    host: HeaderValue,
    origin: HeaderValue,
    /// The site where only `host_header` names it.
    site: Option<HeaderValue>,
}

impl RealtimeHeaders {
    pub(super) fn new(public_url: &Origin, host_header: Option<&HeaderValue>) -> Option<Self> {
        Some(Self {
            host: HeaderValue::from_str(public_url.authority()).ok()?,
            origin: HeaderValue::from_str(public_url.as_str()).ok()?,
            site: host_header.cloned(),
        })
    }

    /// A request of no page, or of a page of this site, comes from the public URL: only there the realtime server may be
    /// made to ask. The origin of any other page stays, and the realtime server refuses it.
    pub(super) fn apply(&self, request: &mut impl FieldsMut) -> Result<(), TooManyFields> {
        if self.is_own(request) {
            request.set(ORIGIN, self.origin.clone())?;
        }
        request.set(HOST, self.host.clone())?;
        if let Some(site) = self.site.as_ref().filter(|_| !request.has(&X_FRAPPE_SITE_NAME)) {
            request.set(X_FRAPPE_SITE_NAME.clone(), site.clone())?;
        }
        Ok(())
    }

    fn is_own(&self, request: &impl Fields) -> bool {
        let mut origins = request.each(&ORIGIN);
        let Some(origin) = origins.next() else { return true };
        if origins.next().is_some() {
            return false;
        }
        let authority =
            std::str::from_utf8(origin).ok().and_then(|origin| origin.split_once("://")).map(|(_, rest)| rest);
        let host = request.each(&HOST).next().and_then(|host| std::str::from_utf8(host).ok());
        origin == self.origin.as_bytes() || (authority.is_some() && authority == host)
    }
}

#[cfg(test)]
mod tests {
    use pingora::http::RequestHeader;

    use super::*;

    fn sent(lines: &[(&'static str, &str)]) -> (Option<String>, Option<String>, Option<String>) {
        let mut request = RequestHeader::build("GET", b"/socket.io/", None).expect("a request");
        for (name, value) in lines {
            request.append_header(*name, *value).expect("a header");
        }
        let public_url = "https://erp.example.com".parse().expect("an origin");
        let host_header = HeaderValue::from_static("site1");
        let headers = RealtimeHeaders::new(&public_url, Some(&host_header)).expect("headers");
        headers.apply(&mut request).expect("applied");
        let text = |name: &str| request.headers.get(name).map(|value| value.to_str().expect("ASCII").to_owned());
        (text("host"), text("origin"), text("x-frappe-site-name"))
    }

    #[test]
    fn the_realtime_server_is_asked_as_from_the_public_url() {
        let own =
            (Some("erp.example.com".to_owned()), Some("https://erp.example.com".to_owned()), Some("site1".to_owned()));
        assert_eq!(sent(&[("Host", "erp.example.com")]), own);
        assert_eq!(sent(&[("Host", "10.0.0.1:8080"), ("Origin", "http://10.0.0.1:8080")]), own);
        assert_eq!(sent(&[("Host", "evil.example")]), own, "nobody else is asked who a client is");
        assert_eq!(sent(&[("Host", "x"), ("Origin", "https://erp.example.com")]), own);
        let named = sent(&[("Host", "erp.example.com"), ("X-Frappe-Site-Name", "other")]);
        assert_eq!(named.2.as_deref(), Some("other"), "the configured name, which is set before");
    }

    #[test]
    fn a_page_of_another_site_keeps_its_origin_and_is_refused_for_it() {
        for origin in ["https://evil.example", "null", "https://erp.example.com.evil.example"] {
            let (host, told, _) = sent(&[("Host", "erp.example.com"), ("Origin", origin)]);
            assert_eq!((host.as_deref(), told.as_deref()), (Some("erp.example.com"), Some(origin)));
        }
        let twice = sent(&[("Host", "h"), ("Origin", "https://evil.example"), ("Origin", "https://erp.example.com")]);
        assert_eq!(twice.1.as_deref(), Some("https://evil.example"));
    }
}
