//! The resources that a token is for (RFC 8707): paths of the public origin, and what is below them.

use serde::{Deserialize, Serialize};

/// More of them in one request would be no narrowing.
const MOST_RESOURCES: usize = 8;
const LONGEST_RESOURCE: usize = 512;

/// The resources that a token is for. None named: the whole public origin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Resources(Vec<String>);

/// Something that `resource` may not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResource {
    /// Not a URI of the public origin, or one with a fragment, a query, or a path that could be written otherwise.
    #[error("resource is not a plain URL below this server's public URL")]
    NotOurs,
    /// Too many, or too long.
    #[error("resource is too long, or there are too many of them")]
    TooMuch,
}

impl Resources {
    /// Takes the values of `resource` (RFC 8707 §2).
    ///
    /// # Errors
    /// [`InvalidResource`], which is an `invalid_target`.
    pub fn parse<'a>(values: impl Iterator<Item = &'a str>, public_origin: &str) -> Result<Self, InvalidResource> {
        let mut resources: Vec<String> = Vec::new();
        for value in values {
            if resources.len() == MOST_RESOURCES || value.len() > LONGEST_RESOURCE {
                return Err(InvalidResource::TooMuch);
            }
            let path = value.strip_prefix(public_origin).ok_or(InvalidResource::NotOurs)?;
            if !is_plain(path) {
                return Err(InvalidResource::NotOurs);
            }
            if !resources.iter().any(|known| known == value) {
                resources.push(value.to_owned());
            }
        }
        Ok(Self(resources))
    }

    /// Resources as they were kept.
    #[must_use]
    pub const fn kept(resources: Vec<String>) -> Self {
        Self(resources)
    }

    /// Whether none is named.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As they were asked for.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// Whether a token for these may be given where `granted` were.
    #[must_use]
    pub fn are_within(&self, granted: &Self) -> bool {
        granted.is_empty() || (!self.is_empty() && self.0.iter().all(|one| granted.0.contains(one)))
    }

    /// Whether a token for these is for the decoded path of a request.
    #[must_use]
    pub fn cover(&self, path: &str) -> bool {
        self.is_empty() || self.0.iter().any(|resource| covers(path_of(resource), path))
    }

    /// Whether they leave out any path at all.
    #[must_use]
    pub fn confine(&self) -> bool {
        !self.is_empty() && !self.0.iter().any(|resource| path_of(resource).is_empty())
    }
}

/// Nothing, or segments that no parser reads in two ways.
fn is_plain(path: &str) -> bool {
    let Some(below) = path.strip_prefix('/') else { return path.is_empty() };
    let below = below.strip_suffix('/').unwrap_or(below);
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:@!$&'()*+,=".contains(&byte);
    below.is_empty()
        || below
            .split('/')
            .all(|segment| !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(is_letter))
}

/// What follows the origin, without a slash at its end.
fn path_of(resource: &str) -> &str {
    let after_scheme = resource.split_once("://").map_or(resource, |(_, rest)| rest);
    after_scheme.find('/').and_then(|at| after_scheme.get(at..)).unwrap_or_default().trim_end_matches('/')
}

fn covers(resource: &str, path: &str) -> bool {
    path.strip_prefix(resource).is_some_and(|rest| resource.is_empty() || rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "https://erp.example.com";

    fn parse(values: &[&str]) -> Result<Resources, InvalidResource> {
        Resources::parse(values.iter().copied(), ORIGIN)
    }

    fn resources(values: &[&str]) -> Resources {
        parse(values).expect("resources")
    }

    #[test]
    fn a_resource_is_the_origin_or_a_path_of_it() {
        for good in ["", "/", "/mcp", "/mcp/", "/api/method/shop.mcp.handle", "/api/resource/Sales-Order"] {
            assert!(parse(&[&format!("{ORIGIN}{good}")]).is_ok(), "{good}");
        }
        for bad in [
            "https://erp.example.com.evil.example/mcp",
            "https://erp.example.com:444/mcp",
            "https://erp.example.com@evil.example/",
            "http://erp.example.com/mcp",
            "https://ERP.example.com/mcp",
            "/mcp",
            "mcp",
            "https://erp.example.com/mcp#part",
            "https://erp.example.com/mcp?x=1",
            "https://erp.example.com/a/../b",
            "https://erp.example.com/./a",
            "https://erp.example.com//a",
            "https://erp.example.com/a%2Fb",
            "https://erp.example.com/a;b",
            "https://erp.example.com/a\\b",
        ] {
            assert_eq!(parse(&[bad]), Err(InvalidResource::NotOurs), "{bad}");
        }
    }

    #[test]
    fn there_are_only_so_many_and_each_once() {
        let many: Vec<String> = (0..9).map(|number| format!("{ORIGIN}/{number}")).collect();
        assert_eq!(Resources::parse(many.iter().map(String::as_str), ORIGIN), Err(InvalidResource::TooMuch));
        assert_eq!(parse(&[&format!("{ORIGIN}/{}", "a".repeat(600))]), Err(InvalidResource::TooMuch));
        let twice = format!("{ORIGIN}/a");
        assert_eq!(resources(&[&twice, &twice]).as_slice(), [twice]);
    }

    #[test]
    fn a_resource_covers_its_path_and_what_is_below() {
        let mcp = resources(&["https://erp.example.com/mcp/"]);
        assert!(mcp.cover("/mcp") && mcp.cover("/mcp/") && mcp.cover("/mcp/tools"));
        for other in ["/mcp2", "/", "/api/resource/User", "/MCP", "/x/mcp"] {
            assert!(!mcp.cover(other), "{other}");
        }
        assert!(mcp.confine());
        let two = resources(&["https://erp.example.com/a", "https://erp.example.com/b"]);
        assert!(two.cover("/b/c") && !two.cover("/c"));
        for whole in [resources(&[]), resources(&[ORIGIN]), resources(&["https://erp.example.com/"])] {
            assert!(whole.cover("/anything") && !whole.confine());
        }
    }

    #[test]
    fn only_what_was_granted_can_be_asked_for_later() {
        let (a, b) = ("https://erp.example.com/a", "https://erp.example.com/b");
        assert!(resources(&[a]).are_within(&resources(&[a, b])));
        assert!(!resources(&[a, b]).are_within(&resources(&[a])));
        assert!(!resources(&[]).are_within(&resources(&[a])), "none named is all of the origin");
        assert!(resources(&[a]).are_within(&resources(&[])));
    }
}
