//! Requests signed by MAC (S3.6): the drafts' vectors, and what a header of theirs is.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use edgemint::model::{Seconds, Secret, TokenId, UnixTime};
use edgemint::token::mac::{
    Body, MacAlgorithm, MacHeader, MacKey, MacRefused, SignedRequest, is_mac,
};

/// One of the published or recomputed examples.
struct Vector {
    name: &'static str,
    key: &'static str,
    attributes: &'static str,
    request: (&'static str, &'static str, &'static str, u16),
    body: &'static str,
    now: u64,
    algorithm: MacAlgorithm,
    mac: &'static str,
}

const SHA_1: MacAlgorithm = MacAlgorithm::HmacSha1;
const SHA_256: MacAlgorithm = MacAlgorithm::HmacSha256;
const SHORT: &str = "/resource/1?b=1&a=2";
const LONG: &str = "/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b&c2&a3=2+q";
const HELLO: &str = "Hello World!";

/// Where they come from is in `vectors/PROVENANCE.md`.
const VECTORS: [Vector; 14] = {
    const A: Vector = Vector {
        name: "A",
        key: "489dks293j39",
        attributes: r#"nonce="264095:dj83hs9s""#,
        request: ("GET", SHORT, "example.com", 80),
        body: "",
        now: 264_095,
        algorithm: SHA_1,
        mac: "SLDJd4mg43cjQfElUs3Qub4L6xE=",
    };
    const B: Vector = Vector {
        name: "B",
        key: "8yfrufh348h",
        attributes: r#"nonce="273156:di3hvdf8", bodyhash="k9kbtCIy0CkI3/FEfpS/oIDjk6k=""#,
        request: ("POST", "/request", "example.com", 80),
        body: "hello=world%21",
        now: 273_156,
        algorithm: SHA_1,
        mac: "W7bdMZbv9UWOTadASIQHagZyirA=",
    };
    const C: Vector = Vector {
        name: "C",
        attributes: r#"nonce="264095:7d8f3e4a", bodyhash="Lve95gjOVATpfV8EL5X4nxwjKHE=", ext="a,b,c""#,
        request: ("GET", LONG, "example.com", 80),
        body: HELLO,
        mac: "Z3C2DojEopRDIC88/imW8Ez853g=",
        ..A
    };
    const C_256: Vector = Vector {
        name: "C'",
        attributes: r#"nonce="264095:7d8f3e4a", bodyhash="f4OxZX/x/FO5LcGBSKHWXfwtSx+j1ncoSt3SABJtkGk=", ext="a,b,c""#,
        algorithm: SHA_256,
        mac: "wBFLR3OMe7xTeDrdZtyCvGt3UjjcmDcYlhp2SFzl77E=",
        ..C
    };
    const D: Vector = Vector {
        name: "D",
        attributes: r#"ts="1336363200", nonce="dj83hs9s""#,
        now: 1_336_363_200,
        mac: "6T3zZzy2Emppni6bzL7kdRxUWL4=",
        ..A
    };
    const D_256: Vector = Vector {
        name: "D'",
        algorithm: SHA_256,
        mac: "1c0l2YIW7g7syyDmVHy2lxCeZK5VouDCuU0T0YOmTOU=",
        ..D
    };
    const POST: (&str, &str, &str, u16) = ("POST", SHORT, "example.com", 80);
    const POST_LONG: (&str, &str, &str, u16) = ("POST", LONG, "example.com", 80);
    [
        A,
        Vector {
            name: "A'",
            algorithm: SHA_256,
            mac: "sUtmRqqj0MWKS7jAWS4GYmXjlqqVxX9fXGcAsgwYGoU=",
            ..A
        },
        B,
        Vector {
            name: "B'",
            attributes: r#"nonce="273156:di3hvdf8", bodyhash="Z49JCJwhZyqL6ZBRQiZkF+oazFM4DcqCT3s/uYpPsik=""#,
            algorithm: SHA_256,
            mac: "sBePPeXJ86GQJEKtP7fPIm0AcgkIt9piPXrLNigfEP0=",
            ..B
        },
        C,
        Vector {
            name: "C2",
            request: POST_LONG,
            mac: "aJqRAk71Pz+N8K3yDE1PJBzfY6U=",
            ..C
        },
        C_256,
        Vector {
            name: "C2'",
            request: POST_LONG,
            mac: "utc+uCO0AApYyE1A+97mz8yT0H0wFSozWbDeFULF36Y=",
            ..C_256
        },
        D,
        D_256,
        Vector {
            name: "E",
            request: POST,
            mac: "SIBz/j9mI1Ba2Y+10wdwbQGv2Yk=",
            ..D
        },
        Vector {
            name: "E'",
            request: POST,
            mac: "Xt51rtHY5F+jxKXMCoiKgXa3geofWW/7RANCXB1yu08=",
            ..D_256
        },
        Vector {
            name: "F",
            attributes: r#"ts="264095", nonce="7d8f3e4a", ext="a,b,c""#,
            request: POST_LONG,
            now: 264_095,
            mac: "+txL5oOFHGYjrfdNYH5VEzROaBY=",
            ..D
        },
        Vector {
            name: "G",
            key: "IrdTc8uQodU7PRpLzzLTW6wqZAO6tAMU",
            request: (
                "GET",
                "/wallet/rest/api/v1/payment/123",
                "www.webtopay.com",
                443,
            ),
            mac: "OZE9fTk2qiRtL1jb01L8lRxC66PTiAGhMDEmboeVeLs=",
            ..D_256
        },
    ]
};

/// The verdict on an example, whose code is `mac`: what it was signed with comes out when its nonce is spent.
fn verdict(vector: &Vector, mac: &str) -> Result<&'static str, MacRefused> {
    let header = format!(
        "MAC id=\"h480djs93hd8\", {}, mac=\"{mac}\"",
        vector.attributes
    );
    let header = MacHeader::parse(&header).ok_or(MacRefused::Malformed)?;
    assert_eq!(header.id, "h480djs93hd8");
    let (method, uri, host, port) = vector.request;
    let request = SignedRequest {
        method,
        uri,
        host,
        port,
        body: Body::Hash(&vector.algorithm.hash(vector.body.as_bytes())),
    };
    let key = MacKey {
        key: Secret::new(vector.key),
        algorithm: vector.algorithm,
    };
    let id = TokenId::from([1; 24]);
    let window = (UnixTime(vector.now), Seconds(0));
    let verified = header.verify(&request, &key, (&id, UnixTime(0)), window, vector.name)?;
    verified.spent(true)
}

