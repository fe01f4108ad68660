//! The positioned tree: places, anchors, merge keys, bounds and complaints.
#![allow(clippy::unwrap_used)]

use purlin_project::yaml::{self, Format, MAX_DEPTH, Node, Style};

fn parse(text: &str) -> Node {
    yaml::parse("Pulumi.yaml", text).unwrap()
}

fn complaint(text: &str) -> String {
    yaml::parse("Pulumi.yaml", text).unwrap_err().to_string()
}

fn covered<'t>(text: &'t str, node: &Node) -> &'t str {
    &text[node.location.range()]
}

#[test]
fn spans_cover_exactly_the_value() {
    let text = "# é comment\n\
                a: \"x\" # one\n\
                'b': 'it''s'   # two\n\
                c: [1, 2]  # three\n\
                d: {e: f} # four\n\
                g:\n  - h: 1 # five\n    i: two words # six\n\
                j: |\n  line\n\n  last\n\n# end\n\
                k: >-\n  folded\n  text\n\
                l: &anchor [x]  # seven\n\
                m: *anchor # eight\n\
                n: !!str 5 # nine\n";
    let root = parse(text);
    let table = [
        ("a", "\"x\""),
        ("b", "'it''s'"),
        ("c", "[1, 2]"),
        ("d", "{e: f}"),
        ("g", "h: 1 # five\n    i: two words"),
        ("j", "line\n\n  last"),
        ("k", "folded\n  text"),
        ("l", "&anchor [x]"),
        ("m", "*anchor"),
        ("n", "!!str 5"),
    ];
    for (key, expected) in table {
        let found = covered(text, root.get(key).unwrap());
        assert!(found == expected || found.strip_prefix("- ") == Some(expected), "{key}: {found:?}");
    }
    let span = root.get("g").unwrap().items().unwrap()[0].entry("i").unwrap().value.span();
    assert_eq!((span.line, span.column, span.end_line, span.end_column), (8, 8, 8, 17));
    assert_eq!(root.entry("b").unwrap().key.span().to_string(), "Pulumi.yaml:3:1");
    assert_eq!(root.get("j").unwrap().as_str(), Some("line\n\nlast\n"));
    assert_eq!(root.get("k").unwrap().scalar().unwrap().style, Style::Folded);
    assert_eq!(root.get("n").unwrap().as_str(), Some("5"));
    assert_eq!(root.get("n").unwrap().tag.as_deref(), Some("!!str"));
}

#[test]
fn columns_count_characters() {
    let root = parse("é: ü # x\nlist: [ß, 'ö', z]\n");
    let z = &root.get("list").unwrap().items().unwrap()[2];
    assert_eq!(z.span().to_string(), "Pulumi.yaml:2:16");
    assert_eq!(root.get("é").unwrap().as_str(), Some("ü"));
}

#[test]
fn quoting_and_tags_decide_the_type() {
    let root = parse(
        "a: '5'\nb: 5\nc: !!int '5'\nd: !!float 5\ne: !x 5\nf: ! 5\ng:\nh: !!bool \"true\"\ni: !<tag:yaml.org,2002:str> true\n",
    );
    let kinds: Vec<_> = root.entries().unwrap().iter().map(|e| e.value.kind()).collect();
    assert_eq!(
        kinds,
        ["string", "number", "number", "number", "string", "string", "null", "boolean", "string"]
    );
    assert_eq!(root.get("c").unwrap().as_i64(), Some(5));
    assert_eq!(root.get("d").unwrap().as_f64(), Some(5.0));
    assert_eq!(root.get("e").unwrap().tag.as_deref(), Some("!x"));
}

