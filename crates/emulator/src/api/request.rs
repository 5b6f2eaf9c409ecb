//! A Graph request as handlers see it: authenticated, routed, its body read.

use antiphon_graph::model::{Strictness, check, check_parameters};
use antiphon_graph::wire::Version;
use antiphon_graph::{CallId, CallState, CommsOperation, ParticipantId, encode_segment};
use bytes::Bytes;
use http::StatusCode;
use serde::Deserializer;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{ApiError, Reply};
use crate::call::Call;
use crate::entra::Caller;
use crate::world::World;

/// A request whose token, path and role have been checked.
#[derive(Debug)]
pub(crate) struct ApiRequest {
    pub(crate) version: Version,
    /// The ids in the path, decoded, in order.
    pub(crate) ids: Vec<String>,
    pub(crate) body: Bytes,
    pub(crate) caller: Caller,
    /// Scheme and host the caller used.
    pub(crate) base: String,
    /// The GUID some clients send with every request of one call.
    pub(crate) scenario_id: Option<String>,
    /// Whether the client said what it is.
    pub(crate) has_user_agent: bool,
}

impl ApiRequest {
    /// The call the path names.
    pub(crate) fn call_id(&self) -> CallId {
        CallId::new(self.ids.first().map(String::as_str).unwrap_or_default())
    }

    /// The participant the path names below the call.
    pub(crate) fn participant_id(&self) -> ParticipantId {
        ParticipantId::new(self.item_id())
    }

    /// The second id of the path.
    pub(crate) fn item_id(&self) -> &str {
        self.ids.get(1).map(String::as_str).unwrap_or_default()
    }

