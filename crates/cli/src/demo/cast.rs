//! The talkers: who joins, leaves, and is still to be heard afterwards.
//!
//! Owns every talker of the run on the independent WebRTC stack, those who have left included: their recordings are
//! needed at the end. In the flow: the conductor calls [`Cast::join`] and [`Cast::leave`]; joining goes over the
//! emulator's administration API, as a browser would.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use antiphon_load::mouth::MouthConfig;
use antiphon_load::signature::Signature;
use antiphon_load::speech::{SpeechRate, Voice};
use antiphon_load::talker::{Talker, TalkerConfig};
use anyhow::Context as _;

use super::admin::{Admin, Joined, Meeting};
use super::model::Person;
use super::script::MAX_TALKERS;

/// Time a talker has to connect.
const CONNECT: Duration = Duration::from_secs(10);
/// FEC helps from here on; see the codec's measurements.
const LEAST_DECLARED_LOSS: u8 = 10;

/// The mark under somebody's voice; no two people share one.
pub(crate) fn signature(person: Person) -> Signature {
    let index = match person {
        Person::Talker(n) => n - 1,
        Person::Bot => MAX_TALKERS + 1,
    };
    Signature::new(index).expect("invariant: there are more signatures than people")
}

/// The clip somebody speaks with.
pub(crate) fn voice(person: Person) -> &'static Voice {
    match person {
        Person::Talker(n) => Voice::nth(n - 1),
        Person::Bot => Voice::nth(Voice::all().len() - 1),
    }
}

/// A talker who joined.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) talker: Talker,
    pub(crate) participant_id: String,
    pub(crate) source_id: u32,
    pub(crate) present: bool,
}

/// All talkers of the run.
#[derive(Debug)]
pub(crate) struct Cast {
    epoch: Instant,
    declared_loss: u8,
    members: BTreeMap<Person, Member>,
}

impl Cast {
    /// Nobody yet. `loss_percent` is what the network will lose each way: the talkers' encoders are told.
    pub(crate) fn new(epoch: Instant, loss_percent: f64) -> Self {
        let declared_loss = if loss_percent > 0.0 { LEAST_DECLARED_LOSS.max(loss_percent.ceil() as u8) } else { 0 };
        Self { epoch, declared_loss, members: BTreeMap::new() }
    }

    /// Everybody who ever joined.
    pub(crate) fn members(&self) -> impl Iterator<Item = (Person, &Member)> {
        self.members.iter().map(|(person, member)| (*person, member))
    }

    /// One of them.
    pub(crate) fn member(&self, person: Person) -> Option<&Member> {
        self.members.get(&person)
    }

    /// Offers, is answered by the emulator, connects and speaks from then on.
    ///
    /// # Errors
    /// If the emulator refuses, or the connection does not come up.
    pub(crate) async fn join(&mut self, person: Person, admin: &Admin, meeting: &Meeting) -> anyhow::Result<()> {
        let name = person.to_string();
        let number = match person {
            Person::Talker(n) => n,
            Person::Bot => anyhow::bail!("the bot joins over Graph, not as a talker"),
        };
        let mouth = MouthConfig {
            voice: number - 1,
            // Talkers with the same clip start at different words.
            start: number * 37,
            signature: Some(signature(person)),
            rate: SpeechRate::Hz16000,
            expected_loss: self.declared_loss,
            ..MouthConfig::default()
        };
        let offering = Talker::offer(TalkerConfig::new(name.clone(), mouth, self.epoch)).await?;
        let Joined { participant_id, source_id, answer } = admin.join(meeting, &name, offering.sdp()).await?;
        let talker = offering.accept(&answer.sdp).await?;
        talker.connected(CONNECT).await.with_context(|| format!("{name} could not connect to the meeting"))?;
        self.members.insert(person, Member { talker, participant_id, source_id, present: true });
        Ok(())
    }

    /// Leaves the meeting by the administration API and closes the connection.
    ///
    /// # Errors
    /// If the emulator does not know the talker.
    pub(crate) async fn leave(&mut self, person: Person, admin: &Admin, meeting: &Meeting) -> anyhow::Result<()> {
        let member = self.members.get_mut(&person).with_context(|| format!("{person} never joined"))?;
        admin.remove(meeting, &member.participant_id).await?;
        member.present = false;
        member.talker.leave().await?;
        Ok(())
    }

    /// Closes every connection that is still open; recordings stay.
    pub(crate) async fn close(&mut self) {
        for member in self.members.values_mut().filter(|member| member.present) {
            member.present = false;
            if let Err(error) = member.talker.leave().await {
                tracing::warn!(%error, "a talker could not close its connection");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn nobody_shares_a_signature_and_the_default_cast_shares_no_voice() {
        let people: Vec<Person> = (1..=MAX_TALKERS + 1).map(Person::Talker).chain([Person::Bot]).collect();
        let marks: BTreeSet<usize> = people.iter().map(|person| signature(*person).index()).collect();
        assert_eq!(marks.len(), people.len());
        let default: Vec<Person> = (1..=7).map(Person::Talker).chain([Person::Bot]).collect();
        let voices: BTreeSet<&str> = default.iter().map(|person| voice(*person).name()).collect();
        assert_eq!(voices.len(), default.len());
    }
}
