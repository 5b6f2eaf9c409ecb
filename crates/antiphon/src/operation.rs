//! Operations: what the service does for a call and may take a while over.
//!
//! An [`Operation`] is the handle on one, from the service's first answer to its end. Ends come as notifications,
//! maybe before the answer; they are told apart by the client context, which is made up here, or by id. A
//! notification that is lost is made up for by asking. Bounded: ends that nobody waits for are few and soon forgotten.
//! Threads: any; the lock is never held across an await.

use crate::CallEnded;
use crate::line::Line;
use antiphon_graph::{CommsOperation, ResultInfo};
use antiphon_signaling::client::{GraphError, GraphErrorKind, Missing};
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Ends kept for answers that have not come yet.
const MAX_RECENT: usize = 64;

/// How often a running operation is asked about, in case its end was lost.
const ASK_EVERY: Duration = Duration::from_secs(30);

/// An operation did not end well.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum OperationError {
    /// The service says it failed.
    #[error("the operation failed: {}", explain(.0.result_info.as_ref()))]
    Failed(Box<CommsOperation>),
    /// The call ended before it did.
    #[error(transparent)]
    CallEnded(CallEnded),
    /// It has ended, and the service does not know any more how.
    #[error("the operation has ended, but how was lost")]
    Lost,
    /// The service told its end in a form its type does not have.
    #[error("the operation's end cannot be read: {0}")]
    Unreadable(String),
}

fn explain(result: Option<&ResultInfo>) -> String {
    let Some(result) = result else { return "no reason was given".to_owned() };
    let (code, subcode) = (result.code.unwrap_or_default(), result.subcode.unwrap_or_default());
    format!("{code}/{subcode} ({})", result.message.as_deref().unwrap_or("no message"))
}

/// An operation that the service took on.
///
/// Dropping it does not stop the operation; it is only not waited for.
#[derive(Debug)]
pub struct Operation<T> {
    line: Arc<Line>,
    started: T,
    operation: CommsOperation,
    ticket: Ticket,
}

impl<T> Operation<T> {
    /// The operation as the service first answered.
    pub fn started(&self) -> &T {
        &self.started
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.operation.id.as_deref()
    }
}

impl<T: DeserializeOwned> Operation<T> {
    /// Waits for its end. Cancelled, the end is not waited for any more.
    ///
    /// # Errors
    /// [`OperationError`]: it failed, or the call ended before it did.
    pub async fn finished(mut self) -> Result<T, OperationError> {
        if self.operation.is_finished() {
            return judge(self.operation);
        }
        loop {
            tokio::select! {
                ended = &mut self.ticket.ended => {
                    let Ok(operation) = ended else { return Err(OperationError::CallEnded(self.line.why_ended().await)) };
                    return judge(operation);
                }
                () = tokio::time::sleep(ASK_EVERY) => {
                    if let Some(outcome) = self.ask().await {
                        return outcome;
                    }
                }
            }
        }
    }

    /// Asks the service; something if it is over.
    async fn ask(&self) -> Option<Result<T, OperationError>> {
        let id = self.operation.id.as_deref()?;
        match self.line.client().operation(self.line.id(), id).await {
            Ok(operation) => operation.is_finished().then(|| judge(operation)),
            Err(error) if *error.kind() == GraphErrorKind::NotFound(Missing::Operation) => {
                Some(Err(OperationError::Lost))
            }
            Err(error) => {
                self.line.note(&error); // the call may be gone, which ends the wait
                None
            }
        }
    }
}

fn judge<T: DeserializeOwned>(operation: CommsOperation) -> Result<T, OperationError> {
    use antiphon_graph::OperationStatus::Failed;
    if operation.status == Some(Failed) {
        return Err(OperationError::Failed(Box::new(operation)));
    }
    operation.read_as().map_err(|error| OperationError::Unreadable(error.to_string()))
}

/// Begins an operation: `start` sends the request with the client context it is given.
pub(crate) async fn begin<T, F>(line: &Arc<Line>, start: impl FnOnce(String) -> F) -> Result<Operation<T>, GraphError>
where
    T: Clone + Into<CommsOperation>,
    F: Future<Output = Result<T, GraphError>>,
{
    let context = uuid::Uuid::new_v4().to_string();
    let mut ticket = line.operations().expect(context.clone());
    let started = line.checked(start(context).await)?;
    let operation: CommsOperation = started.clone().into();
    if let Some(id) = &operation.id {
        ticket.name(id);
    }
    Ok(Operation { line: Arc::clone(line), started, operation, ticket })
}

