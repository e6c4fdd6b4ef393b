//! Sealed texts: what was not sealed here, as this kind, opens nothing.

use edgemint::token::{
    AccessToken, AuthorizationCode, Keyring, Kind, Pending, RefreshToken, SealRefused,
    SessionHandle,
};

use crate::bend::{bent, choice};
use crate::support::{Fixture, Seen, authorization, block_on, get};
use edgemint::model::Secret;
use edgemint::server::Endpoint;

struct Issued {
    keyring: std::rc::Rc<Keyring>,
    /// Of another deployment.
    other: Keyring,
    texts: Vec<(Kind, String)>,
}

thread_local! {
    static ISSUED: Issued = issued();
}

fn issued() -> Issued {
    let fixture = Fixture::new();
    let browser = fixture.signed_in_browser();
    let tokens = fixture.tokens_in(&browser, "web");
    let request = get(&authorization("web"));
    let page = block_on(
        fixture
            .server
            .answer(Endpoint::Authorize, &request, &fixture.at()),
    );
    let pending = page.answer().value("request").expect("a page").to_owned();
    let texts = vec![
        (Kind::Access, tokens.access.clone()),
        (Kind::Refresh, tokens.refresh().to_owned()),
        (Kind::Code, browser.code(&authorization("web"))),
        (
            Kind::Session,
            browser.cookie("edgemint-session").expect("a session"),
        ),
        (Kind::Pending, pending),
    ];
    let keyring = fixture.server.keyring.clone();
    for (kind, text) in &texts {
        assert_eq!(opened(&keyring, text), vec![*kind], "{text}");
    }
    let roots = [Secret::new("root secret of another deployment, 32 bytes")];
    let other = Keyring::new("https://other.example", &roots).expect("fit roots");
    Issued {
        keyring,
        other,
        texts,
    }
}

/// A text opens as its kind only when it is byte for byte one that was sealed.
pub(crate) fn run(data: &[u8]) {
    let Some((mode, rest)) = choice(data) else {
        return;
    };
    ISSUED.with(|issued| {
        let text = match issued.texts.get(mode % 17) {
            Some((_, text)) => bent(text, rest),
            None => {
                // A kind's prefix, and bytes that chance would not encode; or a text as it came.
                let prefix = Kind::ALL.get(mode % 17 - 5).map(|kind| kind.prefix());
                match prefix {
                    Some(prefix) => format!("{prefix}{}", edgemint::jose::base64url::encode(rest)),
                    None => String::from_utf8_lossy(rest).into_owned(),
                }
            }
        };
        let known = issued.texts.iter().find(|(_, known)| *known == text);
        let expected: Vec<Kind> = known.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(opened(&issued.keyring, &text), expected, "{text}");
        assert_eq!(opened(&issued.other, &text), vec![], "{text}");
    });
}

/// As which kinds it opens.
fn opened(keyring: &Keyring, text: &str) -> Vec<Kind> {
    let tried = [
        (Kind::Access, keyring.unseal::<AccessToken>(text).err()),
        (Kind::Code, keyring.unseal::<AuthorizationCode>(text).err()),
        (Kind::Refresh, keyring.unseal::<RefreshToken>(text).err()),
        (Kind::Session, keyring.unseal::<SessionHandle>(text).err()),
        (Kind::Pending, keyring.unseal::<Pending>(text).err()),
    ];
    for (kind, refused) in tried {
        let named = text.starts_with(kind.prefix());
        assert_eq!(refused == Some(SealRefused::OtherKind), !named);
    }
    let open = tried.into_iter().filter(|(_, refused)| refused.is_none());
    open.map(|(kind, _)| kind).collect()
}
