//! Names of things, each a type of its own so that none is taken for another.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// A client's `client_id` (RFC 6749 §2.2).
    ClientId
}
text_id! {
    /// The name under which the upstream knows a user.
    UserName
}
text_id! {
    /// The `sub` of a user (OpenID Connect Core §2): never reassigned, unlike the name.
    Subject
}
text_id! {
    /// The id of a grant: what stands between an authorization code and all the tokens that come from it.
    GrantId
}
text_id! {
    /// The `kid` of a signing key (RFC 7517 §4.5).
    KeyId
}
text_id! {
    /// The site that a record belongs to.
    SiteId
}
