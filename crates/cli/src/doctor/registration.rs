//! What the token authority says of a tenant, an app and its secret.
//!
//! Fetches the discovery document that SDK credentials need, then a token, and turns a refusal's AADSTS number into what
//! to do about it. The token goes to the caller, never to the output. Spec: RFC 6749 §5.2; "Microsoft Entra
//! authentication and authorization error codes".

use antiphon_signaling::token::{AccessToken, TokenConfig, TokenError};
use antiphon_signaling::{HttpClient, TokenCache};
use serde_json::Value;

use super::finding::{Finding, Subject};
use super::service::transport_fix;

const SUBJECT: Subject = Subject::Registration;
/// Members of the discovery document without which one SDK or another fails.
const DISCOVERY: [&str; 4] = ["token_endpoint", "authorization_endpoint", "issuer", "jwks_uri"];

/// Asks the authority for a token.
pub(super) async fn examine(http: HttpClient, config: TokenConfig) -> (Vec<Finding>, Option<AccessToken>) {
    let who = format!("app {} in tenant {}", config.client_id, config.tenant);
    let authority = config.authority.clone();
    match TokenCache::new(http, config).token().await {
        Ok(token) => {
            (vec![Finding::ok(SUBJECT, "credentials", format!("{authority} gives {who} a token"))], Some(token))
        }
        Err(error) => (vec![refused(&authority, &who, &error)], None),
    }
}

/// Looks at the document SDK credentials start from.
pub(super) async fn discovery(http: &reqwest::Client, authority: &str, tenant: &str) -> Finding {
    let check = "discovery";
    let url = format!("{authority}/{}/v2.0/.well-known/openid-configuration", antiphon_graph::encode_segment(tenant));
    let fix = "check --authority and --tenant";
    let reply = match http.get(&url).send().await {
        Ok(reply) => reply,
        Err(error) => {
            return Finding::missing(SUBJECT, check, super::service::spoken_error(&error), transport_fix(authority));
        }
    };
    let status = reply.status();
    let document: Value = match reply.json().await {
        Ok(document) if status.is_success() => document,
        _ => return Finding::missing(SUBJECT, check, format!("{url} answers {status}"), fix),
    };
    let absent: Vec<_> = DISCOVERY.into_iter().filter(|name| !document[*name].is_string()).collect();
    if absent.is_empty() {
        Finding::ok(SUBJECT, check, url)
    } else {
        let seen = format!("{url} lacks {}", absent.join(", "));
        Finding::missing(SUBJECT, check, seen, "SDK credentials need it; check that --authority is a token authority")
    }
}

fn refused(authority: &str, who: &str, error: &TokenError) -> Finding {
    let check = "credentials";
    match error {
        TokenError::Refused { status, error, description } => {
            let number = aadsts(description);
            let sentence = first_sentence(description);
            let seen = format!("{authority} refuses {who}: {status} {error}: {sentence}");
            Finding::missing(SUBJECT, check, seen, fix_of(number, error))
        }
        TokenError::Unreachable(_) => Finding::missing(SUBJECT, check, error.to_string(), transport_fix(authority)),
        _ => {
            let fix = format!("check that {authority} is a token authority; the tenant's name is part of the path");
            Finding::missing(SUBJECT, check, error.to_string(), fix)
        }
    }
}

/// The number after `AADSTS`.
fn aadsts(description: &str) -> Option<u32> {
    let rest = description.split_once("AADSTS")?.1;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).map_or(rest, |end| &rest[..end]);
    digits.parse().ok()
}

/// Without trace ids and timestamps.
fn first_sentence(description: &str) -> &str {
    description.split(" Trace ID:").next().unwrap_or(description).lines().next().unwrap_or_default().trim()
}

fn fix_of(number: Option<u32>, word: &str) -> &'static str {
    match number {
        Some(7_000_215) => {
            "take the secret's value, not its id; make a new one under Certificates & secrets if it is lost"
        }
        Some(7_000_222) => "the secret has expired: make a new one under Certificates & secrets",
        Some(7_000_216 | 7_000_218) => "give the client secret: --secret or ANTIPHON_CLIENT_SECRET",
        Some(700_016 | 7_000_229) => {
            "check the app id, and that the tenant is right: an app of another tenant exists in this one only after its \
             administrator has consented"
        }
        Some(90_002 | 90_013 | 900_021 | 900_023) => "check --tenant: a GUID or a verified domain name",
        Some(700_027) => "the certificate is not registered for the app, or this authority takes secrets only",
        Some(7_000_112 | 500_014) => "the app is disabled in this tenant: enable it under Enterprise applications",
        Some(1_002_012 | 70_011) => "ask for the scope https://graph.microsoft.com/.default",
        Some(53_003) => "a conditional access policy for workload identities blocks the app: ask the administrator",
        Some(50_196 | 90_055) => "too many token requests: wait a while, and cache tokens",
        _ => match word {
            "invalid_client" => "check the app id and its secret",
            "unauthorized_client" => "check that the app is registered, or consented to, in this tenant",
            "invalid_scope" => "ask for the scope https://graph.microsoft.com/.default",
            _ => "look the AADSTS number up in the reference of Entra error codes",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sentences_are_taken_out_of_descriptions() {
        let text = "AADSTS7000215: Invalid client secret provided. Trace ID: 1 Correlation ID: 2 Timestamp: 3";
        assert_eq!(aadsts(text), Some(7_000_215));
        assert_eq!(first_sentence(text), "AADSTS7000215: Invalid client secret provided.");
        for odd in ["", "AADSTS", "AADSTSx", "no number", "AADSTS99999999999999"] {
            assert_eq!(aadsts(odd), None, "{odd}");
        }
        assert_eq!(aadsts("AADSTS90002"), Some(90_002));
    }

    #[test]
    fn common_refusals_have_advice_of_their_own() {
        let known = [7_000_215, 7_000_222, 7_000_216, 700_016, 90_002, 700_027, 7_000_112, 1_002_012, 53_003, 50_196];
        let advice: std::collections::BTreeSet<_> = known.iter().map(|number| fix_of(Some(*number), "")).collect();
        assert_eq!(advice.len(), known.len());
        assert_eq!(fix_of(None, "invalid_client"), "check the app id and its secret");
    }
}