    /// The body as JSON; an absent one is `{}`.
    ///
    /// # Errors
    ///
    /// 400 when it is no JSON or not of the resource's shape.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        let mut reader = serde_json::Deserializer::from_slice(body);
        let read = read(&mut reader)?;
        reader.end().map_err(|error| ApiError::invalid(format!("Unable to read JSON request payload: {error}.")))?;
        Ok(read)
    }

    /// The body as the parameters of an action.
    ///
    /// # Errors
    ///
    /// 400 when it is no JSON, or a member is not of the kind the model declares or lacks what it needs inside. Which
    /// parameters the action cannot do without is left to the handler.
    pub(crate) fn parameters<T: DeserializeOwned>(&self, action: &str) -> Result<T, ApiError> {
        let body: Value = self.json()?;
        match check_parameters(self.version, action, &body).into_iter().next() {
            Some(fault) => Err(ApiError::invalid(format!("{fault}.")).about(fault.path)),
            None => read(body),
        }
    }

    /// The body as a resource of a type.
    ///
    /// # Errors
    ///
    /// As [`ApiRequest::parameters`].
    pub(crate) fn resource<T: DeserializeOwned>(&self, type_name: &str) -> Result<T, ApiError> {
        let body: Value = self.json()?;
        match check(self.version, type_name, Strictness::Request, &body).into_iter().next() {
            Some(fault) => Err(ApiError::invalid(format!("{fault}.")).about(fault.path)),
            None => read(body),
        }
    }

    /// The call the path names, if it is in progress, the caller's own, and of the token's tenant.
    ///
    /// # Errors
    ///
    /// 404 (another application's call does not exist), 403 code 7505.
    pub(crate) fn own_call<'a>(&self, world: &'a World) -> Result<&'a Call, ApiError> {
        let call = world.own_call(&self.call_id(), &self.caller).ok_or_else(ApiError::call_not_found)?;
        if call.tenant_id != self.caller.tenant_id {
            return Err(ApiError::tenant_mismatch());
        }
        Ok(call)
    }

    /// The caller's own call, which must still wait for an answer.
    ///
    /// # Errors
    ///
    /// As [`ApiRequest::own_call`]; 409 in any other state.
    pub(crate) fn own_incoming_call<'a>(&self, world: &'a World) -> Result<&'a Call, ApiError> {
        self.own_call_in(world, &CallState::Incoming)
    }

    /// The caller's own call, which must be established.
    ///
    /// # Errors
    ///
    /// As [`ApiRequest::own_call`]; 409 in any other state.
    pub(crate) fn own_established_call<'a>(&self, world: &'a World) -> Result<&'a Call, ApiError> {
        self.own_call_in(world, &CallState::Established)
    }

    /// The caller's own call, which must be established in a conversation that has a roster.
    ///
    /// # Errors
    ///
    /// As [`ApiRequest::own_established_call`]; 400 for a peer-to-peer call.
    pub(crate) fn own_group_call<'a>(&self, world: &'a World) -> Result<&'a Call, ApiError> {
        with_roster(world, self.own_established_call(world)?)
    }

    /// As [`ApiRequest::own_group_call`], in any state.
    ///
    /// # Errors
    ///
    /// As [`ApiRequest::own_call`]; 400 for a peer-to-peer call.
    pub(crate) fn own_group_call_in_any_state<'a>(&self, world: &'a World) -> Result<&'a Call, ApiError> {
        with_roster(world, self.own_call(world)?)
    }

    /// The caller's own group call and, as the conversation spells it, the participant the path names.
    ///
    /// # Errors
    ///
    /// As [`ApiRequest::own_group_call`]; 404 when there is no such participant.
    pub(crate) fn own_participant(&self, world: &World) -> Result<(CallId, ParticipantId), ApiError> {
        let call = self.own_group_call(world)?;
        let member = world.participant_of(call, &self.participant_id()).ok_or_else(ApiError::no_participant)?;
        Ok((call.id.clone(), member.id.clone()))
    }

    fn own_call_in<'a>(&self, world: &'a World, needed: &CallState) -> Result<&'a Call, ApiError> {
        let call = self.own_call(world)?;
        let state = call.machine.state();
        if state == *needed {
            return Ok(call);
        }
        let (state, needed) = (state.as_str(), needed.as_str());
        Err(ApiError::wrong_state(format!("The call is {state}; this needs a call that is {needed}.")))
    }

    /// Absolute URL of a call, in the version and under the host the caller used.
    pub(crate) fn call_url(&self, call: &CallId) -> String {
        let version = self.version.as_str();
        format!("{}/{version}/communications/calls/{}", self.base, encode_segment(call.as_str()))
    }

    /// The answer to an action that makes an operation: the operation, and where it is.
    pub(crate) fn operation_reply(&self, status: StatusCode, call: &CallId, operation: &CommsOperation) -> Reply {
        let id = operation.id.as_deref().unwrap_or_default();
        let location = format!("{}/operations/{}", self.call_url(call), encode_segment(id));
        let mut operation = operation.clone();
        let context = self.context(operation.kind().as_str());
        operation.extra.insert("@odata.context".to_owned(), context.into());
        Reply::json(status, &operation).location(&location)
    }

    /// `@odata.context` of something.
    pub(crate) fn context(&self, of: &str) -> String {
        format!("{}/{}/$metadata#{of}", self.base, self.version.as_str())
    }
}

/// The call, if its conversation has a roster.
fn with_roster<'a>(world: &World, call: &'a Call) -> Result<&'a Call, ApiError> {
    match world.meeting_of(call) {
        Some(meeting) if meeting.is_peer_to_peer() => {
            Err(ApiError::invalid("This is for group calls and meetings; the call is a peer-to-peer call."))
        }
        _ => Ok(call),
    }
}

/// Reads JSON; an error names the member at fault.
fn read<'de, T, D>(reader: D) -> Result<T, ApiError>
where
    T: DeserializeOwned,
    D: Deserializer<'de, Error = serde_json::Error>,
{
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let path = error.path().to_string();
        let invalid = ApiError::invalid(format!("Unable to read JSON request payload: {error}."));
        // A syntax error has a position, not a path.
        if error.inner().is_data() && path != "." { invalid.about(path) } else { invalid }
    })
}
