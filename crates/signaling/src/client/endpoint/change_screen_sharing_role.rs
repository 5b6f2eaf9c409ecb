//! `POST /calls/{id}/changeScreenSharingRole`: begin or end sharing a screen.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-changescreensharingrole>.

use antiphon_graph::CallId;
use antiphon_graph::action::ChangeScreenSharingRole;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/changeScreenSharingRole");

impl GraphClient {
    /// Makes the app a sharer of its screen, or a viewer again. Group calls with
    /// app-hosted media only.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` in any other call.
    pub async fn change_screen_sharing_role(
        &self,
        call: &CallId,
        parameters: &ChangeScreenSharingRole,
    ) -> Result<(), GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.done()
    }
}
