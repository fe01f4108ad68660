//! What each resource of the package takes and gives, as tables. Tables are sorted by name.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Which resource it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resource {
    Bytes,
    Id,
    Integer,
    Password,
    Pet,
    Shuffle,
    String,
    Uuid,
    Uuid4,
    Uuid7,
}

/// What an input holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole number from `least` to `most`.
    Integer { least: i64, most: i64 },
    /// A truth value.
    Flag,
    /// A text.
    Text,
    /// Texts by name.
    TextMap,
    /// A list of texts.
    TextList,
}

/// What counts when an input is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fallback {
    /// It must be given.
    Required,
    /// Nothing.
    Absent,
    /// A number.
    Integer(i64),
    /// A truth value.
    Flag(bool),
    /// A text.
    Text(&'static str),
    /// The other input of the pair `number` and `numeric`, and true without both.
    Numeric,
}

/// What a change of an input leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A replacement.
    Replace,
    /// A replacement; the empty text and no text are the same.
    ReplaceUnlessEmpty,
    /// A replacement unless only keys without a value come or go.
    Keepers,
    /// A replacement unless the empty text goes, or the new text isn't known yet.
    OverrideSpecial,
}

/// One input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) fallback: Fallback,
    pub(super) change: Change,
}

/// One computed output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Computed {
    pub(super) name: &'static str,
    pub(super) secret: bool,
    pub(super) list: bool,
}

/// One resource.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) resource: Resource,
    pub(super) token: &'static str,
    pub(super) inputs: &'static [Input],
    pub(super) computed: &'static [Computed],
    /// Whether the id is among the outputs.
    pub(super) id_output: bool,
    /// The private output `__meta`, which tells the generation of the state's shape.
    pub(super) meta: Option<&'static str>,
    /// Properties that have another name in the raw state that the official plugin derives from
    /// the outputs.
    pub(super) renamed: &'static [(&'static str, &'static str)],
}

/// The longest that texts and lists may become.
const LONGEST: i64 = 1 << 20;

const fn input(name: &'static str, kind: Kind, fallback: Fallback) -> Input {
    Input { name, kind, fallback, change: Change::Replace }
}

const fn output(name: &'static str) -> Computed {
    Computed { name, secret: false, list: false }
}

const fn secret(name: &'static str) -> Computed {
    Computed { name, secret: true, list: false }
}

const fn integer(least: i64, most: i64) -> Kind {
    Kind::Integer { least, most }
}

const KEEPERS: Input =
    Input { name: "keepers", kind: Kind::TextMap, fallback: Fallback::Absent, change: Change::Keepers };
const SEED: Input =
    Input { name: "seed", kind: Kind::Text, fallback: Fallback::Absent, change: Change::ReplaceUnlessEmpty };
const ONLY_KEEPERS: &[Input] = &[KEEPERS];

const TEXT_INPUTS: &[Input] = &[
    KEEPERS,
    input("length", integer(1, LONGEST), Fallback::Required),
    input("lower", Kind::Flag, Fallback::Flag(true)),
    input("minLower", integer(0, LONGEST), Fallback::Integer(0)),
    input("minNumeric", integer(0, LONGEST), Fallback::Integer(0)),
    input("minSpecial", integer(0, LONGEST), Fallback::Integer(0)),
    input("minUpper", integer(0, LONGEST), Fallback::Integer(0)),
    input("number", Kind::Flag, Fallback::Numeric),
    input("numeric", Kind::Flag, Fallback::Numeric),
    Input {
        name: "overrideSpecial",
        kind: Kind::Text,
        fallback: Fallback::Absent,
        change: Change::OverrideSpecial,
    },
    input("special", Kind::Flag, Fallback::Flag(true)),
    input("upper", Kind::Flag, Fallback::Flag(true)),
];

const fn spec(
    resource: Resource,
    token: &'static str,
    inputs: &'static [Input],
    computed: &'static [Computed],
) -> Spec {
    Spec { resource, token, inputs, computed, id_output: true, meta: None, renamed: &[] }
}

/// All resources, sorted by token as the schema has them.
pub(super) const SPECS: &[Spec] = &[
    Spec {
        id_output: false,
        ..spec(
            Resource::Bytes,
            "random:index/randomBytes:RandomBytes",
            &[
                input("keepers", Kind::TextMap, Fallback::Absent),
                input("length", integer(1, LONGEST), Fallback::Required),
            ],
            &[secret("base64"), secret("hex")],
        )
    },
    spec(
        Resource::Id,
        "random:index/randomId:RandomId",
        &[
            input("byteLength", integer(1, 1 << 14), Fallback::Required),
            KEEPERS,
            input("prefix", Kind::Text, Fallback::Absent),
        ],
        &[output("b64Std"), output("b64Url"), output("dec"), output("hex")],
    ),
    spec(
        Resource::Integer,
        "random:index/randomInteger:RandomInteger",
        &[
            KEEPERS,
            input("max", integer(i64::MIN, i64::MAX), Fallback::Required),
            input("min", integer(i64::MIN, i64::MAX), Fallback::Required),
            SEED,
        ],
        &[output("result")],
    ),
    Spec {
        meta: Some("{\"schema_version\":\"3\"}"),
        ..spec(
            Resource::Password,
            "random:index/randomPassword:RandomPassword",
            TEXT_INPUTS,
            &[secret("bcryptHash"), secret("result")],
        )
    },
    spec(
        Resource::Pet,
        "random:index/randomPet:RandomPet",
        &[
            KEEPERS,
            input("length", integer(i64::MIN, 1000), Fallback::Integer(2)),
            Input {
                name: "prefix",
                kind: Kind::Text,
                fallback: Fallback::Absent,
                change: Change::ReplaceUnlessEmpty,
            },
            input("separator", Kind::Text, Fallback::Text("-")),
        ],
        &[],
    ),
    Spec {
        renamed: &[("inputs", "input"), ("results", "result")],
        ..spec(
            Resource::Shuffle,
            "random:index/randomShuffle:RandomShuffle",
            &[
                input("inputs", Kind::TextList, Fallback::Required),
                KEEPERS,
                input("resultCount", integer(0, LONGEST), Fallback::Absent),
                input("seed", Kind::Text, Fallback::Absent),
            ],
            &[Computed { name: "results", secret: false, list: true }],
        )
    },
    Spec {
        meta: Some("{\"schema_version\":\"2\"}"),
        ..spec(Resource::String, "random:index/randomString:RandomString", TEXT_INPUTS, &[output("result")])
    },
    spec(Resource::Uuid4, "random:index/randomUuid4:RandomUuid4", ONLY_KEEPERS, &[output("result")]),
    spec(Resource::Uuid7, "random:index/randomUuid7:RandomUuid7", ONLY_KEEPERS, &[output("result")]),
    spec(Resource::Uuid, "random:index/randomUuid:RandomUuid", ONLY_KEEPERS, &[output("result")]),
];

/// The resource of a type token.
pub(super) fn find(token: &str) -> Option<&'static Spec> {
    static BY_TOKEN: LazyLock<HashMap<&'static str, &'static Spec>> =
        LazyLock::new(|| SPECS.iter().map(|s| (s.token, s)).collect());
    BY_TOKEN.get(token).copied()
}

impl Spec {
    /// Whether a property is made by the provider and can't be given.
    pub(super) fn is_read_only(&self, name: &str) -> bool {
        (self.id_output && name == "id") || self.computed.iter().any(|c| c.name == name)
    }
}
