//! What the fuzz targets share.

pub mod python;

/// The verdicts on a text taken whole, and in pieces of a few sizes, which must be the same.
///
/// # Panics
/// When they are not.
pub fn same_in_pieces<T: PartialEq + std::fmt::Debug>(bytes: &[u8], judge: impl Fn(usize) -> T) -> T {
    let whole = judge(bytes.len().max(1));
    for size in [1, 2, 7, bytes.len() / 2] {
        assert_eq!(judge(size.max(1)), whole, "in pieces of {size}");
    }
    whole
}

/// A text up to the first line feed, and what follows it.
#[must_use]
pub fn first_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = bytes.split_at(at);
    Some((line, rest.get(1..)?))
}
