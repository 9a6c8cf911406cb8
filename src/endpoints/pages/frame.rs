//! What all pages have: language, style, logo, and the content policy that lets a page do no more than it needs.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use crate::endpoints::{EndpointSettings, texts::Texts};

/// What the layout needs.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    pub texts: &'a Texts,
    pub site: &'a EndpointSettings,
}

impl<'a> Frame<'a> {
    pub(super) const fn new(texts: &'a Texts, site: &'a EndpointSettings) -> Self {
        Self { texts, site }
    }

    pub(super) const fn style(&self) -> &'a str {
        self.site.look.style.as_str()
    }

    pub(super) fn logo(&self) -> Option<&'a str> {
        self.site.look.logo.as_deref()
    }

    /// The policy of a page with this script, if it has one. Chromium follows a form's redirect only to what
    /// `form-action` names. An image that is an SVG runs no scripts.
    pub(super) fn policy(&self, script: Option<&str>, form_action: &str) -> String {
        let script = script.map(|script| format!(" script-src '{}';", hash(script))).unwrap_or_default();
        let image = if self.logo().is_some() { " img-src data:;" } else { "" };
        format!(
            "default-src 'none'; style-src '{}';{script}{image} form-action {form_action}; frame-ancestors 'none'; base-uri 'none'",
            self.site.look.style_hash
        )
    }
}

/// As a content policy names what is in the page itself.
pub(super) fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}