#[test]
fn s3_6_every_vector_of_the_drafts_holds_and_nothing_beside_it() {
    for vector in &VECTORS {
        let name = vector.name;
        assert_eq!(verdict(vector, vector.mac), Ok(name));
        for other in &VECTORS {
            if other.mac != vector.mac {
                assert_eq!(
                    verdict(vector, other.mac),
                    Err(MacRefused::Mismatch),
                    "{name}"
                );
            }
        }
        let (method, uri, host, port) = vector.request;
        for request in [
            ("PUT", uri, host, port),
            (method, "/", host, port),
            (method, uri, "evil.example", port),
            (method, uri, host, port + 1),
            (method, uri, "example.com\n80", port),
        ] {
            let bent = Vector { request, ..*vector };
            assert_eq!(
                verdict(&bent, vector.mac),
                Err(MacRefused::Mismatch),
                "{name} {request:?}"
            );
        }
        for spelled in [("get", "EXAMPLE.com"), ("post", "WWW.WebToPay.com")] {
            if method.eq_ignore_ascii_case(spelled.0) && host.eq_ignore_ascii_case(spelled.1) {
                let request = (spelled.0, uri, spelled.1, port);
                let bent = Vector { request, ..*vector };
                assert_eq!(verdict(&bent, vector.mac), Ok(name));
            }
        }
        let later = Vector {
            now: vector.now + 1,
            ..*vector
        };
        assert_eq!(
            verdict(&later, vector.mac),
            Err(MacRefused::OutOfTime),
            "{name}"
        );
        let other = Vector {
            body: "another body",
            ..*vector
        };
        let expected = if vector.attributes.contains("bodyhash") {
            Err(MacRefused::OtherBody)
        } else {
            Ok(name)
        };
        assert_eq!(verdict(&other, vector.mac), expected, "{name}");
    }
}

#[test]
fn s3_6_the_value_that_draft_01_prints_is_wrong_and_refused() {
    for vector in &VECTORS {
        let printed = "bhCQXTVyfj5cmA9uKkPFx1zeOXM=";
        assert_eq!(
            verdict(vector, printed),
            Err(MacRefused::Mismatch),
            "{}",
            vector.name
        );
    }
}

#[test]
fn s3_6_what_rfc_6749_shows_is_read() {
    let shown = r#"MAC id="h480djs93hd8",
                      nonce="274312:dj83hs9s",
                      mac="kDZvddkndxvhGRXZhvuDjEWhGeE=""#;
    let folded = shown.replace('\n', " ");
    assert_eq!(MacHeader::parse(&folded).unwrap().id, "h480djs93hd8");
    assert_eq!(
        MacHeader::parse(shown),
        None,
        "a line break is in no header"
    );
}

