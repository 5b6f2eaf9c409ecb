//! The life of one call, seen from the service: a pure state machine.
//!
//! Inputs and the present moment go in, effects come out in the order in which the bot must see them; a deadline says
//! when to ask again. No I/O, no clock. Not shared with any client: the other side keeps a machine of its own.
//! Spec: Graph `callState`, and the published end reasons of `resultInfo`.

use std::time::Duration;

use antiphon_graph::{CallState, MediaState, ResultInfo};

use super::reason;
use crate::clock::ServiceTime;

/// Spans after which the service gives up on a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Without keepAlive.
    pub(crate) keep_alive: Duration,
    /// Without connected media.
    pub(crate) media_setup: Duration,
    /// For a bot to answer.
    pub(crate) answer: Duration,
    /// For a recording bot to answer.
    pub(crate) answer_recording: Duration,
    /// For a person to answer, unless the caller says otherwise.
    pub(crate) ringing: Duration,
    /// For a guest to be let in.
    pub(crate) lobby: Duration,
}

/// What a new leg has to wait for beside its media.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Expectations {
    /// Somebody called must answer.
    pub(crate) callee: bool,
    /// Somebody must let it in.
    pub(crate) admission: bool,
}

/// What an establishing call still waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Waits {
    media_by: Option<ServiceTime>,
    callee: bool,
    admission_by: Option<ServiceTime>,
}

/// Where the call is, and only what holds there.
#[derive(Debug)]
pub(crate) enum CallMachine {
    /// Announced to the bot, which has until then to answer, reject or redirect.
    Incoming { answer_by: ServiceTime },
    /// Accepted; something is still missing. `has_media`: whether there is media at all.
    Establishing { waits: Waits, has_media: bool, keep_alive_by: ServiceTime },
    /// In the conversation.
    Established { keep_alive_by: ServiceTime },
    /// The other end is being passed on to somebody else.
    Transferring { keep_alive_by: ServiceTime },
    /// Passed on unanswered; others ring.
    Redirecting,
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
    /// Whoever was called has answered.
    CalleeAnswered,
    /// Somebody let the guest in.
    Admitted,
    /// The bot answers, with media or without.
    Answer { has_media: bool },
    /// The bot does not want the call.
    Reject,
    /// The bot passes the call on unanswered.
    Redirect,
    /// The bot passes the other end on.
    Transfer,
    /// The transfer worked.
    TransferDone,
    /// A participant was handed over; the bot's own leg goes on.
    HandedOver,
    /// The transfer did not work; the call goes on.
    TransferFailed(ResultInfo),
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
    /// Tell the bot a state, and what goes with it.
    Notify { state: CallState, audio: Option<MediaState>, result: Option<ResultInfo> },
    /// Tell the bot that the call it rejected is gone.
    NotifyRejected,
    /// Show the bot's participant to everybody, and the roster to the bot.
    EnterRoster,
    /// Take the participant, its routes and its media out of the conversation.
    Leave,
}

impl CallMachine {
    /// A call just accepted or placed. With nothing to wait for it is established at once, with audio inactive.
    pub(crate) fn begin(
        has_media: bool,
        expectations: Expectations,
        now: ServiceTime,
        patience: Patience,
    ) -> (Self, Vec<CallEffect>) {
        let waits = Waits {
            media_by: has_media.then(|| now.after(patience.media_setup)),
            callee: expectations.callee,
            admission_by: expectations.admission.then(|| now.after(patience.lobby)),
        };
        let keep_alive_by = now.after(patience.keep_alive);
        let mut machine = Self::Establishing { waits, has_media, keep_alive_by };
        let mut effects = vec![notify(CallState::Establishing)];
        effects.extend(machine.progress());
        (machine, effects)
    }

    /// A call announced to a bot.
    pub(crate) fn incoming(answer_by: ServiceTime) -> Self {
        Self::Incoming { answer_by }
    }

