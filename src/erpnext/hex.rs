//! Bytes as hexadecimal text, the form of Frappe's subjects and hashes.

/// Two lower-case digits a byte.
pub(super) fn hex(bytes: impl IntoIterator<Item = u8>) -> String {
    let digits = bytes.into_iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_byte_has_two_digits() {
        assert_eq!(super::hex([0, 9, 0xab, 0xff]), "0009abff");
    }
}
