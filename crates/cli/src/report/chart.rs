//! Inline SVG: timeline with waveforms, histograms.
//!
//! Owns geometry only; colours and fonts come from classes in the page's style sheet, so both colour schemes
//! work. Every picture has a title and a description for readers who do not see it. Pure: makes strings.

use std::fmt::Write as _;

use super::figures::Distribution;
use super::html::escape;
use super::{PhaseReport, Recording};

const WIDTH: f64 = 1000.0;
const LABEL: f64 = 74.0;
const HEAD: f64 = 30.0;
const ROW: f64 = 26.0;
const FOOT: f64 = 22.0;

/// Waveforms under each other on one time axis, with the phases behind them.
pub(crate) fn waveforms(id: &str, title: &str, seconds: f64, phases: &[PhaseReport], rows: &[&Recording]) -> String {
    let plot = WIDTH - LABEL;
    let x = |at: f64| LABEL + if seconds > 0.0 { at / seconds * plot } else { 0.0 };
    let bottom = HEAD + ROW * rows.len() as f64;
    let height = bottom + FOOT;
    let names: Vec<&str> = rows.iter().map(|row| row.label.as_str()).collect();
    let description = format!("{} waveforms over {seconds:.0} seconds: {}.", rows.len(), names.join(", "));
    let mut svg = open(id, title, &description, WIDTH, height);
    for phase in phases {
        rect(&mut svg, "settle", x(phase.begin), HEAD - 4.0, x(phase.from) - x(phase.begin), bottom - HEAD + 8.0);
        rect(&mut svg, "window", x(phase.from), HEAD - 4.0, x(phase.to) - x(phase.from), bottom - HEAD + 8.0);
        text(&mut svg, "phase", (x(phase.from) + x(phase.to)) / 2.0, 16.0, "middle", &format!("({})", phase.letter));
    }
    for (index, row) in rows.iter().enumerate() {
        let middle = HEAD + ROW * (index as f64 + 0.5);
        text(&mut svg, "label", LABEL - 8.0, middle + 4.0, "end", &row.label);
        push(&mut svg, &format!("<path class=\"wave\" d=\"{}\"/>", wave(&row.envelope, x(0.0), plot, middle)));
    }
    axis(&mut svg, seconds, bottom, x);
    svg.push_str("</svg>");
    svg
}

/// The outline of an envelope, mirrored around `middle`.
fn wave(envelope: &[f32], left: f64, width: f64, middle: f64) -> String {
    let step = width / envelope.len().max(1) as f64;
    // Speech sits low on a linear scale; a square root keeps quiet parts visible.
    let half = |value: f32| f64::from(value.clamp(0.0, 1.0)).sqrt() * (ROW / 2.0 - 2.0);
    let mut path = format!("M{left:.0} {middle:.0}");
    for (index, value) in envelope.iter().enumerate() {
        let _ = write!(path, "L{:.1} {:.1}", step.mul_add(index as f64, left), middle - half(*value) - 0.25);
    }
    for (index, value) in envelope.iter().enumerate().rev() {
        let _ = write!(path, "L{:.1} {:.1}", step.mul_add(index as f64, left), middle + half(*value) + 0.25);
    }
    path.push('Z');
    path
}

fn axis(svg: &mut String, seconds: f64, bottom: f64, x: impl Fn(f64) -> f64) {
    let step = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0]
        .into_iter()
        .find(|step| seconds / step <= 14.0)
        .unwrap_or(600.0);
    let mut at = 0.0;
    while at <= seconds {
        push(
            svg,
            &format!(
                "<line class=\"grid\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{1:.1}\" y2=\"{2:.1}\"/>",
                x(at),
                bottom,
                bottom + 4.0
            ),
        );
        text(svg, "tickmark", x(at), bottom + 17.0, "middle", &format!("{at:.0} s"));
        at += step;
    }
}

const HIST_WIDTH: f64 = 480.0;
const HIST_HEIGHT: f64 = 190.0;
const HIST_LEFT: f64 = 12.0;
const HIST_TOP: f64 = 34.0;
const HIST_BOTTOM: f64 = 152.0;

