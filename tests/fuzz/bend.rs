//! Changes to a text that is right: what an attacker makes of what was issued.

/// Carries out the edits, four bytes each: what to do, where (two bytes), and a byte to do it with.
/// What is no UTF-8 afterwards becomes a replacement character, as it does on its way to us.
pub(crate) fn bent(text: &str, edits: &[u8]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for edit in edits.chunks_exact(4) {
        let place = usize::from(u16::from_be_bytes([edit[1], edit[2]]));
        let at = place % bytes.len().max(1);
        match edit[0] % 5 {
            0 if at < bytes.len() => bytes[at] = edit[3],
            1 => bytes.insert(at.min(bytes.len()), edit[3]),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 => bytes.truncate(at),
            4 if at < bytes.len() => bytes[at] ^= 1 << (edit[3] % 8),
            _ => {}
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The first byte, and the rest.
pub(crate) fn choice(data: &[u8]) -> Option<(usize, &[u8])> {
    data.split_first()
        .map(|(first, rest)| (usize::from(*first), rest))
}
