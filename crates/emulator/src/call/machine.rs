//! The life of one call, seen from the service: a pure state machine.
//!
//! Inputs and the present moment go in, effects come out in the order in which the bot must see them; a deadline says
//! when to ask again. No I/O, no clock. Not shared with any client: the other side keeps a machine of its own.
//! Spec: Graph `callState`, and the published end reasons of `resultInfo`.

use std::time::Duration;

use antiphon_graph::{CallState, MediaState, ResultInfo};

use crate::clock::ServiceTime;

/// Spans after which the service gives up on a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Without keepAlive.
    pub(crate) keep_alive: Duration,
    /// Without connected media.
    pub(crate) media_setup: Duration,
}

/// Where the call is, and only what holds there.
#[derive(Debug)]
pub(crate) enum CallMachine {
    /// Accepted; media is being connected.
    Establishing { media_by: ServiceTime, keep_alive_by: ServiceTime },
    /// In the conversation.
    Established { keep_alive_by: ServiceTime },
    /// Gone; every input is without effect.
    Terminated,
}

/// What happens to a call.
#[derive(Debug, Clone)]
pub(crate) enum CallInput {
    /// Media flows both ways.
    MediaConnected,
    /// Media failed to connect, or was lost.
    MediaLost,
    /// The bot says it is alive.
    KeepAlive,
    /// The bot hangs up.
    HangUp,
    /// The service ends the call.
    End(ResultInfo),
    /// Time has passed.
    Timeout,
}

/// What must be done, in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CallEffect {
    /// Tell the bot a new state.
    Notify { state: CallState, audio: Option<MediaState>, result: Option<ResultInfo> },
    /// Show the bot's participant to everybody, and the roster to the bot.
    EnterRoster,
    /// Take the participant, its routes and its media out of the conversation.
    Leave,
}

impl CallMachine {
    /// A call just accepted. Without media (`has_media` false) it is established at once, with audio inactive.
    pub(crate) fn begin(has_media: bool, now: ServiceTime, patience: Patience) -> (Self, Vec<CallEffect>) {
        let keep_alive_by = now.after(patience.keep_alive);
        let mut effects = vec![notify(CallState::Establishing)];
        let machine = if has_media {
            Self::Establishing { media_by: now.after(patience.media_setup), keep_alive_by }
        } else {
            effects.extend(established(MediaState::Inactive));
            Self::Established { keep_alive_by }
        };
        (machine, effects)
    }

    /// The state as the `call` resource shows it.
    pub(crate) fn state(&self) -> CallState {
        match self {
            Self::Establishing { .. } => CallState::Establishing,
            Self::Established { .. } => CallState::Established,
            Self::Terminated => CallState::Terminated,
        }
    }

    /// The next moment at which [`CallInput::Timeout`] has an effect.
    pub(crate) fn deadline(&self) -> Option<ServiceTime> {
        match self {
            Self::Establishing { media_by, keep_alive_by } => Some(*media_by.min(keep_alive_by)),
            Self::Established { keep_alive_by } => Some(*keep_alive_by),
            Self::Terminated => None,
        }
    }

    /// Takes an input at `now`; what comes out must be done in order.
    pub(crate) fn handle(&mut self, input: CallInput, now: ServiceTime, patience: Patience) -> Vec<CallEffect> {
        match (&mut *self, input) {
            (Self::Terminated, _) | (Self::Established { .. }, CallInput::MediaConnected) => Vec::new(),
            (Self::Establishing { keep_alive_by, .. }, CallInput::MediaConnected) => {
                let keep_alive_by = *keep_alive_by;
                *self = Self::Established { keep_alive_by };
                established(MediaState::Active).to_vec()
            }
            (Self::Establishing { keep_alive_by, .. } | Self::Established { keep_alive_by }, CallInput::KeepAlive) => {
                *keep_alive_by = now.after(patience.keep_alive);
                Vec::new()
            }
            (Self::Establishing { .. }, CallInput::MediaLost) => self.end(media_never_connected(), false),
            (Self::Established { .. }, CallInput::MediaLost) => self.end(media_lost(), false),
            (_, CallInput::HangUp) => self.end(hung_up(), true),
            (_, CallInput::End(result)) => self.end(result, false),
            (Self::Establishing { media_by, .. }, CallInput::Timeout) if now >= *media_by => {
                self.end(media_never_connected(), false)
            }
            (Self::Establishing { keep_alive_by, .. } | Self::Established { keep_alive_by }, CallInput::Timeout) => {
                if now < *keep_alive_by {
                    return Vec::new();
                }
                self.end(not_kept_alive(), false)
            }
        }
    }

    fn end(&mut self, result: ResultInfo, by_bot: bool) -> Vec<CallEffect> {
        *self = Self::Terminated;
        let mut effects = vec![CallEffect::Leave];
        if by_bot {
            effects.push(notify(CallState::Terminating));
        }
        effects.push(CallEffect::Notify { state: CallState::Terminated, audio: None, result: Some(result) });
        effects
    }
}

fn notify(state: CallState) -> CallEffect {
    CallEffect::Notify { state, audio: None, result: None }
}

