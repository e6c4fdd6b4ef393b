//! One JSON line per request, with the reason; never a secret, a query or a body.

use serde_json::json;
use wasm_bindgen::prelude::wasm_bindgen;

use super::settings::{Logged, Settings};
use crate::config::UnfitSetting;
use crate::error::Reason;
use crate::http::Response;
use crate::ports::At;
use crate::server::Endpoint;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console, js_name = log)]
    fn print(line: &str);
}

/// Notes an answered request.
pub(super) fn request(
    settings: &Settings,
    endpoint: Endpoint,
    method: &str,
    response: &Response,
    at: &At,
) {
    let wanted = match settings.logged {
        Logged::All => true,
        Logged::Refusals => response.reason.is_some() || response.event.is_some(),
        Logged::Nothing => false,
    };
    if !wanted {
        return;
    }
    let detail = match &response.reason {
        Some(Reason::Unavailable(away)) => Some(away.0),
        Some(Reason::Internal(what) | Reason::AssertionLacks(what)) => Some(*what),
        Some(Reason::AssertionRefused(why)) => Some(why.as_str()),
        Some(Reason::UnfitMetadata(name)) => Some(*name),
        _ => None,
    };
    let line = json!({
        "time": at.now,
        "request_id": at.request,
        "endpoint": endpoint.word(),
        "method": method,
        "status": response.status,
        "reason": response.reason.as_ref().map(Reason::label),
        "event": response.event,
        "actor": response.actor,
        "detail": detail,
    });
    print(&line.to_string());
}

/// Says which setting keeps the deployment from serving, and what to do about it.
pub(super) fn unfit_setting(unfit: &UnfitSetting) {
    print(&json!({ "refusing_to_serve": unfit.name, "remedy": unfit.remedy }).to_string());
}
