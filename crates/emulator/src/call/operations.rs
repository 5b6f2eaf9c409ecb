//! The operations of one call: what runs, what waits its turn, what has ended.
//!
//! Pure; time is an argument. An operation is final when it is answered, or runs and ends by a notification; media
//! operations (prompts, recordings) run one after the other. What has ended by notification is gone; what was final at
//! once stays readable, the oldest forgotten first. Spec: Graph `commsOperation`.

use std::collections::VecDeque;
use std::time::Duration;

use antiphon_graph::operation::OperationKind;
use antiphon_graph::wire::Extra;
use antiphon_graph::{CommsOperation, OperationStatus, ResultInfo};
use uuid::Uuid;

use super::reason;
use crate::clock::ServiceTime;

/// Most operations of a call that may run or wait at once.
const MAX_RUNNING: usize = 256;
/// Most final operations that stay readable.
const MAX_FINAL: usize = 64;

/// When an operation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// So long after it was asked for.
    After(Duration),
    /// So long after the media operations before it have ended.
    InTurn(Duration),
    /// After the media operations before it, and on until it is cancelled.
    InTurnUntilCancelled,
    /// When something else happens.
    External,
}

/// How an operation ends if nothing comes between.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    /// What the end says; absent for many kinds.
    pub(crate) result: Option<ResultInfo>,
    /// Members of the concrete type at its end.
    pub(crate) members: Extra,
}

#[derive(Debug)]
struct Running {
    operation: CommsOperation,
    pace: Pace,
    due: Option<ServiceTime>,
    outcome: Outcome,
}

/// All operations of a call.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    running: VecDeque<Running>,
    finished: VecDeque<CommsOperation>,
}

impl Operations {
    /// An operation that is final when it is answered.
    pub(crate) fn finish_at_once(
        &mut self,
        kind: &OperationKind,
        client_context: Option<String>,
        members: Extra,
    ) -> CommsOperation {
        let operation = fresh(kind, OperationStatus::Completed, client_context, members);
        if self.finished.len() == MAX_FINAL {
            self.finished.pop_front();
        }
        self.finished.push_back(operation.clone());
        operation
    }

    /// An operation that runs; `None` when too many do.
    pub(crate) fn begin(
        &mut self,
        kind: &OperationKind,
        client_context: Option<String>,
        members: Extra,
        (pace, outcome): (Pace, Outcome),
        now: ServiceTime,
    ) -> Option<CommsOperation> {
        if self.running.len() >= MAX_RUNNING {
            return None;
        }
        let operation = fresh(kind, OperationStatus::Running, client_context, members);
        let due = match pace {
            Pace::After(span) => Some(now.after(span)),
            Pace::InTurn(_) | Pace::InTurnUntilCancelled | Pace::External => None,
        };
        self.running.push_back(Running { operation: operation.clone(), pace, due, outcome });
        self.take_turn(now);
        Some(operation)
    }

    /// Whether one more may run; `instead` of the media operations, or beside all there are.
    pub(crate) fn has_room(&self, instead: bool) -> bool {
        self.running.iter().filter(|running| !instead || !running.is_media()).count() < MAX_RUNNING
    }

    /// Everything there is to read, oldest first.
    pub(crate) fn list(&self) -> impl Iterator<Item = &CommsOperation> {
        self.finished.iter().chain(self.running.iter().map(|running| &running.operation))
    }

    /// The next moment at which an operation ends by itself.
    pub(crate) fn deadline(&self) -> Option<ServiceTime> {
        self.running.iter().filter_map(|running| running.due).min()
    }

    /// Ends the operation that was due first, as it was meant to.
    pub(crate) fn end_due(&mut self, now: ServiceTime) -> Option<CommsOperation> {
        let due = |(index, running): (usize, &Running)| Some((running.due.filter(|due| *due <= now)?, index));
        let (_, index) = self.running.iter().enumerate().filter_map(due).min()?;
        let ended = self.running.remove(index)?;
        self.take_turn(ended.due.unwrap_or(now));
        Some(ended.end(OperationStatus::Completed, None))
    }

    /// Ends an operation by its id; `None` if it does not run.
    pub(crate) fn end(
        &mut self,
        id: &str,
        status: OperationStatus,
        result: Option<ResultInfo>,
        now: ServiceTime,
    ) -> Option<CommsOperation> {
        let index = self.running.iter().position(|running| running.operation.id.as_deref() == Some(id))?;
        let ended = self.running.remove(index)?;
        self.take_turn(now);
        Some(ended.end(status, result))
    }

