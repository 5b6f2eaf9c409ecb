//! What the Graph service says to a token, by two questions that change nothing.
//!
//! One asks for a call that cannot exist: its answer tells whether the token is taken, and the service's clock. The other
//! asks to join a meeting of a tenant that cannot be the token's, which is always refused; what for tells whether the app
//! is registered as a calling bot. Should a call come of it all the same, it is ended.

use std::time::Duration;

use antiphon_graph::ErrorEnvelope;
use antiphon_graph::error::codes;
use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::DATE;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use super::finding::{Finding, Subject};
use super::token::spoken;

const SUBJECT: Subject = Subject::Service;
/// Beyond this, tokens and notifications are refused.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// Beyond this, somebody should look at the clock; the header counts whole seconds.
const NOTICEABLE: SignedDuration = SignedDuration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(15);

/// Makes the doctor's own HTTP client: no redirects, and no proxy for this machine.
pub(super) fn client(ca_pem: Option<&[u8]>, url: &str) -> anyhow::Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .user_agent(super::AGENT);
    if let Some(pem) = ca_pem {
        let bundle = reqwest::Certificate::from_pem_bundle(pem).ok().filter(|bundle| !bundle.is_empty());
        builder = builder.tls_certs_merge(bundle.context("--ca-file holds no readable PEM certificate")?);
    }
    if super::webhook::is_local(url) {
        builder = builder.no_proxy();
    }
    Ok(builder.build()?)
}

/// Asks both questions.
pub(super) async fn examine(http: &reqwest::Client, base: &str, token: Option<&str>) -> Vec<Finding> {
    let url = format!("{base}/v1.0/communications/calls/{}", uuid::Uuid::new_v4());
    let mut request = http.get(&url).header("client-request-id", uuid::Uuid::new_v4().to_string());
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let reply = match request.send().await {
        Ok(reply) => reply,
        Err(error) => return vec![Finding::missing(SUBJECT, "reachable", spoken_error(&error), transport_fix(base))],
    };
    let mut findings = vec![Finding::ok(SUBJECT, "reachable", base)];
    findings.extend(clock(date(&reply), Timestamp::now()));
    let Some(token) = token else { return findings };
    let answer = Answer::read(reply).await;
    let taken = answer.token();
    let refused = answer.status == StatusCode::UNAUTHORIZED;
    findings.push(taken);
    if !refused {
        findings.push(calling_bot(http, base, token).await);
    }
    findings
}

/// An answer, as far as it matters here.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    code: String,
    message: String,
    body: Value,
}

impl Answer {
    async fn read(reply: Response) -> Self {
        let status = reply.status();
        let body = reply.bytes().await.unwrap_or_default();
        let error = ErrorEnvelope::parse(&body).unwrap_or_default().error;
        Self {
            status,
            code: error.code,
            message: error.message,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        }
    }

    fn spoken(&self) -> String {
        format!("{} {} {}", self.status.as_u16(), self.code, self.message).trim_end().to_owned()
    }

    fn is(&self, code: &str) -> bool {
        self.code.eq_ignore_ascii_case(code)
    }

    fn token(&self) -> Finding {
        let check = "takes the token";
        match self.status.as_u16() {
            404 | 200 => Finding::ok(SUBJECT, check, "a call that does not exist is not found"),
            401 => {
                Finding::missing(SUBJECT, check, self.spoken(), "fetch a token of the authority this service trusts")
            }
            403 if self.is(codes::BOT_NOT_REGISTERED) => Finding::ok(SUBJECT, check, self.spoken()),
            403 => Finding::missing(SUBJECT, check, self.spoken(), "see the permissions above"),
            429 | 500.. => Finding::unknown(SUBJECT, check, self.spoken(), "try again later"),
            _ => {
                Finding::unknown(SUBJECT, check, self.spoken(), "check --service: this is no answer of the calling API")
            }
        }
    }

    fn calling_bot(&self) -> Finding {
        let check = "calling bot";
        match self.status.as_u16() {
            403 if self.is(codes::BOT_NOT_REGISTERED) => {
                let fix =
                    "make a bot for the app, add the Teams channel, and enable calling there with the webhook's URL";
                Finding::missing(SUBJECT, check, self.spoken(), fix)
            }
            // Refused for what it should be refused for: registration has been looked at before that.
            403 if self.is(codes::TENANT_MISMATCH) => Finding::ok(SUBJECT, check, "the app is registered for calling"),
            403 if self.is(codes::PERMISSION_MISSING) => {
                Finding::unknown(SUBJECT, check, self.spoken(), "needs a permission to join before it can be told")
            }
            _ => Finding::unknown(SUBJECT, check, self.spoken(), "the first call will tell: code 7503 means it is not"),
        }
    }
}

