//! Our tokens: their text, the checksum that tells a forged or mistyped one without a look-up, and the hash under which
//! they are known everywhere else.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use siphasher::sip::SipHasher24;
use subtle::ConstantTimeEq;

use crate::{
    clock::UnixTime,
    random::Random,
    secret::{DerivedKey, Purpose, Secret, SecretKey},
};

const RANDOM_BYTES: usize = 24;
const BODY_BYTES: usize = 32;
/// Characters of base64url after the prefix.
const BODY_CHARS: usize = 43;

/// What every token of ours starts with.
pub const TOKEN_PREFIX: &str = "emp_";
/// What a credential towards the upstream starts with; refused from outside in any letter case (decision 1).
pub const SHADOW_PREFIX: &str = "emp_sh_";

/// The SHA-256 of a token, code or handle: the only form that store, cache and log see.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of the token's text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// A hash that was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The first bytes in hexadecimal: enough to follow a token through a log.
impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(")?;
        for byte in self.0.iter().take(4) {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("…)")
    }
}

/// The kinds of token that we make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// `emp_at_…`
    Access,
    /// `emp_rt_…`
    Refresh,
    /// `emp_ac_…`, an authorization code.
    Code,
    /// `emp_ah_…`, the handle of a stored authorization request.
    Handle,
    /// `emp_dc_…`, a device code (RFC 8628 §3.2).
    DeviceCode,
}

impl TokenKind {
    const ALL: [Self; 5] = [Self::Access, Self::Refresh, Self::Code, Self::Handle, Self::DeviceCode];

    /// What tokens of this kind start with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Access => "emp_at_",
            Self::Refresh => "emp_rt_",
            Self::Code => "emp_ac_",
            Self::Handle => "emp_ah_",
            Self::DeviceCode => "emp_dc_",
        }
    }

    const fn tag(self) -> u8 {
        match self {
            Self::Access => 1,
            Self::Refresh => 2,
            Self::Code => 3,
            Self::Handle => 4,
            Self::DeviceCode => 5,
        }
    }
}

/// What the shape of a presented token tells, before any look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recognised {
    /// Prefix, length and checksum are right for this kind. Whether it is active, the store knows.
    Ours(TokenKind),
    /// It has our prefix, but not the rest: forged, mistyped, or a shadow token. Never worth a look-up.
    Malformed,
    /// It looks like a JWT (RFC 7519 §3): perhaps one of our access tokens, which its signature tells.
    Jwt,
    /// Not of our format.
    Foreign,
}

/// A freshly made token: its secret text, to be handed out once, and its hash, to be kept.
#[derive(Clone, Debug)]
pub struct MintedToken {
    /// The text, for the peer alone.
    pub text: Secret,
    /// The hash, for the store.
    pub hash: TokenHash,
}

impl MintedToken {
    /// A token with this text, which must be unguessable.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self { hash: TokenHash::of(&text), text: Secret::new(text) }
    }
}

/// Tells which JWTs are access tokens that the gateway has signed (RFC 9068 §4). Whether one is active, the store knows.
pub trait SignedAccessTokens: Send + Sync {
    /// Whether this is an access token that was signed here and has not expired.
    fn verify(&self, jwt: &str, now: UnixTime) -> bool;

    /// Whether it names one of our keys, and so means to be ours.
    fn means_to_be_ours(&self, jwt: &str) -> bool;
}

/// Makes and recognises tokens: 192 random bits and a keyed checksum of 64 bits (SipHash-2-4), in base64url.
/// The checksum is a filter that spares look-ups of junk; it proves nothing, a look-up always follows.
pub struct TokenMint {
    checksum: SipHasher24,
    successor: DerivedKey,
}

impl TokenMint {
    /// The mint of the gateway that has this key.
    #[must_use]
    pub fn new(key: &SecretKey) -> Self {
        let derived = key.derive(Purpose::TokenChecksum);
        let mut sip = [0; 16];
        for (byte, from) in sip.iter_mut().zip(derived.expose()) {
            *byte = *from;
        }
        Self { checksum: SipHasher24::new_with_key(&sip), successor: key.derive(Purpose::RefreshSuccessor) }
    }

    /// A fresh token.
    #[must_use]
    pub fn mint(&self, kind: TokenKind, random: &dyn Random) -> MintedToken {
        self.seal(kind, random.bytes::<RANDOM_BYTES>())
    }

    /// The refresh token that follows `presented`, whose generation is `generation` (decision 23). The same input gives
    /// the same successor, so that a retry within the grace needs nothing but hashes in the store.
    #[must_use]
    pub fn successor(&self, presented: &str, generation: u32) -> MintedToken {
        let mac = self.successor.hmac(&[presented.as_bytes(), &generation.to_be_bytes()]);
        let mut random = [0; RANDOM_BYTES];
        for (byte, from) in random.iter_mut().zip(mac) {
            *byte = from;
        }
        self.seal(TokenKind::Refresh, random)
    }

