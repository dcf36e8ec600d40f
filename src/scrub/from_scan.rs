//! Leaked values by the report of a scanner: seal's own JSON, as one document or in lines, gitleaks' JSON, and SARIF.
//!
//! A report may be redacted: then it says where a value stands, and the value is read there. Reading blobs is the caller's.

use gix::ObjectId;
use gix::bstr::BString;
use serde_json::Value;
use zeroize::Zeroizing;

/// A finding of a report, as far as it leads to a value.
pub enum Reported {
    /// The value itself.
    Value(Zeroizing<Vec<u8>>),
    /// Where the value stands.
    At(Location),
    /// A finding that says neither, by the number that it has in the report, from 1.
    Lost(usize),
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// In which object.
    pub holder: Holder,
    /// Where in it.
    pub region: Region,
    /// How many bytes the value has, where that is known.
    pub length: Option<usize>,
}

/// What a value stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A blob, commit or tag.
    Object(ObjectId),
    /// A file of a commit.
    File(ObjectId, BString),
}

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// From one byte up to another.
    Bytes(usize, usize),
    /// Line and column of the first character, then of the one behind the last, from 1.
    Lines([usize; 4]),
}

/// A report that is none of those that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no report of seal (JSON or JSON lines), gitleaks (JSON) or SARIF")]
pub struct NotAReport;

/// The findings of a report.
pub fn reported(report: &[u8]) -> Result<Vec<Reported>, NotAReport> {
    let whole: Option<Value> = serde_json::from_slice(report).ok();
    let findings = match &whole {
        Some(Value::Array(all)) => return all.iter().enumerate().map(|(at, one)| of_gitleaks(one, at)).collect(),
        Some(Value::Object(map)) if map.contains_key("runs") => {
            let runs = map["runs"].as_array().ok_or(NotAReport)?.iter();
            let results = runs.flat_map(|run| run["results"].as_array().into_iter().flatten());
            return Ok(results.enumerate().map(|(at, one)| of_sarif(one).unwrap_or(Reported::Lost(at + 1))).collect());
        }
        Some(Value::Object(map)) if map.get("findings").is_some_and(Value::is_array) => {
            map["findings"].as_array().cloned()
        }
        _ => {
            let lines = report.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
            let lines: Option<Vec<Value>> = lines.map(|line| serde_json::from_slice(line).ok()).collect();
            let lines = lines.filter(|lines| lines.iter().any(|line| line.get("schema").is_some()));
            lines.map(|lines| lines.into_iter().filter(|line| line.get("fingerprint").is_some()).collect())
        }
    };
    let findings = findings.ok_or(NotAReport)?;
    Ok(findings.iter().enumerate().map(|(at, one)| of_seal(one).unwrap_or(Reported::Lost(at + 1))).collect())
}

impl Location {
    /// The value in the text that it stands in; `None` where it does not fit.
    pub fn value(&self, text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let range = match self.region {
            Region::Bytes(start, end) => start..end,
            Region::Lines([line, column, end_line, end_column]) => {
                place(text, line, column)?..place(text, end_line, end_column)?
            }
        };
        let value = text.get(range).filter(|value| !value.is_empty())?;
        // What was found behind an encoding is not what stands there.
        self.length.is_none_or(|length| length == value.len()).then(|| Zeroizing::new(value.to_vec()))
    }
}

/// The byte of a line and column, from 1; columns count characters.
fn place(text: &[u8], line: usize, column: usize) -> Option<usize> {
    let start = match line {
        0 => return None,
        1 => 0,
        line => memchr::memchr_iter(b'\n', text).nth(line - 2)? + 1,
    };
    let rest = &text[start..];
    let mut characters = rest.utf8_chunks().flat_map(|chunk| {
        chunk.valid().chars().map(char::len_utf8).chain(std::iter::repeat_n(1, chunk.invalid().len()))
    });
    let skipped: usize = characters.by_ref().take(column.checked_sub(1)?).sum();
    (start + skipped <= text.len()).then_some(start + skipped)
}

fn number(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|number| usize::try_from(number).ok())
}

fn id(value: &Value) -> Option<ObjectId> {
    ObjectId::from_hex(value.as_str()?.as_bytes()).ok()
}

