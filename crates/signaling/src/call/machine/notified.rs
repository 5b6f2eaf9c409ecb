//! What notifications, and calls read from the service, do to the machine.
//!
//! Each kind of resource has its rule against repetition and disorder: states
//! by their rank, rosters by sequence numbers, operations, tones, joinings and
//! sharing sessions by their ids. What the rules cannot decide is looked up.

use std::time::Instant;

use antiphon_graph::blob::{BlobKind, SdpType};
use antiphon_graph::wire::{Object, type_name};
use antiphon_graph::{
    CallMediaState, CallState, CallTranscriptionInfo, ChangeType, CommsNotification, CommsOperation,
    ContentSharingSession, MediaConfig, Participant, RecordingStatus, ResourceData, ResourcePath, ResultInfo, ToneInfo,
};
use serde_json::Value;

use super::{CallMachine, MAX_EARLY, MediaAnswer, Stage};
use crate::call::event::{CallEvent, EndCause, NoMedia};
use crate::call::merge::{is_behind, member, rank};
use crate::call::roster::{RosterChange, Whole};
use crate::call::seen::canonical;
use crate::call::sharing::SharingChange;
use crate::call::timers::Timer;

impl CallMachine {
    /// A notification about this call.
    pub fn handle_notification(&mut self, notification: CommsNotification, now: Instant) {
        if self.ended {
            self.counters.after_end += 1;
            return;
        }
        let Some(id) = &self.id else {
            if self.early.len() == MAX_EARLY {
                self.counters.early_dropped += 1;
            } else {
                self.early.push_back(notification);
            }
            return;
        };
        let Ok(path) = notification.path() else {
            self.counters.malformed += 1;
            return;
        };
        if path.call_id() != Some(id) {
            self.counters.foreign += 1;
            return;
        }
        let (change, data) = (notification.change_type, notification.resource_data);
        if self.is_about_joining(&data) {
            return;
        }
        match path {
            ResourcePath::Call(_) => {
                self.notified += 1;
                let nothing = Object::new();
                let entities = data.entities();
                self.counters.malformed += entities.len().saturating_sub(1) as u64;
                let deleted = change == Some(ChangeType::Deleted);
                self.merge_call(entities.first().unwrap_or(&nothing), deleted, now);
            }
            ResourcePath::Participants(_) if !data.is_absent() => {
                let (change, whole, malformed) = self.roster.apply(data.entities());
                self.counters.malformed += malformed;
                let settles = self.roster.is_snapshot() && !change.is_empty();
                self.tell_roster(change);
                match whole {
                    // Whole rosters have no order: once no more come, one look tells whether the last was the newest.
                    Whole::Yes if settles => self.timers.set(Timer::Reconcile, now + 3 * self.config.reconcile_after),
                    Whole::Yes if self.roster.is_snapshot() && self.roster.updates() > 1 => {}
                    Whole::Yes => self.timers.stop(Timer::Reconcile),
                    Whole::No => self.timers.set_by(Timer::Reconcile, now + self.config.reconcile_after),
                }
            }
            ResourcePath::Participant(_, participant) => {
                let change = match (change, data.entities()) {
                    (Some(ChangeType::Deleted), _) => self.roster.remove_one(&participant),
                    (_, [entity]) => match read::<Participant>(entity) {
                        Some(participant) => self.roster.apply_one(participant),
                        None => return self.counters.malformed += 1,
                    },
                    _ => return self.counters.malformed += 1,
                };
                self.tell_roster(change);
            }
            ResourcePath::Operation(..) | ResourcePath::Operations(_) => {
                let named = match path {
                    ResourcePath::Operation(_, operation) => Some(operation),
                    _ => None,
                };
                self.operations(named.as_deref(), change == Some(ChangeType::Deleted), &data);
            }
            ResourcePath::ContentSharingSessions(_) => self.shared(None, change.as_ref(), &data),
            ResourcePath::ContentSharingSession(_, session) => self.shared(Some(session), change.as_ref(), &data),
            _ => self.counters.unknown += 1,
        }
    }

