//! The model held against the service's metadata, as two CSDL extracts give it.
//!
//! Both ways and to the letter: what the metadata declares and the model lacks, and what the model declares and
//! the metadata lacks. The extracts are not part of this repository; by default they are looked for in the folder
//! shared/graph next to its checkout, or in the one ANTIPHON_CSDL names. Without them the comparison is skipped, and
//! standard error says so.
//! Spec: OData CSDL XML 4.01.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use antiphon_graph::model::{self, Declared, Kind};
use antiphon_graph::wire::Version;
use roxmltree::{Document, Node};

/// Lines that say everything that is declared, comparable.
type Declarations = BTreeSet<String>;

/// Roots of paths that carry nothing over the wire.
const ROOTS: [&str; 2] = ["cloudCommunications", "commsApplication"];

fn attribute<'a>(node: Node<'a, '_>, name: &str) -> &'a str {
    node.attribute(name).unwrap_or_default()
}

fn is_true(node: Node<'_, '_>, name: &str) -> bool {
    attribute(node, name) == "true"
}

fn children<'a, 'input: 'a>(node: Node<'a, 'input>, name: &'static str) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.has_tag_name((EDM, name)))
}

const EDM: &str = "http://docs.oasis-open.org/odata/ns/edm";

/// `graph.call` and `Edm.String` without what stands before the name.
fn bare(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// `[kind]?`, as the model writes it.
fn kind(node: Node<'_, '_>) -> String {
    let ty = attribute(node, "Type");
    let item = ty.strip_prefix("Collection(").and_then(|rest| rest.strip_suffix(')'));
    let name = item.map_or_else(|| bare(ty).to_owned(), |item| format!("[{}]", bare(item)));
    let nullable = if attribute(node, "Nullable") == "false" { "" } else { "?" };
    format!("{name}{nullable}")
}

/// What an extract declares.
///
/// # Panics
/// If it is no CSDL, or declares something this reader does not know.
fn declared_by(text: &str) -> Declarations {
    let document = Document::parse(text).unwrap_or_else(|error| panic!("no XML: {error}"));
    let schema = document.descendants().find(|node| node.has_tag_name((EDM, "Schema"))).expect("a Schema");
    let mut declarations = Declarations::new();
    // Overloads of an action differ in what they are bound to and in nothing else.
    let mut actions: BTreeMap<&str, Declarations> = BTreeMap::new();
    for node in schema.children().filter(Node::is_element) {
        let name = attribute(node, "Name");
        match node.tag_name().name() {
            "EnumType" => {
                let flags = is_true(node, "IsFlags");
                declarations.insert(format!("enum {name} flags={flags}"));
                for member in children(node, "Member") {
                    declarations.insert(format!("enum {name}: {}", attribute(member, "Name")));
                }
            }
            "ComplexType" | "EntityType" if ROOTS.contains(&name) => {}
            "ComplexType" | "EntityType" => {
                let (open, is_abstract) = (is_true(node, "OpenType"), is_true(node, "Abstract"));
                let base = bare(attribute(node, "BaseType"));
                declarations.insert(format!("type {name} base={base} open={open} abstract={is_abstract}"));
                for member in children(node, "Property").chain(children(node, "NavigationProperty")) {
                    declarations.insert(format!("type {name}: {} {}", attribute(member, "Name"), kind(member)));
                }
            }
            "Action" => {
                let result = children(node, "ReturnType").next().map_or("", |node| bare(attribute(node, "Type")));
                let mut overload = Declarations::from([format!("action {name} result={result}")]);
                for parameter in children(node, "Parameter").skip(1) {
                    overload.insert(format!("action {name}: {} {}", attribute(parameter, "Name"), kind(parameter)));
                }
                let first = actions.entry(name).or_insert_with(|| overload.clone());
                assert_eq!(*first, overload, "overloads of {name}");
            }
            "EntityContainer" => {}
            other => panic!("{other} is not known to this reader"),
        }
    }
    declarations.extend(actions.into_values().flatten());
    declarations
}

/// What the model says that a version's metadata declares.
fn declared_by_model(version: Version) -> Declarations {
    let has = |declared: Declared| declared.has(version) && declared != Declared::Pages;
    let mut declarations = Declarations::new();
    for enumeration in model::enumerations().filter(|enumeration| has(enumeration.declared)) {
        let name = enumeration.name;
        declarations.insert(format!("enum {name} flags={}", enumeration.flags));
        let members = enumeration.members.iter().filter(|(_, declared)| has(*declared));
        declarations.extend(members.map(|(member, _)| format!("enum {name}: {member}")));
    }
    for ty in model::types().filter(|ty| has(ty.declared)) {
        let (name, base) = (ty.name, ty.base.unwrap_or_default());
        declarations.insert(format!("type {name} base={base} open={} abstract={}", ty.open, ty.is_abstract));
        declarations.extend(members(&format!("type {name}"), &ty.own_members, has));
    }
    for action in model::actions().filter(|action| has(action.declared)) {
        declarations.insert(format!("action {} result={}", action.name, action.result.unwrap_or_default()));
        declarations.extend(members(&format!("action {}", action.name), &action.parameters, has));
    }
    declarations
}

fn members(of: &str, members: &[model::Member], has: impl Fn(Declared) -> bool) -> Vec<String> {
    let declared = members.iter().filter(|member| has(member.declared));
    declared
        .map(|member| {
            let name = match member.kind {
                // Text by declaration; that an object is read too is ours to say.
                Kind::String | Kind::Blob => "String".to_owned(),
                Kind::Enumeration(name) | Kind::Object(name) => name.to_owned(),
                other => format!("{other:?}"),
            };
            let name = if member.list { format!("[{name}]") } else { name };
            format!("{of}: {} {name}{}", member.name, if member.nullable { "?" } else { "" })
        })
        .collect()
}

fn differences(metadata: &Declarations, model: &Declarations) -> Vec<String> {
    let lacks = metadata.difference(model).map(|line| format!("the model lacks      {line}"));
    lacks.chain(model.difference(metadata).map(|line| format!("the metadata lacks   {line}"))).collect()
}

/// The folder of the extracts: the one the environment names, which must be there, or else the one beside the repository
/// if it is there.
fn folder() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("ANTIPHON_CSDL").filter(|named| !named.is_empty()) {
        return Some(PathBuf::from(named));
    }
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let beside = repository.join("..").join("shared").join("graph");
    beside.is_dir().then_some(beside)
}