async fn calling_bot(http: &reqwest::Client, base: &str, token: &str) -> Finding {
    let calls = format!("{base}/v1.0/communications/calls");
    // Of no tenant at all, so that nobody's meeting can be meant.
    let body = json!({
        "@odata.type": "#microsoft.graph.call",
        "callbackUri": "https://callback.invalid/antiphon-doctor",
        "requestedModalities": ["audio"],
        "mediaConfig": { "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" },
        "meetingInfo": { "@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo", "joinMeetingId": "0", "passcode": null },
        "tenantId": uuid::Uuid::new_v4().to_string(),
    });
    let reply = match http.post(&calls).bearer_auth(token).json(&body).send().await {
        Ok(reply) => reply,
        Err(error) => return Finding::unknown(SUBJECT, "calling bot", spoken_error(&error), transport_fix(base)),
    };
    let answer = Answer::read(reply).await;
    if answer.status == StatusCode::CREATED
        && let Some(id) = answer.body["id"].as_str()
    {
        let url = format!("{calls}/{}", antiphon_graph::encode_segment(id));
        // Best effort: without keepAlive it ends by itself.
        drop(http.delete(url).bearer_auth(token).send().await);
    }
    answer.calling_bot()
}

fn date(reply: &Response) -> Option<Timestamp> {
    let text = reply.headers().get(DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

/// Holds the service's clock against ours.
fn clock(theirs: Option<Timestamp>, ours: Timestamp) -> Option<Finding> {
    let ahead = theirs?.duration_since(ours);
    let seen = |word| format!("this machine's clock is {} {word} the service's", spoken(ahead.abs()));
    let word = if ahead.is_negative() { "ahead of" } else { "behind" };
    let fix = "set it by NTP: times in tokens are held against it, here and there";
    Some(if ahead.abs() > SKEW {
        Finding::missing(SUBJECT, "clock", seen(word), fix)
    } else if ahead.abs() > NOTICEABLE {
        Finding::warning(SUBJECT, "clock", seen(word), fix)
    } else {
        Finding::ok(SUBJECT, "clock", "agrees with the service's")
    })
}

/// An error with its causes, without repeating itself.
pub(super) fn spoken_error(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

/// What to try when there was no answer.
pub(super) fn transport_fix(base: &str) -> String {
    format!("check that {base} is right and reachable from here, and that its CA is given (--ca-file) if it is its own")
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;

    fn answer(status: u16, code: &str) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, code: code.to_owned(), message: "m".to_owned(), body: Value::Null }
    }

    #[test]
    fn the_answer_about_a_call_that_cannot_exist_tells_of_the_token() {
        for (status, code, expected) in [
            (404, "8522", Status::Ok),
            (401, "InvalidAuthenticationToken", Status::Missing),
            (403, "7504", Status::Missing),
            (403, "7503", Status::Ok),
            (503, "", Status::Unknown),
            (302, "", Status::Unknown),
        ] {
            assert_eq!(answer(status, code).token().status, expected, "{status} {code}");
        }
    }

    #[test]
    fn the_refusal_of_an_impossible_join_tells_of_the_registration() {
        for (status, code, expected) in [
            (403, "7503", Status::Missing),
            (403, "7505", Status::Ok),
            (403, "7504", Status::Unknown),
            (400, "invalidRequest", Status::Unknown),
            (201, "", Status::Unknown),
        ] {
            assert_eq!(answer(status, code).calling_bot().status, expected, "{status} {code}");
        }
    }

    #[test]
    fn clocks_that_differ_are_told_by_how_much_and_which_way() {
        let ours: Timestamp = "2026-03-01T08:30:00Z".parse().unwrap();
        for (seconds, status, words) in [
            (0, Status::Ok, "agrees"),
            (29, Status::Ok, "agrees"),
            (90, Status::Warning, "90 s behind"),
            (-90, Status::Warning, "90 s ahead of"),
            (7200, Status::Missing, "2 h behind"),
            (-301, Status::Missing, "5 min ahead of"),
        ] {
            let finding = clock(Some(ours + SignedDuration::from_secs(seconds)), ours).unwrap();
            assert_eq!(finding.status, status, "{finding:?}");
            assert!(finding.seen.contains(words), "{finding:?}");
        }
        assert_eq!(clock(None, ours), None);
    }
}