    /// The state as the `call` resource shows it.
    pub(crate) fn state(&self) -> CallState {
        match self {
            Self::Incoming { .. } => CallState::Incoming,
            Self::Establishing { .. } => CallState::Establishing,
            Self::Established { .. } => CallState::Established,
            Self::Transferring { .. } => CallState::Transferring,
            Self::Redirecting => CallState::Redirecting,
            Self::Terminated => CallState::Terminated,
        }
    }

    /// Whether the bot is in the conversation.
    pub(crate) fn is_in_conversation(&self) -> bool {
        matches!(self, Self::Established { .. } | Self::Transferring { .. })
    }

    /// Whether somebody still has to let the bot in.
    pub(crate) fn is_in_lobby(&self) -> bool {
        matches!(self, Self::Establishing { waits: Waits { admission_by: Some(_), .. }, .. })
    }

    /// The next moment at which [`CallInput::Timeout`] has an effect.
    pub(crate) fn deadline(&self) -> Option<ServiceTime> {
        match self {
            Self::Incoming { answer_by } => Some(*answer_by),
            Self::Establishing { waits, keep_alive_by, .. } => {
                [waits.media_by, waits.admission_by, Some(*keep_alive_by)].into_iter().flatten().min()
            }
            Self::Established { keep_alive_by } | Self::Transferring { keep_alive_by } => Some(*keep_alive_by),
            Self::Redirecting | Self::Terminated => None,
        }
    }

    /// Takes an input at `now`; what comes out must be done in order. An input that makes no sense in the state is
    /// without effect: whoever asks for it checks the state first.
    pub(crate) fn handle(&mut self, input: CallInput, now: ServiceTime, patience: Patience) -> Vec<CallEffect> {
        use CallInput as In;
        match (&mut *self, input) {
            (Self::Terminated, _) => Vec::new(),
            (_, In::End(result)) => self.end(result, false),
            (_, In::HangUp) => self.end(reason::hung_up(), true),
            (Self::Incoming { .. }, In::Reject) => {
                *self = Self::Terminated;
                vec![CallEffect::Leave, CallEffect::NotifyRejected]
            }
            (Self::Incoming { .. }, In::Redirect) => {
                *self = Self::Redirecting;
                Vec::new()
            }
            (Self::Incoming { .. }, In::Answer { has_media }) => {
                let (machine, effects) = Self::begin(has_media, Expectations::default(), now, patience);
                *self = machine;
                effects
            }
            (Self::Establishing { waits, .. }, In::MediaConnected) => {
                waits.media_by = None;
                self.progress()
            }
            (Self::Establishing { waits, .. }, In::CalleeAnswered) => {
                waits.callee = false;
                self.progress()
            }
            (Self::Establishing { waits, .. }, In::Admitted) => {
                waits.admission_by = None;
                self.progress()
            }
            (Self::Establishing { .. }, In::MediaLost) => self.end(reason::media_never_connected(), false),
            (Self::Established { .. } | Self::Transferring { .. }, In::MediaLost) => {
                self.end(reason::media_lost(), false)
            }
            (Self::Established { keep_alive_by }, In::Transfer) => {
                let keep_alive_by = *keep_alive_by;
                *self = Self::Transferring { keep_alive_by };
                vec![notify(CallState::Transferring)]
            }
            (Self::Transferring { .. }, In::TransferDone) => {
                let inactive = Some(MediaState::Inactive);
                let mut effects =
                    vec![CallEffect::Notify { state: CallState::TransferAccepted, audio: inactive, result: None }];
                effects.extend(self.end(reason::transferred(), false));
                effects
            }
            (Self::Transferring { keep_alive_by }, In::HandedOver) => {
                let keep_alive_by = *keep_alive_by;
                *self = Self::Established { keep_alive_by };
                vec![notify(CallState::TransferAccepted), notify(CallState::Established)]
            }
            (Self::Transferring { keep_alive_by }, In::TransferFailed(result)) => {
                let keep_alive_by = *keep_alive_by;
                *self = Self::Established { keep_alive_by };
                vec![CallEffect::Notify { state: CallState::Established, audio: None, result: Some(result) }]
            }
            (
                Self::Establishing { keep_alive_by, .. }
                | Self::Established { keep_alive_by }
                | Self::Transferring { keep_alive_by },
                In::KeepAlive,
            ) => {
                *keep_alive_by = now.after(patience.keep_alive);
                Vec::new()
            }
            (_, In::Timeout) => self.time_out(now),
            _ => Vec::new(),
        }
    }

