//! What all pages have: language, style, and the content policy that lets a page do no more than it needs.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use crate::endpoints::texts::Texts;

const STYLE: &str = include_str!("../../../templates/style.css");

/// What the layout needs.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    pub texts: &'a Texts,
    pub style: &'a str,
}

impl<'a> Frame<'a> {
    pub(super) fn new(texts: &'a Texts) -> Self {
        Self { texts, style: STYLE }
    }

    /// The policy of a page with this script, if it has one. Chromium follows a form's redirect only to what
    /// `form-action` names.
    pub(super) fn policy(&self, script: Option<&str>, form_action: &str) -> String {
        let script = script.map(|script| format!(" script-src '{}';", hash(script))).unwrap_or_default();
        format!(
            "default-src 'none'; style-src '{}';{script} form-action {form_action}; frame-ancestors 'none'; base-uri 'none'",
            hash(self.style)
        )
    }
}

fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text.as_bytes())))
}
