//! For tests: holds the table of routes and its schemas against what the service really takes and gives.

use http::Method;
use serde_json::Value;

use super::TABLES;
use super::schema::{Kind, Schema, complaints};
use super::table::{Body, Route};

/// What is wrong with an answer to an administration request, by the document; nothing for an error in its form.
pub(crate) fn complaints_about(method: &Method, path: &str, status: u16, body: &Value) -> Vec<String> {
    let path = path.split('?').next().unwrap_or_default();
    let route = all().find(|route| route.method == method.as_str() && fits(route.path, path));
    match route {
        Some(route) if status == route.status => match route.gives {
            Body::Nothing if body.is_null() => Vec::new(),
            Body::Nothing => vec![format!("{method} {path} gave a body: {body}")],
            Body::Json(kind) => complaints(kind, body, &format!("{method} {path}: ")),
            Body::Media(_) | Body::Either(..) => Vec::new(),
        },
        _ if status >= 400 => complaints(Kind::One(&super::openapi::ERROR), body, &format!("{method} {path}: ")),
        Some(route) => vec![format!("{method} {path} gave {status}, not {} as described", route.status)],
        None => vec![format!("{method} {path} is not described")],
    }
}

/// Method and path of every route.
pub(crate) fn routes() -> Vec<(Method, &'static str)> {
    all().map(|route| (route.method.parse().expect("invariant: a known method"), route.path)).collect()
}

/// Every object that a JSON request takes, the member path that leads to it, and the names it may have there.
pub(crate) fn requests() -> Vec<(Method, &'static str, Vec<&'static str>, Vec<&'static str>)> {
    let mut all_objects = Vec::new();
    for route in all() {
        if let Body::Json(Kind::One(schema)) | Body::Either(Kind::One(schema), _) = route.takes {
            descend(route, schema, &mut Vec::new(), &mut all_objects);
        }
    }
    all_objects
}

fn descend(
    route: &Route,
    schema: &'static Schema,
    path: &mut Vec<&'static str>,
    into: &mut Vec<(Method, &'static str, Vec<&'static str>, Vec<&'static str>)>,
) {
    let method = route.method.parse().expect("invariant: a known method");
    into.push((method, route.path, path.clone(), schema.members.iter().map(|member| member.name).collect()));
    for member in schema.members {
        if let Kind::One(inner) = member.kind {
            path.push(member.name);
            descend(route, inner, path, into);
            path.pop();
        }
    }
}

fn all() -> impl Iterator<Item = &'static Route> {
    TABLES.iter().copied().flatten()
}

fn fits(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    pattern
        .split('/')
        .all(|expected| segments.next().is_some_and(|found| expected.starts_with('{') || expected == found))
        && segments.next().is_none()
}
