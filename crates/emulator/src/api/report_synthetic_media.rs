//! `POST /communications/calls/{id}/participants/{id}/reportSyntheticMedia` (beta): a detection bot says that what a
//! participant sends is made, not taken.
//!
//! The last report counts; rosters of beta calls show it. What the roster has no member for is checked and forgotten.
//! Spec: the action in beta's service metadata.

use antiphon_graph::action::ReportSyntheticMedia;
use antiphon_graph::{SyntheticMediaDetectionDetail, SyntheticMediaDetectionInfo};
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::POST, path: "/calls/{id}/participants/{id}/reportSyntheticMedia", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let report: ReportSyntheticMedia = request.parameters("reportSyntheticMedia")?;
    check_confidence("overallConfidence", report.overall_confidence)?;
    for (index, detection) in report.detections.iter().enumerate() {
        check_detection(&format!("detections[{index}]"), detection)?;
    }
    let info = SyntheticMediaDetectionInfo {
        detection_id: report.id,
        detector_bot: Some(request.caller.app_id.clone()),
        synthetic_confidence: report.overall_confidence,
        ..SyntheticMediaDetectionInfo::default()
    };
    let mut world = service.world();
    let (call, who) = request.own_participant(&world)?;
    world.report_synthetic_media(&call, &who, info);
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn check_detection(path: &str, detection: &SyntheticMediaDetectionDetail) -> Result<(), ApiError> {
    check_confidence(&format!("{path}.confidence"), detection.confidence)?;
    let Some(segment) = &detection.segment else { return Ok(()) };
    let start = segment.start_time_sec.unwrap_or(0);
    if start < 0 {
        let path = format!("{path}.segment.startTimeSec");
        return Err(ApiError::invalid(format!("{path} must not be negative.")).about(path));
    }
    if segment.end_time_sec.is_some_and(|end| end < start) {
        let path = format!("{path}.segment.endTimeSec");
        return Err(ApiError::invalid(format!("{path} must not be before startTimeSec.")).about(path));
    }
    Ok(())
}

fn check_confidence(path: &str, confidence: Option<f64>) -> Result<(), ApiError> {
    if confidence.is_none_or(|confidence| (0.0..=1.0).contains(&confidence)) {
        return Ok(());
    }
    Err(ApiError::invalid(format!("{path} must be between 0 and 1.")).about(path))
}