#[test]
fn s3_6_a_header_has_every_attribute_of_one_draft_once_and_nothing_else() {
    let good = [
        r#"MAC id="a", nonce="1:b", mac="c""#,
        r#"mac id="a",nonce="1:b",mac="c""#,
        "Mac  id=\"a\" ,\tnonce=\"1:b\" , mac=\"c\" ",
        r#"MAC mac="c", ext="x, y=z; ü", nonce="0:b", id="a", bodyhash="d""#,
        r#"MAC id="a", ts="1", nonce="b:c", ext="'", mac="c""#,
    ];
    for header in good {
        let plain = header.replace('ü', "u");
        assert!(MacHeader::parse(&plain).is_some(), "{plain}");
    }
    let long = |name: &str, length: usize| {
        let value = "x".repeat(length);
        let nonce = if name == "nonce" {
            ""
        } else {
            r#"nonce="1:b", "#
        };
        let value = if name == "nonce" {
            format!("1:{value}")
        } else {
            value
        };
        format!(r#"MAC id="a", {nonce}{name}="{value}", mac="c""#)
    };
    assert!(MacHeader::parse(&long("nonce", 126)).is_some());
    assert!(MacHeader::parse(&long("ext", 1024)).is_some());
    let mut bad = vec![
        long("nonce", 127),
        long("ext", 1025),
        long("bodyhash", 45),
        format!(
            r#"MAC id="{}", nonce="1:b", mac="c""#,
            "a".repeat(20 * 1024)
        ),
    ];
    bad.extend(
        [
            "",
            "MAC",
            "MAC ",
            "MACS id=\"a\", nonce=\"1:b\", mac=\"c\"",
            "Bearer id=\"a\", nonce=\"1:b\", mac=\"c\"",
            r#"MAC id="a", nonce="1:b""#,
            r#"MAC nonce="1:b", mac="c""#,
            r#"MAC id="a", mac="c""#,
            r#"MAC id="a", ts="1", mac="c""#,
            // Twice, or both drafts at once.
            r#"MAC id="a", id="a", nonce="1:b", mac="c""#,
            r#"MAC id="a", nonce="1:b", nonce="1:b", mac="c""#,
            r#"MAC id="a", nonce="1:b", mac="c", mac="c""#,
            r#"MAC id="a", ts="1", nonce="b", bodyhash="d", mac="c""#,
            // Unknown, unquoted, empty, escaped, not closed, with something behind.
            r#"MAC id="a", nonce="1:b", mac="c", realm="r""#,
            r#"MAC ID="a", nonce="1:b", mac="c""#,
            r#"MAC id=a, nonce="1:b", mac="c""#,
            r#"MAC id="", nonce="1:b", mac="c""#,
            r#"MAC id="a", nonce="1:b", ext="", mac="c""#,
            r#"MAC id="a", nonce="1:b", ext="\"", mac="c""#,
            r#"MAC id="a", nonce="1:b", mac="c"#,
            r#"MAC id="a", nonce="1:b", mac="c","#,
            r#"MAC id="a", nonce="1:b", mac="c", Bearer x"#,
            r#"MAC id="a" nonce="1:b" mac="c""#,
            r#"MAC id="a", nonce="1:b", ext="é", mac="c""#,
            "MAC id=\"a\", nonce=\"1:b\", ext=\"\u{1}\", mac=\"c\"",
            // Ages and times.
            r#"MAC id="a", nonce="b", mac="c""#,
            r#"MAC id="a", nonce=":b", mac="c""#,
            r#"MAC id="a", nonce="1:", mac="c""#,
            r#"MAC id="a", nonce="01:b", mac="c""#,
            r#"MAC id="a", nonce="00:b", mac="c""#,
            r#"MAC id="a", nonce="-1:b", mac="c""#,
            r#"MAC id="a", nonce="+1:b", mac="c""#,
            r#"MAC id="a", nonce="1.0:b", mac="c""#,
            r#"MAC id="a", nonce="1000000000000:b", mac="c""#,
            r#"MAC id="a", ts="01", nonce="b", mac="c""#,
            r#"MAC id="a", ts="1x", nonce="b", mac="c""#,
        ]
        .map(str::to_owned),
    );
    for header in bad {
        assert_eq!(MacHeader::parse(&header), None, "{header}");
    }
    assert!(!is_mac(None) && !is_mac(Some("MACé")) && !is_mac(Some("MA")));
}