fn of_seal(finding: &Value) -> Option<Reported> {
    if let Some(secret) = finding["secret"].as_str() {
        return Some(Reported::Value(Zeroizing::new(secret.as_bytes().to_vec())));
    }
    let length = Some(number(&finding["length"])?);
    let location = |place: &Value| {
        let holder = Holder::Object(id(&place["blob"]).or_else(|| id(&place["object"]))?);
        let region = Region::Bytes(number(&place["start"])?, number(&place["end"])?);
        let is_plain = place["decode"].as_array().is_none_or(Vec::is_empty);
        is_plain.then_some(Location { holder, region, length })
    };
    finding["places"].as_array()?.iter().find_map(location).map(Reported::At)
}

fn of_gitleaks(finding: &Value, at: usize) -> Result<Reported, NotAReport> {
    let secret = finding.get("Secret").and_then(Value::as_str).ok_or(NotAReport)?;
    let is_redacted = secret.is_empty() || secret == "REDACTED" || secret.ends_with("...");
    // Its columns are those of all that the rule matched: they do not lead to the value.
    Ok(if is_redacted { Reported::Lost(at + 1) } else { Reported::Value(Zeroizing::new(secret.as_bytes().to_vec())) })
}

fn of_sarif(result: &Value) -> Option<Reported> {
    let location = &result["locations"][0]["physicalLocation"];
    let region = &location["region"];
    let path: BString = location["artifactLocation"]["uri"].as_str()?.into();
    let commit = id(&result["partialFingerprints"]["commitSha"])?;
    let line = number(&region["startLine"])?;
    let lines = [
        line,
        number(&region["startColumn"])?,
        number(&region["endLine"]).unwrap_or(line),
        number(&region["endColumn"])?,
    ];
    Some(Reported::At(Location { holder: Holder::File(commit, path), region: Region::Lines(lines), length: None }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    fn told(report: &str) -> Vec<String> {
        let show = |one| match one {
            Reported::Value(value) => String::from_utf8(value.to_vec()).unwrap(),
            Reported::At(location) => format!("{:?}", location.region),
            Reported::Lost(number) => format!("lost {number}"),
        };
        reported(report.as_bytes()).unwrap().into_iter().map(show).collect()
    }

    #[test]
    fn every_form_of_report_is_read() {
        let place = format!("{{\"blob\":\"{ID}\",\"start\":4,\"end\":9,\"decode\":[]}}");
        let finding = format!("{{\"fingerprint\":\"f\",\"length\":5,\"places\":[{place}]}}");
        let open = "{\"fingerprint\":\"f\",\"secret\":\"s3\",\"length\":2,\"places\":[]}";
        let lost = "{\"fingerprint\":\"f\",\"length\":2,\"places\":[]}";
        let expected = ["Bytes(4, 9)", "s3", "lost 3"];
        assert_eq!(told(&format!("{{\"schema\":\"seal.scan/1\",\"findings\":[{finding},{open},{lost}]}}")), expected);
        assert_eq!(told(&format!("{finding}\n{open}\n{lost}\n{{\"schema\":\"seal.scan/1\"}}\n")), expected);
        assert_eq!(told("[{\"Secret\":\"abc\"},{\"Secret\":\"REDACTED\"}]"), ["abc", "lost 2"]);
        let sarif = format!(
            "{{\"runs\":[{{\"results\":[{{\"locations\":[{{\"physicalLocation\":{{\"artifactLocation\":{{\"uri\":\"a\"}},\
             \"region\":{{\"startLine\":2,\"startColumn\":3,\"endColumn\":6}}}}}}],\"partialFingerprints\":{{\"commitSha\":\"{ID}\"}}}}]}}]}}"
        );
        assert_eq!(told(&sarif), ["Lines([2, 3, 2, 6])"]);
        for bad in ["", "x", "{}", "[1]", "{\"a\":1}\n"] {
            assert!(reported(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_are_read_where_they_stand() {
        let at = |region, length| Location {
            holder: Holder::Object(ObjectId::from_hex(ID.as_bytes()).unwrap()),
            region,
            length,
        };
        let text = "key\né: secret!\n".as_bytes();
        let value =
            |region, length| at(region, length).value(text).map(|value| String::from_utf8(value.to_vec()).unwrap());
        assert_eq!(value(Region::Lines([2, 4, 2, 10]), None).as_deref(), Some("secret"));
        assert_eq!(value(Region::Bytes(8, 14), Some(6)).as_deref(), Some("secret"));
        assert_eq!(value(Region::Bytes(8, 14), Some(4)), None, "what stands there is encoded");
        assert_eq!(value(Region::Bytes(8, 99), None), None);
        assert_eq!(value(Region::Lines([9, 1, 9, 2]), None), None);
    }
}
