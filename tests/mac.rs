//! Requests signed by MAC (S3.6) at the gate: what passes, once, and what is refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use edgemint::error::Reason;
use edgemint::http::Request;
use edgemint::model::Seconds;
use edgemint::server::Endpoint;
use edgemint::token::mac::LONGEST_WINDOW;
use support::mac::{
    Credentials, Draft, INVALID, PASSES, Signing, assert_refused, body_hash, fixture, for_resource,
    own, signed, told,
};
use support::{Outage, Seen};

#[test]
fn s3_6_sha_1_counts_only_for_a_key_that_was_issued_for_it() {
    let fixture = fixture();
    let credentials = Credentials {
        algorithm: "hmac-sha-1".to_owned(),
        ..own(&fixture)
    };
    let header = credentials.sign(&Signing::at(Draft::One(fixture.now()), "n"));
    assert_refused(&fixture.gate(&signed("", &header)), &Reason::MacMismatch);
}

#[test]
fn s3_6_a_signed_request_passes_the_gate_once_by_either_draft() {
    let fixture = fixture();
    let credentials = own(&fixture);
    fixture.later(7);
    for draft in [Draft::Zero(7), Draft::One(fixture.now())] {
        let header = credentials.sign(&Signing::at(draft, "dj83hs9s"));
        let request = signed("scope=read", &header);
        assert_eq!(told(&fixture.gate(&request)), PASSES, "{draft:?}");
        assert_refused(&fixture.gate(&request), &Reason::MacReplayed);
        // The same nonce with another request is a replay, too.
        let other = Signing {
            ext: Some("x"),
            ..Signing::at(draft, "dj83hs9s")
        };
        assert_refused(
            &fixture.gate(&signed("", &credentials.sign(&other))),
            &Reason::MacReplayed,
        );
        let next = credentials.sign(&Signing::at(draft, "another"));
        assert_eq!(told(&fixture.gate(&signed("", &next))), PASSES);
    }
    // Each key has nonces of its own.
    let other = own(&fixture);
    let header = other.sign(&Signing::at(Draft::One(fixture.now()), "dj83hs9s"));
    assert_eq!(told(&fixture.gate(&signed("", &header))), PASSES);
}

#[test]
fn s3_6_the_same_request_asked_again_by_us_is_answered_alike() {
    let fixture = fixture();
    let credentials = own(&fixture);
    let header = credentials.sign(&Signing::at(Draft::Zero(0), "n"));
    let request = signed("", &header);
    let at = fixture.at_request("retried");
    for _ in 0..2 {
        let answer = fixture.send_at(Endpoint::IngressAuth, &request, &at);
        assert_eq!(told(&answer), PASSES);
    }
    assert_refused(&fixture.gate(&request), &Reason::MacReplayed);
}

#[test]
fn s3_6_a_request_counts_within_the_window_and_its_nonce_outlives_that() {
    let fixture = fixture();
    let credentials = own(&fixture);
    let now = fixture.now();
    fixture.later(1000);
    let passes = |draft, nonce: &str| {
        let header = credentials.sign(&Signing::at(draft, nonce));
        fixture.gate(&signed("", &header))
    };
    for (time, good) in [
        (1000, true),
        (940, true),
        (939, false),
        (1060, true),
        (1061, false),
        (0, false),
    ] {
        for draft in [Draft::Zero(time), Draft::One(now + time)] {
            let answer = passes(draft, &format!("n{time}"));
            if good {
                assert_eq!(told(&answer), PASSES, "{draft:?}");
            } else {
                assert_refused(&answer, &Reason::MacOutOfTime);
            }
        }
    }
    // Signed ahead of our clock as far as may be: it is remembered to the last second.
    for seconds in [60, 60] {
        fixture.later(seconds);
        assert_refused(&passes(Draft::Zero(1060), "n1060"), &Reason::MacReplayed);
    }
    fixture.later(1);
    assert_refused(&passes(Draft::Zero(1060), "n1060"), &Reason::MacOutOfTime);
}

#[test]
fn s3_6_what_is_not_what_was_signed_is_refused_and_spends_nothing() {
    let fixture = fixture();
    let credentials = own(&fixture);
    let good = Signing::at(Draft::Zero(0), "n");
    for bent in [
        Signing {
            method: "POST",
            ..good.clone()
        },
        Signing {
            uri: "/data?x=2",
            ..good.clone()
        },
        Signing {
            uri: "/data",
            ..good.clone()
        },
        Signing {
            host: "evil.example",
            ..good.clone()
        },
        Signing {
            port: 80,
            ..good.clone()
        },
    ] {
        let header = credentials.sign(&bent);
        assert_refused(&fixture.gate(&signed("", &header)), &Reason::MacMismatch);
    }
    let header = credentials.sign(&good);
    for bent in [
        header.replace("nonce=\"0:n\"", "nonce=\"0:m\""),
        header.replace("nonce=\"0:n\"", "nonce=\"0:n\", ext=\"x\""),
        header.replace("nonce=\"0:n\"", "nonce=\"0:n\", bodyhash=\"x\""),
        format!("{}!\"", &header[..header.len() - 2]),
    ] {
        assert_refused(&fixture.gate(&signed("", &bent)), &Reason::MacMismatch);
    }
    let stranger = Credentials {
        key: "guess".to_owned(),
        ..credentials
    };
    assert_refused(
        &fixture.gate(&signed("", &stranger.sign(&good))),
        &Reason::MacMismatch,
    );
    assert_refused(&fixture.gate(&signed("", "MAC x")), &Reason::MacMalformed);
    assert_eq!(told(&fixture.gate(&signed("", &header))), PASSES);
}

