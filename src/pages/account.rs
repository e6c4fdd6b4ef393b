//! Where a sign-in without an application ends: who is here, and what may act for them.

use maud::html;

use super::layout::{hidden, host, name, page};
use super::{field, neutralise};

/// What the landing page shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account<'a> {
    /// Who is signed in.
    pub username: &'a str,
    /// The applications that hold access now.
    pub applications: &'a [Application<'a>],
    /// Where the sign-out form posts to.
    pub action: &'a str,
    /// The sealed request to sign out.
    pub request: &'a str,
    /// Its CSRF value.
    pub csrf: &'a str,
    /// Where taking back a consent posts to.
    pub withdraw_action: &'a str,
    /// The sealed request of this page.
    pub withdraw_request: &'a str,
    /// Its CSRF value.
    pub withdraw_csrf: &'a str,
}

/// One application that holds access.
#[derive(Clone, Copy, Debug, Default)]
pub struct Application<'a> {
    /// Its client id.
    pub id: &'a str,
    /// Its display name.
    pub name: &'a str,
    /// What it was given, separated by spaces.
    pub scope: &'a str,
}

/// The landing page after `/login` without an application.
pub fn account(account: &Account<'_>) -> String {
    page(
        "Your account",
        html! {
            h1 { "You are signed in as " (name(account.username)) }
            @if account.applications.is_empty() {
                p class="lede" { "No application has a lasting permission for your account." }
            } @else {
                h2 id="applications" { "Applications with access" }
                ul class="scopes" aria-labelledby="applications" {
                    @for application in account.applications {
                        li {
                            span class="what" { (name(application.name)) }
                            span class="how" { (host(application.scope)) }
                            form method="post" action=(account.withdraw_action) class="inline" {
                                (hidden(Some(account.withdraw_request), account.withdraw_csrf))
                                input type="hidden" name=(field::CLIENT) value=(application.id);
                                button type="submit" name=(field::DECISION)
                                    value=(field::WITHDRAW)
                                    aria-label={ "Remove access of " (neutralise(application.name)) } {
                                    "Remove access"
                                }
                            }
                        }
                    }
                }
            }
            form method="post" action=(account.action) {
                (hidden(Some(account.request), account.csrf))
                div class="answers" {
                    button class="primary" type="submit" { "Sign out" }
                    a class="button" href="/" { "To the front page" }
                }
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_who_is_signed_in_and_offers_to_sign_out() {
        let html = account(&Account {
            username: "ada",
            applications: &[],
            action: "/logout",
            csrf: "c5rf",
            ..Account::default()
        });
        assert!(html.contains(">ada<"));
        assert!(html.contains(r#"<form method="post" action="/logout">"#));
        assert!(html.contains(r#"name="csrf" value="c5rf""#));
        assert!(html.contains("No application"));
    }

    #[test]
    fn every_application_is_listed_with_what_it_holds() {
        let applications = [Application {
            id: "c_ledger",
            name: "Ledger",
            scope: "openid books:read",
        }];
        let html = account(&Account {
            username: "ada",
            applications: &applications,
            action: "/logout",
            csrf: "c5rf",
            ..Account::default()
        });
        assert!(html.contains(">Ledger<") && html.contains(">openid books:read<"));
        assert!(html.contains(r#"name="client" value="c_ledger""#));
        assert!(html.contains(r#"name="decision" value="withdraw""#));
    }
}
