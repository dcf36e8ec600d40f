//! One page: a table to search in, light or dark, printable, readable without scripts, and in need of nothing else.
//!
//! The browser is told to load nothing and to run only the script that is in it, by its hash. No secret is in it, whatever the options
//! say: it is made to be passed on.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::view::{As, SuppressionView, View, count, number, size};
use super::xml::escaped;
use crate::scan::{Finding, Piece, Place};

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/search.js");

/// So many places of a finding are listed, and so many gaps.
const MANY: usize = 200;

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let report = view.report;
    let summary = view.summary();
    let hash = |text: &str| format!("sha256-{}", STANDARD.encode(Sha256::digest(text)));
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    writeln!(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
    writeln!(out, "<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">")?;
    writeln!(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
    writeln!(out, "<meta name=\"referrer\" content=\"no-referrer\">\n<title>Secrets found by seal</title>")?;
    writeln!(out, "<style>{STYLE}</style>\n</head>\n<body>\n<h1>Secrets found by seal</h1>")?;
    let commits = summary.commits.map(|commits| format!("{} commits, ", number(commits))).unwrap_or_default();
    let scanned = format!("{commits}{}, {}", count(summary.texts, "text"), size(summary.bytes));
    let repository = report.options.repository.as_ref();
    let of = repository.map(|repository| format!("{} · ", repository.url)).unwrap_or_default();
    writeln!(out, "<p class=\"faint\">{}{scanned} · seal {}</p>", escaped(&of), escaped(&report.options.version))?;
    write_gaps(view, out)?;
    writeln!(out, "<div class=\"sums\">")?;
    for severity in ["critical", "high", "medium", "low", "info"] {
        let many = summary.by_severity.get(severity).copied().unwrap_or_default();
        writeln!(out, "<div class=\"sum\"><b class=\"{severity}\">{many}</b>{severity}</div>")?;
    }
    writeln!(out, "<div class=\"sum\"><b>{}</b>let through</div>\n</div>", summary.suppressed)?;
    writeln!(
        out,
        "<div class=\"tools\" id=\"tools\" hidden><input type=\"search\" id=\"search\" aria-label=\"Search\""
    )?;
    writeln!(
        out,
        " placeholder=\"Search rules, paths, people, ids\"><label><input type=\"checkbox\" id=\"through\" checked>"
    )?;
    writeln!(out, " let through</label><span class=\"faint\" id=\"left\"></span></div>\n<table>\n<thead><tr>")?;
    writeln!(out, "<th>Severity</th><th>Secret</th><th>Where</th><th>Id</th></tr></thead>\n<tbody>")?;
    for finding in report.told() {
        write_row(view, finding, out)?;
    }
    writeln!(out, "</tbody>\n</table>\n<script>{SCRIPT}</script>\n</body>\n</html>")
}

fn write_gaps(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let gaps = view.unscanned();
    if gaps.is_empty() {
        return Ok(());
    }
    let words = format!("Incomplete: {} could not be looked through.", count(gaps.len(), "text"));
    writeln!(out, "<div class=\"incomplete\"><b>{words}</b><details><summary>Which</summary>")?;
    for gap in gaps.iter().take(MANY) {
        writeln!(out, "<p><code>{}</code> {}</p>", escaped(&gap.name), escaped(gap.reason))?;
    }
    if gaps.len() > MANY {
        writeln!(out, "<p>and {} more</p>", gaps.len() - MANY)?;
    }
    writeln!(out, "</details></div>")
}

fn write_row(view: &View<'_>, finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let Some(place) = finding.places.iter().find(|place| super::view::is_there(place)).or(finding.places.first())
    else {
        return Ok(());
    };
    let rule = view.rule(finding);
    let class = if finding.suppressed.is_some() { " class=\"let-through\"" } else { "" };
    let (severity, confidence) = (finding.severity.name(), finding.confidence.name());
    writeln!(out, "<tr{class}><td><span class=\"{severity}\">{severity}</span><br>{confidence} confidence</td>")?;
    writeln!(out, "<td><details><summary>{}</summary>", escaped(&rule.title))?;
    writeln!(out, "<pre>{}</pre><dl>", excerpt(view, finding, place))?;
    let mut row = |name: &str, words: &str| -> io::Result<()> {
        if words.is_empty() { Ok(()) } else { writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escaped(words)) }
    };
    row("rule", &rule.id)?;
    view.notes(finding).iter().try_for_each(|note| row("why", note))?;
    if let Some(suppression) = &finding.suppressed {
        row("let through", &SuppressionView::of(suppression).words())?;
    }
    if let Some(key_path) = &place.key_path {
        row("key", &view.text(key_path.as_bytes(), As::Raw))?;
    }
    if let Some(history) = &place.history {
        row("first seen", &history.first.as_ref().map(|first| view.commit(first)).unwrap_or_default())?;
        row("reachable from", &view.refs(history))?;
    }
    for other in finding.places.iter().filter(|other| !std::ptr::eq(*other, place)).take(MANY) {
        row("also in", &view.location(other, As::Raw))?;
    }
    let listed = finding.places.len().min(MANY + 1);
    if finding.place_count > listed {
        row("", &format!("and {} more places", finding.place_count - listed))?;
    }
    row("revoke", &rule.revoke)?;
    row("fix", &view.fix(finding).unwrap_or_default())?;
    writeln!(out, "</dl></details></td>")?;
    let presence = view.presence(place).map(|words| format!("<br><span class=\"faint\">{words}</span>"));
    let others = match finding.place_count {
        1 => String::new(),
        many => format!("<br><span class=\"faint\">{}</span>", count(many, "place")),
    };
    let location = escaped(&view.location(place, As::Raw));
    writeln!(out, "<td class=\"where\">{location}{}{others}</td>", presence.unwrap_or_default())?;
    writeln!(out, "<td><code>{}</code></td></tr>", finding.fingerprint.short())
}

/// The line with its secret marked, redacted in any case.
fn excerpt(view: &View<'_>, finding: &Finding, place: &Place) -> String {
    let pieces = place.excerpt.pieces().into_iter().map(|piece| match piece {
        Piece::Text(bytes) => escaped(&view.text(bytes, As::Raw)),
        Piece::Secret => format!("<mark>{}</mark>", escaped(&super::redacted(finding.secret.expose()))),
        Piece::OtherSecret => "········".to_owned(),
        Piece::Cut => "…".to_owned(),
    });
    format!("{} {}", place.line, pieces.collect::<String>())
}
