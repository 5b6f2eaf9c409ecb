//! When to send a request again: a pure decision.
//!
//! Nothing is repeated that may have happened, unless repeating it is safe.
//! `Retry-After` is honoured and never undercut; jitter is added on top so that
//! many clients do not come back at once.
//! Spec: RFC 9110 §10.2.3 (`Retry-After`), RFC 6585 §4 (429),
//! <https://learn.microsoft.com/graph/throttling>.

use std::time::Duration;

use jiff::Timestamp;

use super::endpoint::Repeat;
use crate::http::{Reply, TransportError};

/// How often and how long to wait.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// Repetitions at most. Default 3.
    pub max_retries: u32,
    /// The wait before the first repetition if the service does not say one;
    /// doubled each time. Default 2 s.
    pub base_delay: Duration,
    /// A `Retry-After` of this length or more is the caller's to wait out.
    /// Default 180 s, as in the official SDKs.
    pub give_up_after: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_retries: 3, base_delay: Duration::from_secs(2), give_up_after: Duration::from_secs(180) }
    }
}

/// How a try went wrong.
#[derive(Debug)]
pub(super) enum Failure<'a> {
    Reply(&'a Reply, Option<Duration>),
    Transport(&'a TransportError),
}

impl RetryPolicy {
    /// How long to wait before the next try, or `None` to give up.
    ///
    /// `tries` is how many there were; `jitter` is in [0, 1).
    pub(super) fn next_try(&self, repeat: Repeat, tries: u32, failure: &Failure<'_>, jitter: f64) -> Option<Duration> {
        if tries > self.max_retries {
            return None;
        }
        let safe = repeat != Repeat::Never;
        let (again, told) = match failure {
            Failure::Transport(error) => (error.is_retryable() && (safe || !error.may_have_happened()), None),
            Failure::Reply(reply, told) => {
                let again = match reply.status.as_u16() {
                    429 => true,
                    503 => safe || told.is_some(),
                    500 | 502 | 504 => safe,
                    _ => false,
                };
                (again, *told)
            }
        };
        if !again || told.is_some_and(|told| told >= self.give_up_after) {
            return None;
        }
        let doubled = self.base_delay * 2_u32.saturating_pow(tries.saturating_sub(1));
        let wait = told.unwrap_or(doubled);
        Some(wait + self.base_delay.mul_f64(jitter.clamp(0.0, 1.0) / 2.0))
    }
}

/// Reads a `Retry-After`: seconds, or an HTTP date.
pub(super) fn retry_after(reply: &Reply, now: Timestamp) -> Option<Duration> {
    let text = reply.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::TransportErrorKind;

    fn reply(status: u16, retry_after: Option<&str>) -> Reply {
        let mut headers = http::HeaderMap::new();
        if let Some(text) = retry_after {
            headers.insert("retry-after", text.parse().unwrap());
        }
        Reply { status: http::StatusCode::from_u16(status).unwrap(), headers, body: bytes::Bytes::new() }
    }

    fn decide(repeat: Repeat, status: u16, told: Option<&str>) -> Option<Duration> {
        let reply = reply(status, told);
        let told = retry_after(&reply, Timestamp::UNIX_EPOCH);
        RetryPolicy::default().next_try(repeat, 1, &Failure::Reply(&reply, told), 0.0)
    }

    #[test]
    fn a_post_is_repeated_only_if_the_service_said_it_did_not_happen() {
        for (status, told, again) in [
            (429, None, true),
            (429, Some("1"), true),
            (503, Some("1"), true),
            (503, None, false),
            (500, None, false),
            (502, None, false),
            (504, Some("1"), false),
            (409, None, false),
        ] {
            assert_eq!(decide(Repeat::Never, status, told).is_some(), again, "{status} {told:?}");
        }
        for (kind, again) in [(TransportErrorKind::Connect, true), (TransportErrorKind::Interrupted, false)] {
            let error = TransportError { kind, message: String::new() };
            let next = RetryPolicy::default().next_try(Repeat::Never, 1, &Failure::Transport(&error), 0.0);
            assert_eq!(next.is_some(), again, "{kind:?}");
        }
    }

    #[test]
    fn what_is_safe_to_repeat_is_repeated_on_every_transient_failure() {
        for status in [429, 500, 502, 503, 504] {
            assert!(decide(Repeat::Safe, status, None).is_some(), "{status}");
        }
        for status in [400, 401, 403, 404, 409, 501] {
            assert!(decide(Repeat::Safe, status, None).is_none(), "{status}");
        }
        let error = TransportError { kind: TransportErrorKind::Interrupted, message: String::new() };
        assert!(RetryPolicy::default().next_try(Repeat::Safe, 1, &Failure::Transport(&error), 0.0).is_some());
    }

    #[test]
    fn retry_after_is_never_undercut_and_three_minutes_are_too_long() {
        assert_eq!(decide(Repeat::Never, 429, Some("7")), Some(Duration::from_secs(7)));
        assert_eq!(decide(Repeat::Never, 429, Some("180")), None);
        let reply = reply(429, Some("7"));
        let failure = Failure::Reply(&reply, Some(Duration::from_secs(7)));
        let with_jitter = RetryPolicy::default().next_try(Repeat::Safe, 3, &failure, 0.999).unwrap();
        assert!(with_jitter > Duration::from_secs(7) && with_jitter < Duration::from_secs(8));
    }

    #[test]
    fn the_wait_doubles_and_ends() {
        let reply = reply(429, None);
        let waits: Vec<_> = (1..=4)
            .map(|tries| RetryPolicy::default().next_try(Repeat::Safe, tries, &Failure::Reply(&reply, None), 0.0))
            .collect();
        let seconds = |number| Some(Duration::from_secs(number));
        assert_eq!(waits, [seconds(2), seconds(4), seconds(8), None]);
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now: Timestamp = "2026-03-01T08:30:00Z".parse().unwrap();
        for (text, expected) in [
            ("12", Some(12)),
            ("Sun, 01 Mar 2026 08:30:30 GMT", Some(30)),
            ("Sun, 01 Mar 2026 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(retry_after(&reply(503, Some(text)), now), expected.map(Duration::from_secs), "{text}");
        }
    }
}