/// Bars for the bins, with marks at the percentiles. Heights are square roots, so that rare ticks show.
pub(crate) fn histogram(id: &str, title: &str, d: &Distribution) -> String {
    let description = format!(
        "{} values: median {:.1}, 99 percent below {:.1}, 99.9 percent below {:.1}, largest {:.1} {}.",
        d.count, d.p50, d.p99, d.p999, d.max, d.unit
    );
    let mut svg = open(id, title, &description, HIST_WIDTH, HIST_HEIGHT);
    let (Some(first), Some(last)) = (d.bins.first(), d.bins.last()) else {
        text(&mut svg, "label", HIST_WIDTH / 2.0, HIST_HEIGHT / 2.0, "middle", "not measured");
        svg.push_str("</svg>");
        return svg;
    };
    let plot = HIST_WIDTH - 2.0 * HIST_LEFT;
    let span = (last.to - first.from).max(f64::EPSILON);
    let x = |value: f64| HIST_LEFT + (value - first.from) / span * plot;
    let top = d.bins.iter().map(|bin| bin.count).max().unwrap_or(1).max(1) as f64;
    for bin in d.bins.iter().filter(|bin| bin.count > 0) {
        let height = ((bin.count as f64 / top).sqrt() * (HIST_BOTTOM - HIST_TOP)).max(1.5);
        let width = (x(bin.to) - x(bin.from) - 1.0).max(1.0);
        rect(&mut svg, "bar", x(bin.from), HIST_BOTTOM - height, width, height);
    }
    push(
        &mut svg,
        &format!(
            "<line class=\"grid\" x1=\"{HIST_LEFT}\" x2=\"{}\" y1=\"{HIST_BOTTOM}\" y2=\"{HIST_BOTTOM}\"/>",
            HIST_WIDTH - HIST_LEFT
        ),
    );
    let mut last_label = f64::NEG_INFINITY;
    for (name, value) in [("p50", d.p50), ("p99", d.p99), ("p99.9", d.p999)] {
        let at = x(value);
        push(
            &mut svg,
            &format!(
                "<line class=\"mark\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{}\" y2=\"{HIST_BOTTOM}\"/>",
                HIST_TOP - 8.0
            ),
        );
        // A label that would print over its neighbour is left out; the line stays, the table has the number.
        if at - last_label > 34.0 {
            let anchor = if at > HIST_WIDTH - 30.0 { "end" } else { "middle" };
            text(&mut svg, "tickmark", at.max(HIST_LEFT + 10.0), HIST_TOP - 14.0, anchor, name);
            last_label = at;
        }
    }
    for part in 0..=4 {
        let value = span.mul_add(f64::from(part) / 4.0, first.from);
        let anchor = match part {
            0 => "start",
            4 => "end",
            _ => "middle",
        };
        text(&mut svg, "tickmark", x(value), HIST_BOTTOM + 18.0, anchor, &number(value, span));
    }
    text(&mut svg, "tickmark", HIST_WIDTH / 2.0, HIST_BOTTOM + 34.0, "middle", d.unit);
    svg.push_str("</svg>");
    svg
}

/// With as many digits as tell neighbouring marks apart.
fn number(value: f64, span: f64) -> String {
    if span >= 100.0 {
        format!("{value:.0}")
    } else if span >= 4.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

fn open(id: &str, title: &str, description: &str, width: f64, height: f64) -> String {
    format!(
        "<svg viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\
         <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>",
        escape(title),
        escape(description)
    )
}

fn rect(svg: &mut String, class: &str, x: f64, y: f64, width: f64, height: f64) {
    push(
        svg,
        &format!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            width.max(0.0),
            height.max(0.0)
        ),
    );
}

fn text(svg: &mut String, class: &str, x: f64, y: f64, anchor: &str, what: &str) {
    push(
        svg,
        &format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>", escape(what)),
    );
}

fn push(svg: &mut String, element: &str) {
    svg.push_str(element);
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn every_recording_and_phase_is_drawn() {
        let report = sample(false);
        let rows: Vec<&Recording> = report.recordings.iter().collect();
        let svg = waveforms("w", "all", report.seconds, &report.phases, &rows);
        assert_eq!(svg.matches("class=\"wave\"").count(), rows.len());
        assert_eq!(svg.matches("class=\"window\"").count(), report.phases.len());
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn empty_input_draws_an_empty_picture() {
        let svg = waveforms("w", "none", 0.0, &[], &[]);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>") && !svg.contains("NaN"));
        assert!(histogram("h", "none", &Distribution::default()).contains("not measured"));
    }

    #[test]
    fn a_single_value_still_has_a_bar() {
        let svg = histogram("h", "one", &Distribution::from_values("µs", [5.0]));
        assert_eq!(svg.matches("class=\"bar\"").count(), 1);
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
