//! The control half of a conversation and what it sends across.
//!
//! Commands carry boxes made on the control thread; whatever leaves the tick comes back as
//! [`Retired`], so that the media thread never frees. Invariant: a command is taken only while the
//! return ring has room for what it may retire, so returning cannot fail. Commands of one tick are
//! carried out in order, before the plan is swapped.

use std::fmt;

use ringbuf::traits::{Consumer, Observer, Producer};
use ringbuf::{HeapCons, HeapProd};

use antiphon_rt::handover::Publisher;

use crate::telemetry::{Inspection, LevelPage, TickRecord, TimedEvent};
use crate::{Inlet, InletSlot, Limits, MixPlan, Receiver, ReceiverSlot, Source, SourceSlot, Tones};

/// A change to a conversation, made between two ticks.
#[derive(Debug)]
#[non_exhaustive]
pub enum Command {
    /// Opens a leg's inlet.
    AddInlet(InletSlot, Box<Inlet>),
    /// Closes it; it comes back as [`Retired::Inlet`].
    RemoveInlet(InletSlot),
    /// Brings a source in. It is heard once the plan in force knows its slot.
    AddSource(SourceSlot, Box<Source>),
    /// Takes it out; it comes back as [`Retired::Source`].
    RemoveSource(SourceSlot),
    /// Brings a receiver in.
    AddReceiver(ReceiverSlot, Box<Receiver>),
    /// Takes it out; it comes back as [`Retired::Receiver`].
    RemoveReceiver(ReceiverSlot),
    /// Silences a source for everybody, or lets it be heard again.
    Mute(SourceSlot, bool),
    /// Moves a receiver to another encoder class. Its stream goes on without a break: it is coded apart for
    /// 300 ms, then shared with the others of that class. Ignored for a class the conversation does not have,
    /// one of another codec, and a receiver that is an app.
    SetClass(ReceiverSlot, u8),
    /// Sends a row of digits to a receiver, in place of audio while it lasts; [`crate::Event::TonesSent`] follows. Up to
    /// four rows wait for each other; more, and those to a receiver without telephone-events, are not sent.
    SendTones(ReceiverSlot, Tones),
    /// Whether packets to a receiver with RED carry the frame before too (RFC 2198); at first they do not.
    SetRed(ReceiverSlot, bool),
    /// Fills a page with a reading of every source; it comes back as [`Retired::Inspection`].
    Inspect(Box<Inspection>),
    /// Fills a page with the level of everybody who talks; it comes back as [`Retired::Levels`].
    Levels(Box<LevelPage>),
}

/// Memory on its way back to the control thread.
#[derive(Debug)]
#[non_exhaustive]
pub enum Retired {
    /// A closed inlet, or one that could not be opened because its slot was held.
    Inlet(InletSlot, Box<Inlet>),
    /// A source that was taken out, or could not be brought in.
    Source(SourceSlot, Box<Source>),
    /// A receiver that was taken out, or could not be brought in.
    Receiver(ReceiverSlot, Box<Receiver>),
    /// A filled page.
    Inspection(Box<Inspection>),
    /// A page filled with levels.
    Levels(Box<LevelPage>),
}

/// The control half: one thread at a time sends commands and plans, and reads what comes back.
///
/// Everything here is wait-free; dropping what comes back frees memory, which is the point.
pub struct Control {
    pub(crate) commands: HeapProd<Command>,
    pub(crate) retired: HeapCons<Retired>,
    pub(crate) plans: Publisher<MixPlan>,
    pub(crate) events: HeapCons<TimedEvent>,
    pub(crate) records: HeapCons<TickRecord>,
    pub(crate) limits: Limits,
}

impl Control {
    /// Queues a command for the next tick.
    ///
    /// # Errors
    /// Gives it back if `limits.commands` of them wait already.
    pub fn send(&mut self, command: Command) -> Result<(), Command> {
        self.commands.try_push(command)
    }

    /// How many more commands fit now.
    #[must_use]
    pub fn vacant_commands(&self) -> usize {
        self.commands.vacant_len()
    }

    /// Puts a plan in force from the next tick on, in place of one that is still waiting to be
    /// taken. The plan it replaces is freed here, by a later call or by [`Control::reclaim_plans`].
    ///
    /// # Errors
    /// Gives it back while the plan before it is on its way through a tick; try again after the
    /// next tick.
    ///
    /// # Panics
    /// If the plan was built with other limits than the conversation's.
    pub fn publish(&mut self, plan: Box<MixPlan>) -> Result<(), Box<MixPlan>> {
        assert!(plan.fits(&self.limits), "a plan must be built with the conversation's limits");
        self.reclaim_plans();
        drop(self.plans.retract());
        self.plans.publish(plan)
    }

    /// Frees plans that came back.
    pub fn reclaim_plans(&mut self) {
        drop(self.plans.reclaim());
    }

    /// The next thing that came back, oldest first.
    pub fn next_retired(&mut self) -> Option<Retired> {
        self.retired.try_pop()
    }

    /// The next event, oldest first.
    pub fn next_event(&mut self) -> Option<TimedEvent> {
        self.events.try_pop()
    }

    /// The next tick record, oldest first.
    pub fn next_record(&mut self) -> Option<TickRecord> {
        self.records.try_pop()
    }

    /// The capacities the conversation was made with.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("limits", &self.limits).finish_non_exhaustive()
    }
}
