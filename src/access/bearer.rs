//! The `Authorization` header of a request, read in place (RFC 6750 §2.1, RFC 9449 §7.1).

use http::header::AUTHORIZATION;

use crate::{http1::Fields, oauth::TOKEN_PREFIX};

/// What a request presents in its `Authorization` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented<'h> {
    /// No such header.
    Nothing,
    /// Another scheme, as ERPNext's API keys have: its business.
    OtherScheme,
    /// A token of one of our schemes.
    Token(Scheme, &'h str),
}

/// How a token is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// By whoever has it.
    Bearer,
    /// By who holds the key that it is bound to.
    Dpop,
}

/// The header can't be understood, or there are two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedHeader;

/// Reads the header: one, the scheme in any letter case, blanks, one token of token68 characters (RFC 9110 §11.2).
///
/// # Errors
/// [`MalformedHeader`], also for another scheme that carries a token of ours: ERPNext looks some schemes' credentials up
/// among its bearer tokens.
pub fn parse(headers: &impl Fields) -> Result<Presented<'_>, MalformedHeader> {
    let mut values = headers.each(&AUTHORIZATION);
    let Some(value) = values.next() else { return Ok(Presented::Nothing) };
    if values.next().is_some() {
        return Err(MalformedHeader);
    }
    match after_scheme(value) {
        Some((scheme, rest)) => token(rest).map(|token| Presented::Token(scheme, token)).ok_or(MalformedHeader),
        None if carries_our_token(value) => Err(MalformedHeader),
        None => Ok(Presented::OtherScheme),
    }
}

/// The scheme, if it is one of ours, and what follows it.
fn after_scheme(value: &[u8]) -> Option<(Scheme, &[u8])> {
    let after = |name: &[u8]| {
        let (scheme, rest) = value.split_at_checked(name.len())?;
        let ends = rest.first().is_none_or(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_'));
        (scheme.eq_ignore_ascii_case(name) && ends).then_some(rest)
    };
    if let Some(rest) = after(b"bearer") {
        return Some((Scheme::Bearer, rest));
    }
    after(b"dpop").map(|rest| (Scheme::Dpop, rest))
}

fn token(rest: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(rest).ok()?.strip_prefix(' ')?.trim_start_matches(' ');
    let body = text.trim_end_matches('=');
    (!body.is_empty() && body.bytes().all(|byte| TOKEN68.get(usize::from(byte)) == Some(&true))).then_some(text)
}

/// The characters of a token68, but for the `=` at its end (RFC 9110 §11.2).
#[expect(clippy::indexing_slicing, reason = "the compiler looks whether it is within")]
const TOKEN68: [bool; 128] = {
    let mut table = [false; 128];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
        byte += 1;
    }
    table
};

fn carries_our_token(value: &[u8]) -> bool {
    let prefix = TOKEN_PREFIX.as_bytes();
    let words = value.split(|byte| matches!(byte, b' ' | b'\t' | b',' | b'=' | b'"' | b':'));
    words.into_iter().any(|word| word.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_str(value).expect("a header"))).collect()
    }

    #[test]
    fn a_bearer_token_is_read_whatever_the_case_of_the_scheme() {
        for value in ["Bearer a.b-c_~+/==", "bearer a.b-c_~+/==", "BEARER  a.b-c_~+/=="] {
            assert_eq!(parse(&headers(&[value])), Ok(Presented::Token(Scheme::Bearer, "a.b-c_~+/==")), "{value}");
        }
    }

    #[test]
    fn a_token_that_is_bound_to_a_key_is_read_too() {
        for value in ["DPoP a.b", "dpop a.b", "DPOP  a.b"] {
            assert_eq!(parse(&headers(&[value])), Ok(Presented::Token(Scheme::Dpop, "a.b")), "{value}");
        }
        for value in ["DPoP", "DPoP a b", "dpop\tx"] {
            assert_eq!(parse(&headers(&[value])), Err(MalformedHeader), "{value}");
        }
        assert_eq!(parse(&headers(&["dpops a"])), Ok(Presented::OtherScheme));
    }

    /// T37
    #[test]
    fn what_is_no_bearer_token_is_malformed() {
        for value in
            ["Bearer", "Bearer ", "Bearer a b", "bearer\tx", "Bearer =", "Bearer a=b", "Bearer \"a\"", "Bearer,a"]
        {
            assert_eq!(parse(&headers(&[value])), Err(MalformedHeader), "{value}");
        }
        assert_eq!(parse(&headers(&["Bearer a", "Bearer a"])), Err(MalformedHeader));
        assert_eq!(parse(&headers(&["Bearer a", "token k:s"])), Err(MalformedHeader));
    }

    #[test]
    fn other_schemes_pass_unless_they_carry_a_token_of_ours() {
        for value in ["token key:secret", "Basic a2V5OnNlY3JldA==", "Bearers x", "bearer-x y", ""] {
            assert_eq!(parse(&headers(&[value])), Ok(Presented::OtherScheme), "{value}");
        }
        assert_eq!(parse(&headers(&["token emp_sh_0123"])), Err(MalformedHeader));
        assert_eq!(parse(&headers(&["Foo EMP_SH_0123"])), Err(MalformedHeader));
        assert_eq!(parse(&headers(&[])), Ok(Presented::Nothing));
    }

    proptest! {
        #[test]
        fn no_value_makes_it_panic(value in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                let headers: HeaderMap = [(AUTHORIZATION, value)].into_iter().collect();
                let _ = parse(&headers);
            }
        }
    }
}
