//! No system call in 100,000 ticks of everything at once: a child process ticks on a thread whose seccomp filter
//! kills the process at the first one, whatever it is.
//!
//! What this proves: no call into the kernel on any path that is taken here, and so no lock that was waited for, no sleep, no log,
//! no memory from the system. A lock that nobody contends makes no call: that there is none is the lints' to say, which
//! ban the types. Where seccomp is refused the tests say `not run`.
#![allow(clippy::disallowed_macros, reason = "a test prints what it measured")]

mod room;

use antiphon_pipeline::{
    AppEar, AppEarConfig, AppMouth, BusRate, Command, Conversation, ConversationConfig, Effort, Inspection,
    OpusSettings, Participant, Receiver, Source, TickRecord,
};
use antiphon_rt::packet_ring::{MAX_PACKET, packet_ring};
use antiphon_rt::{FlushDenormals, MonoTime};
use antiphon_rtp::SourceId;
use room::bot::{self, Bot};
use room::{Room, Weather, config};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};
use std::collections::BTreeMap;
use std::hint::spin_loop;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Says in a child process what it is to do.
const ROLE: &str = "ANTIPHON_UNDER_FILTER";
/// Ends a process that made a forbidden call; the same number on every Linux we build for.
const SIGSYS: i32 = 31;
/// Ticks under the filter, of the service's conversation and the bot's together.
const TICKS: u64 = 100_000;
/// Meetings at a time, each of two conversations.
const MEETINGS: u64 = 10;

/// What the media thread does besides, to be caught at it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Offence {
    None,
    Yield,
    WaitForLock,
}

#[test]
fn a_hundred_thousand_ticks_with_churn_make_no_system_call() {
    if std::env::var_os(ROLE).is_some() {
        return tick_under_filter(TICKS, Offence::None);
    }
    let Some((signal, output)) = child("a_hundred_thousand_ticks_with_churn_make_no_system_call") else { return };
    assert_ne!(signal, Some(SIGSYS), "a tick made a system call:\n{output}");
    assert_eq!(signal, None, "{output}");
    assert!(output.contains(&format!("{TICKS} ticks under the filter")), "{output}");
}

#[test]
fn one_yield_in_a_tick_is_caught() {
    if std::env::var_os(ROLE).is_some() {
        return tick_under_filter(400, Offence::Yield);
    }
    let Some((signal, output)) = child("one_yield_in_a_tick_is_caught") else { return };
    assert_eq!(signal, Some(SIGSYS), "{output}");
}

#[test]
fn one_lock_that_is_waited_for_in_a_tick_is_caught() {
    if std::env::var_os(ROLE).is_some() {
        return tick_under_filter(400, Offence::WaitForLock);
    }
    let Some((signal, output)) = child("one_lock_that_is_waited_for_in_a_tick_is_caught") else { return };
    assert_eq!(signal, Some(SIGSYS), "{output}");
}

/// Runs one test of this binary in a process of its own. Gives the signal that ended it, and what it printed; nothing if the
/// system refuses filters.
fn child(test: &str) -> Option<(Option<i32>, String)> {
    let program = std::env::current_exe().unwrap();
    let mut command = std::process::Command::new(program);
    let output = command.args([test, "--exact", "--nocapture"]).env(ROLE, "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if let Some(line) = text.lines().find(|line| line.starts_with("not run")) {
        println!("{line}");
        return None;
    }
    assert!(output.status.signal().is_some() || output.status.success(), "{}\n{text}", output.status);
    Some((output.status.signal(), text))
}

/// The filter of the calling thread from now on: no system call, or the process dies.
fn forbid_system_calls() -> Result<BpfProgram, String> {
    let arch = std::env::consts::ARCH.try_into().map_err(|e| format!("{e}"))?;
    let filter = SeccompFilter::new(BTreeMap::new(), SeccompAction::KillProcess, SeccompAction::Allow, arch);
    let program: BpfProgram = filter.and_then(TryInto::try_into).map_err(|e| format!("{e}"))?;
    apply_filter(&program).map_err(|e| format!("{e}"))?;
    Ok(program)
}

/// Where control and the filtered thread meet: they can only spin. So each turn is a tick of all conversations, and control
/// prepares the next one meanwhile.
#[derive(Default)]
struct Exchange {
    /// Turns asked for.
    asked: AtomicU64,
    /// The `now` of the turn asked for last.
    now: AtomicU64,
    /// Turns done.
    done: AtomicU64,
}

impl Exchange {
    /// Control's side: asks for the next turn, once the one before is done.
    fn ask(&self, now: u64) {
        self.wait();
        self.now.store(now, Ordering::Relaxed); // published by `asked`
        self.asked.fetch_add(1, Ordering::Release);
    }

    /// Control's side: until the turn asked for last is done.
    fn wait(&self) {
        while self.done.load(Ordering::Acquire) != self.asked.load(Ordering::Relaxed) {
            thread::yield_now();
        }
    }

