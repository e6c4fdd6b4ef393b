//! Whether the numbers of a public key are what its algorithm needs. Checked here, not by the
//! backends, because they differ in when they notice: one verdict everywhere.
//!
//! Nothing here is secret, so nothing is constant-time.

use core::cmp::Ordering;

/// A number below 2^256, most significant octet first.
pub(super) type Octets = [u8; 32];

/// Whether (x, y) is a point of P-256 (NIST SP 800-186 §3.2.1.3): both below the prime, and
/// y² = x³ − 3x + b. The point at infinity has no such coordinates.
pub(super) fn is_on_p256(x: &Octets, y: &Octets) -> bool {
    let (x, y) = (limbs(x), limbs(y));
    if !is_below(&x, &P256_PRIME) || !is_below(&y, &P256_PRIME) {
        return false;
    }
    let cube = multiply(&multiply(&x, &x), &x);
    let three_x = add(&add(&x, &x), &x);
    multiply(&y, &y) == add(&subtract(&cube, &three_x), &P256_B)
}

/// Whether an ECDSA scalar lies in 1..n of P-256 (FIPS 186-5 §6.4.2). Zero was CVE-2022-21449.
pub(super) fn is_p256_scalar(octets: &[u8]) -> bool {
    Octets::try_from(octets).is_ok_and(|octets| {
        let scalar = limbs(&octets);
        scalar != [0; 4] && is_below(&scalar, &P256_ORDER)
    })
}

/// Whether an Ed25519 public key is a canonical encoding of a point that is not of small order
/// (RFC 8032 §5.1.3; small order makes one signature fit many messages). Whether it is a point at
/// all is left to the verification, which fails for it everywhere.
pub(super) fn is_sound_ed25519(key: &Octets) -> bool {
    let mut y = *key;
    y.reverse();
    y[0] &= 0x7f; // the sign of x
    let y = limbs(&y);
    is_below(&y, &ED25519_PRIME) && !ED25519_SMALL_ORDER.contains(&y)
}

/// Four 64-bit limbs, least significant first.
type Limbs = [u64; 4];

fn limbs(octets: &Octets) -> Limbs {
    let mut limbs = [0; 4];
    for (limb, chunk) in limbs.iter_mut().rev().zip(octets.chunks_exact(8)) {
        for octet in chunk {
            *limb = *limb << 8 | u64::from(*octet);
        }
    }
    limbs
}

fn is_below(a: &Limbs, b: &Limbs) -> bool {
    a.iter().rev().cmp(b.iter().rev()) == Ordering::Less
}

/// a − b mod 2^256, and whether it borrowed.
fn subtract_wrapping(a: &Limbs, b: &Limbs) -> (Limbs, bool) {
    let mut difference = [0; 4];
    let mut borrow = false;
    for ((limb, a), b) in difference.iter_mut().zip(a).zip(b) {
        let (partial, first) = a.overflowing_sub(*b);
        let (full, second) = partial.overflowing_sub(u64::from(borrow));
        *limb = full;
        borrow = first || second;
    }
    (difference, borrow)
}

/// a + b mod 2^256, and whether it carried.
fn add_wrapping(a: &Limbs, b: &Limbs) -> (Limbs, bool) {
    let mut sum = [0; 4];
    let mut carry = false;
    for ((limb, a), b) in sum.iter_mut().zip(a).zip(b) {
        let (partial, first) = a.overflowing_add(*b);
        let (full, second) = partial.overflowing_add(u64::from(carry));
        *limb = full;
        carry = first || second;
    }
    (sum, carry)
}

/// a + b mod p of P-256, for a, b < p.
fn add(a: &Limbs, b: &Limbs) -> Limbs {
    let (sum, carry) = add_wrapping(a, b);
    let (reduced, borrow) = subtract_wrapping(&sum, &P256_PRIME);
    if carry || !borrow { reduced } else { sum }
}

/// a − b mod p of P-256, for a, b < p.
fn subtract(a: &Limbs, b: &Limbs) -> Limbs {
    let (difference, borrow) = subtract_wrapping(a, b);
    if borrow {
        add_wrapping(&difference, &P256_PRIME).0
    } else {
        difference
    }
}

