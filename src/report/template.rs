//! Any other format: a template in the syntax of Jinja, filled in with what the JSON report has.
//!
//! A template sees `tool`, `complete`, `summary`, `not_scanned` and `findings`; it reads no files, and its work is bounded.

use std::io::{self, ErrorKind, Write};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment};
use serde::Serialize;

use super::view::{FindingView, Summary, UnscannedView, View};

/// Steps a template may take, and findings it is given; more would take long and much memory.
const FUEL: u64 = 50_000_000;
const MAX_FINDINGS: usize = 100_000;

#[derive(Serialize)]
struct Values<'a> {
    tool: Tool<'a>,
    complete: bool,
    summary: Summary,
    not_scanned: Vec<UnscannedView>,
    findings: Vec<FindingView<'a>>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'static str,
    version: &'a str,
}

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let report = view.report;
    let fail = |error: minijinja::Error| {
        let line = error.line().map(|line| format!(", line {line}")).unwrap_or_default();
        let why = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
        io::Error::new(ErrorKind::InvalidInput, format!("the template cannot be used{line}: {}{why}", error.kind()))
    };
    let missing = || io::Error::new(ErrorKind::InvalidInput, "no template was given: --template FILE");
    let text = report.options.template.as_deref().ok_or_else(missing)?;
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    // What is written is not known to be HTML; `|escape` and `|tojson` are there to ask for.
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    // As a file: what stands at its end stays.
    environment.set_syntax(SyntaxConfig::builder().keep_trailing_newline(true).build().map_err(fail)?);
    environment.add_template("report", text).map_err(fail)?;
    let values = Value::from(Serde(Values {
        tool: Tool { name: "seal", version: &report.options.version },
        complete: report.is_complete(),
        summary: view.summary(),
        not_scanned: view.unscanned(),
        findings: report.told().take(MAX_FINDINGS).map(|finding| view.finding(finding)).collect(),
    }));
    let filled = environment.get_template("report").and_then(|template| template.render(values)).map_err(fail)?;
    out.write_all(filled.as_bytes())
}