    /// The filtered thread's side, without end: at its end a thread makes system calls.
    fn serve(&self, conversations: &mut [Box<Conversation>], offend: impl Fn(u64)) -> ! {
        let thrifty = Effort { max_complexity: 0, max_bitrate: 16_000, ..Effort::FULL };
        let efforts = [Effort::FULL, Effort { max_complexity: 0, ..Effort::FULL }, thrifty];
        let poorest = Effort { max_talkers: 1, ..thrifty };
        for turn in 1_u64.. {
            while self.asked.load(Ordering::Acquire) < turn {
                spin_loop();
            }
            let now = MonoTime::from_nanos(self.now.load(Ordering::Relaxed));
            for conversation in &mut *conversations {
                if turn.is_multiple_of(100) {
                    let level = (turn / 100 % 4) as usize;
                    conversation.set_effort(*efforts.get(level).unwrap_or(&poorest));
                }
                conversation.tick(now);
            }
            offend(turn);
            self.done.store(turn, Ordering::Release);
        }
        unreachable!("invariant: nobody lives for 2^64 ticks")
    }
}

/// A room with an app in it, and a bot of its own behind one of its legs.
struct Meeting {
    room: Room,
    bot: Bot,
    mouth: AppMouth,
    ear: AppEar,
    heard: (usize, usize),
}

impl Meeting {
    fn new(seed: u64) -> Self {
        let mut room = Room::new(two_classes(14), seed);
        room.decode_ears = false;
        for n in 0..4 {
            room.join_in_class(n % 2);
        }
        let guest = bot::join(&mut room, 1);
        room.guests.push(guest);
        let (mouth, ear) = join_app(&mut room);
        room.publish();
        Self { room, bot: Bot::new(two_classes(6), 3, 6), mouth, ear, heard: (0, 0) }
    }

    /// Everything that goes in.
    fn prepare(&mut self, tick: u64) {
        churn(&mut self.room, tick);
        if tick % 100 < 30 {
            self.mouth.speak(&[3_000, -3_000].repeat(150)); // 20 samples short of a frame: it runs dry
        }
        self.room.send();
    }

    /// Everything that comes out.
    fn collect(&mut self, tick: u64) {
        let lost = tick % 20 == 3;
        self.bot.take_from(&mut self.room, || !lost);
        self.room.reclaim();
        self.bot.reclaim();
        while self.bot.egress.pop(&mut [0; MAX_PACKET]).is_some() {}
        while self.bot.control.next_record().is_some() || self.bot.control.next_event().is_some() {}
        if tick % 80 == 79 {
            self.heard.0 += std::iter::from_fn(|| self.ear.next_mixed()).count();
            self.heard.1 += std::iter::from_fn(|| self.ear.next_unmixed()).count();
            while self.bot.ear.next_mixed().is_some() || self.bot.ear.next_unmixed().is_some() {}
        }
    }
}

/// The child's whole work. The conversations tick on the filtered thread; everything else happens on this one.
fn tick_under_filter(ticks: u64, offence: Offence) {
    let mut meetings: Vec<Meeting> = (0..MEETINGS).map(Meeting::new).collect();
    let exchange = Arc::new(Exchange::default());
    let both = |m: &mut Meeting| [out_of(&mut m.room.conversation), out_of(&mut m.bot.conversation)];
    let mut conversations: Vec<_> = meetings.iter_mut().flat_map(both).collect();
    #[expect(clippy::disallowed_types, reason = "the lock that the positive control waits for")]
    let lock = Arc::new(std::sync::Mutex::new(()));
    let held = lock.lock().unwrap();
    let (refused, refusal) = std::sync::mpsc::sync_channel(1);
    let (theirs, theirs_lock) = (Arc::clone(&exchange), Arc::clone(&lock));
    let media = move || {
        let _flush = FlushDenormals::new();
        let _program = match forbid_system_calls() {
            Ok(program) => program,
            Err(why) => return drop(refused.send(why)),
        };
        theirs.serve(&mut conversations, |turn| match offence {
            Offence::Yield if turn == 10 => thread::yield_now(),
            Offence::WaitForLock if turn == 10 => drop(theirs_lock.lock()),
            _ => {}
        });
    };
    thread::Builder::new().stack_size(1 << 20).spawn(media).unwrap();
    let turns = ticks / (2 * MEETINGS);
    for turn in 0..turns {
        meetings.iter_mut().for_each(|meeting| meeting.prepare(turn));
        exchange.ask(meetings[0].room.now);
        while turn == 0 && exchange.done.load(Ordering::Acquire) == 0 {
            // The first turn comes back, or the reason why none ever will.
            if let Ok(why) = refusal.try_recv() {
                println!("not run  no system call in a tick: seccomp is refused here ({why})");
                return;
            }
        }
        meetings.iter_mut().for_each(|meeting| meeting.collect(turn));
    }
    exchange.wait();
    drop(held);
    println!("{} ticks under the filter", exchange.done.load(Ordering::Acquire) * 2 * MEETINGS);
    if offence == Offence::None {
        // They were real calls: all of this happened under the filter.
        meetings.iter_mut().for_each(|meeting| meeting.room.reclaim());
        let records: Vec<TickRecord> = meetings.iter().flat_map(|meeting| meeting.room.records.clone()).collect();
        let sum = |value: fn(&TickRecord) -> u32| records.iter().map(|r| u64::from(value(r))).sum::<u64>();
        assert_eq!(records.len() as u64, ticks / 2);
        assert!(sum(|r| r.encodes) > ticks / 4 && sum(|r| r.decodes) > ticks / 4);
        assert!(sum(|r| r.concealments) > 100 && sum(|r| r.state_copies) > 1_000 && sum(|r| r.capped) > 1_000);
        assert!(records.iter().filter(|r| r.plan_swapped).count() > 1_000);
        assert!(sum(|r| r.lane_packets) > 1_000 && sum(|r| r.app_underruns) > 1_000);
        assert!(meetings.iter().all(|m| m.heard.0 > 500 && m.heard.1 > 500));
    }
}

