//! `POST /calls`: place a call or join a meeting.
//!
//! Spec: <https://learn.microsoft.com/graph/api/application-post-calls>.

use antiphon_graph::Call;
use http::Method;

use super::{Endpoint, Repeat};
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint { method: Method::POST, path: "/calls", repeat: Repeat::Never };

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
        let reply = self.request(&ENDPOINT, &[]).json(call).send().await;
        reply.map_err(|error| error.explain_create(call))?.read()
    }
}
