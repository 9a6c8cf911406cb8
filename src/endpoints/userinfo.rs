//! Temporary.
use super::{Endpoints, respond::Answer};
use bytes::Bytes;
use http::Request;
impl Endpoints {
    pub(super) async fn userinfo(&self, _request: &Request<Bytes>) -> Answer {
        super::not_served()
    }
}