    fn seal(&self, kind: TokenKind, random: [u8; RANDOM_BYTES]) -> MintedToken {
        let mut text = String::with_capacity(kind.prefix().len() + BODY_CHARS);
        text.push_str(kind.prefix());
        let checksum = self.checksum(kind, &random);
        let body: Vec<u8> = random.into_iter().chain(checksum).collect();
        URL_SAFE_NO_PAD.encode_string(body, &mut text);
        MintedToken::new(text)
    }

    /// Tells what a presented token is by its shape alone, without allocation.
    #[must_use]
    pub fn recognise(&self, presented: &str) -> Recognised {
        let Some(kind) = TokenKind::ALL.into_iter().find(|kind| presented.starts_with(kind.prefix())) else {
            let start = presented.as_bytes().get(..TOKEN_PREFIX.len());
            let ours = start.is_some_and(|start| start.eq_ignore_ascii_case(TOKEN_PREFIX.as_bytes()));
            return match ours {
                true => Recognised::Malformed,
                false if is_like_a_jwt(presented) => Recognised::Jwt,
                false => Recognised::Foreign,
            };
        };
        let body = presented.get(kind.prefix().len()..).unwrap_or_default();
        if self.body_is_sound(kind, body) { Recognised::Ours(kind) } else { Recognised::Malformed }
    }

    fn body_is_sound(&self, kind: TokenKind, body: &str) -> bool {
        // The decoder refuses set bits behind the last one, so that one token has one spelling.
        let mut bytes = [0; BODY_BYTES];
        if body.len() != BODY_CHARS || URL_SAFE_NO_PAD.decode_slice(body, &mut bytes) != Ok(BODY_BYTES) {
            return false;
        }
        let (random, checksum) = bytes.split_at(RANDOM_BYTES);
        self.checksum(kind, random).as_slice().ct_eq(checksum).into()
    }

    fn checksum(&self, kind: TokenKind, random: &[u8]) -> [u8; 8] {
        let mut tagged = [0; RANDOM_BYTES + 1];
        for (byte, from) in tagged.iter_mut().zip(std::iter::once(&kind.tag()).chain(random)) {
            *byte = *from;
        }
        self.checksum.hash(&tagged).to_be_bytes()
    }
}

/// Three parts, of which the first begins as every JSON object in base64url does.
fn is_like_a_jwt(presented: &str) -> bool {
    presented.starts_with("eyJ") && presented.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl fmt::Debug for TokenMint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenMint(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::random::SeededRandom;

    fn mint() -> TokenMint {
        TokenMint::new(&SecretKey::new([1; 32]))
    }

    fn random() -> Arc<dyn Random> {
        Arc::new(SeededRandom::new(1))
    }

    #[test]
    fn a_minted_token_is_recognised_as_its_kind() {
        for kind in TokenKind::ALL {
            let token = mint().mint(kind, &*random());
            assert_eq!(token.text.expose().len(), 50);
            assert_eq!(mint().recognise(token.text.expose()), Recognised::Ours(kind));
            assert_eq!(token.hash, TokenHash::of(token.text.expose()));
        }
    }

    #[test]
    fn another_key_another_kind_and_another_length_are_malformed() {
        let token = mint().mint(TokenKind::Access, &*random());
        let text = token.text.expose();
        assert_eq!(TokenMint::new(&SecretKey::new([2; 32])).recognise(text), Recognised::Malformed);
        assert_eq!(mint().recognise(&text.replacen("_at_", "_rt_", 1)), Recognised::Malformed);
        assert_eq!(mint().recognise(&format!("{text}A")), Recognised::Malformed);
        assert_eq!(mint().recognise("emp_sh_0123"), Recognised::Malformed);
        assert_eq!(mint().recognise("EMP_SH_0123"), Recognised::Malformed);
        assert_eq!(mint().recognise("1/fFAGRNJru1FTz70BzhT3Zg"), Recognised::Foreign);
        assert_eq!(mint().recognise("eyJhbGciOiJub25lIn0.e30."), Recognised::Jwt);
        assert_eq!(mint().recognise("eyJhbGciOiJub25lIn0.e30"), Recognised::Foreign);
    }

    #[test]
    fn the_successor_repeats_and_depends_on_token_and_generation() {
        let text = |presented, generation| mint().successor(presented, generation).text.expose().to_owned();
        assert_eq!(text("a", 1), text("a", 1));
        assert_ne!(text("a", 1), text("a", 2));
        assert_ne!(text("a", 1), text("b", 1));
        assert_eq!(mint().recognise(&text("a", 1)), Recognised::Ours(TokenKind::Refresh));
    }

    proptest! {
        #[test]
        fn one_changed_character_is_noticed(index in 7usize..50, by in 1u8..63) {
            const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let mut bytes = mint().mint(TokenKind::Access, &*random()).text.expose().as_bytes().to_vec();
            let at = ALPHABET.iter().position(|c| *c == bytes[index]).expect("base64url");
            bytes[index] = ALPHABET[(at + usize::from(by)) % 64];
            prop_assert_eq!(mint().recognise(std::str::from_utf8(&bytes).expect("ASCII")), Recognised::Malformed);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            prop_assert_ne!(mint().recognise(&text), Recognised::Ours(TokenKind::Access));
        }
    }
}