/// a · b mod p of P-256 by doubling and adding: three of these per key, 15 µs, and no table.
fn multiply(a: &Limbs, b: &Limbs) -> Limbs {
    let mut product = [0; 4];
    for limb in b.iter().rev() {
        for bit in (0..64).rev() {
            product = add(&product, &product);
            if limb >> bit & 1 == 1 {
                product = add(&product, a);
            }
        }
    }
    product
}

const P256_PRIME: Limbs = [u64::MAX, 0x0000_0000_ffff_ffff, 0, 0xffff_ffff_0000_0001];
const P256_B: Limbs = [
    0x3bce_3c3e_27d2_604b,
    0x651d_06b0_cc53_b0f6,
    0xb3eb_bd55_7698_86bc,
    0x5ac6_35d8_aa3a_93e7,
];
const P256_ORDER: Limbs = [
    0xf3b9_cac2_fc63_2551,
    0xbce6_faad_a717_9e84,
    u64::MAX,
    0xffff_ffff_0000_0000,
];
const ED25519_PRIME: Limbs = [
    0xffff_ffff_ffff_ffed,
    u64::MAX,
    u64::MAX,
    0x7fff_ffff_ffff_ffff,
];
/// The y of the eight points whose order divides 8: orders 4, 1, 2 and twice 8.
const ED25519_SMALL_ORDER: [Limbs; 5] = [
    [0, 0, 0, 0],
    [1, 0, 0, 0],
    [
        0xffff_ffff_ffff_ffec,
        u64::MAX,
        u64::MAX,
        0x7fff_ffff_ffff_ffff,
    ],
    [
        0xb027_b2c2_8f95_e826,
        0xf098_eff2_89f4_c345,
        0x3933_c6d3_05ac_dfd5,
        0x05fc_536d_8802_38b1,
    ],
    [
        0x4fd8_4d3d_706a_17c7,
        0x0f67_100d_760b_3cba,
        0xc6cc_392c_fa53_202a,
        0x7a03_ac92_77fd_c74e,
    ],
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::base64url;

    fn octets(text: &str) -> Octets {
        base64url::decode(text).unwrap().try_into().unwrap()
    }

    #[test]
    fn a_point_is_on_p256_and_its_neighbours_are_not() {
        // RFC 7515 A.3.1.
        let x = octets("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
        let y = octets("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
        assert!(is_on_p256(&x, &y));
        assert!(!is_on_p256(&y, &x));
        let mut next = x;
        next[31] ^= 1;
        assert!(!is_on_p256(&next, &y));
        assert!(!is_on_p256(&[0; 32], &[0; 32]));
        assert!(!is_on_p256(&[0xff; 32], &y));
    }

    #[test]
    fn zero_and_the_order_are_no_scalars() {
        let mut order = [0; 32];
        for (chunk, limb) in order.chunks_exact_mut(8).zip(P256_ORDER.iter().rev()) {
            chunk.copy_from_slice(&limb.to_be_bytes());
        }
        assert!(!is_p256_scalar(&[0; 32]));
        assert!(!is_p256_scalar(&order));
        order[31] -= 1;
        assert!(is_p256_scalar(&order));
        assert!(!is_p256_scalar(&[1; 31]));
    }

    #[test]
    fn ed25519_keys_of_small_order_are_refused_with_either_sign() {
        for y in ED25519_SMALL_ORDER {
            let mut key = [0; 32];
            for (chunk, limb) in key.chunks_exact_mut(8).zip(y) {
                chunk.copy_from_slice(&limb.to_le_bytes());
            }
            assert!(!is_sound_ed25519(&key));
            key[31] |= 0x80;
            assert!(!is_sound_ed25519(&key));
        }
        assert!(!is_sound_ed25519(&[0xff; 32]), "not below the prime");
        let rfc_8037 = octets("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert!(is_sound_ed25519(&rfc_8037));
    }
}