/// The operations of one call that somebody waits for.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    waiting: Vec<Waiting>,
    recent: VecDeque<CommsOperation>,
    closed: bool,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    context: String,
    id: Option<String>,
    tell: oneshot::Sender<CommsOperation>,
}

/// A place in the list; given up when dropped.
#[derive(Debug)]
struct Ticket {
    operations: Arc<Operations>,
    number: u64,
    ended: oneshot::Receiver<CommsOperation>,
}

impl Operations {
    /// Waits for the operation of a client context that is about to be sent.
    fn expect(self: &Arc<Self>, context: String) -> Ticket {
        let (tell, ended) = oneshot::channel();
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        if !state.closed {
            state.waiting.push(Waiting { number, context, id: None, tell });
        }
        drop(state);
        Ticket { operations: Arc::clone(self), number, ended }
    }

    /// An operation has ended.
    pub(crate) fn end(&self, operation: CommsOperation) {
        let mut state = self.state();
        let is_it = |one: &Waiting| {
            operation.client_context.as_deref() == Some(&one.context)
                || one.id.as_deref().zip(operation.id.as_deref()).is_some_and(|(a, b)| is_same(a, b))
        };
        if let Some(at) = state.waiting.iter().position(is_it) {
            let _ = state.waiting.swap_remove(at).tell.send(operation); // nobody waits any more
            return;
        }
        if state.recent.len() == MAX_RECENT {
            state.recent.pop_front();
        }
        state.recent.push_back(operation);
    }

    /// The call is over: what has not ended never will be told.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.waiting.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// The service gave it an id; its end may have been told already.
    fn name(&mut self, id: &str) {
        let mut state = self.operations.state();
        let Some(at) = state.waiting.iter().position(|one| one.number == self.number) else { return };
        let ended = state.recent.iter().position(|one| one.id.as_deref().is_some_and(|other| is_same(id, other)));
        match ended.and_then(|ended| state.recent.remove(ended)) {
            Some(operation) => {
                let _ = state.waiting.swap_remove(at).tell.send(operation);
            }
            None => state.waiting[at].id = Some(id.to_owned()),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.operations.state().waiting.retain(|one| one.number != self.number);
    }
}

/// Ids are written with and without dashes, in either case.
fn is_same(one: &str, other: &str) -> bool {
    let canonical = |id: &str| id.bytes().filter(|b| *b != b'-').map(|b| b.to_ascii_lowercase()).collect::<Vec<_>>();
    canonical(one) == canonical(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_graph::OperationStatus;
    use antiphon_graph::operation::OperationKind;

    fn ended(id: &str, context: Option<&str>) -> CommsOperation {
        let operation = CommsOperation::new(&OperationKind::PlayPrompt, id, OperationStatus::Completed);
        CommsOperation { client_context: context.map(str::to_owned), ..operation }
    }

    #[tokio::test]
    async fn an_end_finds_who_waits_by_context_or_id_whichever_comes_first() {
        let operations = Arc::new(Operations::default());
        let (by_context, mut by_id, mut early) =
            (operations.expect("a".into()), operations.expect("b".into()), operations.expect("c".into()));
        by_id.name("O-2");
        operations.end(ended("o1", Some("a")));
        operations.end(ended("o2", None));
        operations.end(ended("o3", None)); // ahead of the reply that names it
        early.name("o3");
        let ids = [by_context, by_id, early].map(|mut ticket| ticket.ended.try_recv().unwrap().id.unwrap());
        assert_eq!(ids, ["o1", "o2", "o3"]);
        assert!(operations.state().waiting.is_empty() && operations.state().recent.is_empty());
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_bounded_and_a_closed_call_ends_all_waiting() {
        let operations = Arc::new(Operations::default());
        drop(operations.expect("gone".into()));
        assert!(operations.state().waiting.is_empty());
        for n in 0..MAX_RECENT + 10 {
            operations.end(ended(&format!("o{n}"), None));
        }
        assert_eq!(operations.state().recent.len(), MAX_RECENT);
        let mut waiting = operations.expect("w".into());
        operations.close();
        assert!(waiting.ended.try_recv().is_err());
        assert!((&mut operations.expect("late".into()).ended).await.is_err());
    }

    #[test]
    fn a_failed_operation_is_an_error_that_says_why() {
        let failed = CommsOperation {
            status: Some(OperationStatus::Failed),
            result_info: Some(ResultInfo::new(400, 8508, "cancelled")),
            ..ended("o", None)
        };
        let error = judge::<CommsOperation>(failed).unwrap_err();
        assert_eq!(error.to_string(), "the operation failed: 400/8508 (cancelled)");
        assert!(judge::<CommsOperation>(ended("o", None)).is_ok());
    }
}