#[test]
fn merge_keys_bring_in_what_is_not_written() {
    let root = parse(
        "base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\nall:\n  y: 5\n  <<: [*b, *m]\none: {<<: *b, x: 9}\n",
    );
    let all = root.get("all").unwrap();
    assert_eq!(all.to_value().to_canonical_json(), r#"{"x":1,"y":5,"z":4}"#);
    assert!(all.entry("x").unwrap().merged && !all.entry("y").unwrap().merged);
    assert_eq!(root.get("one").unwrap().to_value().to_canonical_json(), r#"{"x":9,"y":2}"#);
    assert_eq!(parse("'<<': 1\n").to_value().to_canonical_json(), r#"{"\u003c\u003c":1}"#);
}

#[test]
fn only_the_first_document_counts_and_nothing_is_null() {
    assert_eq!(parse("---\na: 1\n---\nb: 2\n").to_value().to_canonical_json(), r#"{"a":1}"#);
    for text in ["", "\n", "# only a comment\n", "---\n", "~\n"] {
        assert!(parse(text).is_null(), "{text:?}");
    }
}

#[test]
fn complaints_name_place_and_reason() {
    let table = [
        ("a: b: c\n", "Pulumi.yaml:1:5: invalid YAML file: mapping values are not allowed in this context"),
        (
            "a: 1\nb:\n  c: 1\n  a: 2\n  c: 3\n",
            "Pulumi.yaml:5:3: mapping key \"c\" already defined at line 3",
        ),
        ("a: *nope\n", "Pulumi.yaml:1:4: invalid YAML file: while parsing node, found unknown anchor"),
        ("a: &x [*x]\n", "Pulumi.yaml:1:8: the alias refers to a value that contains it"),
        ("a:\n  <<: 5\n", "Pulumi.yaml:2:7: map merge requires map or sequence of maps as the value"),
        (
            "a:\n\tb: 1\n",
            "Pulumi.yaml:2:2: invalid YAML file: tabs disallowed within this context (block indentation)",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(complaint(text), expected, "{text:?}");
    }
}

#[test]
fn growth_is_bounded() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let below = format!("*a{}", level - 1);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![below; 9].join(", ")));
    }
    assert!(complaint(&bomb).contains("the aliases of this file stand for more than 100000 values"));
    let deep = "[".repeat(MAX_DEPTH + 1) + &"]".repeat(MAX_DEPTH + 1);
    let lines = |depth: usize| (0..depth).map(|at| format!("{}a:\n", " ".repeat(at))).collect::<String>();
    assert!(complaint(&lines(MAX_DEPTH + 1)).contains("values may not be nested deeper than 200 levels"));
    assert!(yaml::parse("x", &lines(MAX_DEPTH)).is_ok());
    assert!(yaml::parse("x", &"[".repeat(100_000)).is_err());
    assert!(yaml::parse_json("x", &deep).unwrap_err().message.contains("deeper than 200 levels"));
    let fits = "[".repeat(MAX_DEPTH - 1) + &"]".repeat(MAX_DEPTH - 1);
    assert!(yaml::parse("x", &fits).is_ok() && yaml::parse_json("x", &fits).is_ok());
}

#[test]
fn json_gives_the_same_tree_with_places() {
    let text = "{\t\"a\": [1, 2.5, true, null],\n\t\"b\\u00e9\": {\"c\": \"\\ud83d\\ude00\\/\"}, \"a\": 7}";
    let root = yaml::parse_as(Format::Json, "Pulumi.json", text).unwrap();
    assert_eq!(root.to_value().to_canonical_json(), r#"{"a":7,"bé":{"c":"😀/"}}"#);
    assert_eq!(root.get("bé").unwrap().get("c").unwrap().span().to_string(), "Pulumi.json:2:19");
    let table = [
        ("{\"a\": }", "x:1:7: invalid JSON file: expected a value"),
        ("{\"a\": 1", "x:1:8: invalid JSON file: expected ',' or '}'"),
        ("{a: 1}", "x:1:2: invalid JSON file: expected a key in double quotes"),
        ("[1 2]", "x:1:4: invalid JSON file: expected ',' or ']'"),
        ("\"abc", "x:1:1: invalid JSON file: missing closing quote"),
        ("1 2", "x:1:3: invalid JSON file: unexpected text after the value"),
        ("01", "x:1:1: invalid JSON file: expected a value"),
    ];
    for (text, expected) in table {
        assert_eq!(yaml::parse_json("x", text).unwrap_err().to_string(), expected);
    }
    assert!(yaml::parse_json("x", " \n").unwrap().is_null());
}

#[test]
fn complex_keys_are_found() {
    let root = parse("a:\n  ? [x]\n  : y\n");
    let problems: Vec<_> = root.check_keys().iter().map(ToString::to_string).collect();
    assert_eq!(problems, ["Pulumi.yaml:2:5: expected only string keys, got an array"]);
}
