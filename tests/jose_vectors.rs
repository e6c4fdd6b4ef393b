//! The RFCs' own examples.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod jose_support;

use edgemint::jose::{
    Algorithm, Hs256, JoseError, PublicKey, RingSigner, Signer, SigningKeyRef, Unverified,
    UnverifiedJws, base64url,
};
use jose_support::{block_on, verify};
use serde_json::Value;

const RFC_7515_PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
                                cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

const RFC_8037_KEY: &str = r#"{"kty":"OKP","crv":"Ed25519",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

#[test]
fn rfc_7515_a_1_hs256_is_refused_because_it_is_not_in_the_table() {
    let token = format!(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{RFC_7515_PAYLOAD}.\
         dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    let refusal = UnverifiedJws::parse(&token).unwrap_err();
    assert_eq!(refusal, JoseError::AlgorithmUnsupported);
}

#[test]
fn rfc_7515_a_1_hs256_verifies_where_a_client_signs_with_its_secret() {
    let token = format!(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{RFC_7515_PAYLOAD}.\
         dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    let secret = base64url::decode(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    )
    .unwrap();
    let verify = |secrets: &[&[u8]]| {
        let token = Unverified::<Hs256>::parse(&token).unwrap();
        token.verify(secrets.iter().copied())
    };
    let verified = verify(&[&[7; 32], &secret]).unwrap();
    assert!(verified.payload().starts_with(br#"{"iss":"joe","#));
    let refused = |secrets: &[&[u8]]| verify(secrets).unwrap_err();
    assert_eq!(refused(&[]), JoseError::KeyUnknown);
    assert_eq!(refused(&[&[7; 32]]), JoseError::SignatureInvalid);
    assert_eq!(
        refused(&[secret.split_last().unwrap().1]),
        JoseError::SignatureInvalid
    );
}

#[test]
fn rfc_7515_a_2_rs256_verifies() {
    let key = PublicKey::parse(
        br#"{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#,
    )
    .unwrap();
    let token = format!(
        "eyJhbGciOiJSUzI1NiJ9.{RFC_7515_PAYLOAD}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    );
    let verified = verify(&token, &key).unwrap();
    assert!(verified.payload().starts_with(br#"{"iss":"joe","#));
}

#[test]
fn rfc_7515_a_3_es256_verifies() {
    let key = PublicKey::parse(
        br#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
             "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
    )
    .unwrap();
    let token = format!(
        "eyJhbGciOiJFUzI1NiJ9.{RFC_7515_PAYLOAD}.\
         DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    assert!(verify(&token, &key).is_ok());
}

#[test]
fn rfc_7515_a_4_es512_is_refused_because_it_is_not_in_the_table() {
    let token = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.\
         AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7Xdt\
         AG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
    let refusal = UnverifiedJws::parse(token).unwrap_err();
    assert_eq!(refusal, JoseError::AlgorithmUnsupported);
}

/// The signatures of A.6, by the keys of A.2 and A.3.
const A_6_SIGNATURES: [&str; 2] = [
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
];

/// No parser of ours reads it, and not because of an algorithm.
#[track_caller]
fn assert_no_compact_jws(text: &str) {
    let refusal = UnverifiedJws::parse(text).unwrap_err();
    assert_eq!(refusal, JoseError::TokenMalformed);
    let refusal = Unverified::<Hs256>::parse(text).unwrap_err();
    assert_eq!(refusal, JoseError::TokenMalformed);
}

#[test]
fn rfc_7515_a_6_the_general_json_serialization_is_refused() {
    let [by_rsa, by_ec] = A_6_SIGNATURES;
    let text = format!(
        r#"{{
      "payload":
       "{RFC_7515_PAYLOAD}",
      "signatures":[
       {{"protected":"eyJhbGciOiJSUzI1NiJ9",
        "header":
         {{"kid":"2010-12-29"}},
        "signature":
         "{by_rsa}"}},
       {{"protected":"eyJhbGciOiJFUzI1NiJ9",
        "header":
         {{"kid":"e9bc097a-ce51-4036-9562-d2ade882db0d"}},
        "signature":
         "{by_ec}"}}]
     }}"#
    );
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap()["signatures"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_no_compact_jws(&text);
}

#[test]
fn rfc_7515_a_7_the_flattened_json_serialization_is_refused() {
    let [_, by_ec] = A_6_SIGNATURES;
    let text = format!(
        r#"{{
      "payload":
       "{RFC_7515_PAYLOAD}",
      "protected":"eyJhbGciOiJFUzI1NiJ9",
      "header":
       {{"kid":"e9bc097a-ce51-4036-9562-d2ade882db0d"}},
      "signature":
       "{by_ec}"
     }}"#
    );
    assert!(serde_json::from_str::<Value>(&text).unwrap()["protected"].is_string());
    assert_no_compact_jws(&text);
}

#[test]
fn rfc_7519_a_1_the_encrypted_jwt_is_refused() {
    assert_no_compact_jws(
        "eyJhbGciOiJSU0ExXzUiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.\
         QR1Owv2ug2WyPBnbQrRARTeEk9kDO2w8qDcjiHnSJflSdv1iNqhWXaKH4MqAkQtM\
         oNfABIPJaZm0HaA415sv3aeuBWnD8J-Ui7Ah6cWafs3ZwwFKDFUUsWHSK-IPKxLG\
         TkND09XyjORj_CHAgOPJ-Sd8ONQRnJvWn_hXV1BNMHzUjPyYwEsRhDhzjAD26ima\
         sOTsgruobpYGoQcXUwFDn7moXPRfDE8-NoQX7N7ZYMmpUDkR-Cx9obNGwJQ3nM52\
         YCitxoQVPzjbl7WBuB7AohdBoZOdZ24WlN1lVIeh8v1K4krB8xgKvRU8kgFrEn_a\
         1rZgN5TiysnmzTROF869lQ.\
         AxY8DCtDaGlsbGljb3RoZQ.\
         MKOle7UQrG6nSxTLX6Mqwt0orbHvAKeWnDYvpIAeZ72deHxz3roJDXQyhxx0wKaM\
         HDjUEOKIwrtkHthpqEanSBNYHZgmNOV7sln1Eu9g3J8.\
         fiK51VwhsxJ-siBMR-YFiA",
    );
}

#[test]
fn rfc_7519_3_1_the_example_is_the_hs256_one_and_refused_alike() {
    let header = base64url::encode(
        br#"{"typ":"JWT",
 "alg":"HS256"}"#
            .as_slice(),
    );
    let token = format!("{header}.{RFC_7515_PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let refusal = UnverifiedJws::parse(&token).unwrap_err();
    assert_eq!(refusal, JoseError::AlgorithmUnsupported);
}

#[test]
fn rfc_7519_6_1_an_unsecured_jwt_is_refused() {
    let token = format!("eyJhbGciOiJub25lIn0.{RFC_7515_PAYLOAD}.");
    let refusal = UnverifiedJws::parse(&token).unwrap_err();
    assert_eq!(refusal, JoseError::AlgorithmUnsupported);
}

#[test]
fn rfc_7638_3_1_the_rsa_thumbprint_is_the_printed_one() {
    let key = PublicKey::parse(
        br#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#,
    )
    .unwrap();
    assert_eq!(
        key.thumbprint(),
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    );
}

#[test]
fn rfc_8037_a_3_the_ed25519_thumbprint_is_the_printed_one() {
    let key = PublicKey::parse(RFC_8037_KEY.as_bytes()).unwrap();
    assert_eq!(
        key.thumbprint(),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    );
}

#[test]
fn rfc_8037_a_4_ed25519_signs_and_verifies_to_the_printed_octets() {
    let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let mut pkcs8 = vec![
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    pkcs8.extend(base64url::decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap());
    let mut signer = RingSigner::new();
    let public = signer.insert("k", Algorithm::EdDsa, &pkcs8).unwrap();
    let printed = PublicKey::parse(RFC_8037_KEY.as_bytes()).unwrap();
    assert_eq!(public.material(), printed.material());

    let key = SigningKeyRef {
        kid: "k".into(),
        algorithm: Algorithm::EdDsa,
    };
    let signature = block_on(signer.sign(&key, input.as_bytes())).unwrap();
    let signature = base64url::encode(signature);
    assert_eq!(
        signature,
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
    let verified = verify(&format!("{input}.{signature}"), &public).unwrap();
    assert_eq!(verified.payload(), b"Example of Ed25519 signing");
}
