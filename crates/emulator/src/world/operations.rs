//! Operations of calls: begun, ended, told.
//!
//! Part of [`World`]. The list itself is `call::operations`; here its ends become notifications. An operation that was
//! final when answered is not told again.

use std::time::Duration;

use antiphon_graph::operation::OperationKind;
use antiphon_graph::wire::Extra;
use antiphon_graph::{CallId, CommsOperation, OperationStatus, ResultInfo};

use super::World;
use crate::call::{Outcome, Pace};
use crate::clock::ServiceTime;
use crate::notify::Notification;

/// How long an operation takes that has nothing to wait for: long enough to be told after the answer to its request.
pub(super) const A_MOMENT: Duration = Duration::from_millis(200);

impl World {
    /// An operation that is final when it is answered.
    pub(crate) fn finish_at_once(
        &mut self,
        id: &CallId,
        kind: &OperationKind,
        client_context: Option<String>,
        members: Extra,
    ) -> Option<CommsOperation> {
        Some(self.calls.get_mut(id)?.operations.finish_at_once(kind, client_context, members))
    }

    /// An operation that runs; its end is told. `None` when too many run.
    pub(crate) fn begin_operation(
        &mut self,
        id: &CallId,
        kind: &OperationKind,
        client_context: Option<String>,
        members: Extra,
        how: (Pace, Outcome),
        now: ServiceTime,
    ) -> Option<CommsOperation> {
        self.calls.get_mut(id)?.operations.begin(kind, client_context, members, how, now)
    }

    /// Ends an operation before its time; without effect if it does not run.
    pub(crate) fn end_operation(
        &mut self,
        id: &CallId,
        operation: &str,
        status: OperationStatus,
        result: Option<ResultInfo>,
        now: ServiceTime,
    ) {
        self.tell(id, |call| {
            let ended = call.operations.end(operation, status, result, now)?;
            Some(Notification::operation(&call.id, &ended))
        });
    }

    /// Cancels all prompts and recordings of a call.
    pub(crate) fn cancel_media(&mut self, id: &CallId) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        for operation in call.operations.cancel(true) {
            self.tell(id, |call| Some(Notification::operation(&call.id, &operation)));
        }
    }

    /// Tells that an operation has ended, by itself or with its call, and does what follows from it.
    pub(super) fn operation_over(&mut self, id: &CallId, operation: &CommsOperation, now: ServiceTime) {
        self.tell(id, |call| Some(Notification::operation(&call.id, operation)));
        self.follow_meeting_action(id, operation, now);
    }

    /// Ends what is due.
    pub(super) fn advance_operations(&mut self, now: ServiceTime) {
        let due: Vec<CallId> = self
            .calls
            .values()
            .filter(|call| call.operations.deadline().is_some_and(|deadline| deadline <= now))
            .map(|call| call.id.clone())
            .collect();
        for id in due {
            while let Some(ended) = self.calls.get_mut(&id).and_then(|call| call.operations.end_due(now)) {
                self.operation_over(&id, &ended, now);
                self.take_effect(&id, &ended);
            }
        }
    }

    /// What an operation was for happens when it has ended by itself.
    fn take_effect(&mut self, id: &CallId, ended: &CommsOperation) {
        match ended.kind() {
            OperationKind::StartHoldMusic | OperationKind::StopHoldMusic => self.hold_changes(id, ended),
            _ => {}
        }
    }
}
