//! Listens to what the service tells the bot about its call.
//!
//! Owns one task that turns verified notifications (states) and the façade's snapshots (rosters) into [`Notice`]s with
//! the time they came. In the flow: started right after the call was created, with all notifications since before; shares
//! a [`Notices`] with the conductor.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use antiphon::graph::Participant;
use antiphon::{Call, Sighting};
use tokio::sync::Notify;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio::time::{Instant as Deadline, timeout_at};

use super::model::Person;
use super::notices::{Notice, Notices};
use super::script::MAX_TALKERS;

/// A shared [`Notices`] that can be waited on.
#[derive(Clone, Debug)]
pub(crate) struct Board {
    epoch: Instant,
    notices: Arc<Mutex<Notices>>,
    changed: Arc<Notify>,
}

impl Board {
    /// Nothing due, nothing seen; times count from `epoch`.
    pub(crate) fn new(epoch: Instant) -> Self {
        Self { epoch, notices: Arc::default(), changed: Arc::default() }
    }

    /// From now on `notice` must come.
    pub(crate) fn expect(&self, phase: char, notice: Notice) {
        self.notices().expect(phase, notice, self.epoch.elapsed());
    }

    /// Deliveries at the webhook, by number.
    pub(crate) fn tally(&self, phase: char, due: u64, came: u64) {
        self.notices().tally(phase, due, came);
    }

    /// Waits until everything due in `phase` has come, at most `patience`.
    pub(crate) async fn settled(&self, phase: char, patience: Duration) {
        let deadline = Deadline::now() + patience;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.notices().complete(phase) || timeout_at(deadline, changed).await.is_err() {
                return;
            }
        }
    }

    /// A copy, for the report.
    pub(crate) fn snapshot(&self) -> Notices {
        self.notices().clone()
    }

    fn saw(&self, notice: Notice) {
        self.notices().saw(self.epoch.elapsed(), notice);
        self.changed.notify_waiters();
    }

    fn notices(&self) -> MutexGuard<'_, Notices> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts listening to `call` and to what the webhook verified since before it was made. The task ends with the call.
pub(crate) fn tap(call: &Call, mut notifications: Receiver<Sighting>, board: Board) -> JoinHandle<()> {
    let mut events = call.events();
    let mut status = call.watch();
    tokio::spawn(async move {
        let tell = |sighting: Sighting| {
            if let Some(state) = sighting.state {
                board.saw(Notice::State(state.as_str().to_owned()));
            }
        };
        let mut last = None;
        // The last events may still wait when the snapshots have ended.
        let mut snapshots = true;
        loop {
            let people = roster(&status.borrow_and_update().participants);
            if !people.is_empty() && last.as_ref() != Some(&people) {
                board.saw(Notice::Roster(people.clone()));
                last = Some(people);
            }
            tokio::select! {
                event = events.recv() => if matches!(event, Err(RecvError::Closed)) { break },
                Ok(sighting) = notifications.recv() => tell(sighting),
                changed = status.changed(), if snapshots => snapshots = changed.is_ok(),
            }
        }
        while let Ok(sighting) = notifications.try_recv() {
            tell(sighting);
        }
    })
}

fn roster(participants: &[Participant]) -> BTreeSet<Person> {
    participants.iter().filter_map(|participant| person(participant.display_name()?)).collect()
}

/// Who is meant by a display name: the one a [`Person`] shows.
fn person(name: &str) -> Option<Person> {
    (1..=MAX_TALKERS + 1).map(Person::Talker).chain([Person::Bot]).find(|person| person.to_string() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_lead_back_to_their_people() {
        for somebody in [Person::Talker(1), Person::Talker(MAX_TALKERS + 1), Person::Bot] {
            assert_eq!(person(&somebody.to_string()), Some(somebody));
        }
        assert_eq!(person("talker 99"), None);
    }

    #[tokio::test]
    async fn waiting_ends_when_the_last_debt_is_paid_or_patience_runs_out() {
        let board = Board::new(Instant::now());
        board.expect('h', Notice::State("terminated".into()));
        let waiter = tokio::spawn({
            let board = board.clone();
            async move { board.settled('h', Duration::from_secs(3600)).await }
        });
        tokio::task::yield_now().await;
        board.saw(Notice::State("terminated".into()));
        waiter.await.expect("waiter");
        board.expect('h', Notice::State("never".into()));
        board.settled('h', Duration::ZERO).await;
        assert_eq!(board.snapshot().missing().len(), 1);
    }
}
