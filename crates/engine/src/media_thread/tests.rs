//! A media task without its thread: conversations come, tick, panic and go, in virtual time.

use super::*;
use crate::governor::{self, StepCounts};
use antiphon_pipeline::{AppEar, AppEarConfig, Command, Control, ConversationConfig, Effort, Limits, Participant};
use antiphon_pipeline::{PlanBuilder, Receiver, ReceiverSlot, Slots};
use antiphon_rt::packet_ring::packet_ring;
use antiphon_rt::runner::Schedule;
use std::sync::atomic::{AtomicU64, Ordering};

struct Bench {
    task: Box<MediaTask<Meter>>,
    desk: Desk,
    clock: Arc<AtomicU64>,
}

fn bench() -> Bench {
    let meter = Meter::default();
    let clock = Arc::clone(&meter.now);
    let (task, desk) = media_task(Vec::new(), meter);
    Bench { task, desk, clock }
}

/// Time that stands unless the artificial load lets it pass.
#[derive(Default)]
struct Meter {
    now: Arc<AtomicU64>,
    own: Duration,
    cost: Option<fn(&Effort) -> Duration>,
    /// The conversation whose ticks panic.
    doomed: Option<u64>,
}

impl governor::Meter for Meter {
    fn now(&self) -> MonoTime {
        MonoTime::from_nanos(self.now.load(Ordering::Relaxed))
    }

    fn own(&self) -> Duration {
        self.own
    }

    fn provoke(&mut self, key: u64) {
        assert_ne!(self.doomed, Some(key), "provoked");
    }

    fn strain(&mut self, effort: &Effort) {
        if let Some(cost) = self.cost {
            let cost = cost(effort);
            self.own += cost;
            self.now.fetch_add(u64::try_from(cost.as_nanos()).unwrap(), Ordering::Relaxed);
        }
    }
}

/// A conversation with one app in it, whose mixed frames carry the tick number.
fn conversation(key: u64) -> (Box<Hosted>, Control, AppEar) {
    let limits = Limits::for_participants(2);
    let config = ConversationConfig { limits, ..ConversationConfig::default() };
    let (egress, _) = packet_ring(4_096);
    let (conversation, mut control) = pipeline::Conversation::new(&config, egress).unwrap();
    let (receiver, ear) = Receiver::app(AppEarConfig::default(), &config).unwrap();
    let slot = Slots::<ReceiverSlot>::new(1).take().unwrap();
    control.send(Command::AddReceiver(slot, receiver)).unwrap();
    let mut plan = PlanBuilder::new(&limits);
    plan.participant(Participant { receiver: Some(slot), in_default_group: true, ..Participant::default() });
    control.publish(plan.build()).unwrap();
    (Hosted::new(key, conversation, &config.classes, None).0, control, ear)
}

#[test]
fn the_sample_clock_follows_the_deadlines_however_late_the_thread_wakes() {
    let mut b = bench();
    let (hosted, _control, mut ear) = conversation(1);
    assert!(b.desk.adopt(hosted).is_ok());
    let (period, mut first) = (20_000_000, None);
    for n in 0..2_000_u64 {
        let late = n * 7_919 % 19_999 * 1_000; // anything under a period
        let now = MonoTime::from_nanos(1_000_000_000 + n * period + late);
        b.task.tick(now, Duration::from_nanos(late), 0);
        while let Some(frame) = ear.next_mixed() {
            let start = *first.get_or_insert(frame.tick - n);
            assert_eq!(frame.tick - start, n, "the clock moved at deadline {n}");
        }
    }
    assert!(first.is_some());
}

#[test]
fn a_conversation_comes_back_when_asked_for_and_the_others_go_on() {
    let mut b = bench();
    let (one, _c1, _e1) = conversation(1);
    let (two, _c2, mut e2) = conversation(2);
    for hosted in [one, two] {
        assert!(b.desk.adopt(hosted).is_ok());
    }
    b.task.tick(MonoTime::from_millis(20), Duration::ZERO, 0);
    assert!(b.desk.release(1));
    b.task.tick(MonoTime::from_millis(40), Duration::ZERO, 0);
    assert_eq!(b.desk.next_returned().map(|h| h.key()), Some(1));
    assert!(b.desk.next_returned().is_none());
    while e2.next_mixed().is_some() {}
    b.task.tick(MonoTime::from_millis(60), Duration::ZERO, 0);
    assert!(e2.next_mixed().is_some());
}

/// Runs the task as a runner would, in virtual time.
fn run(b: &mut Bench, ticks: usize, mut after: impl FnMut(u64)) {
    let clock = Arc::clone(&b.clock);
    let mut now = MonoTime::from_nanos(clock.load(Ordering::Relaxed));
    let mut schedule = Schedule::new(now, governor::BUDGET);
    for _ in 0..ticks {
        now = now.max(schedule.deadline());
        clock.store(now.as_nanos(), Ordering::Relaxed);
        let wake = schedule.wake(now);
        b.task.tick(now, wake.lateness, wake.skipped);
        after(wake.skipped);
        now = MonoTime::from_nanos(clock.load(Ordering::Relaxed));
    }
}