    /// Cancels what runs: the media operations only, or everything because the call ends.
    pub(crate) fn cancel(&mut self, media_only: bool) -> Vec<CommsOperation> {
        let (cancelled, kept): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.running).into_iter().partition(|running| !media_only || running.is_media());
        self.running = kept;
        let failed = |running: Running| {
            let reason = running.cancel_reason();
            let mut operation = running.end(OperationStatus::Failed, Some(reason::operation_cancelled()));
            if let Some(reason) = reason {
                operation.extra.insert("completionReason".to_owned(), reason.into());
            }
            operation
        };
        cancelled.into_iter().map(failed).collect()
    }

    /// When the last of the running operations of a kind will have ended.
    pub(crate) fn last_end(&self, kind: &OperationKind) -> Option<ServiceTime> {
        self.running.iter().filter(|running| running.operation.kind() == *kind).filter_map(|running| running.due).max()
    }

    /// Starts the first media operation in the queue if none before it runs.
    fn take_turn(&mut self, now: ServiceTime) {
        let first = self.running.iter_mut().find(|running| running.is_media());
        if let Some(Running { pace: Pace::InTurn(span), due: due @ None, .. }) = first {
            *due = Some(now.after(*span));
        }
    }
}

impl Running {
    fn is_media(&self) -> bool {
        matches!(self.pace, Pace::InTurn(_) | Pace::InTurnUntilCancelled)
    }

    /// The member by which media operations say in detail how they ended.
    fn cancel_reason(&self) -> Option<&'static str> {
        match self.operation.kind() {
            OperationKind::PlayPrompt | OperationKind::SendDtmfTones => Some("mediaOperationCanceled"),
            OperationKind::Record => Some("operationCanceled"),
            _ => None,
        }
    }

    fn end(self, status: OperationStatus, result: Option<ResultInfo>) -> CommsOperation {
        let mut operation = self.operation;
        if status == OperationStatus::Completed {
            operation.extra.extend(self.outcome.members);
        }
        operation.status = Some(status);
        operation.result_info = result.or(self.outcome.result);
        operation
    }
}

fn fresh(
    kind: &OperationKind,
    status: OperationStatus,
    client_context: Option<String>,
    members: Extra,
) -> CommsOperation {
    CommsOperation { client_context, extra: members, ..CommsOperation::new(kind, Uuid::new_v4().to_string(), status) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> ServiceTime {
        ServiceTime::START.after(Duration::from_secs(seconds))
    }

    fn prompt(operations: &mut Operations, seconds: u64, now: ServiceTime) -> String {
        let pace = Pace::InTurn(Duration::from_secs(seconds));
        let begun = operations.begin(&OperationKind::PlayPrompt, None, Extra::new(), (pace, Outcome::default()), now);
        begun.unwrap().id.unwrap()
    }

    #[test]
    fn media_operations_run_one_after_the_other() {
        let mut operations = Operations::default();
        let first = prompt(&mut operations, 3, at(0));
        let second = prompt(&mut operations, 2, at(1));
        assert_eq!(operations.deadline(), Some(at(3)));
        assert!(operations.end_due(at(2)).is_none());
        let ended = operations.end_due(at(10)).unwrap();
        assert_eq!((ended.id, ended.status), (Some(first), Some(OperationStatus::Completed)));
        assert_eq!(
            operations.deadline(),
            Some(at(5)),
            "the second starts where the first ended, not when somebody looked"
        );
        assert_eq!(operations.end_due(at(10)).unwrap().id, Some(second));
        assert_eq!(operations.list().count(), 0, "what ended is gone");
    }

    #[test]
    fn cancelling_media_spares_everything_else() {
        let mut operations = Operations::default();
        prompt(&mut operations, 3, at(0));
        prompt(&mut operations, 3, at(0));
        let after = (Pace::After(Duration::from_secs(1)), Outcome::default());
        operations.begin(&OperationKind::StartHoldMusic, None, Extra::new(), after, at(0)).unwrap();
        let cancelled = operations.cancel(true);
        assert_eq!(cancelled.len(), 2);
        for operation in cancelled {
            assert_eq!(operation.status, Some(OperationStatus::Failed));
            assert_eq!(operation.result_info.unwrap().subcode, Some(8508));
            assert_eq!(operation.extra["completionReason"], "mediaOperationCanceled");
        }
        assert_eq!(operations.list().map(CommsOperation::kind).collect::<Vec<_>>(), [OperationKind::StartHoldMusic]);
        assert_eq!(operations.cancel(false).len(), 1);
    }

    #[test]
    fn final_operations_stay_readable_and_are_bounded() {
        let mut operations = Operations::default();
        let first = operations.finish_at_once(&OperationKind::MuteParticipant, Some("x".to_owned()), Extra::new());
        assert_eq!(operations.list().next(), Some(&first));
        for _ in 0..MAX_FINAL {
            operations.finish_at_once(&OperationKind::MuteParticipant, None, Extra::new());
        }
        assert_eq!(operations.list().count(), MAX_FINAL);
        assert!(operations.list().all(|operation| operation.id != first.id));
    }

    #[test]
    fn number_of_running_operations_is_bounded() {
        let mut operations = Operations::default();
        let mut begin = || {
            let how = (Pace::External, Outcome::default());
            operations.begin(&OperationKind::InviteParticipants, None, Extra::new(), how, at(0))
        };
        for _ in 0..MAX_RUNNING {
            assert!(begin().is_some());
        }
        assert!(begin().is_none());
    }
}
