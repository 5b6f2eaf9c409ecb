//! `antiphon permissions`: the published permission matrix, filtered and printed.
//!
//! Owns the three output forms; the matrix itself is in `antiphon-graph`. Pure but for the final print.

use std::fmt::Write as _;

use antiphon_graph::permission::{DATA_DATE, DATA_PAGE, Permission, Row, rows};
use serde_json::json;

use crate::args::{Format, PermissionsOptions};

/// Prints what was asked for; 1 if nothing matches.
pub(crate) fn run(options: &PermissionsOptions) -> anyhow::Result<u8> {
    let rows: Vec<&Row> = rows().iter().filter(|row| matches(row, options.word.as_deref())).collect();
    if rows.is_empty() {
        let word = options.word.as_deref().unwrap_or_default();
        anyhow::bail!("no operation or permission contains {word:?}; leave the word out to see all of them");
    }
    match options.format {
        Format::Table => print!("{}", table(&rows)),
        Format::Json => println!("{}", serde_json::to_string_pretty(&as_json(&rows))?),
        Format::Csv => print!("{}", csv(&rows)),
    }
    Ok(0)
}

fn matches(row: &Row, word: Option<&str>) -> bool {
    let Some(word) = word.map(str::to_ascii_lowercase) else { return true };
    let permission = row.sufficient().iter().any(|p| p.name().to_ascii_lowercase().contains(&word));
    permission || operation(row).to_ascii_lowercase().contains(&word)
}

fn operation(row: &Row) -> String {
    format!("{} {}{}", row.method, row.version.as_str(), row.path)
}

fn names(permissions: &[Permission]) -> Vec<&'static str> {
    permissions.iter().map(|permission| permission.name()).collect()
}

fn table(rows: &[&Row]) -> String {
    let mut out = String::new();
    let width = rows.iter().map(|row| operation(row).len()).max().unwrap_or(0);
    let mut put = |line: &str| writeln!(out, "{line}").expect("invariant: writing to a String cannot fail");
    put(&format!("{:width$}  {:13}  any one of these suffices", "operation", "checked at"));
    for row in rows {
        let permissions = names(row.sufficient());
        let permissions = if permissions.is_empty() { "none needed".to_owned() } else { permissions.join(", ") };
        put(&format!("{:width$}  {:13}  {permissions}", operation(row), row.enforcement.as_str()));
    }
    put(&format!(
        "\n{} operations. Application permissions only; least privileged first. From {DATA_PAGE}, {DATA_DATE}.",
        rows.len()
    ));
    out
}

fn as_json(rows: &[&Row]) -> serde_json::Value {
    rows.iter()
        .map(|row| {
            json!({
                "version": row.version.as_str(),
                "method": row.method,
                "path": row.path,
                "checkedAt": row.enforcement.as_str(),
                "sufficient": names(row.sufficient()),
                "leastPrivileged": names(&row.least),
                "documented": row.documented,
            })
        })
        .collect()
}

/// RFC 4180. No field holds a comma, a quote or a line break: permissions are separated by spaces.
fn csv(rows: &[&Row]) -> String {
    let mut out = String::from("version,method,path,checkedAt,sufficient,leastPrivileged,documented\r\n");
    for row in rows {
        let documented = if row.documented { "yes" } else { "no" };
        let fields = [
            row.version.as_str(),
            row.method,
            row.path,
            row.enforcement.as_str(),
            &names(row.sufficient()).join(" "),
            &names(&row.least).join(" "),
            documented,
        ];
        out.push_str(&fields.join(","));
        out.push_str("\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(word: Option<&str>) -> Vec<&'static Row> {
        rows().iter().filter(|row| matches(row, word)).collect()
    }

    #[test]
    fn words_match_operations_and_permissions_in_any_case() {
        assert_eq!(filtered(None).len(), rows().len());
        assert!(filtered(Some("AUDIOROUTINGGROUPS")).iter().all(|row| row.path.contains("audioRoutingGroups")));
        assert!(filtered(Some("accessmedia")).len() > 10);
        assert!(filtered(Some("no such thing")).is_empty());
    }

    #[test]
    fn every_form_has_every_row() {
        let rows = filtered(Some("calls"));
        assert_eq!(csv(&rows).lines().count(), rows.len() + 1);
        assert_eq!(as_json(&rows).as_array().map(Vec::len), Some(rows.len()));
        assert!(rows.iter().all(|row| table(&rows).contains(&operation(row))));
    }

    #[test]
    fn csv_fields_never_need_quoting() {
        for line in csv(&filtered(None)).lines() {
            assert_eq!(line.matches(',').count(), 6, "{line}");
            assert!(!line.contains('"'));
        }
    }
}
