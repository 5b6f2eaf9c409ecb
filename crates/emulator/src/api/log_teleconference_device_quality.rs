//! `POST /communications/calls/logTeleconferenceDeviceQuality`: how the media of a meeting-room device went.
//!
//! The report is checked and logged; it may come after the call it is about, so its ids are not looked up.
//! Spec: <https://learn.microsoft.com/graph/api/call-logteleconferencedevicequality>.

use antiphon_graph::action::LogTeleconferenceDeviceQuality;
use http::{Method, StatusCode};
use serde_json::Value;

use super::{ApiError, ApiRequest, Endpoint, Reply};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::POST, path: "/calls/logTeleconferenceDeviceQuality", handler };

fn handler(_: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    if !request.has_user_agent {
        return Err(ApiError::invalid("The User-Agent header is required.").about("User-Agent"));
    }
    let body: LogTeleconferenceDeviceQuality = request.parameters("logTeleconferenceDeviceQuality")?;
    let quality = body.quality.ok_or_else(|| ApiError::invalid("quality is required.").about("quality"))?;
    for (index, media) in quality.media_quality_list.iter().enumerate() {
        let media = serde_json::to_value(media).expect("invariant: Graph resources are plain JSON");
        for (name, value) in media.as_object().into_iter().flatten() {
            if let Some(rule) = broken_rule(name, value) {
                let member = format!("quality.mediaQualityList[{index}].{name}");
                return Err(ApiError::invalid(format!("{member} {rule}.")).about(member));
            }
        }
    }
    tracing::info!(
        device = quality.device_name,
        streams = quality.media_quality_list.len(),
        app = request.caller.app_id,
        "a device reports its media quality"
    );
    Ok(Reply::empty(StatusCode::OK))
}

/// What a measurement cannot be.
fn broken_rule(name: &str, value: &Value) -> Option<&'static str> {
    match value {
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or_default();
            match number {
                _ if number < 0.0 => Some("must not be negative"),
                _ if name.ends_with("InPercentage") && number > 100.0 => Some("must not be above 100"),
                _ if name.ends_with("Port") && number > f64::from(u16::MAX) => Some("must not be above 65535"),
                _ => None,
            }
        }
        // Durations are the only texts that may begin so.
        Value::String(text) if text.starts_with("-P") => Some("must not be negative"),
        _ => None,
    }
}
