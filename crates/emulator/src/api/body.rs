//! Request bodies: read whole, decompressed, of a known type, within the size limit.
//!
//! The limit holds before and after decompression, and decompression stops at it, so that a small body cannot become a
//! large one (413). What cannot be understood is 415, which makes compressing clients send it again uncompressed. The
//! deadline is the server's (`patience`). Spec: RFC 9110 §8.3, §8.4 and §15.5.16.

use std::io::Read as _;

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::ApiError;
use crate::patience::is_body_timeout;

/// Reads a body; absent ones are empty, whatever the headers say.
///
/// # Errors
///
/// 400 when it breaks off or does not decompress, 408 when it comes too slowly, 413, 415.
pub(super) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, ApiError> {
    if usize::try_from(body.size_hint().lower()).map_or(true, |announced| announced > limit) {
        return Err(ApiError::body_too_large(limit));
    }
    let collected = Limited::new(body, limit).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            ApiError::body_too_large(limit)
        } else if is_body_timeout(error.as_ref()) {
            ApiError::body_too_slow()
        } else {
            ApiError::invalid("The request body could not be read.")
        }
    })?;
    let body = collected.to_bytes();
    if body.is_empty() {
        return Ok(body);
    }
    let kind = header(headers, CONTENT_TYPE.as_str()).unwrap_or("application/json");
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(ApiError::unsupported_media(format!("Content-Type {essence} is not supported; send JSON.")));
    }
    match header(headers, CONTENT_ENCODING.as_str()).unwrap_or("identity").trim() {
        encoding if encoding.eq_ignore_ascii_case("identity") => Ok(body),
        encoding if encoding.eq_ignore_ascii_case("gzip") || encoding.eq_ignore_ascii_case("x-gzip") => {
            decompressed(&body, limit)
        }
        encoding => Err(ApiError::unsupported_encoding(encoding)),
    }
}

fn decompressed(body: &[u8], limit: usize) -> Result<Bytes, ApiError> {
    let mut plain = Vec::new();
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(body)
        .take(one_more)
        .read_to_end(&mut plain)
        .map_err(|error| ApiError::invalid(format!("The request body is not valid gzip: {error}.")))?;
    if plain.len() > limit {
        return Err(ApiError::body_too_large(limit));
    }
    Ok(plain.into())
}

/// A header as text.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http::HeaderValue;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    async fn read_encoded(encoding: &'static str, body: Vec<u8>, limit: usize) -> Result<Bytes, u16> {
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(encoding))]);
        read(&headers, Body::from(body), limit).await.map_err(|error| error.status.as_u16())
    }

    #[tokio::test]
    async fn gzip_is_read_in_any_spelling_and_in_several_members() {
        for encoding in ["gzip", "GZip", "x-gzip"] {
            assert_eq!(read_encoded(encoding, gzip(b"{}"), 100).await.unwrap(), "{}");
        }
        let members = [gzip(b"{\"a\""), gzip(b":1}")].concat();
        assert_eq!(read_encoded("gzip", members, 100).await.unwrap(), "{\"a\":1}");
        assert_eq!(read_encoded("gzip", Vec::new(), 100).await.unwrap(), "", "no body is no body");
    }

    #[tokio::test]
    async fn limit_holds_before_and_after_decompression() {
        let bomb = gzip(&vec![b' '; 64 << 20]);
        assert!(bomb.len() < 100_000);
        assert_eq!(read_encoded("gzip", bomb, 1 << 20).await, Err(413));
        assert_eq!(read_encoded("gzip", gzip(&[b' '; 100]), 100).await.unwrap().len(), 100);
        assert_eq!(read_encoded("gzip", gzip(&[b' '; 101]), 100).await, Err(413));
        assert_eq!(read_encoded("identity", vec![b' '; 101], 100).await, Err(413));
    }

    #[tokio::test]
    async fn broken_gzip_is_400_and_other_encodings_are_415() {
        let whole = gzip(b"{\"subject\":\"choir\"}");
        for broken in [b"{}".to_vec(), whole[..whole.len() - 9].to_vec(), whole[..5].to_vec(), b"\x1f\x8b".to_vec()] {
            assert_eq!(read_encoded("gzip", broken, 100).await, Err(400));
        }
        for encoding in ["br", "deflate", "zstd", "gzip, gzip", "gzip, br"] {
            assert_eq!(read_encoded(encoding, b"{}".to_vec(), 100).await, Err(415), "{encoding}");
        }
    }
}
