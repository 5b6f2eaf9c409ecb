//! A webhook as the service would meet it: name, port, certificate, answers, time.
//!
//! Connects from this machine and posts two notifications that must be refused: one nobody signed, one signed by nobody.
//! Neither names a call. What a signed one is answered cannot be told from here: only the service has the key.
//! Spec: "Receive notifications" of the cloud communications API; RFC 9110 §15.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use antiphon_graph::permission::Permission;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use reqwest::{Response, Url};
use serde_json::json;
use tokio::net::{TcpStream, lookup_host};

use super::certificate::{self, Trust};
use super::finding::{Finding, Subject};
use super::service::spoken_error;

const SUBJECT: Subject = Subject::Webhook;
const CONNECT: Duration = Duration::from_secs(5);
/// No answer after this counts as a failed delivery.
const DELIVERY: Duration = Duration::from_secs(10);
/// An incoming call has 15 seconds to be answered, this webhook's time included.
const SLOW: Duration = Duration::from_secs(2);

/// Looks at a webhook from outside.
pub(super) async fn examine(text: &str, app_id: Option<&str>, trust: &Trust) -> Vec<Finding> {
    let (url, finding) = address(text);
    let mut findings = vec![finding];
    let Some(url) = url else { return findings };
    let Some(address) = reach(&url, &mut findings).await else { return findings };
    if url.scheme() == "https" {
        let host = url.host_str().unwrap_or_default();
        let certificate = certificate::examine(address, host, trust, Timestamp::now()).await;
        let no_tls = certificate.iter().any(|finding| finding.check == "tls" && finding.fix.is_some());
        findings.extend(certificate);
        if no_tls {
            return findings;
        }
    }
    findings.extend(answers(&url, address, app_id).await);
    findings
}

/// Whether a URL's host is this machine.
pub(super) fn is_local(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| match host_address(&url) {
        Some(address) => address.is_loopback(),
        None => url.host_str().is_some_and(|host| host.eq_ignore_ascii_case("localhost")),
    })
}

/// The host, if it is written as an address.
fn host_address(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// The URL's form.
fn address(text: &str) -> (Option<Url>, Finding) {
    let check = "url";
    let url = match Url::parse(text) {
        Ok(url) if url.has_host() && matches!(url.scheme(), "https" | "http") => url,
        _ => {
            let fix = "write an absolute URL like https://bot.example.com/api/calls";
            return (None, Finding::missing(SUBJECT, check, format!("{text:?} is no URL of a webhook"), fix));
        }
    };
    let finding = if url.scheme() == "http" {
        let fix = "serve it by https: the service posts nowhere else (an emulator may be told to)";
        Finding::missing(SUBJECT, check, format!("{url} is not https"), fix)
    } else if url.fragment().is_some() || !url.username().is_empty() {
        let fix = "leave user names and fragments out: they are not sent";
        Finding::warning(SUBJECT, check, url.to_string(), fix)
    } else {
        Finding::ok(SUBJECT, check, url.to_string())
    };
    (Some(url), finding)
}

/// Name to address to connection; the address that answered.
async fn reach(url: &Url, findings: &mut Vec<Finding>) -> Option<SocketAddr> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses: Vec<SocketAddr> = match host_address(url) {
        Some(address) => vec![SocketAddr::new(address, port)],
        None => match tokio::time::timeout(CONNECT, lookup_host((host, port))).await {
            Ok(Ok(addresses)) => addresses.collect(),
            Ok(Err(error)) => {
                let seen = format!("{host} has no address here: {error}");
                findings.push(Finding::missing(SUBJECT, "dns", seen, "publish an A or AAAA record for the name"));
                return None;
            }
            Err(_) => {
                let seen = format!("no answer about {host} within {} s", CONNECT.as_secs());
                findings.push(Finding::missing(SUBJECT, "dns", seen, "check the name servers of the domain"));
                return None;
            }
        },
    };
    findings.push(resolved(host, &addresses));
    let mut faults = Vec::new();
    for address in &addresses {
        match tokio::time::timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(_)) => {
                findings.push(Finding::ok(SUBJECT, "tcp", format!("{address} accepts connections")));
                return Some(*address);
            }
            Ok(Err(error)) => faults.push(format!("{address}: {error}")),
            Err(_) => faults.push(format!("{address}: no answer within {} s", CONNECT.as_secs())),
        }
    }
    let fix = format!("let the bot listen there, and open port {port} in firewalls and port mappings");
    findings.push(Finding::missing(SUBJECT, "tcp", faults.join("; "), fix));
    None
}

