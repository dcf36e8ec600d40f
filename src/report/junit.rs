//! JUnit: a suite with a test for each finding, failed; for each gap, in error; for each let through, skipped.

use std::io::{self, Write};

use super::view::{As, SuppressionView, View};
use super::xml::escaped;

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let report = view.report;
    let gaps = view.unscanned();
    let told: Vec<_> = report.told().collect();
    let skipped = told.iter().filter(|finding| finding.suppressed.is_some()).count();
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{skipped}\"",
        told.len() + gaps.len(),
        told.len() - skipped,
        gaps.len()
    );
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites name=\"seal\" {counts}>\n  <testsuite name=\"seal scan\" {counts}>")?;
    for finding in told {
        let Some(place) = finding.places.first() else { continue };
        let rule = view.rule(finding);
        let name = format!("{} {}", finding.fingerprint.short(), view.location(place, As::Raw));
        let file = view.path(&place.source);
        writeln!(
            out,
            "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\">",
            escaped(&rule.id),
            escaped(&name),
            escaped(&file),
            place.line
        )?;
        match &finding.suppressed {
            Some(suppression) => {
                writeln!(out, "      <skipped message=\"{}\"/>", escaped(&SuppressionView::of(suppression).words()))?;
            }
            None => {
                let message = format!("{} in {file}", rule.title);
                let kind = format!("{}/{}", finding.severity.name(), finding.confidence.name());
                let mut text = view.excerpt(finding, place, As::Raw).0;
                for (index, other) in finding.places.iter().enumerate().skip(1).take(20) {
                    text += if index == 1 { "\nalso in " } else { ", " };
                    text += &view.location(other, As::Raw);
                }
                for advice in [rule.revoke.as_str(), &view.fix(finding).unwrap_or_default()] {
                    text += &if advice.is_empty() { String::new() } else { format!("\n{advice}") };
                }
                let (message, kind, text) = (escaped(&message), escaped(&kind), escaped(&text));
                writeln!(out, "      <failure message=\"{message}\" type=\"{kind}\">{text}</failure>")?;
            }
        }
        writeln!(out, "    </testcase>")?;
    }
    for gap in gaps {
        let name = escaped(&gap.name);
        writeln!(out, "    <testcase classname=\"not-scanned\" name=\"{name}\">")?;
        writeln!(out, "      <error message=\"{}\" type=\"incomplete\"/>\n    </testcase>", escaped(gap.reason))?;
    }
    writeln!(out, "  </testsuite>\n</testsuites>")
}
