//! `POST /calls/logTeleconferenceDeviceQuality`: report how a device's media went.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-logteleconferencedevicequality>.

use antiphon_graph::action::LogTeleconferenceDeviceQuality;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/logTeleconferenceDeviceQuality");

impl GraphClient {
    /// Reports the media quality of a meeting-room device.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for a report that lacks a required member.
    pub async fn log_teleconference_device_quality(
        &self,
        parameters: &LogTeleconferenceDeviceQuality,
    ) -> Result<(), GraphError> {
        self.request(&ENDPOINT, &[]).json(parameters).send().await?.done()
    }
}
