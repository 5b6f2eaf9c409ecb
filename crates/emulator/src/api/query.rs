//! OData query options, as far as they are honoured: `$select`, `$top`, `$skip`, `$count`.
//!
//! Applied to the answer of any GET, so that no endpoint has to know of them. All others (`$filter`, `$expand`,
//! `$orderby`, `$search` and strangers) are ignored, as the service documents none for calls. Names come with or without
//! the `$`, in any case, encoded or not. Spec: OData URL Conventions 4.01 §5.1.

use antiphon_graph::encode_segment;
use axum::extract::Query;
use http::Uri;
use serde_json::{Value, json};

use super::{ApiError, Reply};

/// The options of one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct QueryOptions {
    select: Option<Vec<String>>,
    top: Option<usize>,
    skip: usize,
    count: bool,
    /// Everything but `$skip`, for the link to the next page.
    rest: Vec<(String, String)>,
}

impl QueryOptions {
    /// Reads the options of a URL.
    ///
    /// # Errors
    ///
    /// 400 when an option that would be honoured has no possible value.
    pub(super) fn of(uri: &Uri) -> Result<Self, ApiError> {
        let mut options = Self::default();
        // What is no list of pairs has no options.
        let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else {
            return Ok(options);
        };
        for (name, value) in pairs {
            match name.strip_prefix('$').unwrap_or(&name).to_ascii_lowercase().as_str() {
                "select" => options.select = members(&value),
                "top" => options.top = Some(number("$top", &value)?),
                "skip" => {
                    options.skip = number("$skip", &value)?;
                    continue;
                }
                "count" => options.count = value.eq_ignore_ascii_case("true"),
                _ => {}
            }
            options.rest.push((name, value));
        }
        Ok(options)
    }

    /// The answer as the options want it; `url` is the request's, without query.
    pub(super) fn apply(&self, reply: Reply, url: &str) -> Reply {
        if self.select.is_none() && self.top.is_none() && self.skip == 0 && !self.count {
            return reply;
        }
        reply.map_json(|mut body| {
            match body.get_mut("value").and_then(Value::as_array_mut) {
                Some(members) => {
                    let total = members.len();
                    let kept: Vec<Value> =
                        members.drain(..).skip(self.skip).take(self.top.unwrap_or(usize::MAX)).collect();
                    let next = self.skip.saturating_add(kept.len());
                    let more = !kept.is_empty() && next < total;
                    *members = kept;
                    members.iter_mut().for_each(|member| self.select_from(member));
                    if self.count {
                        body["@odata.count"] = json!(total);
                    }
                    if more {
                        body["@odata.nextLink"] = json!(self.link(url, next));
                    }
                }
                None => self.select_from(&mut body),
            }
            body
        })
    }

    /// Leaves the id, annotations and what was selected.
    fn select_from(&self, entity: &mut Value) {
        let (Some(select), Some(entity)) = (&self.select, entity.as_object_mut()) else {
            return;
        };
        entity.retain(|name, _| {
            name == "id" || name.starts_with('@') || select.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
        });
    }

    fn link(&self, url: &str, skip: usize) -> String {
        let mut link = format!("{url}?$skip={skip}");
        for (name, value) in &self.rest {
            let (dollar, name) = name.strip_prefix('$').map_or(("", name.as_str()), |name| ("$", name));
            link.push_str(&format!("&{dollar}{}={}", encode_segment(name), encode_segment(value)));
        }
        link
    }
}

/// The members a `$select` names; `None` for all.
fn members(value: &str) -> Option<Vec<String>> {
    let first = |path: &str| path.split('/').next().unwrap_or_default().trim().to_owned();
    let members: Vec<String> = value.split(',').map(first).collect();
    (!members.iter().any(|member| member == "*")).then_some(members)
}

fn number(option: &str, value: &str) -> Result<usize, ApiError> {
    value.trim().parse().map_err(|_| {
        ApiError::invalid(format!("The value '{value}' of {option} is not a number from 0 up.")).about(option)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    fn applied(query: &str, body: &Value) -> Value {
        let uri: Uri = format!("https://host/v1.0/communications/calls/c/participants?{query}").parse().unwrap();
        let options = QueryOptions::of(&uri).ok().unwrap();
        let reply = options.apply(Reply::json(StatusCode::OK, body), "https://host/v1.0/x");
        serde_json::from_slice(reply.body()).unwrap()
    }

    fn three() -> Value {
        json!({ "@odata.context": "c", "value": [
            { "@odata.type": "t", "id": "1", "isMuted": true, "info": {} },
            { "@odata.type": "t", "id": "2", "isMuted": true, "info": {} },
            { "@odata.type": "t", "id": "3", "isMuted": true, "info": {} },
        ] })
    }

    #[test]
    fn select_keeps_id_and_annotations_of_each_member() {
        let small = json!({ "@odata.type": "t", "id": "1", "isMuted": true });
        for query in ["$select=isMuted", "%24select=id%2CisMuted", "select=ismuted", "$select=isMuted/x&$expand=y"] {
            assert_eq!(applied(query, &three())["value"][0], small, "{query}");
        }
        assert_eq!(applied("$select=*", &three()), three());
        let call = json!({ "@odata.context": "c", "id": "1", "state": "established", "subject": null });
        assert_eq!(
            applied("$select=state", &call),
            json!({ "@odata.context": "c", "id": "1", "state": "established" })
        );
    }

    #[test]
    fn pages_follow_each_other_by_their_links_to_the_end() {
        let first = applied("$top=2&$select=id", &three());
        assert_eq!(first["value"].as_array().unwrap().len(), 2);
        let link = first["@odata.nextLink"].as_str().unwrap();
        assert_eq!(link, "https://host/v1.0/x?$skip=2&$top=2&$select=id");
        let last = applied(link.split_once('?').unwrap().1, &three());
        assert_eq!(last["value"], json!([{ "@odata.type": "t", "id": "3" }]));
        assert!(last.get("@odata.nextLink").is_none());
        assert!(applied("$top=3", &three()).get("@odata.nextLink").is_none());
        assert_eq!(
            applied("$top=0&$count=true", &three()),
            json!({ "@odata.context": "c", "@odata.count": 3, "value": [] })
        );
        assert_eq!(applied("$skip=99999999999", &three())["value"], json!([]));
    }

    #[test]
    fn strangers_are_ignored_and_impossible_values_named() {
        for query in ["$filter=isMuted eq true", "$orderby=id", "$search=x", "a=b", "%ff=%fe", "&&=&", "$count=maybe"] {
            let uri: Result<Uri, _> = format!("https://host/?{}", query.replace(' ', "%20")).parse();
            assert!(QueryOptions::of(&uri.unwrap()).is_ok(), "{query}");
        }
        for query in ["$top=-1", "$top=many", "%24skip=", "$top=99999999999999999999999"] {
            let error = QueryOptions::of(&format!("https://host/?{query}").parse().unwrap()).unwrap_err();
            assert_eq!(error.status, 400, "{query}");
        }
    }
}