#[test]
fn s3_6_the_host_comes_from_settings_or_the_resource_and_never_from_the_request() {
    let fixture = fixture();
    let at = |url: &str, credentials: &Credentials, signing: &Signing<'_>, query: &str| {
        let mut request = signed("", &credentials.sign(signing));
        request.query = query.to_owned();
        request.original.as_mut().unwrap().url = Some(url.to_owned());
        fixture.gate(&request)
    };
    let credentials = own(&fixture);
    // A request that was made to another site, shown here with that site's name.
    let elsewhere = Signing {
        host: "evil.example",
        ..Signing::at(Draft::Zero(0), "n")
    };
    let answer = at(
        "https://evil.example/data?x=1",
        &credentials,
        &elsewhere,
        "service=web",
    );
    assert_refused(&answer, &Reason::MacForUnknownOrigin);
    for url in [
        "https://app.id.example:8443/data?x=1",
        "http://app.id.example/data?x=1",
    ] {
        let here = Signing::at(Draft::Zero(0), "n");
        assert_refused(
            &at(url, &credentials, &here, "service=web"),
            &Reason::MacForUnknownOrigin,
        );
    }
    // Of a token for a URL, that says host and port, whatever the proxy thinks it is called.
    let credentials = for_resource(&fixture);
    let resource = Signing {
        uri: "/v1/bills",
        host: "api.example",
        ..Signing::at(Draft::Zero(0), "r")
    };
    let answer = at("https://api.example/v1/bills", &credentials, &resource, "");
    assert_eq!(told(&answer), PASSES);
    let again = Signing {
        nonce: "s",
        ..resource.clone()
    };
    let answer = at(
        "http://internal:8080/v1/bills",
        &credentials,
        &again,
        "service=api",
    );
    assert_eq!(told(&answer), PASSES);
    let lies = Signing {
        nonce: "t",
        host: "internal",
        port: 8080,
        ..resource
    };
    let answer = at(
        "http://internal:8080/v1/bills",
        &credentials,
        &lies,
        "service=api",
    );
    assert_refused(&answer, &Reason::MacMismatch);
}

#[test]
fn s3_6_the_gate_says_which_body_was_signed_and_checks_none() {
    let fixture = fixture();
    let credentials = own(&fixture);
    let body: &[u8] = b"hello=world%21";
    let with_body = Signing {
        method: "POST",
        body: Some(body),
        ..Signing::at(Draft::Zero(0), "n")
    };
    let mut request = signed("", &credentials.sign(&with_body));
    request.original.as_mut().unwrap().method = Some("POST".to_owned());
    let answer = fixture.gate(&request);
    assert_eq!(answer.status, 200);
    let expected = format!("sha-256={}", body_hash("hmac-sha-256", body));
    assert_eq!(
        answer.header("x-auth-request-body-hash"),
        Some(expected.as_str())
    );
    let bare = credentials.sign(&Signing::at(Draft::Zero(0), "m"));
    assert_eq!(
        fixture
            .gate(&signed("", &bare))
            .header("x-auth-request-body-hash"),
        None
    );
}

#[test]
fn s3_7_scopes_audience_and_route_are_asked_before_the_nonce_is_spent() {
    let fixture = fixture();
    let credentials = own(&fixture);
    let header = credentials.sign(&Signing::at(Draft::Zero(0), "n"));
    let lacking = fixture.gate(&signed("scope=admin:token", &header));
    let challenge = "MAC error=\"the token lacks the scope admin:token\", scope=\"admin:token\"";
    assert_eq!(told(&lacking), (403, None, Some(challenge)));
    assert_eq!(lacking.json()["code"], "insufficient_scope");
    let mut request = signed("", &header);
    request.query = "service=other".to_owned();
    assert_eq!(told(&fixture.gate(&request)), (401, None, Some(INVALID)));
    assert_eq!(fixture.gate(&signed("username=bob", &header)).status, 403);
    assert_eq!(
        fixture
            .gate(&signed("minimum_lifetime=3601", &header))
            .status,
        401
    );
    assert_eq!(told(&fixture.gate(&signed("scope=read", &header))), PASSES);
}

