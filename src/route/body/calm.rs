//! Most of a large body means nothing to the readers of it: where they are all at rest, they go on at the next byte that
//! could stir one of them.

const BLOCK: usize = 16;

/// How many bytes come before the first that could stir a reader at rest.
pub(super) fn calm(piece: &[u8]) -> usize {
    let (blocks, _) = piece.as_chunks::<BLOCK>();
    // Without a way out of the block, so that the compiler compares it as a whole.
    let quiet = |block: &&[u8; BLOCK]| !block.iter().fold(false, |stirs, byte| stirs | stirs_one(*byte));
    let quiet = blocks.iter().take_while(quiet).count() * BLOCK;
    let (_, rest) = piece.split_at(quiet);
    quiet + rest.iter().position(|byte| stirs_one(*byte)).unwrap_or(rest.len())
}

/// What begins or ends a name, a value, a line or an escape sequence in any of the encodings.
#[expect(clippy::needless_bitwise_bool, reason = "without jumps, the bytes of a block are compared at once")]
const fn stirs_one(byte: u8) -> bool {
    (byte == b'\r')
        | (byte == b'\n')
        | (byte == b'"')
        | (byte == b'\\')
        | (byte == b'=')
        | (byte == b'&')
        | (byte == b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_that_matters_is_found_wherever_it_stands() {
        for at in 0..3 * BLOCK {
            for byte in *b"\r\n\"\\=&%" {
                let mut piece = [b'x'; 3 * BLOCK + 5];
                piece[at] = byte;
                assert_eq!(calm(&piece), at, "{at} {byte}");
                assert_eq!(calm(&piece[..at]), at, "{at} {byte}");
            }
        }
        assert_eq!(calm(b""), 0);
    }
}