    fn time_out(&mut self, now: ServiceTime) -> Vec<CallEffect> {
        let due = |deadline: ServiceTime| deadline <= now;
        let result = match self {
            Self::Incoming { answer_by } if due(*answer_by) => reason::not_answered(),
            Self::Establishing { waits, .. } if waits.media_by.is_some_and(due) => reason::media_never_connected(),
            Self::Establishing { waits, .. } if waits.admission_by.is_some_and(due) => reason::not_admitted(),
            Self::Establishing { keep_alive_by, .. }
            | Self::Established { keep_alive_by }
            | Self::Transferring { keep_alive_by }
                if due(*keep_alive_by) =>
            {
                reason::not_kept_alive()
            }
            _ => return Vec::new(),
        };
        self.end(result, false)
    }

    /// Goes on to established when nothing is waited for any more.
    fn progress(&mut self) -> Vec<CallEffect> {
        match *self {
            Self::Establishing { waits, has_media, keep_alive_by } if waits == Waits::default() => {
                *self = Self::Established { keep_alive_by };
                let audio = Some(if has_media { MediaState::Active } else { MediaState::Inactive });
                let established = CallEffect::Notify { state: CallState::Established, audio, result: None };
                vec![established, CallEffect::EnterRoster]
            }
            _ => Vec::new(),
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

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        keep_alive: Duration::from_secs(2700),
        media_setup: Duration::from_secs(20),
        answer: Duration::from_secs(15),
        answer_recording: Duration::from_secs(5),
        ringing: Duration::from_secs(60),
        lobby: Duration::from_secs(600),
    };

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
                CallEffect::NotifyRejected => "rejected".to_owned(),
                CallEffect::EnterRoster => "enter".to_owned(),
                CallEffect::Leave => "leave".to_owned(),
            })
            .collect()
    }

    fn begun(callee: bool, admission: bool) -> CallMachine {
        CallMachine::begin(true, Expectations { callee, admission }, at(0), PATIENCE).0
    }

    fn establishing() -> CallMachine {
        begun(false, false)
    }

    fn established_call() -> CallMachine {
        let mut machine = establishing();
        machine.handle(CallInput::MediaConnected, at(1), PATIENCE);
        machine
    }

    fn transferring() -> CallMachine {
        let mut machine = established_call();
        assert_eq!(states(&machine.handle(CallInput::Transfer, at(1), PATIENCE)), ["transferring"]);
        machine
    }

    #[test]
    fn call_is_established_once_when_media_connects() {
        let (mut machine, begun) = CallMachine::begin(true, Expectations::default(), at(0), PATIENCE);
        assert_eq!(states(&begun), ["establishing"]);
        assert_eq!(states(&machine.handle(CallInput::MediaConnected, at(1), PATIENCE)), ["established", "enter"]);
        assert!(machine.handle(CallInput::MediaConnected, at(2), PATIENCE).is_empty());
    }

    #[test]
    fn call_without_media_is_established_at_once_with_audio_inactive() {
        let (machine, begun) = CallMachine::begin(false, Expectations::default(), at(0), PATIENCE);
        assert_eq!(states(&begun), ["establishing", "established", "enter"]);
        assert!(matches!(&begun[1], CallEffect::Notify { audio: Some(MediaState::Inactive), .. }));
        assert_eq!(machine.state(), CallState::Established);
    }

    #[test]
    fn call_waits_for_media_and_callee_in_either_order() {
        for inputs in [
            [CallInput::MediaConnected, CallInput::CalleeAnswered],
            [CallInput::CalleeAnswered, CallInput::MediaConnected],
        ] {
            let mut machine = begun(true, false);
            let [first, second] = inputs;
            assert!(machine.handle(first, at(1), PATIENCE).is_empty());
            assert_eq!(states(&machine.handle(second, at(2), PATIENCE)), ["established", "enter"]);
        }
    }

    #[test]
    fn guest_waits_in_the_lobby_until_let_in_or_forgotten() {
        let mut machine = begun(false, true);
        assert!(machine.handle(CallInput::MediaConnected, at(1), PATIENCE).is_empty());
        assert!(machine.is_in_lobby());
        assert_eq!(states(&machine.handle(CallInput::Admitted, at(599), PATIENCE)), ["established", "enter"]);

        let mut machine = begun(false, true);
        machine.handle(CallInput::MediaConnected, at(1), PATIENCE);
        assert_eq!(machine.deadline(), Some(at(600)));
        assert!(machine.handle(CallInput::Timeout, at(599), PATIENCE).is_empty());
        assert_eq!(states(&machine.handle(CallInput::Timeout, at(600), PATIENCE)), ["leave", "terminated 200/5855"]);
    }

    #[test]
    fn incoming_call_is_answered_rejected_redirected_or_forgotten() {
        let incoming = || CallMachine::incoming(at(15));
        let mut machine = incoming();
        assert_eq!(states(&machine.handle(CallInput::Answer { has_media: true }, at(14), PATIENCE)), ["establishing"]);
        assert_eq!(machine.deadline(), Some(at(34)), "answering ends the time to answer and starts that of media");

        let mut machine = incoming();
        assert_eq!(states(&machine.handle(CallInput::Reject, at(1), PATIENCE)), ["leave", "rejected"]);
        assert_eq!(machine.state(), CallState::Terminated);

        let mut machine = incoming();
        assert!(machine.handle(CallInput::Redirect, at(1), PATIENCE).is_empty());
        assert_eq!((machine.state(), machine.deadline()), (CallState::Redirecting, None));

        let mut machine = incoming();
        assert!(machine.handle(CallInput::Timeout, at(14), PATIENCE).is_empty());
        assert_eq!(states(&machine.handle(CallInput::Timeout, at(15), PATIENCE)), ["leave", "terminated 408/10057"]);
    }

    #[test]
    fn transfer_ends_the_call_or_gives_it_back() {
        let mut done = transferring();
        let effects = done.handle(CallInput::TransferDone, at(2), PATIENCE);
        assert_eq!(states(&effects), ["transferAccepted", "leave", "terminated 0/7015"]);
        let mut failed = transferring();
        let effects = failed.handle(CallInput::TransferFailed(reason::blind_transfer_failed()), at(2), PATIENCE);
        assert_eq!(states(&effects), ["established 500/7000"]);
        assert_eq!(failed.state(), CallState::Established);
        let effects = transferring().handle(CallInput::HandedOver, at(2), PATIENCE);
        assert_eq!(states(&effects), ["transferAccepted", "established"]);
        assert_eq!(states(&failed.handle(CallInput::HangUp, at(3), PATIENCE)).len(), 3);
    }

    #[test]
    fn each_end_has_its_published_reason() {
        for (mut machine, input, expected) in [
            (establishing(), CallInput::MediaLost, vec!["leave", "terminated 500/1005"]),
            (established_call(), CallInput::MediaLost, vec!["leave", "terminated 410/301005"]),
            (transferring(), CallInput::MediaLost, vec!["leave", "terminated 410/301005"]),
            (established_call(), CallInput::HangUp, vec!["leave", "terminating", "terminated 200/7000"]),
            (establishing(), CallInput::HangUp, vec!["leave", "terminating", "terminated 200/7000"]),
            (established_call(), CallInput::End(reason::conversation_ended()), vec!["leave", "terminated 200/5003"]),
            (established_call(), CallInput::End(reason::removed()), vec!["leave", "terminated 200/5000"]),
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