    /// Merges a whole or partial call from a reply or notification.
    pub(super) fn merge_call(&mut self, entity: &Object, deleted: bool, now: Instant) {
        let told: Option<CallState> = member(entity, "state");
        // A deleted call without a state (after a reject) is over as well.
        let told = if deleted { Some(CallState::Terminated) } else { told };
        let late = told.as_ref().is_some_and(|told| is_behind(told, &self.state));
        let last = told == Some(CallState::Terminated);
        self.counters.regressed += u64::from(late);
        self.resource.merge(entity, late, last);
        if let Some(tone) = member(entity, "toneInfo") {
            self.tone(tone);
        }
        if last {
            return self.end(EndCause::Notified(member(entity, "resultInfo")));
        }
        self.look_for_answer(entity);
        if let Some(told) = told.filter(|told| !late && *told != self.state) {
            self.enter(told, now);
        }
        self.transcribed(entity);
        if late {
            return;
        }
        let media = member::<CallMediaState>(entity, "mediaState").and_then(|media| media.audio);
        if let Some(audio) = media.filter(|audio| self.media.as_ref() != Some(audio)) {
            self.media = Some(audio.clone());
            self.tell(CallEvent::Media(audio));
        }
        let failed = member::<ResultInfo>(entity, "resultInfo").filter(|result| !result.is_normal());
        let is_back = self.transferring && self.state == CallState::Established;
        if let Some(result) = failed.filter(|result| is_back && self.failed_transfer.as_ref() != Some(result)) {
            self.transferring = false;
            self.failed_transfer = Some(result.clone());
            self.tell(CallEvent::TransferFailed(result));
        }
    }

    fn enter(&mut self, state: CallState, now: Instant) {
        let before = std::mem::replace(&mut self.state, state.clone());
        if matches!(state, CallState::Transferring | CallState::TransferAccepted) {
            self.transferring = true;
        }
        if state == CallState::Transferring {
            self.failed_transfer = None;
        }
        self.tell(CallEvent::State(state));
        let lasting = rank(&CallState::Established);
        let answered = rank(&CallState::Establishing)..=lasting;
        if matches!(self.stage, Stage::Offered | Stage::Deciding(_)) && answered.contains(&rank(&self.state)) {
            // The reply that says so is late or lost.
            self.take_over(now);
        }
        if rank(&self.state) >= lasting {
            self.timers.stop(Timer::Establish);
        }
        if self.is_passing() || rank(&before) >= lasting {
            // The second: among states of one rank the order of notifications
            // cannot be told, so what the call came to is looked at once.
            self.timers.set_by(Timer::Check, now + self.config.check_every);
        } else {
            self.timers.stop(Timer::Check);
        }
        if self.state != CallState::Established {
            return;
        }
        self.miss_answer();
        if self.roster.updates() == 0 && !self.timers.is_set(Timer::Reconcile) {
            // The first roster follows shortly; if it is lost, ask.
            self.timers.set(Timer::Reconcile, now + 3 * self.config.reconcile_after);
        }
    }

    /// The call is established: if no media answer came, look for one, and if
    /// that is done or useless, say so.
    pub(super) fn miss_answer(&mut self) {
        if self.offered_blob.is_none() || self.state != CallState::Established {
            return;
        }
        let why = self.why_no_answer();
        match self.answer {
            MediaAnswer::Waiting if why == NoMedia::Absent => {
                self.answer = MediaAnswer::Looking;
                self.look();
            }
            MediaAnswer::Waiting | MediaAnswer::Looking => {
                self.answer = MediaAnswer::ToldNone;
                self.tell(CallEvent::NoMediaAnswer(why));
            }
            MediaAnswer::ToldNone | MediaAnswer::Told => {}
        }
    }

    fn look_for_answer(&mut self, entity: &Object) {
        if self.answer == MediaAnswer::Told {
            return;
        }
        let config: Option<MediaConfig> = member(entity, "mediaConfig");
        let Some(BlobKind::Antiphon(blob)) = config.as_ref().and_then(MediaConfig::blob).map(|blob| blob.kind()) else {
            return;
        };
        if blob.antiphon.sdp_type == SdpType::Answer {
            self.answer = MediaAnswer::Told;
            self.tell(CallEvent::MediaAnswer(blob));
        }
    }

    fn why_no_answer(&self) -> NoMedia {
        let config: Option<MediaConfig> = self.resource.member("mediaConfig");
        let Some(blob) = config.as_ref().and_then(MediaConfig::blob) else { return NoMedia::Absent };
        if self.offered_blob.as_deref() == Some(blob.as_str()) {
            return NoMedia::Echo;
        }
        match blob.kind() {
            BlobKind::Opaque(reason) => NoMedia::Opaque(reason),
            _ => NoMedia::Echo,
        }
    }