fn resolved(host: &str, addresses: &[SocketAddr]) -> Finding {
    let check = "dns";
    let list: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    let seen = format!("{host} is {}", list.join(", "));
    if addresses.is_empty() {
        return Finding::missing(
            SUBJECT,
            check,
            format!("{host} has no address"),
            "publish an A or AAAA record for it",
        );
    }
    if addresses.iter().any(|address| is_public(address.ip())) {
        return Finding::ok(SUBJECT, check, seen);
    }
    let fix =
        "good for an emulator on this network; Graph in the cloud cannot reach it: use a public address or a tunnel";
    Finding::warning(SUBJECT, check, format!("{seen}: not a public address"), fix)
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && (64..128).contains(&v4.octets()[1]); // RFC 6598
            !(v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified() || shared)
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local())
        }
    }
}

/// Posts what must be refused, and looks at how.
async fn answers(url: &Url, address: SocketAddr, app_id: Option<&str>) -> Vec<Finding> {
    // The certificate has been judged already; here only the answers count.
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_danger_accept_invalid_certs(true)
        .resolve(url.host_str().unwrap_or_default(), address)
        .timeout(DELIVERY)
        .user_agent(super::AGENT)
        .build();
    let client = match client {
        Ok(client) => client,
        Err(error) => {
            let fix = "check the TLS set-up of this machine";
            return vec![Finding::unknown(SUBJECT, "unsigned post", spoken_error(&error), fix)];
        }
    };
    let started = Instant::now();
    let unsigned = post(&client, url, None).await;
    let took = started.elapsed();
    let mut findings = vec![refusal("unsigned post", &unsigned)];
    if unsigned.is_ok() {
        findings.push(pace(took));
        let forged = post(&client, url, Some(&forged_token(app_id, Timestamp::now()))).await;
        findings.push(refusal("forged token", &forged));
    }
    findings.push(Finding::unknown(
        SUBJECT,
        "signed post",
        "only the service can sign one",
        "answer it 202 with an empty body, at once, and handle it afterwards; 408, 429 and 5xx make the service try again",
    ));
    findings
}

async fn post(client: &reqwest::Client, url: &Url, token: Option<&str>) -> Result<Outcome, reqwest::Error> {
    // No notification in it: a webhook that takes it has nothing to do.
    let body = json!({ "@odata.type": "#microsoft.graph.commsNotifications", "value": [] });
    let request = client.post(url.clone()).header(CONTENT_TYPE, "application/json").body(body.to_string());
    let request = match token {
        Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
        None => request,
    };
    request.send().await.map(|reply| Outcome::of(&reply))
}

/// What of an answer matters.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    status: u16,
    location: Option<String>,
}

impl Outcome {
    fn of(reply: &Response) -> Self {
        let location = reply.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self { status: reply.status().as_u16(), location }
    }
}

