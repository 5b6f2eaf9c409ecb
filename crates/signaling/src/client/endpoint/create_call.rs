//! `POST /calls`: place a call or join a meeting.
//!
//! Spec: <https://learn.microsoft.com/graph/api/application-post-calls>.

use antiphon_graph::Call;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls");

impl GraphClient {
    /// Places a call, or joins a meeting if `meetingInfo` is there.
    ///
    /// The reply has the call's id, its state `establishing`, and in
    /// `mediaConfig.blob` the service's answer to an app-hosted blob.
    ///
    /// # Errors
    ///
    /// A missing permission names those that would suffice for this call.
    /// [`GraphError::happened`] tells whether a call may exist all the same.
    pub async fn create_call(&self, call: &Call) -> Result<Call, GraphError> {
        self.request(&ENDPOINT, &[]).json(call).send().await?.read()
    }
}