#[test]
fn the_model_declares_what_the_metadata_declares_and_nothing_else() {
    let Some(folder) = folder() else {
        // Straight to standard error, which the test harness does not capture.
        let note = "not run  SKIPPED: the model was NOT held against Graph's metadata. No CSDL extracts are in \
                    shared/graph next to the checkout; ANTIPHON_CSDL names their folder.";
        writeln!(std::io::stderr(), "\n{note}").unwrap();
        return;
    };
    let mut compared = 0;
    for version in [Version::V1, Version::Beta] {
        let path = folder.join(format!("communications.{}.csdl.xml", version.as_str()));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let metadata = declared_by(&text);
        assert!(metadata.len() > 300, "{} declares only {} things", path.display(), metadata.len());
        let differences = differences(&metadata, &declared_by_model(version));
        assert!(differences.is_empty(), "{}:\n{}", version.as_str(), differences.join("\n"));
        compared += metadata.len();
    }
    writeln!(std::io::stderr(), "{compared} declarations compared").unwrap();
}

/// The comparison itself, on a small piece of metadata.
mod can_fail {
    use super::*;

    const PIECE: &str = r#"<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">
      <edmx:DataServices><Schema Namespace="microsoft.graph" xmlns="http://docs.oasis-open.org/odata/ns/edm">
        <EnumType Name="mood" IsFlags="true"><Member Name="good" Value="1"/></EnumType>
        <ComplexType Name="chair" BaseType="graph.furniture" OpenType="true">
          <Property Name="legs" Type="Edm.Int32" Nullable="false"/>
          <Property Name="moods" Type="Collection(graph.mood)"/>
        </ComplexType>
        <EntityType Name="cloudCommunications"><NavigationProperty Name="calls" Type="Collection(graph.call)"/></EntityType>
        <Action Name="sit" IsBound="true">
          <Parameter Name="bindingParameter" Type="graph.chair"/><Parameter Name="long" Type="Edm.Boolean"/>
          <ReturnType Type="graph.sitOperation"/>
        </Action>
      </Schema></edmx:DataServices></edmx:Edmx>"#;

    #[test]
    fn everything_declared_is_read() {
        let expected = [
            "action sit result=sitOperation",
            "action sit: long Boolean?",
            "enum mood flags=true",
            "enum mood: good",
            "type chair base=furniture open=true abstract=false",
            "type chair: legs Int32",
            "type chair: moods [mood]?",
        ];
        assert_eq!(declared_by(PIECE), expected.map(str::to_owned).into());
    }

    #[test]
    fn each_difference_is_noticed() {
        let whole = declared_by(PIECE);
        assert!(differences(&whole, &whole).is_empty());
        for (from, to) in [
            ("Nullable=\"false\"", ""),
            ("Edm.Int32", "Edm.Int64"),
            ("Collection(graph.mood)", "graph.mood"),
            ("OpenType=\"true\"", ""),
            ("graph.furniture", "graph.thing"),
            ("IsFlags=\"true\"", ""),
            ("Name=\"good\"", "Name=\"bad\""),
            ("graph.sitOperation", "graph.standOperation"),
            ("Name=\"long\"", "Name=\"short\""),
        ] {
            assert!(PIECE.contains(from), "{from}");
            assert_eq!(differences(&whole, &declared_by(&PIECE.replace(from, to))).len(), 2, "{from}");
        }
        let model = declared_by_model(Version::V1);
        assert_eq!(differences(&whole, &model).len(), whole.len() + model.len());
    }

    #[test]
    #[should_panic(expected = "Function is not known")]
    fn a_declaration_of_another_kind_is_noticed() {
        declared_by(&PIECE.replace("<EnumType", "<Function/><EnumType"));
    }
}
