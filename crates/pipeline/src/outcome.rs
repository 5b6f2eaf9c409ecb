//! What became of every packet and every 20 ms frame, as counted by the media path.
//!
//! The media path has outcomes, not errors: each received packet ends exactly once in
//! [`PacketCounts`], each frame a source owes the bus exactly once in [`FrameCounts`].

/// How one 20 ms frame of a source came to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FrameOutcome {
    /// Nothing was due: the source is idle, muted or has no stream; digital silence.
    #[default]
    Skipped,
    /// Silence the sender announced (DTX), or an app that is not speaking.
    Comfort,
    /// Decoded from its packet, or taken from the app's ring.
    Decoded,
    /// Rebuilt from the FEC copy in the packet after it.
    Recovered,
    /// Made up by the decoder (PLC), or the fading end of what an app broke off.
    Concealed,
}

/// What was done to the length of a frame's audio to bring the playout delay to its aim. A mark beside the outcome:
/// stretched audio is decoded (or recovered) all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stretched {
    /// Nothing.
    #[default]
    No,
    /// A span was left out.
    Shorter,
    /// A span was repeated.
    Longer,
}

/// Frames that were stretched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StretchCounts {
    /// See [`Stretched::Shorter`].
    pub shorter: u64,
    /// See [`Stretched::Longer`].
    pub longer: u64,
}

impl StretchCounts {
    pub(crate) fn add(&mut self, stretched: Stretched) {
        self.shorter += u64::from(stretched == Stretched::Shorter);
        self.longer += u64::from(stretched == Stretched::Longer);
    }

    /// Adds another count to this one.
    pub fn merge(&mut self, other: &Self) {
        self.shorter += other.shorter;
        self.longer += other.longer;
    }
}

impl FrameOutcome {
    /// How many there are.
    pub(crate) const COUNT: usize = 5;
}

/// How one received packet ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketOutcome {
    /// Its audio was decoded.
    Played,
    /// It came after its place was played.
    Late,
    /// The same packet had come before.
    Duplicate,
    /// The buffer was full.
    Overflowed,
    /// Not decoded: nobody hears it (muted, not routed, stamped quiet), a DTX packet, a stream restart, catching up, or an
    /// unreadable payload.
    Skipped,
}

/// Frames by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// See [`FrameOutcome::Skipped`].
    pub skipped: u64,
    /// See [`FrameOutcome::Comfort`].
    pub comfort: u64,
    /// See [`FrameOutcome::Decoded`].
    pub decoded: u64,
    /// See [`FrameOutcome::Recovered`].
    pub recovered: u64,
    /// See [`FrameOutcome::Concealed`].
    pub concealed: u64,
}

impl FrameCounts {
    pub(crate) fn add(&mut self, outcome: FrameOutcome) {
        *self.of(outcome) += 1;
    }

    /// Counts `frames` frames of one outcome.
    pub(crate) fn add_many(&mut self, outcome: FrameOutcome, frames: u64) {
        *self.of(outcome) += frames;
    }

    fn of(&mut self, outcome: FrameOutcome) -> &mut u64 {
        match outcome {
            FrameOutcome::Skipped => &mut self.skipped,
            FrameOutcome::Comfort => &mut self.comfort,
            FrameOutcome::Decoded => &mut self.decoded,
            FrameOutcome::Recovered => &mut self.recovered,
            FrameOutcome::Concealed => &mut self.concealed,
        }
    }

    /// One frame fewer of this outcome.
    pub(crate) fn take_one(&mut self, outcome: FrameOutcome) {
        *self.of(outcome) -= 1;
    }

    /// All frames together: one per tick and source.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.skipped + self.comfort + self.decoded + self.recovered + self.concealed
    }

    /// Adds another count to this one.
    pub fn merge(&mut self, other: &Self) {
        self.skipped += other.skipped;
        self.comfort += other.comfort;
        self.decoded += other.decoded;
        self.recovered += other.recovered;
        self.concealed += other.concealed;
    }
}

/// Packets by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketCounts {
    /// Packets handed to the jitter buffer; the sum of the others and of what waits in it.
    pub received: u64,
    /// See [`PacketOutcome::Played`].
    pub played: u64,
    /// See [`PacketOutcome::Late`].
    pub late: u64,
    /// See [`PacketOutcome::Duplicate`].
    pub duplicate: u64,
    /// See [`PacketOutcome::Overflowed`].
    pub overflowed: u64,
    /// See [`PacketOutcome::Skipped`].
    pub skipped: u64,
}

impl PacketCounts {
    pub(crate) fn end(&mut self, outcome: PacketOutcome) {
        *match outcome {
            PacketOutcome::Played => &mut self.played,
            PacketOutcome::Late => &mut self.late,
            PacketOutcome::Duplicate => &mut self.duplicate,
            PacketOutcome::Overflowed => &mut self.overflowed,
            PacketOutcome::Skipped => &mut self.skipped,
        } += 1;
    }

    /// Packets that have ended, however.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.played + self.late + self.duplicate + self.overflowed + self.skipped
    }

    /// Adds another count to this one.
    pub fn merge(&mut self, other: &Self) {
        self.received += other.received;
        self.played += other.played;
        self.late += other.late;
        self.duplicate += other.duplicate;
        self.overflowed += other.overflowed;
        self.skipped += other.skipped;
    }

    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            received: self.received - earlier.received,
            played: self.played - earlier.played,
            late: self.late - earlier.late,
            duplicate: self.duplicate - earlier.duplicate,
            overflowed: self.overflowed - earlier.overflowed,
            skipped: self.skipped - earlier.skipped,
        }
    }
}
