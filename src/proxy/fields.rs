//! Pingora's headers, for the rules that are written for any.

use http::{HeaderMap, HeaderName, HeaderValue};
use pingora::http::{RequestHeader, ResponseHeader};

use crate::http1::{Fields, FieldsMut, TooManyFields};

/// Pingora keeps the spelling of names beside the map: changes go through its own methods.
macro_rules! fields_of {
    ($header:ty) => {
        impl Fields for $header {
            fn each<'f>(&'f self, name: &HeaderName) -> impl Iterator<Item = &'f [u8]> {
                self.headers.each(name)
            }
        }

        impl FieldsMut for $header {
            fn remove(&mut self, name: &HeaderName) {
                self.remove_header(name);
            }

            fn remove_where(&mut self, is_one: impl Fn(&[u8]) -> bool) {
                for name in named(&self.headers, is_one) {
                    self.remove(&name);
                }
            }

            fn set(&mut self, name: HeaderName, value: HeaderValue) -> Result<(), TooManyFields> {
                self.insert_header(name, value).map_err(|_| TooManyFields)
            }
        }
    };
}

fields_of!(RequestHeader);
fields_of!(ResponseHeader);

/// Mostly none, which costs no memory.
fn named(headers: &HeaderMap, is_one: impl Fn(&[u8]) -> bool) -> Vec<HeaderName> {
    headers.keys().filter(|name| is_one(name.as_str().as_bytes())).cloned().collect()
}
