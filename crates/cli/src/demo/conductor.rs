//! Executes the script: takes the steps of each phase, waits, and notes when the measured window was.
//!
//! Owns the running meeting: stage, talkers, bot and its call. In the flow: [`Conductor::play`] is cancelled by Ctrl-C
//! at any await; whatever was reached can still be [`Conductor::close`]d and evaluated. Async side; measures nothing.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use antiphon::graph::{AudioRoutingGroup, ParticipantId};
use antiphon::{Bot, Call, JoinOptions, Meeting};
use antiphon_engine::ConversationStats;
use anyhow::Context as _;
use tokio::task::JoinHandle;

use super::bot_side::{BotRecordings, BotSide, FORMAT};
use super::cast::{Cast, signature, voice};
use super::model::{Mode, Person, Step};
use super::notices::Notice;
use super::progress::Progress;
use super::script::{Phase, Script};
use super::stage::Stage;
use super::tap::{Board, tap};

/// How long a due notification may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the bot's media may take to connect.
const ESTABLISH: Duration = Duration::from_secs(15);

/// When a phase was measured. Times since the epoch.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) phase: Phase,
    pub(crate) begin: Duration,
    pub(crate) from: Duration,
    pub(crate) to: Duration,
}

/// The bot with its call.
#[derive(Debug)]
struct Caller {
    bot: Bot,
    call: Call,
    side: BotSide,
    tap: JoinHandle<()>,
}

/// A run in progress.
#[derive(Debug)]
pub(crate) struct Conductor<'a> {
    pub(crate) stage: Stage,
    pub(crate) cast: Cast,
    pub(crate) board: Board,
    pub(crate) windows: Vec<Window>,
    /// The meeting's figures just before its end.
    pub(crate) stats: Option<ConversationStats>,
    /// Was real-time priority granted to media threads of this process.
    pub(crate) real_time: bool,
    script: &'a Script,
    progress: &'a Progress,
    epoch: Instant,
    caller: Option<Caller>,
    recordings: Option<BotRecordings>,
    /// Kept after the hang-up: its webhook's counters are still to be read.
    finished_bot: Option<Bot>,
}

impl<'a> Conductor<'a> {
    /// On a stage that is set; the clock of all recordings starts now.
    pub(crate) fn new(stage: Stage, script: &'a Script, progress: &'a Progress, loss_percent: f64) -> Self {
        let epoch = Instant::now();
        Self {
            stage,
            cast: Cast::new(epoch, loss_percent),
            board: Board::new(epoch),
            windows: Vec::new(),
            stats: None,
            real_time: false,
            script,
            progress,
            epoch,
            caller: None,
            recordings: None,
            finished_bot: None,
        }
    }

    /// All phases, in order.
    ///
    /// # Errors
    /// The first step that could not be taken, with its phase.
    pub(crate) async fn play(&mut self) -> anyhow::Result<()> {
        for phase in &self.script.phases {
            self.progress.say(&format!("({}) {}", phase.letter, phase.title));
            let begin = self.epoch.elapsed();
            let before = self.accepted();
            for step in &phase.steps {
                self.step(phase, step).await.with_context(|| format!("phase ({})", phase.letter))?;
            }
            self.wait(phase, "settling", phase.settle).await;
            self.board.settled(phase.letter, PATIENCE).await;
            let came = self.accepted().saturating_sub(before);
            self.board.tally(phase.letter, due(phase), came);
            let from = self.epoch.elapsed();
            self.wait(phase, "measuring", phase.window).await;
            let to = self.epoch.elapsed();
            self.windows.push(Window { phase: phase.clone(), begin, from, to });
        }
        Ok(())
    }

    /// Ends whatever runs, in order, and hands over what the bot recorded. Figures are taken before.
    pub(crate) async fn close(&mut self) -> anyhow::Result<Option<BotRecordings>> {
        if self.caller.is_some() {
            self.hang_up().await?;
        }
        self.stats = self.stage.conversation().map(|conversation| conversation.stats());
        self.cast.close().await;
        Ok(self.recordings.take())
    }