/// In the form of the service's tokens, with no signature at all.
fn forged_token(app_id: Option<&str>, now: Timestamp) -> String {
    let now = now.as_second();
    let header = json!({ "typ": "JWT", "alg": "none" });
    let claims = json!({
        "iss": "https://graph.microsoft.com", "aud": app_id.unwrap_or("00000000-0000-0000-0000-000000000000"),
        "tid": uuid::Uuid::nil().to_string(), "iat": now, "nbf": now, "exp": now + 300,
    });
    format!("{}.{}.", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// Judges the answer to a notification that must not be taken.
fn refusal(check: &str, outcome: &Result<Outcome, reqwest::Error>) -> Finding {
    match outcome {
        Ok(outcome) => refusal_by(check, outcome),
        Err(error) if error.is_timeout() => {
            let seen =
                format!("no answer within {} s: the service would try again and then give up", DELIVERY.as_secs());
            Finding::missing(SUBJECT, check, seen, "answer at once, before any work is done")
        }
        Err(error) => {
            let fix = "answer every POST with a whole HTTP/1.1 response";
            Finding::missing(SUBJECT, check, spoken_error(error), fix)
        }
    }
}

fn refusal_by(check: &str, outcome: &Outcome) -> Finding {
    let Outcome { status, location } = outcome;
    match status {
        401 => Finding::ok(SUBJECT, check, "refused with 401"),
        403 => Finding::ok(SUBJECT, check, "refused with 403 (401 is customary)"),
        200..=299 => {
            let fix = "check the bearer token of every post before its body: signature by the keys of the service's OpenID \
                       document, issuer, audience (the app id) and times; answer 401 if it does not hold";
            Finding::missing(SUBJECT, check, format!("taken with {status}: anybody can post notifications"), fix)
        }
        300..=399 => {
            let to = location.as_deref().unwrap_or("nowhere");
            let fix =
                "give the service the final URL: a redirect is followed for the first post of an incoming call only";
            Finding::missing(SUBJECT, check, format!("redirected with {status} to {to}"), fix)
        }
        404 | 410 => Finding::missing(
            SUBJECT,
            check,
            format!("{status}: nothing is there"),
            "check the path of the webhook's URL",
        ),
        405 => Finding::missing(SUBJECT, check, "405: POST is not allowed", "accept POST at this path"),
        400..=499 => {
            let fix = "verify the token before looking at anything else, and answer 401";
            Finding::warning(SUBJECT, check, format!("refused with {status}, but not for want of a token"), fix)
        }
        503 => {
            let fix =
                "the bot cannot verify tokens, mostly for want of the signing keys: let it reach the OpenID document";
            Finding::missing(SUBJECT, check, "503: the webhook is not ready", fix)
        }
        _ => Finding::missing(SUBJECT, check, format!("the webhook fails with {status}"), "see the bot's own log"),
    }
}

fn pace(took: Duration) -> Finding {
    let seen = format!("answered within {} ms", took.as_millis().max(1));
    if took <= SLOW {
        return Finding::ok(SUBJECT, "answer time", seen);
    }
    let fix = "answer before the work is done: an incoming call has 15 s to be answered, 5 s for policy recording";
    Finding::warning(SUBJECT, "answer time", seen, fix)
}

/// Whether an app of these roles may read who is calling.
pub(super) fn caller(roles: &[Permission]) -> Finding {
    use Permission as P;
    let check = "who is calling";
    let any = [P::AccessMedia, P::Initiate, P::InitiateGroupCall, P::JoinGroupCall, P::JoinGroupCallAsGuest];
    if any.iter().any(|permission| roles.contains(permission)) {
        return Finding::ok(SUBJECT, check, "incoming calls name their caller");
    }
    let fix = "any of the tenant-wide Calls.* permissions lets the app read it";
    Finding::warning(SUBJECT, check, "incoming calls keep their caller encrypted from this app", fix)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;

    #[test]
    fn urls_are_judged_by_their_form() {
        for (text, status) in [
            ("https://bot.example.com/api/calls", Status::Ok),
            ("http://bot.example.com/api/calls", Status::Missing),
            ("https://user@bot.example.com/", Status::Warning),
            ("ftp://bot.example.com/", Status::Missing),
            ("bot.example.com", Status::Missing),
            ("", Status::Missing),
        ] {
            assert_eq!(address(text).1.status, status, "{text}");
        }
    }

    #[test]
    fn addresses_the_cloud_cannot_reach_are_told() {
        for (address, public) in [
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("192.168.1.1", false),
            ("100.64.0.1", false),
            ("169.254.1.1", false),
            ("::1", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("8.8.8.8", true),
            ("100.128.0.1", true),
            ("2001:4860:4860::8888", true),
        ] {
            let address: IpAddr = address.parse().unwrap();
            let status = if public { Status::Ok } else { Status::Warning };
            assert_eq!(resolved("host", &[SocketAddr::new(address, 443)]).status, status, "{address}");
        }
        assert_eq!(resolved("host", &[]).status, Status::Missing);
    }

    #[test]
    fn every_kind_of_answer_to_an_unsigned_post_has_its_verdict() {
        for (status, expected, words) in [
            (401, Status::Ok, "401"),
            (403, Status::Ok, "403"),
            (202, Status::Missing, "anybody can post"),
            (200, Status::Missing, "anybody can post"),
            (302, Status::Missing, "redirected with 302 to https://x"),
            (404, Status::Missing, "nothing is there"),
            (405, Status::Missing, "POST is not allowed"),
            (400, Status::Warning, "not for want of a token"),
            (503, Status::Missing, "not ready"),
            (500, Status::Missing, "fails with 500"),
        ] {
            let outcome = Outcome { status, location: Some("https://x".to_owned()) };
            let finding = refusal_by("unsigned post", &outcome);
            assert_eq!(finding.status, expected, "{finding:?}");
            assert!(finding.seen.contains(words), "{finding:?}");
        }
    }

    #[test]
    fn a_slow_answer_is_told() {
        assert_eq!(pace(Duration::from_millis(3)).status, Status::Ok);
        assert_eq!(pace(Duration::from_millis(2500)).status, Status::Warning);
    }

    #[test]
    fn only_this_machine_is_local() {
        for url in ["https://127.0.0.1:1/x", "https://localhost", "https://[::1]:8443/"] {
            assert!(is_local(url), "{url}");
        }
        for url in ["https://example.com", "https://10.0.0.1", "nonsense"] {
            assert!(!is_local(url), "{url}");
        }
    }

    #[test]
    fn without_any_role_the_caller_stays_encrypted() {
        assert_eq!(caller(&[]).status, Status::Warning);
        assert_eq!(caller(&[Permission::JoinGroupCallsChat]).status, Status::Warning);
        assert_eq!(caller(&[Permission::JoinGroupCall]).status, Status::Ok);
    }
}
