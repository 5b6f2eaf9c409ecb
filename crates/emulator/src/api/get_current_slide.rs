//! `GET /communications/calls/{id}/contentSharingSessions/{id}/pngOfCurrentSlide` (beta): the slide as an image.
//! Spec: the stream of `contentSharingSession` in beta's service metadata.

use http::Method;
use http::header::HeaderValue;

use super::get_content_sharing_session::named;
use super::{ApiError, ApiRequest, Endpoint, Reply};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::GET, path: "/calls/{id}/contentSharingSessions/{id}/pngOfCurrentSlide", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let slide = std::sync::Arc::clone(&named(&service.world(), request)?.slide);
    Ok(Reply::of_type(HeaderValue::from_static("image/png"), slide.to_vec()))
}