    /// Since the epoch.
    pub(crate) fn elapsed(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Where the webhook's and the emulator's counters show a notification that went wrong.
    pub(crate) fn webhook_problems(&self) -> Vec<String> {
        let Some(bot) = self.bot() else { return Vec::new() };
        let (webhook, service) = (bot.webhook_stats(), self.stage.emulator.delivery_counts());
        let mut problems = Vec::new();
        for (fault, count) in &webhook.refused {
            problems.push(format!("the webhook refused {count} notifications: {}", fault.name()));
        }
        if webhook.malformed > 0 {
            problems.push(format!("{} notifications could not be read", webhook.malformed));
        }
        if service.failed + service.dropped > 0 {
            problems.push(format!(
                "the service could not deliver {} notifications and dropped {}",
                service.failed, service.dropped
            ));
        }
        problems
    }

    async fn step(&mut self, phase: &Phase, step: &Step) -> anyhow::Result<()> {
        match step {
            Step::Join(Person::Bot) => self.bot_joins(phase).await,
            Step::Join(person) => {
                self.expect_roster(phase, |roster| {
                    roster.insert(*person);
                });
                self.cast.join(*person, &self.stage.admin, &self.stage.meeting).await
            }
            Step::Leave(person) => {
                self.expect_roster(phase, |roster| {
                    roster.remove(person);
                });
                self.cast.leave(*person, &self.stage.admin, &self.stage.meeting).await?;
                // The next change must not overtake this one's notification.
                self.board.settled(phase.letter, PATIENCE).await;
                Ok(())
            }
            Step::LeaveDefaultGroup(_) => {
                let call = self.call()?.id().to_string();
                self.stage.admin.leave_default_group(&call).await
            }
            Step::CreateGroup { name, mode, source, receivers } => self.create(name, *mode, *source, receivers).await,
            Step::PatchReceivers { name, receivers } => {
                let ids = receivers.iter().map(|person| self.participant(*person)).collect::<Result<_, _>>()?;
                let group = self.call()?.routing_groups().set_receivers(name, ids).await?;
                anyhow::ensure!(
                    group.receivers.len() == receivers.len(),
                    "the PATCHed group {name} came back with {} receivers instead of {}",
                    group.receivers.len(),
                    receivers.len()
                );
                Ok(())
            }
            Step::DeleteGroup(name) => {
                let groups = self.call()?.routing_groups();
                groups.delete(name).await?;
                let left = groups.list().await?;
                anyhow::ensure!(
                    left.iter().all(|group| group.id.as_deref() != Some(*name)),
                    "the deleted group {name} is still listed"
                );
                Ok(())
            }
            Step::HangUp => {
                for state in ["terminating", "terminated"] {
                    self.board.expect(phase.letter, Notice::State(state.to_owned()));
                }
                self.hang_up().await
            }
        }
    }

    async fn bot_joins(&mut self, phase: &Phase) -> anyhow::Result<()> {
        let bot = self.stage.bot().await?;
        self.real_time = bot.engine().priorities().iter().all(is_granted);
        for state in ["establishing", "established"] {
            self.board.expect(phase.letter, Notice::State(state.to_owned()));
        }
        self.expect_whole_roster(phase);
        let meeting = Meeting::from_link(&self.stage.meeting.join_url)?;
        let options = JoinOptions { format: FORMAT, unmixed: true, ..JoinOptions::default() };
        let notifications = bot.notifications();
        let call = bot.join(&meeting, options).await?;
        let tap = tap(&call, notifications, self.board.clone());
        tokio::time::timeout(ESTABLISH, call.established())
            .await
            .context("the bot's call was not established in time")??;
        let side = BotSide::start(call.audio(), self.epoch, voice(Person::Bot), signature(Person::Bot));
        self.caller = Some(Caller { bot, call, side, tap });
        Ok(())
    }

    async fn create(&self, name: &str, mode: Mode, source: Person, receivers: &[Person]) -> anyhow::Result<()> {
        let source = self.participant(source)?;
        let mut ids = receivers.iter().map(|person| self.participant(*person)).collect::<Result<Vec<_>, _>>()?;
        let group = match (mode, ids.pop()) {
            (Mode::OneToOne, Some(receiver)) if ids.is_empty() => AudioRoutingGroup::one_to_one(name, source, receiver),
            (Mode::Multicast, Some(last)) => {
                ids.push(last);
                AudioRoutingGroup::multicast(name, source, ids)
            }
            _ => anyhow::bail!("group {name} has the wrong number of receivers for its mode"),
        };
        let groups = self.call()?.routing_groups();
        groups.create(&group).await?;
        let read = groups.get(name).await?;
        anyhow::ensure!(
            read.receivers.len() == receivers.len(),
            "group {name} reads back with {} receivers instead of {}",
            read.receivers.len(),
            receivers.len()
        );
        Ok(())
    }

    async fn hang_up(&mut self) -> anyhow::Result<()> {
        let Some(Caller { bot, call, side, tap }) = self.caller.take() else { return Ok(()) };
        call.hang_up().await;
        self.recordings = Some(side.finish().await.context("a task of the bot's audio failed")?);
        drop(call);
        tap.await.context("the task that follows the bot's call failed")?;
        self.finished_bot = Some(bot);
        Ok(())
    }

    async fn wait(&self, phase: &Phase, what: &str, span: Duration) {
        const STEP: Duration = Duration::from_millis(200);
        let start = Instant::now();
        while start.elapsed() < span {
            self.progress.bar(&format!("({}) {what:9}", phase.letter), start.elapsed(), span);
            tokio::time::sleep(STEP.min(span.saturating_sub(start.elapsed()))).await;
        }
    }

    fn call(&self) -> anyhow::Result<&Call> {
        Ok(&self.caller.as_ref().context("the bot is not in a call")?.call)
    }

    fn participant(&self, person: Person) -> anyhow::Result<ParticipantId> {
        if person == Person::Bot {
            return self.call()?.my_participant_id().context("the service never said which participant the bot is");
        }
        let member = self.cast.member(person).with_context(|| format!("{person} is not in the meeting"))?;
        Ok(ParticipantId::new(member.participant_id.clone()))
    }

    /// A roster notification is due if the bot is there to be told.
    fn expect_roster(&self, phase: &Phase, change: impl FnOnce(&mut BTreeSet<Person>)) {
        if self.caller.is_none() {
            return;
        }
        let mut people: BTreeSet<Person> =
            self.cast.members().filter(|(_, member)| member.present).map(|(person, _)| person).collect();
        people.insert(Person::Bot);
        change(&mut people);
        self.board.expect(phase.letter, Notice::Roster(people));
    }

    /// The first roster of the bot's call.
    fn expect_whole_roster(&self, phase: &Phase) {
        let people = self.cast.members().map(|(person, _)| person).chain([Person::Bot]).collect();
        self.board.expect(phase.letter, Notice::Roster(people));
    }

    /// Notifications accepted at the bot's webhook so far, each with a verified token.
    fn accepted(&self) -> u64 {
        self.bot().map_or(0, |bot| bot.webhook_stats().accepted)
    }

    fn bot(&self) -> Option<&Bot> {
        self.caller.as_ref().map(|caller| &caller.bot).or(self.finished_bot.as_ref())
    }
}

/// How many notifications the steps of a phase cause at least.
fn due(phase: &Phase) -> u64 {
    let bot_is_new = phase.steps.contains(&Step::Join(Person::Bot));
    let of = |step: &Step| match step {
        // establishing, established, first roster
        Step::Join(Person::Bot) => 3,
        Step::Join(_) if bot_is_new => 0,
        Step::Join(_) | Step::Leave(_) => 1,
        // terminating, terminated
        Step::HangUp => 2,
        _ => 0,
    };
    phase.steps.iter().map(of).sum()
}

fn is_granted(outcome: &antiphon_engine::PriorityOutcome) -> bool {
    matches!(outcome, antiphon_engine::PriorityOutcome::Granted(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notifications_due_are_those_of_the_bots_time_in_the_call() {
        let script = Script::new(6, 60);
        let due: Vec<(char, u64)> = script.phases.iter().map(|phase| (phase.letter, due(phase))).collect();
        assert_eq!(due, [('a', 3), ('b', 0), ('c', 0), ('d', 0), ('e', 0), ('f', 0), ('g', 2), ('h', 2)]);
    }
}
