//! What the fuzz targets (`fuzz/`) need of what is private. Compiled for them alone, with `--cfg fuzzing`.

use serde_json::Value;

pub use crate::{
    access::bearer::{Presented, Scheme, parse as bearer},
    endpoints::parameters::Parameters,
    http1::chunks::ChunkScan,
    proxy::passed,
    store::codec::{Codec, Place},
};
use crate::{endpoints::authorize::claims_parameter, oauth::Subject, route::Fields};

/// The values that a body has under this name.
#[must_use]
pub fn field_values<'f>(fields: &'f Fields, name: &'f str) -> Vec<&'f Value> {
    fields.values(name).collect()
}

/// What a `claims` parameter asks for: the names of the id_token's claims and of userinfo's, and the subject. `None`: it is
/// malformed, or can't be met.
#[must_use]
pub fn asked_claims(text: &str) -> Option<(Vec<String>, Vec<String>, Option<Subject>)> {
    claims_parameter::asked_claims(Some(text)).ok().map(|asked| (asked.id_token, asked.userinfo, asked.sub))
}
