//! `POST /communications/calls/{id}/updateRecordingStatus`: a bot under a recording policy says whether it records.
//! Spec: <https://learn.microsoft.com/graph/api/call-updaterecordingstatus>.

use antiphon_graph::RecordingStatus;
use antiphon_graph::action::UpdateRecordingStatus;
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::POST, path: "/calls/{id}/updateRecordingStatus", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let body: UpdateRecordingStatus = request.parameters("updateRecordingStatus")?;
    let context = check::client_context(body.client_context)?;
    let status = body.status.ok_or_else(|| ApiError::invalid("status is required.").about("status"))?;
    if !matches!(status, RecordingStatus::NotRecording | RecordingStatus::Recording | RecordingStatus::Failed) {
        let message = format!("status must be notRecording, recording or failed, not {:?}.", status.as_str());
        return Err(ApiError::invalid(message).about("status"));
    }
    service.change(|world, _| {
        let call = request.own_established_call(world)?;
        if !call.records_by_policy() {
            return Err(ApiError::not_a_recording_call());
        }
        let id = call.id.clone();
        let operation = world.set_recording_status(&id, status, context)?;
        Ok(request.operation_reply(StatusCode::OK, &id, &operation))
    })
}
