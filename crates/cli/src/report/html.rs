//! The report as one self-contained page.
//!
//! Owns the page: no script, no outside resource, light and dark, readable without colour and by a screen
//! reader (real tables with scoped headings, described pictures). Pure: makes a string.

use std::fmt::Write as _;

use super::chart;
use super::{Distribution, PhaseReport, Recording, Report, Track};

/// `write!` into a `String`.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {
        write!($out, $($arg)*).expect("invariant: writing to a String cannot fail")
    };
}

const STYLE: &str = include_str!("style.css");

/// The page.
pub(crate) fn render(report: &Report) -> String {
    let mut out = String::with_capacity(512 * 1024);
    out.push_str("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">");
    out.push_str("<meta name=\"color-scheme\" content=\"light dark\"><title>Antiphon demo</title><style>");
    out.push_str(STYLE);
    out.push_str("</style></head><body><main>");
    header(&mut out, report);
    tiles(&mut out, report);
    matrices(&mut out, report);
    sound(&mut out, report);
    histograms(&mut out, report);
    numbers(&mut out, report);
    notices(&mut out, report);
    method(&mut out);
    out.push_str("</main></body></html>\n");
    out
}

/// Makes text safe inside an element or a quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

fn header(out: &mut String, report: &Report) {
    let run = &report.run;
    let (class, word) = match (report.verdict.passed(), report.verdict.interrupted) {
        (true, _) => ("ok", "as planned"),
        (false, true) => ("bad", "interrupted"),
        (false, false) => ("bad", "not as planned"),
    };
    put!(out, "<header><h1>Antiphon demo <span class=\"pill {class}\">{word}</span></h1>");
    put!(
        out,
        "<p>{} talkers, a bot and a newcomer in one meeting for {:.0} seconds; {}. Started {}, version {}.</p>",
        run.talkers,
        report.seconds,
        link(report),
        escape(&run.started),
        escape(&run.version)
    );
    if !report.verdict.problems.is_empty() {
        out.push_str("<ul class=\"problems\">");
        for problem in &report.verdict.problems {
            put!(out, "<li>{}</li>", escape(problem));
        }
        out.push_str("</ul>");
    }
    out.push_str("</header>");
}

fn link(report: &Report) -> String {
    let run = &report.run;
    if run.loss_percent == 0.0 && run.jitter_ms == 0.0 {
        return "a clean network".to_owned();
    }
    format!("{} % loss and up to {} ms of jitter each way, seed {}", run.loss_percent, run.jitter_ms, run.seed)
}

fn tiles(out: &mut String, report: &Report) {
    let f = &report.figures;
    let pairs: usize = report.phases.iter().map(|phase| phase.matrix.pairs()).sum();
    let wrong: usize = report.phases.iter().map(|phase| phase.matrix.wrong_pairs().len()).sum();
    let came = report.notices.iter().filter(|notice| notice.after_ms.is_some()).count();
    let or_dash = |d: &Distribution, text: String| if d.count == 0 { "–".to_owned() } else { text };
    let tiles = [
        ("pairs as planned", format!("{} / {pairs}", pairs - wrong), format!("{} phases", report.phases.len())),
        (
            "added mouth to ear",
            or_dash(&f.mouth_to_ear, format!("{:.1} {}", f.mouth_to_ear.p50, f.mouth_to_ear.unit)),
            format!("p99 {:.1}", f.mouth_to_ear.p99),
        ),
        ("tick, p99", or_dash(&f.tick, format!("{:.2} ms", f.tick.p99 / 1000.0)), "of a 20 ms budget".to_owned()),
        ("tick ÷ codec calls", format!("{:.2}", f.tick_over_codec()), "over the whole run".to_owned()),
        (
            "encodes per tick",
            format!("{:.2}", f.encodes_per_tick()),
            format!("for {:.2} listeners", f.listeners_per_tick),
        ),
        ("concealed", format!("{:.2} %", f.concealed_percent()), format!("{:.2} % lost on the way", f.loss_percent())),
        ("notifications", format!("{came} of {}", report.notices.len()), "signatures verified".to_owned()),
    ];
    out.push_str("<dl class=\"tiles\">");
    for (name, value, note) in tiles {
        put!(out, "<div><dt>{name}</dt><dd>{}</dd><dd class=\"note\">{}</dd></div>", escape(&value), escape(&note));
    }
    out.push_str("</dl>");
}

fn matrices(out: &mut String, report: &Report) {
    out.push_str("<section><h2>Who heard whom</h2><p>Rows are ears, columns are voices. Measured from the recordings and laid over the plan.</p>");
    out.push_str("<p class=\"legend\"><span class=\"cell yes\">●</span> heard, as planned <span class=\"cell no\">·</span> silent, as planned <span class=\"cell extra\">!</span> heard against the plan <span class=\"cell miss\">○</span> planned, not heard</p><div class=\"grids small\">");
    for phase in &report.phases {
        matrix(out, phase);
    }
    out.push_str("</div></section>");
}

fn matrix(out: &mut String, phase: &PhaseReport) {
    let wrong = phase.matrix.wrong_pairs().len();
    let state = if wrong == 0 { "as planned".to_owned() } else { format!("{wrong} wrong") };
    let class = if wrong == 0 { "ok" } else { "bad" };
    put!(
        out,
        "<figure><table class=\"matrix\"><caption><b>({})</b> {} <span class=\"pill {class}\">{state}</span></caption><thead><tr><td></td>",
        phase.letter,
        escape(&phase.title)
    );
    for source in &phase.matrix.sources {
        put!(out, "<th scope=\"col\">{}</th>", escape(&source.short()));
    }
    out.push_str("</tr></thead><tbody>");
    for row in &phase.matrix.rows {
        put!(out, "<tr><th scope=\"row\">{}</th>", escape(&row.ear.short()));
        for (source, cell) in phase.matrix.sources.iter().zip(&row.cells) {
            let (class, mark, words) = match (cell.expected, cell.heard) {
                (true, true) => ("yes", '●', "heard"),
                (false, false) => ("no", '·', "silent"),
                (false, true) => ("extra", '!', "heard against the plan"),
                (true, false) => ("miss", '○', "planned, not heard"),
            };
            put!(
                out,
                "<td class=\"cell {class}\" title=\"{} ← {}: {words}, {:+.1} dB\">{mark}</td>",
                escape(&row.ear.short()),
                escape(&source.short()),
                cell.margin_db
            );
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></figure>");
}

fn sound(out: &mut String, report: &Report) {
    out.push_str("<section><h2>Sound</h2><p>Pale bands are settling time, darker bands are the measured windows. The WAV files lie beside this page.</p>");
    let tracks = [
        (Track::Said, "said", "What each one said"),
        (Track::Heard, "heard", "What each one heard"),
        (Track::Lane, "lanes", "What the bot got unmixed"),
    ];
    for (track, id, title) in tracks {
        let rows: Vec<&Recording> = report.recordings.iter().filter(|r| r.track == track).collect();
        if rows.is_empty() {
            continue;
        }
        put!(out, "<h3>{title}</h3><div class=\"wide\">");
        out.push_str(&chart::waveforms(id, title, report.seconds, &report.phases, &rows));
        out.push_str("</div><p class=\"files\">");
        for row in rows {
            put!(out, "<a href=\"{0}\">{0}</a> ", escape(&row.file));
        }
        out.push_str("</p>");
    }
    out.push_str("</section>");
}

fn histograms(out: &mut String, report: &Report) {
    let f = &report.figures;
    out.push_str("<section><h2>Time</h2><p>Bar heights are square roots of counts, so that rare values show.</p><div class=\"grids large\">");
    for (id, title, d) in [
        ("tick", "Duration of a tick", &f.tick),
        ("over", "Tick ÷ the codec calls in it", &f.tick_over_codec),
        ("late", "Lateness of a tick", &f.lateness),
        ("m2e", "Mouth to ear, added", &f.mouth_to_ear),
    ] {
        put!(out, "<figure class=\"hist\"><figcaption>{title}</figcaption>{}</figure>", chart::histogram(id, title, d));
    }
    out.push_str("</div><div class=\"wide\"><table><thead><tr><th scope=\"col\">quantity</th><th scope=\"col\">p50</th><th scope=\"col\">p99</th><th scope=\"col\">p99.9</th><th scope=\"col\">max</th><th scope=\"col\">mean</th><th scope=\"col\">values</th></tr></thead><tbody>");
    for (title, d) in [
        ("tick", &f.tick),
        ("tick ÷ codec calls", &f.tick_over_codec),
        ("tick lateness", &f.lateness),
        ("mouth to ear, added", &f.mouth_to_ear),
    ] {
        put!(
            out,
            "<tr><th scope=\"row\">{title}, {}</th><td>{:.2}</td><td>{:.2}</td><td>{:.2}</td><td>{:.2}</td><td>{:.2}</td><td>{}</td></tr>",
            d.unit,
            d.p50,
            d.p99,
            d.p999,
            d.max,
            d.mean,
            d.count
        );
    }
    out.push_str("</tbody></table></div></section>");
}

fn numbers(out: &mut String, report: &Report) {
    let f = &report.figures;
    out.push_str("<section><h2>Counts</h2><div class=\"wide\"><table><tbody>");
    let mut rows = vec![
        ("ticks".to_owned(), format!("{} run, {} skipped", f.ticks, f.skipped_ticks)),
        ("encodes at libopus".to_owned(), format!("{} ({:.2} per tick)", f.encodes, f.encodes_per_tick())),
        ("decodes at libopus".to_owned(), format!("{} ({:.2} per tick)", f.decodes, f.decodes_per_tick())),
        ("packets".to_owned(), format!("{} in, {} out", f.packets_in, f.packets_out)),
        ("packets at talkers' ears".to_owned(), format!("{} came, {} missed", f.ears_got, f.ears_missed)),
        ("datagrams on the lossy link".to_owned(), format!("{} seen, {} lost", f.link_seen, f.link_dropped)),
        ("real-time priority".to_owned(), if f.real_time { "granted" } else { "refused" }.to_owned()),
    ];
    rows.extend(f.outcomes.iter().map(|counted| (counted.name.clone(), counted.count.to_string())));
    for (name, value) in rows {
        put!(out, "<tr><th scope=\"row\">{}</th><td class=\"left\">{}</td></tr>", escape(&name), escape(&value));
    }
    out.push_str("</tbody></table></div></section>");
}

fn notices(out: &mut String, report: &Report) {
    out.push_str("<section><h2>Notifications</h2><div class=\"wide\"><table><thead><tr><th scope=\"col\">phase</th><th scope=\"col\">notification due</th><th scope=\"col\">after</th></tr></thead><tbody>");
    for notice in &report.notices {
        let after =
            notice.after_ms.map_or_else(|| "<b class=\"missing\">missing</b>".to_owned(), |ms| format!("{ms:.0} ms"));
        put!(
            out,
            "<tr><td>({})</td><td class=\"left\">{}</td><td>{after}</td></tr>",
            notice.phase,
            escape(&notice.what)
        );
    }
    out.push_str("</tbody></table></div></section>");
}

fn method(out: &mut String) {
    out.push_str(
        "<section><h2>How this was measured</h2>\
         <p>Under every voice lie two faint steady tones of its own, which survive Opus and can be told apart in a mix of \
         sixteen. For each phase a detector looks for every such signature in what each ear recorded during the measured \
         window; routes get the settling time before it to take effect. The plan is computed from what the demo asked for, \
         by a set model that never asks the engine. Hover a cell for the distance from the decision threshold.</p>\
         <p>A tick is one 20 ms cycle of the meeting. Tick ÷ codec calls divides whole ticks by the time spent inside \
         libopus in the same ticks, both read from the time stamp counter. Mouth to ear is \
         what the whole path (sockets, jitter buffer, mixing) adds between a talker&#39;s frame and a listener&#39;s.</p></section>",
    );
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn page_needs_nothing_from_outside() {
        let page = render(&sample(false));
        for outside in ["http://", "https://", "<script", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn page_shows_every_phase_and_every_wrong_pair() {
        let report = sample(true);
        let page = render(&report);
        assert_eq!(page.matches("<table class=\"matrix\">").count(), 8);
        assert_eq!(
            page.matches("<td class=\"cell miss\"").count() + page.matches("<td class=\"cell extra\"").count(),
            1
        );
        assert!(page.contains("not as planned"));
        assert!(page.contains(&escape(&report.verdict.problems[0])));
        assert!(page.contains("<b class=\"missing\">missing</b>"));
    }

    #[test]
    fn tags_are_balanced() {
        let page = render(&sample(true));
        for tag in ["table", "tr", "td", "th", "svg", "section", "figure", "div", "p", "dl", "ul", "li"] {
            let open = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
            assert_eq!(open, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }

    #[test]
    fn text_from_outside_cannot_become_markup() {
        assert_eq!(escape("<a b='c'>&\""), "&lt;a b=&#39;c&#39;&gt;&amp;&quot;");
        let mut report = sample(false);
        report.verdict.problems.push("<script>".into());
        assert!(!render(&report).contains("<script>"));
    }

    /// Writes the page where a browser can be pointed at it; the path is printed.
    #[test]
    fn page_of_a_full_run_stays_small() {
        let page = render(&sample(true));
        assert!(page.len() < 1_500_000, "{}", page.len());
        if let Some(path) = std::env::var_os("ANTIPHON_SAMPLE_REPORT") {
            std::fs::write(path, page).expect("sample report");
        }
    }
}