fn established(audio: MediaState) -> [CallEffect; 2] {
    [CallEffect::Notify { state: CallState::Established, audio: Some(audio), result: None }, CallEffect::EnterRoster]
}

/// A published end reason with the text Graph uses to repeat the numbers.
fn end_reason(code: i32, subcode: i32, text: &str) -> ResultInfo {
    ResultInfo::new(code, subcode, format!("{text} DiagCode: {code}#{subcode}.@"))
}

fn hung_up() -> ResultInfo {
    end_reason(200, 7000, "The call was ended by the application.")
}

/// The conversation is over for everybody.
pub(crate) fn conversation_ended() -> ResultInfo {
    end_reason(200, 5003, "The conversation has ended.")
}

/// Somebody took the bot out of the conversation.
pub(crate) fn removed() -> ResultInfo {
    end_reason(200, 5000, "The application was removed from the conversation by another participant.")
}

fn media_never_connected() -> ResultInfo {
    end_reason(500, 1005, "Media connectivity could not be established.")
}

fn media_lost() -> ResultInfo {
    end_reason(410, 301_005, "Media connectivity was lost.")
}

/// The media engine failed under the whole meeting.
pub(crate) fn media_failed() -> ResultInfo {
    end_reason(500, 7106, "The media service failed.")
}

fn not_kept_alive() -> ResultInfo {
    end_reason(408, 8537, "No keepAlive was received in time.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { keep_alive: Duration::from_secs(2700), media_setup: Duration::from_secs(20) };

    fn at(seconds: u64) -> ServiceTime {
        ServiceTime::START.after(Duration::from_secs(seconds))
    }

    fn states(effects: &[CallEffect]) -> Vec<String> {
        effects
            .iter()
            .map(|effect| match effect {
                CallEffect::Notify { state, result: None, .. } => state.to_string(),
                CallEffect::Notify { state, result: Some(result), .. } => {
                    format!("{state} {}/{}", result.code.unwrap(), result.subcode.unwrap())
                }
                CallEffect::EnterRoster => "enter".to_owned(),
                CallEffect::Leave => "leave".to_owned(),
            })
            .collect()
    }

    fn establishing() -> CallMachine {
        CallMachine::begin(true, at(0), PATIENCE).0
    }

    fn established_call() -> CallMachine {
        let mut machine = establishing();
        machine.handle(CallInput::MediaConnected, at(1), PATIENCE);
        machine
    }

    #[test]
    fn call_is_established_once_when_media_connects() {
        let (mut machine, begun) = CallMachine::begin(true, at(0), PATIENCE);
        assert_eq!(states(&begun), ["establishing"]);
        assert_eq!(states(&machine.handle(CallInput::MediaConnected, at(1), PATIENCE)), ["established", "enter"]);
        assert!(machine.handle(CallInput::MediaConnected, at(2), PATIENCE).is_empty());
    }

    #[test]
    fn call_without_media_is_established_at_once_with_audio_inactive() {
        let (machine, begun) = CallMachine::begin(false, at(0), PATIENCE);
        assert_eq!(states(&begun), ["establishing", "established", "enter"]);
        assert!(matches!(&begun[1], CallEffect::Notify { audio: Some(MediaState::Inactive), .. }));
        assert_eq!(machine.state(), CallState::Established);
    }

    #[test]
    fn each_end_has_its_published_reason() {
        for (mut machine, input, expected) in [
            (establishing(), CallInput::MediaLost, vec!["leave", "terminated 500/1005"]),
            (established_call(), CallInput::MediaLost, vec!["leave", "terminated 410/301005"]),
            (established_call(), CallInput::HangUp, vec!["leave", "terminating", "terminated 200/7000"]),
            (establishing(), CallInput::HangUp, vec!["leave", "terminating", "terminated 200/7000"]),
            (established_call(), CallInput::End(conversation_ended()), vec!["leave", "terminated 200/5003"]),
            (established_call(), CallInput::End(removed()), vec!["leave", "terminated 200/5000"]),
        ] {
            assert_eq!(states(&machine.handle(input, at(2), PATIENCE)), expected);
            assert_eq!(machine.deadline(), None);
            assert!(machine.handle(CallInput::HangUp, at(3), PATIENCE).is_empty(), "terminated is final");
        }
    }

    #[test]
    fn media_that_never_connects_ends_the_call_at_its_deadline() {
        let mut machine = establishing();
        assert_eq!(machine.deadline(), Some(at(20)));
        assert!(machine.handle(CallInput::Timeout, at(19), PATIENCE).is_empty());
        assert_eq!(states(&machine.handle(CallInput::Timeout, at(20), PATIENCE)), ["leave", "terminated 500/1005"]);
    }

    #[test]
    fn keep_alive_moves_the_reaper_by_its_whole_span() {
        let mut machine = established_call();
        assert_eq!(machine.deadline(), Some(at(2700)));
        machine.handle(CallInput::KeepAlive, at(2000), PATIENCE);
        assert!(machine.handle(CallInput::Timeout, at(2700), PATIENCE).is_empty());
        assert_eq!(machine.deadline(), Some(at(4700)));
        assert_eq!(states(&machine.handle(CallInput::Timeout, at(4700), PATIENCE)), ["leave", "terminated 408/8537"]);
    }
}