    fn tone(&mut self, tone: ToneInfo) {
        if tone.sequence_id.is_none_or(|sequence| self.tones.insert(sequence)) {
            self.tell(CallEvent::Tone(tone));
        }
    }

    /// Tells the transcription if this notification changed it.
    fn transcribed(&mut self, entity: &Object) {
        let told: Option<CallTranscriptionInfo> = member(entity, "transcription");
        // One that is older than what is known was not merged.
        let told = told.filter(|told| self.resource.member("transcription").as_ref() == Some(told));
        if let Some(told) = told.filter(|told| self.transcription.as_ref() != Some(told)) {
            self.transcription = Some(told.clone());
            self.tell(CallEvent::Transcription(told));
        }
    }

    fn operations(&mut self, named: Option<&str>, deleted: bool, data: &ResourceData) {
        for entity in data.entities() {
            let Some(operation) = read::<CommsOperation>(entity) else {
                self.counters.malformed += 1;
                continue;
            };
            if !deleted && !operation.is_finished() {
                self.tell(CallEvent::OperationProgress(Box::new(operation)));
                continue;
            }
            // Some paths end in what the operation is about, `participants` say, not in its id.
            let named = named.filter(|named| named.bytes().any(|byte| byte.is_ascii_digit()));
            let key = operation.id.as_deref().or(operation.client_context.as_deref()).or(named);
            if key.is_none_or(|key| self.operations.insert(canonical(key))) {
                self.tell(CallEvent::Operation(Box::new(operation)));
            }
        }
    }

    fn shared(&mut self, named: Option<String>, change: Option<&ChangeType>, data: &ResourceData) {
        let mut sessions: Vec<ContentSharingSession> = Vec::new();
        for entity in data.entities() {
            match read(entity) {
                Some(session) => sessions.push(session),
                None => self.counters.malformed += 1,
            }
        }
        // A session named by the path alone: the rest has to be asked for.
        let mut nameless = false;
        if let Some(named) = named {
            nameless = sessions.is_empty() && change != Some(&ChangeType::Deleted);
            match &mut sessions[..] {
                [] if !nameless => sessions.push(ContentSharingSession::of(named)),
                [one] if one.id.is_none() => one.id = Some(named),
                _ => {}
            }
        }
        let (change, others) = self.sharing.apply(change, sessions);
        self.tell_sharing(change);
        if nameless || others {
            self.refresh_sharing();
        }
    }

    /// Takes notifications about participants under a recording policy, which
    /// are told by type: where their path leads is not published.
    fn is_about_joining(&mut self, data: &ResourceData) -> bool {
        let [entity] = data.entities() else { return false };
        let Some(name) = entity.get("@odata.type").and_then(Value::as_str).map(type_name) else { return false };
        let joining = name.eq_ignore_ascii_case("participantJoiningNotification");
        if !joining && !name.eq_ignore_ascii_case("participantLeftNotification") {
            return false;
        }
        let id = entity.get("id").and_then(Value::as_str);
        if id.is_some_and(|id| !self.joinings.insert(format!("{joining}{}", canonical(id)))) {
            return true;
        }
        let event = if joining {
            read(entity).map(|one| CallEvent::ParticipantJoining(Box::new(one)))
        } else {
            read(entity).map(|one| CallEvent::ParticipantLeft(Box::new(one)))
        };
        match event {
            Some(event) => self.tell(event),
            None => self.counters.malformed += 1,
        }
        true
    }

    pub(super) fn tell_sharing(&mut self, change: SharingChange) {
        if !change.is_empty() {
            self.tell(CallEvent::ContentSharing(change));
        }
    }

    pub(super) fn tell_roster(&mut self, change: RosterChange) {
        if change.is_empty() {
            return;
        }
        for gone in &change.left {
            self.recording.remove(&gone.id);
        }
        let present = change.joined.iter().chain(&change.updated);
        let recording: Vec<_> = present
            .filter_map(|one| Some((one.id.clone(), one.recording_info.as_ref()?.recording_status.clone()?)))
            .filter(|(id, status)| match self.recording.get(id) {
                Some(known) => known != status,
                // Saying at first that one does not record is no change.
                None => !matches!(status, RecordingStatus::NotRecording | RecordingStatus::Unspecified),
            })
            .collect();
        self.tell(CallEvent::Roster(change));
        for (id, status) in recording {
            self.recording.insert(id.clone(), status.clone());
            self.tell(CallEvent::Recording(id, status));
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(entity: &Object) -> Option<T> {
    serde_json::from_value(Value::Object(entity.clone())).ok()
}
