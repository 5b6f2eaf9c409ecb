//! `POST /calls/{id}/addLargeGalleryView`: have the large gallery composed.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-addlargegalleryview>.

use antiphon_graph::CallId;
use antiphon_graph::action::WithClientContext;
use antiphon_graph::operation::AddLargeGalleryViewOperation;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/addLargeGalleryView");

impl GraphClient {
    /// Asks for the large gallery: a hidden participant whose video shows many.
    ///
    /// # Errors
    ///
    /// `CallGone` once the call has ended.
    pub async fn add_large_gallery_view(
        &self,
        call: &CallId,
        parameters: &WithClientContext,
    ) -> Result<AddLargeGalleryViewOperation, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.read()
    }
}
