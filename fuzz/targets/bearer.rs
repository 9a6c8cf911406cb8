//! The `Authorization` header: each line is one. No panic, no token but a whole one, and none of ours under another scheme.
#![no_main]

use std::sync::LazyLock;

use empress_gateway::{
    fuzzing::{Presented, Scheme, bearer},
    oauth::{Recognised, TOKEN_PREFIX, TokenKind, TokenMint},
    random::SeededRandom,
    secret::SecretKey,
};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use libfuzzer_sys::fuzz_target;

static MINT: LazyLock<TokenMint> = LazyLock::new(|| TokenMint::new(&SecretKey::new([1; 32])));
static GENUINE: LazyLock<String> =
    LazyLock::new(|| MINT.mint(TokenKind::Access, &SeededRandom::new(1)).text.expose().to_owned());

fuzz_target!(|bytes: &[u8]| {
    // `$` stands for a genuine token.
    let text: Vec<u8> = bytes.split(|byte| *byte == b'$').collect::<Vec<_>>().join(GENUINE.as_bytes());
    let mut headers = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n').take(3) {
        let Ok(value) = HeaderValue::from_bytes(line) else { return };
        headers.append(AUTHORIZATION, value);
    }
    let line = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
    let verdict = bearer(&headers);
    assert!(headers.len() == 1 || verdict.is_err(), "two headers");
    match verdict {
        Ok(Presented::Nothing) => panic!("there is a header"),
        Ok(Presented::Token(scheme, token)) => {
            let name: &[u8] = if scheme == Scheme::Bearer { b"bearer" } else { b"dpop" };
            let (scheme, rest) = line.split_at(name.len());
            assert!(scheme.eq_ignore_ascii_case(name) && rest.starts_with(b" "));
            assert_eq!(rest.trim_ascii_start(), token.as_bytes());
            assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)));
            let genuine = matches!(MINT.recognise(token), Recognised::Ours(_));
            assert_eq!(genuine, token == *GENUINE, "{token}");
        }
        Ok(Presented::OtherScheme) => passes_as_something_else(line),
        Err(_) => {}
    }
});

/// Frappe splits the header at its blanks and, where there are two words, takes the second one for the token.
fn passes_as_something_else(line: &[u8]) {
    let words: Vec<_> = line.split(|byte| *byte == b' ').collect();
    if let [scheme, _] = words.as_slice() {
        let lower: String = scheme.iter().map(|byte| char::from(*byte)).flat_map(char::to_lowercase).collect();
        assert!(lower != "bearer" && lower != "dpop");
    }
    for word in words {
        let start = word.get(..TOKEN_PREFIX.len()).unwrap_or_default();
        assert!(!start.eq_ignore_ascii_case(TOKEN_PREFIX.as_bytes()), "a token of ours");
    }
}
