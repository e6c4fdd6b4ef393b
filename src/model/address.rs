//! Addresses of the internet as text that sorts as they do, so that a network is a range of it.

use std::net::IpAddr;

/// The 128 bits of an address, as 32 hexadecimal digits; of IPv4, of the IPv6 address that stands for it.
#[must_use]
pub fn address_bits(address: &str) -> Option<String> {
    Some(format!("{:032x}", bits(address.parse().ok()?)))
}

/// The first and the last address of a network, `192.0.2.0/24`, or of an address alone. Bits behind the
/// network's own have to be 0.
#[must_use]
pub fn network_bits(network: &str) -> Option<(String, String)> {
    let (address, length) = match network.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (network, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let width: u32 = if address.is_ipv4() { 32 } else { 128 };
    let length = match length {
        None => width,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        Some(_) => return None,
    };
    let free = width.checked_sub(length)?;
    let others = u128::MAX.checked_shr(128 - free).unwrap_or_default();
    let first = bits(address);
    if first & others != 0 {
        return None;
    }
    Some((format!("{first:032x}"), format!("{:032x}", first | others)))
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(host) => host.to_ipv6_mapped().to_bits(),
        IpAddr::V6(host) => host.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_own_addresses_and_no_other() {
        let within = |address: &str, network: &str| {
            let (first, last) = network_bits(network).unwrap();
            let bits = address_bits(address).unwrap();
            first <= bits && bits <= last
        };
        assert!(within("192.0.2.7", "192.0.2.0/24"));
        assert!(within("192.0.2.7", "192.0.2.7"));
        assert!(within("::ffff:192.0.2.7", "192.0.2.7"));
        assert!(!within("192.0.3.7", "192.0.2.0/24"));
        assert!(within("2001:db8::7", "2001:db8::/32"));
        assert!(within("2001:db8::7", "::/0"));
        assert!(!within("2001:db9::7", "2001:db8::/32"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "x",
            "192.0.2.1/24",
            "192.0.2.0/33",
            "::/129",
            "192.0.2.0/",
            "192.0.2.0/+8",
        ] {
            assert_eq!(network_bits(text), None, "{text}");
        }
        assert_eq!(address_bits("x"), None);
    }
}