#[test]
fn s3_6_a_key_dies_with_its_token() {
    let fixture = fixture();
    let passes = |credentials: &Credentials, nonce: &str| {
        let header = credentials.sign(&Signing::at(Draft::One(fixture.now()), nonce));
        fixture.gate(&signed("", &header))
    };
    let revoked = own(&fixture);
    assert_eq!(told(&passes(&revoked, "n")), PASSES);
    assert_eq!(
        fixture.revoke_as("other", &revoked.id).status,
        400,
        "another client's"
    );
    assert_eq!(fixture.revoke(&revoked.id).status, 200);
    assert_refused(&passes(&revoked, "m"), &Reason::TokenRevoked);
    assert_eq!(fixture.introspect(&revoked.id).body, r#"{"active":false}"#);

    let expired = own(&fixture);
    fixture.later(3600);
    assert_refused(&passes(&expired, "n"), &Reason::TokenExpired);
    assert_eq!(
        fixture.introspect_as("web", &expired.id).body,
        r#"{"active":false}"#
    );

    let person = Credentials::of(&fixture, &fixture.exchange(&fixture.code()));
    assert_eq!(told(&passes(&person, "n")).1, Some("ada"));
    fixture.disable_account("ada");
    assert_refused(&passes(&person, "m"), &Reason::TokenRevoked);
}

#[test]
fn s3_6_no_more_than_ten_requests_a_second_are_signed_with_one_key() {
    let fixture = fixture();
    let credentials = own(&fixture);
    let passes = |nonce: &str| {
        let header = credentials.sign(&Signing::at(Draft::Zero(0), nonce));
        fixture.gate(&signed("", &header))
    };
    for nonce in 0..600 {
        assert_eq!(passes(&nonce.to_string()).status, 200);
    }
    let full = passes("one more");
    assert_eq!(full.reason, Some(Reason::TooManyMacRequests(60)));
    assert_eq!(
        (full.status, full.header("x-error-status")),
        (403, Some("429"))
    );
    assert_eq!(full.header("retry-after"), Some("60"));
    assert_refused(&passes("7"), &Reason::MacReplayed);
    // Another key is had for the asking, and gives no more.
    let another = own(&fixture);
    let header = another.sign(&Signing::at(Draft::Zero(0), "other"));
    let full = fixture.gate(&signed("", &header));
    assert_eq!(full.reason, Some(Reason::TooManyMacRequests(60)));
    fixture.later(60);
    assert_eq!(passes("one more").status, 200);
}

#[test]
fn s3_6_a_nonce_stays_spent_when_the_window_becomes_wider() {
    let mut fixture = fixture();
    fixture.server.config.mac_window = Seconds(5);
    let credentials = own(&fixture);
    let header = credentials.sign(&Signing::at(Draft::Zero(0), "n"));
    let request = signed("", &header);
    assert_eq!(told(&fixture.gate(&request)), PASSES);
    fixture.server.config.mac_window = LONGEST_WINDOW;
    for _ in 0..30 {
        fixture.later(10);
        assert_refused(&fixture.gate(&request), &Reason::MacReplayed);
    }
    fixture.later(1);
    assert_refused(&fixture.gate(&request), &Reason::MacOutOfTime);
}

#[test]
fn s3_6_what_cannot_be_found_out_is_no_verdict() {
    let fixture = fixture();
    let credentials = own(&fixture);
    let header = credentials.sign(&Signing::at(Draft::Zero(0), "n"));
    let request = signed("", &header);
    for outage in [Outage::Ledger, Outage::Feed] {
        fixture.later(10);
        fixture.memory().fail(outage);
        support::tokens::assert_unavailable(&fixture.gate(&request));
        fixture.memory().restore();
    }
    assert_eq!(told(&fixture.gate(&request)), PASSES);
}

#[test]
fn s3_6_nothing_of_a_signature_goes_on_to_the_service() {
    let fixture = fixture();
    let credentials = own(&fixture);
    let header = credentials.sign(&Signing {
        ext: Some("a, b"),
        ..Signing::at(Draft::Zero(0), "n")
    });
    let answer = fixture.gate(&signed("", &header));
    assert_eq!(told(&answer), PASSES);
    assert_eq!(answer.header("authorization"), None);
    // Not behind another scheme, either, where a header came twice.
    for shown in [format!("Basic zzz, {header}"), header] {
        let anonymous = Request {
            authorization: Some(shown),
            ..support::gate::asked("")
        };
        let answer = fixture.send(Endpoint::IngressAnonymous, &anonymous);
        assert_eq!((answer.status, answer.header("authorization")), (200, None));
    }
    // Somebody else's does: it is none of our business.
    let theirs =
        r#"MAC id="h480djs93hd8", nonce="274312:dj83hs9s", mac="kDZvddkndxvhGRXZhvuDjEWhGeE=""#;
    let anonymous = Request {
        authorization: Some(theirs.to_owned()),
        ..support::gate::asked("")
    };
    let answer = fixture.send(Endpoint::IngressAnonymous, &anonymous);
    assert_eq!(answer.header("authorization"), Some(theirs));
}