#[test]
fn conversations_are_made_cheaper_in_order_before_a_tick_is_missed_and_dearer_again() {
    let mut b = bench();
    b.task.meter.cost = Some(|effort| match effort.max_complexity {
        5.. => Duration::from_millis(21),
        3 => Duration::from_millis(18),
        1 => Duration::from_millis(17),
        _ => Duration::from_millis(13),
    });
    let (hosted, mut control, _ear) = conversation(1);
    assert!(b.desk.adopt(hosted).is_ok());
    let mut missed = 0;
    run(&mut b, 400, |skipped| missed += skipped);
    assert_eq!(missed, 0);
    let governor = b.desk.governor();
    assert_eq!(governor.lowered, StepCounts { complexity: 3, bitrate: 0, talkers: 0 });
    let mut complexities: Vec<u8> =
        std::iter::from_fn(|| control.next_record()).map(|record| record.effort.max_complexity).collect();
    complexities.dedup();
    assert!(complexities.is_sorted_by(|a, b| a > b), "the conversation was told in order: {complexities:?}");
    assert_eq!((complexities.first(), complexities.last()), (Some(&10), Some(&0)));

    b.task.meter.cost = None;
    let (late, mut late_control, _late_ear) = conversation(2);
    assert!(b.desk.adopt(late).is_ok());
    run(&mut b, 1_000, |skipped| missed += skipped);
    assert_eq!(late_control.next_record().map(|record| record.effort.max_complexity), Some(0), "who comes is told too");
    assert_eq!((missed, b.desk.governor().level), (0, 0));
    assert_eq!(b.desk.governor().restored, StepCounts { complexity: 3, bitrate: 0, talkers: 0 });
    let last = std::iter::from_fn(|| control.next_record()).last().unwrap();
    assert_eq!(last.effort, Effort::FULL);
}

#[test]
fn a_stall_leaves_out_whole_ticks_and_the_sample_clock_stays_on_the_grid() {
    let mut b = bench();
    let (hosted, mut control, mut ear) = conversation(1);
    assert!(b.desk.adopt(hosted).is_ok());
    let (clock, mut ticks, mut skipped) = (Arc::clone(&b.clock), 0_u64, Vec::new());
    run(&mut b, 300, |before| {
        ticks += 1;
        skipped.push(before);
        if ticks.is_multiple_of(100) {
            clock.fetch_add(70_000_000, Ordering::Relaxed); // three and a half ticks, not of our making
        }
    });
    // The tick under way ends 70 ms late: the deadlines of 20, 40 and 60 ms have passed, the last of them is served.
    assert_eq!(skipped.iter().sum::<u64>(), 2 * 2, "{skipped:?}");
    assert_eq!((skipped[100], skipped[200]), (2, 2));
    let records: Vec<_> = std::iter::from_fn(|| control.next_record()).collect();
    let (first, last) = (records[0], records[records.len() - 1]);
    assert_eq!(last.tick - first.tick, 299 + 4, "time that passed, in ticks, whether they were done or not");
    for record in &records {
        let since = record.at.saturating_since(first.at);
        assert_eq!(since, governor::BUDGET * u32::try_from(record.tick - first.tick).unwrap(), "on the grid");
    }
    let frames: Vec<u64> = std::iter::from_fn(|| ear.next_mixed()).map(|frame| frame.tick).collect();
    assert!(frames.is_sorted_by(|a, b| a < b), "the app sees the gap and no frame twice");
    assert_eq!(b.desk.governor().lowered, StepCounts::default(), "effort is not to blame");
}

#[test]
fn a_panic_ends_its_conversation_in_silence_and_no_other() {
    quiet::install();
    let mut b = bench();
    let (one, _c1, mut e1) = conversation(1);
    let (two, _c2, mut e2) = conversation(2);
    let (three, _c3, mut e3) = conversation(3);
    for hosted in [one, two, three] {
        assert!(b.desk.adopt(hosted).is_ok());
    }
    run(&mut b, 10, |_| ());
    let (bad, _control, mut ear) = conversation(4);
    assert!(b.desk.adopt(bad).is_ok());
    run(&mut b, 5, |_| ());
    assert_eq!(std::iter::from_fn(|| ear.next_mixed()).count(), 5);
    b.task.meter.doomed = Some(4);
    run(&mut b, 5, |_| ());
    let returned = b.desk.next_returned().expect("it came back");
    let report = returned.panic().expect("with a report").to_string();
    assert_eq!(returned.key(), 4);
    assert!(report.contains("provoked") && report.contains(".rs:"), "{report}");
    drop(returned); // on a control thread, whatever state it is in
    assert!(ear.next_mixed().is_none(), "silence");
    assert!(b.desk.next_returned().is_none());
    assert_eq!(b.desk.count(), 3);
    for ear in [&mut e1, &mut e2, &mut e3] {
        let ticks: Vec<u64> = std::iter::from_fn(|| ear.next_mixed()).map(|frame| frame.tick).collect();
        assert!(ticks.len() >= 19 && ticks.windows(2).all(|pair| pair[1] == pair[0] + 1), "{ticks:?}");
    }
}
