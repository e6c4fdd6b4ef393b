//! The uuids of records, for those who expect some (seed 004). One holds the record's number, so that
//! none has to be kept or looked up. RFC 9562 §5.8: version 8, whose contents are ours.

/// The uuid of a number.
#[must_use]
pub fn of(id: u64) -> String {
    format!(
        "{:08x}-0000-8000-8000-{:012x}",
        id >> 48,
        id & 0xffff_ffff_ffff
    )
}

/// The number in a uuid of ours, in its one spelling.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let high = u64::from_str_radix(text.get(..8)?, 16).ok()?;
    let low = u64::from_str_radix(text.get(24..)?, 16).ok()?;
    let id = high.checked_mul(1 << 48)?.checked_add(low)?;
    (of(id) == text).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_comes_back() {
        for id in [0, 1, 8, 4_000_000_000_001, (1 << 53) - 1] {
            assert_eq!(parse(&of(id)), Some(id));
        }
        for bad in ["", "1", "00000000-0000-8000-8000-00000000000G"] {
            assert_eq!(parse(bad), None);
        }
        assert_eq!(parse("00000000-0000-4000-8000-000000000001"), None);
    }
}
