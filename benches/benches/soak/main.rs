//! The soak run: one media thread at 70 % of a core for ten minutes, as the engine runs it, beside a canary.
//!
//! Real runner, real codec, real governor; people talk, fall silent, join, leave and are routed anew all the time. The canary is a
//! thread that only sleeps to the same deadlines, above the media thread in priority, so that it never waits for it:
//! what it is late, no engine could have been in time for.
//! Fails if the load is not met, if ticks are skipped in which the canary was in time, if packets are refused, if memory grows
//! after warming up, if the media thread touches the heap, or if a conversation panics.
//! Options: `--seconds N` (600), `--percent N` (70). Ctrl-C ends it with the summary so far.

mod figures;
mod room;
mod watch;

use antiphon_engine::MediaHost;
use antiphon_rt::runner::{Runner, RunnerConfig};
use antiphon_rt::{MonoClock, MonoTime};
use antiphon_testkit::alloc_guard::GuardedAlloc;
use figures::{Figures, resident_kib};
use room::SoakRoom;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use watch::{Canary, watch};

#[global_allocator]
static ALLOC: GuardedAlloc = GuardedAlloc;

const TICK: Duration = Duration::from_millis(20);
const TICKS_PER_SECOND: u64 = 50;
/// Seconds in which the load is found and everything reaches its size; not counted.
const WARM_UP: u64 = 40;
/// Rooms whose load tells how many there must be.
const FIRST_ROOMS: usize = 12;
/// How many of a thousand looks at somebody find him talking, at first.
const TALK: u64 = 375;
/// Ticks from one count of rooms to the next, and those after which the load of the last one is looked at.
const ADJUST: u64 = 250;
const SETTLED: u64 = 150;
/// Priority asked for, as the engine does; the canary's is one more.
const PRIORITY: u8 = 50;

struct Options {
    seconds: u64,
    percent: u64,
}

impl Options {
    fn from_args() -> Result<Self, String> {
        let mut options = Self { seconds: 600, percent: 70 };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let place = match arg.as_str() {
                "--seconds" => &mut options.seconds,
                "--percent" => &mut options.percent,
                "--bench" => continue, // cargo's own
                _ => return Err(format!("unknown option {arg}; there are --seconds N and --percent N")),
            };
            let value = args.next().ok_or(format!("{arg} needs a number"))?;
            *place = value.parse().map_err(|_| format!("{arg} {value}: not a whole number"))?;
        }
        let fine = (5..=95).contains(&options.percent) && options.seconds > 0;
        fine.then_some(options).ok_or("--percent is 5 to 95, --seconds at least 1".into())
    }
}

fn main() -> ExitCode {
    match Options::from_args() {
        Ok(options) => run(&options),
        Err(message) => {
            eprintln!("soak: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> ExitCode {
    let stop = stop_on_ctrl_c();
    let (host, desk) = MediaHost::new();
    let (watched, samples) = watch(host);
    let config =
        |name: &str, priority| RunnerConfig { name: name.into(), priority: Some(priority), ..RunnerConfig::default() };
    let media = Runner::spawn(config("soak-media", PRIORITY), watched).expect("a thread for the media");
    let (canary, canary_samples) = Canary::new();
    let canary = Runner::spawn(config("soak-canary", PRIORITY + 1), canary).expect("a thread for the canary");
    println!("media thread: {}; {}", media.priority(), if cfg!(debug_assertions) { "debug build" } else { "release" });
    println!("{}", Figures::HEADER);

    let mut figures = Figures::new(samples, canary_samples);
    let mut rooms: Vec<SoakRoom> = Vec::new();
    let (mut wanted, mut next_key, mut talk) = (FIRST_ROOMS, 0, TALK);
    let mut next = MonoClock.now();
    let (warm_up, end) = (WARM_UP * TICKS_PER_SECOND, (WARM_UP + options.seconds) * TICKS_PER_SECOND);
    let mut resident = Vec::new();
    for tick in 0..end {
        if stop.load(Ordering::Relaxed) {
            println!("stopped by hand; the summary is of what was");
            break;
        }
        next = wait_for(next);
        for room in &mut rooms {
            room.step(MonoClock.now(), talk); // late or not: that is the network's jitter
        }
        figures.take();
        if tick < warm_up {
            match tick % ADJUST {
                0 if tick > 0 => {
                    wanted =
                        rooms_wanted(rooms.len(), figures.since_last_busy(), desk.governor().level, options.percent);
                }
                SETTLED => drop(figures.since_last_busy()),
                _ => {}
            }
            // One at a time: whoever is new has an encoder of his own at first.
            if tick % 10 == 0 && rooms.len() < wanted {
                rooms.push(SoakRoom::new(next_key, &desk));
                next_key += 1;
            } else if tick % 10 == 0 && rooms.len() > wanted {
                rooms.pop().expect("invariant: more than wanted").close(&desk);
            }
        } else {
            if tick == warm_up {
                figures.begin(desk.governor());
                resident.push(resident_kib());
            } else if tick == warm_up + (end - warm_up) / 2 {
                resident.push(resident_kib());
            }
            if (tick - warm_up) % (10 * TICKS_PER_SECOND) == 10 * TICKS_PER_SECOND - 1 {
                talk = talk_wanted(talk, figures.busy_lately(), desk.governor().level, options.percent);
                figures.tell((tick + 1 - warm_up) / TICKS_PER_SECOND, &rooms, desk.governor());
            }
        }
        if let Some(lost) = desk.next_returned().filter(|returned| returned.panic.is_some()) {
            println!("FAILED: conversation {} panicked: {}", lost.key, lost.panic.unwrap_or_default());
            return ExitCode::FAILURE;
        }
    }
    resident.push(resident_kib());
    figures.take();
    let _host = media.stop(); // dropped after the figures, on this thread
    drop(canary);
    if figures.summary(&rooms, desk.governor(), &resident, options.percent) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Sleeps to the next tick of the feeding side; gives the one after.
fn wait_for(next: MonoTime) -> MonoTime {
    std::thread::park_timeout(next.saturating_since(MonoClock.now()));
    next + TICK
}

/// How many rooms come nearest to the wished load, given what those here take, in thousandths of a core. Fewer while the
/// governor saves effort: the load is to be found at full effort.
fn rooms_wanted(rooms: usize, busy: u64, level: u8, percent: u64) -> usize {
    let fit = (rooms as u64 * percent * 10 / busy.max(1)) as usize;
    if level > 0 { rooms * 19 / 20 } else { fit.min(rooms * 3 / 2) }.clamp(1, 2_000)
}

/// How much people talk from now on, so that the load stays what it is to be while the machine's mood changes. More only at
/// full effort, less at any.
fn talk_wanted(talk: u64, busy: u64, level: u8, percent: u64) -> u64 {
    let fit = (talk * percent * 10 / busy.max(1)).clamp(talk * 4 / 5, talk * 5 / 4);
    if level > 0 { fit.min(talk) } else { fit }.clamp(50, 950)
}

/// A flag that Ctrl-C sets.
fn stop_on_ctrl_c() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&stop);
    std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime for a signal");
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            set.store(true, Ordering::Relaxed);
        }
    });
    stop
}
