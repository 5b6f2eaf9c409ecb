//! `antiphon permissions`: the published permission matrix, filtered and printed.
//!
//! Owns the three output forms, each with the data's date and page; what a text means is in `query`, the matrix itself in
//! `antiphon-graph`. Pure but for the final print.

pub(crate) mod query;

use std::fmt::Write as _;

use antiphon_graph::permission::{CreateScenario, DATA_DATE, DATA_PAGE, Permission, Row};
use serde_json::json;

use crate::args::{Format, PermissionsOptions};
use query::{Query, operation};

/// Prints what was asked for; an error if nothing matches.
pub(crate) fn run(options: &PermissionsOptions) -> anyhow::Result<u8> {
    let text = options.words.join(" ");
    let query = Query::parse(&text);
    let rows = query.rows();
    if rows.is_empty() {
        match query {
            Query::Endpoint { .. } => anyhow::bail!(
                "the matrix has no row for {text:?}; leave out version or method, or give a word of it, to see what is near"
            ),
            _ => anyhow::bail!("no operation or permission contains {text:?}; leave the words out to see all of them"),
        }
    }
    match options.format {
        Format::Table => print!("{}", table(&rows)),
        Format::Json => println!("{}", serde_json::to_string_pretty(&as_json(&rows))?),
        Format::Csv => print!("{}", csv(&rows)),
    }
    Ok(0)
}

/// Names of permissions, in their order.
pub(crate) fn names(permissions: &[Permission]) -> Vec<&'static str> {
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
    put("");
    for rule in rules(rows) {
        put(&rule);
    }
    put(&format!(
        "{} operations. Application permissions only; least privileged first. From {DATA_PAGE}, {DATA_DATE}.",
        rows.len()
    ));
    out
}

/// What the matrix cannot express about these rows.
fn rules(rows: &[&Row]) -> Vec<String> {
    let creates = |row: &&Row| row.method == "POST" && row.path.ends_with("/calls");
    let answers = |row: &&Row| row.path.ends_with("/answer");
    let mut rules = Vec::new();
    if rows.iter().any(creates) {
        for (what, scenario) in [
            ("To join a meeting", CreateScenario::Join),
            ("To call one target", CreateScenario::PeerToPeer),
            ("To call two or more", CreateScenario::GroupCall),
        ] {
            rules.push(format!("{what}, a call needs {}.", names(scenario.sufficient()).join(" or ")));
        }
    }
    if rows.iter().any(|row| creates(row) || answers(row)) {
        rules.push(format!(
            "With app-hosted media, creating and answering need {} or {} besides.",
            Permission::AccessMedia,
            Permission::AccessMediaChat
        ));
    }
    if rows.iter().any(|row| row.notes.contains(&"tenant-setting")) {
        rules.push(
            "Removing a participant also needs the app's id in the tenant's meeting setting AllowRemoveParticipantAppIds."
                .to_owned(),
        );
    }
    rules
}

fn as_json(rows: &[&Row]) -> serde_json::Value {
    let operations: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "version": row.version.as_str(),
                "method": row.method,
                "path": row.path,
                "checkedAt": row.enforcement.as_str(),
                "sufficient": names(row.sufficient()),
                "leastPrivileged": names(&row.least),
                "documented": row.documented,
                "inSdk": row.in_sdk,
                "notes": row.notes,
            })
        })
        .collect();
    json!({ "date": DATA_DATE, "page": DATA_PAGE, "operations": operations, "rules": rules(rows) })
}

/// RFC 4180. No field holds a comma, a quote or a line break: permissions are separated by spaces. The format has no
/// comments, so each row says the data's date and page.
fn csv(rows: &[&Row]) -> String {
    const COLUMNS: [&str; 11] = [
        "version",
        "method",
        "path",
        "checkedAt",
        "sufficient",
        "leastPrivileged",
        "documented",
        "inSdk",
        "notes",
        "dataDate",
        "dataPage",
    ];
    let yes_or_no = |yes| if yes { "yes" } else { "no" };
    let mut out = COLUMNS.join(",") + "\r\n";
    for row in rows {
        let fields: [&str; COLUMNS.len()] = [
            row.version.as_str(),
            row.method,
            row.path,
            row.enforcement.as_str(),
            &names(row.sufficient()).join(" "),
            &names(&row.least).join(" "),
            yes_or_no(row.documented),
            yes_or_no(row.in_sdk),
            &row.notes.join(" "),
            DATA_DATE,
            DATA_PAGE,
        ];
        out.push_str(&fields.join(","));
        out.push_str("\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows_of(text: &str) -> Vec<&'static Row> {
        Query::parse(text).rows()
    }

    #[test]
    fn every_form_has_every_row_and_the_date_and_page_of_the_data() {
        let rows = rows_of("calls");
        let (table, json, csv) = (table(&rows), as_json(&rows), csv(&rows));
        assert_eq!(csv.lines().count(), rows.len() + 1);
        assert_eq!(json["operations"].as_array().map(Vec::len), Some(rows.len()));
        assert!(rows.iter().all(|row| table.contains(&operation(row))));
        for text in [table, json.to_string(), csv.lines().last().unwrap().to_owned()] {
            assert!(text.contains(DATA_DATE) && text.contains(DATA_PAGE), "{text}");
        }
    }

    #[test]
    fn csv_fields_never_need_quoting() {
        for line in csv(&rows_of("")).lines() {
            assert_eq!(line.matches(',').count(), 10, "{line}");
            assert!(!line.contains('"'));
        }
    }

    #[test]
    fn rules_beyond_the_matrix_are_told_where_they_apply() {
        let create = rules(&rows_of("POST /v1.0/communications/calls")).join("\n");
        assert!(create.contains("two or more, a call needs Calls.InitiateGroupCall.All."), "{create}");
        assert!(create.contains("Calls.AccessMedia.All"), "{create}");
        assert_eq!(rules(&rows_of("POST /v1.0/communications/calls/c/answer")).len(), 1);
        assert!(rules(&rows_of("DELETE /v1.0/communications/calls/c/participants/p"))[0].contains("AllowRemove"));
        assert!(rules(&rows_of("keepAlive")).is_empty());
    }
}
