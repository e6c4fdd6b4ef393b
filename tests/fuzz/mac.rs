//! What says how a request was signed.

use edgemint::model::{Seconds, Secret, TokenId, UnixTime};
use edgemint::token::mac::{Body, MacAlgorithm, MacHeader, MacKey, SignedRequest, is_mac};

/// What is read stands in the header, with the attributes of one draft and nothing that would have to be escaped;
/// and nobody without the key has signed anything.
pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for header in [text.clone().into_owned(), format!("MAC {text}")] {
        let Some(read) = MacHeader::parse(&header) else {
            continue;
        };
        assert!(is_mac(Some(&header)) && header.is_ascii());
        assert!(
            !header
                .bytes()
                .any(|byte| byte == b'\\' || (byte < b' ' && byte != b'\t'))
        );
        assert!(!read.id.is_empty() && header.contains(&format!("id=\"{}\"", read.id)));
        let values: Vec<&str> = header.split('"').collect();
        assert_eq!(values.len() % 2, 1, "every quote is closed");
        // Names stand between values: none twice, and a time never beside the hash of a body.
        let names = values
            .iter()
            .step_by(2)
            .map(|name| name.trim_matches([' ', '\t', ',']));
        let mut names: Vec<&str> = names
            .map(|name| name.rsplit(' ').next().unwrap_or(name))
            .collect();
        names.retain(|name| !name.is_empty());
        let count = names.len();
        assert!((3..=5).contains(&count), "{names:?}");
        assert!(!(names.contains(&"ts=") && names.contains(&"bodyhash=")));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        let request = SignedRequest {
            method: "GET",
            uri: "/",
            host: "example.com",
            port: 80,
            body: Body::Elsewhere,
        };
        for algorithm in [MacAlgorithm::HmacSha1, MacAlgorithm::HmacSha256] {
            let key = MacKey {
                key: Secret::new("a key that nobody has"),
                algorithm,
            };
            let id = TokenId::from([1; 24]);
            let whenever = (UnixTime(0), Seconds(u64::MAX));
            assert!(
                read.verify(&request, &key, (&id, UnixTime(0)), whenever, ())
                    .is_err()
            );
        }
    }
}
