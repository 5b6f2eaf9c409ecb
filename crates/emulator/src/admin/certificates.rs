//! Certificates for the webhooks of bots, by the emulator's own CA.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Json;
use axum::routing::post;
use http::StatusCode;
use serde::Deserialize;

use super::AdminError;
use super::json::AdminJson;
use super::schema::{Kind, Member, Schema};
use super::table::Route;
use crate::service::Service;
use crate::tls::IssuedCertificate;

pub(super) const ROUTES: &[Route] = &[Route::post(
    "/emulator/certificates",
    || post(issue),
    "Issues a server certificate, with its private key, that the emulator trusts for webhooks.",
)
.takes(&HOSTS)
.gives(201, Kind::One(&ISSUED))];

const HOSTS: Schema = Schema {
    name: "NewCertificate",
    members: &[Member::default(
        "hosts",
        Kind::List(&Kind::Text),
        "DNS names and addresses, at most 100; localhost, 127.0.0.1 and ::1 if left out or empty.",
    )],
};

const ISSUED: Schema = Schema {
    name: "Certificate",
    members: &[
        Member::must("certificatePem", Kind::Text, "The certificate and, after it, the CA's: what a server presents."),
        Member::must("privateKeyPem", Kind::Text, "The private key, PKCS #8."),
        Member::must("hosts", Kind::List(&Kind::Text), "The names and addresses it is good for."),
    ],
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCertificate {
    #[serde(default)]
    hosts: Vec<String>,
}

async fn issue(
    State(service): State<Arc<Service>>,
    AdminJson(new): AdminJson<NewCertificate>,
) -> Result<(StatusCode, Json<IssuedCertificate>), AdminError> {
    Ok((StatusCode::CREATED, Json(service.certificates().issue(&new.hosts)?)))
}