/// The conversation itself, to be ticked by another thread; an idle one stays in its place.
fn out_of(place: &mut Box<Conversation>) -> Box<Conversation> {
    let (egress, _) = packet_ring(4_096);
    let (idle, _) = Conversation::new(&config(1, BusRate::Hz16000), egress).unwrap();
    std::mem::replace(place, idle)
}

/// Two encoder classes of little effort: what is called is tested, not the time it takes.
fn two_classes(people: usize) -> ConversationConfig {
    let class = OpusSettings { complexity: 1, ..OpusSettings::default() };
    let second = OpusSettings { bitrate: 16_000, complexity: 0, fec: true, expected_loss: 20 };
    ConversationConfig { classes: vec![class.into(), second.into()], ..config(people, BusRate::Hz16000) }
}

/// An app that speaks and hears in the room, also unmixed.
fn join_app(room: &mut Room) -> (AppMouth, AppEar) {
    let (source, receiver) = (room.sources.take().unwrap(), room.receivers.take().unwrap());
    let (voice, mouth) = Source::app(SourceId::new(9), 3_200, &room.config);
    let (listener, ear) = Receiver::app(AppEarConfig::default(), &room.config).unwrap();
    room.control.send(Command::AddSource(source, voice)).unwrap();
    room.control.send(Command::AddReceiver(receiver, listener)).unwrap();
    let (source, receiver) = (Some(source), Some(receiver));
    room.guests.push(Participant { source, receiver, in_default_group: true, unmixed: true });
    (mouth, ear)
}

/// Everything that control may do between two ticks.
fn churn(room: &mut Room, tick: u64) {
    let people = room.people.len() as u64;
    if tick.is_multiple_of(7) {
        let at = room.rng.below(people) as usize;
        room.people[at].talking = room.rng.below(3) == 0;
    }
    let mut changed = false;
    if tick.is_multiple_of(197) && people < 6 {
        let at = room.join_in_class((tick % 2) as u8);
        room.people[at].weather = Weather { loss: 0.08, duplicate: 0.02, jitter_ms: 50, drift_ppm: 100 };
        changed = true;
    } else if tick % 223 == 40 && people > 3 {
        let at = room.rng.below(people) as usize;
        room.leave(at);
        changed = true;
    } else if tick % 37 == 20 {
        let pair = (room.rng.below(people) as usize, room.rng.below(people) as usize);
        room.routes = if room.rng.below(2) == 0 { vec![(vec![pair.0], vec![pair.1])] } else { Vec::new() };
        let at = room.rng.below(people) as usize;
        room.people[at].in_default_group = !room.people[at].in_default_group;
        let (source, receiver) = (room.people[pair.0].source, room.people[pair.1].receiver);
        room.gains.truncate(3);
        room.gains.insert(0, (source, receiver, [0.0, 0.5, 1.5][room.rng.below(3) as usize]));
        changed = true;
    }
    if tick % 43 == 10 {
        let at = room.rng.below(room.people.len() as u64) as usize;
        let muted = room.rng.below(2) == 0;
        room.control.send(Command::Mute(room.people[at].source, muted)).unwrap();
    }
    if tick % 59 == 30 {
        let at = room.rng.below(room.people.len() as u64) as usize;
        let class = room.rng.below(2) as u8;
        room.control.send(Command::SetClass(room.people[at].receiver, class)).unwrap();
    }
    if tick % 500 == 499 {
        let sources = room.config.limits.sources;
        room.control.send(Command::Inspect(Box::new(Inspection::with_capacity(sources)))).unwrap();
    }
    if changed {
        // A refused plan is simply replaced by the next one.
        drop(room.control.publish(room.plan()));
    }
}
