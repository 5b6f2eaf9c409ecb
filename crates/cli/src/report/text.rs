//! The report for a terminal.
//!
//! Owns the wording and layout of what `antiphon demo` prints at the end. Pure: makes a string.

use std::fmt::Write as _;

use super::{Distribution, Report};

/// The whole report as plain text, with a trailing newline.
pub(crate) fn render(report: &Report) -> String {
    let mut out = String::new();
    for phase in &report.phases {
        let wrong = phase.matrix.wrong_pairs().len();
        let verdict = if wrong == 0 {
            let margin = phase.matrix.narrowest_margin_db().unwrap_or_default();
            format!("as planned, {} pairs, narrowest margin {margin:.1} dB", phase.matrix.pairs())
        } else {
            format!("{wrong} WRONG of {} pairs", phase.matrix.pairs())
        };
        line(&mut out, &format!("({}) {}: {verdict}", phase.letter, phase.title));
        line(&mut out, &phase.matrix.to_string());
    }
    line(&mut out, "");
    line(
        &mut out,
        "Row = ear, column = source. ● heard and planned, · neither, ! heard against the plan, ○ planned, not heard.",
    );
    line(&mut out, "");
    figures(&mut out, report);
    notices(&mut out, report);
    out
}

fn figures(out: &mut String, report: &Report) {
    let f = &report.figures;
    distribution(out, "tick", &f.tick);
    distribution(out, "tick lateness", &f.lateness);
    let over = &f.tick_over_codec;
    entry(
        out,
        "tick ÷ codec calls",
        &format!(
            "{:.3} in all; p50 {:.2}  p99 {:.2}  p99.9 {:.2}  max {:.2}  (time inside libopus by the time stamp counter)",
            f.tick_over_codec(),
            over.p50,
            over.p99,
            over.p999,
            over.max
        ),
    );
    distribution(out, "mouth to ear, added", &f.mouth_to_ear);
    entry(
        out,
        "encodes per tick",
        &format!(
            "{:.2} for {:.2} distinct mixes, beside {:.2} listeners; {:.2} decodes",
            f.encodes_per_tick(),
            f.mixes_per_tick,
            f.listeners_per_tick,
            f.decodes_per_tick()
        ),
    );
    let skipped = format!("{} run, {} skipped", f.ticks, f.skipped_ticks);
    entry(out, "ticks", &skipped);
    entry(out, "packets", &format!("{} in, {} out", f.packets_in, f.packets_out));
    let ears = format!("talkers' ears missed {} of {} packets", f.ears_missed, f.ears_got + f.ears_missed);
    let loss = if f.link_seen == 0 {
        format!("no lossy link in the way; {ears}")
    } else {
        format!("{:.2} % ({} of {} datagrams); {ears}", f.loss_percent(), f.link_dropped, f.link_seen)
    };
    entry(out, "loss", &loss);
    entry(out, "concealment", &format!("{:.2} % ({} of {} frames)", f.concealed_percent(), f.concealed, f.frames));
    let outcomes: Vec<String> = f.outcomes.iter().map(|c| format!("{} {}", c.name, c.count)).collect();
    entry(out, "outcomes", &outcomes.join(", "));
    entry(out, "real-time priority", if f.real_time { "granted" } else { "refused by the system; ran without" });
}

fn notices(out: &mut String, report: &Report) {
    let came = report.notices.iter().filter(|notice| notice.after_ms.is_some()).count();
    entry(out, "notifications", &format!("{came} of {} due came, each with a valid signature", report.notices.len()));
    for notice in report.notices.iter().filter(|notice| notice.after_ms.is_none()) {
        entry(out, "", &format!("MISSING in ({}): {}", notice.phase, notice.what));
    }
}

fn distribution(out: &mut String, name: &str, d: &Distribution) {
    if d.count == 0 {
        entry(out, name, "not measured");
        return;
    }
    let unit = d.unit;
    entry(
        out,
        name,
        &format!(
            "p50 {:.1}  p99 {:.1}  p99.9 {:.1}  max {:.1} {unit}  ({} values)",
            d.p50, d.p99, d.p999, d.max, d.count
        ),
    );
}

fn entry(out: &mut String, name: &str, value: &str) {
    line(out, &format!("  {name:<20} {value}"));
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("invariant: writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn every_phase_figure_and_missing_notice_is_printed() {
        let text = render(&sample(true));
        for needle in
            ["(a) ", "(h) ", "1 WRONG", "p99.9", "tick ÷ codec calls", "MISSING in (g): roster without talker 1"]
        {
            assert!(text.contains(needle), "{needle}\n{text}");
        }
    }

    #[test]
    fn unmeasured_quantities_say_so() {
        let mut report = sample(false);
        report.figures.mouth_to_ear = Distribution::default();
        assert!(render(&report).contains("not measured"));
    }
}
