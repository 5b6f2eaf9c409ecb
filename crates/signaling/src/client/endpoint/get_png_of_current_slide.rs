//! `GET /calls/{id}/contentSharingSessions/{id}/pngOfCurrentSlide`: what is shared, as a picture.
//!
//! Beta only: sent there whatever version the client speaks.
//! Spec: <https://learn.microsoft.com/graph/api/contentsharingsession-get>.

use antiphon_graph::CallId;
use bytes::Bytes;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::get("/calls/{id}/contentSharingSessions/{id}/pngOfCurrentSlide").beta();

impl GraphClient {
    /// Reads the picture of the slide that is shared: PNG. Beta.
    ///
    /// # Errors
    ///
    /// `NotFound` once the sharing has ended.
    pub async fn png_of_current_slide(&self, call: &CallId, session: &str) -> Result<Bytes, GraphError> {
        self.request(&ENDPOINT, &[call.as_str(), session])
            .accept("image/png, application/json")
            .send()
            .await
            .map(|reply| reply.bytes())
    }
}
