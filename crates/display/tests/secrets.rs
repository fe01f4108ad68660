//! Nothing that is secret in any bag of a step reaches any rendering.

mod events;

use events::*;
use proptest::prelude::*;
use purlin_display::{DiffRenderer, LineRenderer, Operation, Options, TreeRenderer, details, value_text};
use purlin_model::diff::{DiffKind, diff_maps};
use purlin_model::event::{EngineEvent, StepOp};
use purlin_model::value::{Asset, AssetSource, OutputValue};
use purlin_model::{PropertyMap, PropertyValue};

/// What no rendering may show.
const TOKEN: &str = "hunter2";

/// How a leaf is wrapped on one side.
#[derive(Clone, Copy, Debug)]
enum Wrap {
    Secret,
    Output,
    Nested,
}

/// A tree whose leaves are secret on at least one side.
#[derive(Clone, Debug)]
enum Tree {
    Plain(PropertyValue),
    Hidden { old: Option<Wrap>, new: Wrap, swap: bool, content: PropertyValue, change: bool },
    Missing(Box<Tree>, bool),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
    Whole(Box<Tree>),
}

fn wrapped(value: PropertyValue, wrap: Wrap) -> PropertyValue {
    match wrap {
        Wrap::Secret => value.into_secret(),
        Wrap::Nested => PropertyValue::Secret(Box::new(value.into_secret())),
        Wrap::Output => PropertyValue::Output(Box::new(OutputValue {
            value: Some(value),
            secret: true,
            dependencies: vec![],
        })),
    }
}

impl Tree {
    /// The value where there is one side only: all that is hidden on any side is hidden.
    fn alone(&self) -> PropertyValue {
        match self {
            Tree::Plain(value) => value.clone(),
            Tree::Hidden { new, content, .. } => wrapped(content.clone(), *new),
            Tree::Missing(tree, _) | Tree::Whole(tree) => tree.alone().into_secret(),
            Tree::List(items) => PropertyValue::Array(items.iter().map(Tree::alone).collect()),
            Tree::Object(pairs) => {
                PropertyValue::Object(pairs.iter().map(|(k, t)| (k.clone(), t.alone())).collect())
            }
        }
    }

    fn side(&self, new_side: bool) -> Option<PropertyValue> {
        Some(match self {
            Tree::Plain(value) => value.clone(),
            Tree::Hidden { old, new, swap, content, change } => {
                let content = match (change, new_side, content) {
                    (true, true, PropertyValue::String(text)) => format!("{text}\nmore").into(),
                    _ => content.clone(),
                };
                match if new_side == *swap { *old } else { Some(*new) } {
                    Some(wrap) => wrapped(content, wrap),
                    None => content,
                }
            }
            Tree::Missing(_, from_new) if *from_new == new_side => return None,
            // What stands on one side only must be secret there.
            Tree::Missing(tree, _) => tree.side(new_side)?.into_secret(),
            Tree::List(items) => {
                // A list keeps its places, so that sides match.
                PropertyValue::Array(
                    items.iter().map(|t| t.side(new_side).unwrap_or(PropertyValue::Null)).collect(),
                )
            }
            Tree::Object(pairs) => PropertyValue::Object(
                pairs.iter().filter_map(|(k, t)| Some((k.clone(), t.side(new_side)?))).collect(),
            ),
            Tree::Whole(tree) => tree.side(new_side)?.into_secret(),
        })
    }
}

fn content() -> impl Strategy<Value = PropertyValue> {
    prop_oneof![
        Just(PropertyValue::from(TOKEN)),
        Just(format!("line one\n{TOKEN}\nline three").into()),
        Just(format!("{{\"a\": [\"{TOKEN}\"]}}").into()),
        Just(bag(&[("k", TOKEN)]).into()),
        Just(list(&[TOKEN.into()])),
        Just(PropertyValue::Asset(Asset { hash: "ab".repeat(32), source: AssetSource::Text(TOKEN.into()) })),
        Just(PropertyValue::Asset(Asset { hash: String::new(), source: AssetSource::Path(TOKEN.into()) })),
    ]
}

fn plain() -> impl Strategy<Value = PropertyValue> {
    prop_oneof![
        Just(PropertyValue::Null),
        Just(PropertyValue::Unknown),
        any::<bool>().prop_map(PropertyValue::from),
        any::<i16>().prop_map(|n| f64::from(n).into()),
        "[a-z]{0,6}".prop_map(PropertyValue::from),
    ]
}

fn wrap() -> impl Strategy<Value = Wrap> {
    prop_oneof![Just(Wrap::Secret), Just(Wrap::Output), Just(Wrap::Nested)]
}

fn tree() -> impl Strategy<Value = Tree> {
    let hidden = (proptest::option::of(wrap()), wrap(), any::<bool>(), content(), any::<bool>())
        .prop_map(|(old, new, swap, content, change)| Tree::Hidden { old, new, swap, content, change });
    let leaf = prop_oneof![1 => plain().prop_map(Tree::Plain), 3 => hidden];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Tree::List),
            proptest::collection::vec(("[a-c]", inner.clone()), 0..4).prop_map(|mut pairs| {
                pairs.sort_by(|a, b| a.0.cmp(&b.0));
                pairs.dedup_by(|a, b| a.0 == b.0);
                Tree::Object(pairs)
            }),
            (inner.clone(), any::<bool>()).prop_map(|(t, side)| Tree::Missing(Box::new(t), side)),
            inner.prop_map(|t| Tree::Whole(Box::new(t))),
        ]
    })
}

fn bags() -> impl Strategy<Value = [PropertyMap; 3]> {
    proptest::collection::btree_map("[a-d]{1,2}", tree(), 1..5).prop_map(|trees| {
        let side = |new: bool| -> PropertyMap {
            trees.iter().filter_map(|(k, t)| Some((k.clone(), t.side(new)?))).collect()
        };
        [side(false), side(true), trees.iter().map(|(k, t)| (k.clone(), t.alone())).collect()]
    })
}

fn all_renderings(options: &Options, events: &[EngineEvent]) -> String {
    let mut out = details(options, events);
    let mut line = LineRenderer::new(options.clone());
    let mut diff = DiffRenderer::new(options.clone());
    let mut tree = TreeRenderer::new(options.clone());
    for event in events {
        out.push_str(&line.event(event, ms(1)));
        out.push_str(&diff.event(event, ms(1)));
        tree.event(event, ms(1));
        out.push_str(&tree.frame(ms(2), 200, 50).join("\n"));
    }
    out.push_str(&line.finish(ms(3)));
    out.push_str(&diff.finish());
    out.push_str(&tree.finish(ms(3), 0));
    out
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn no_rendering_shows_a_secret(
        [old, new, alone] in bags(),
        op in prop_oneof![
            Just(StepOp::Same), Just(StepOp::Create), Just(StepOp::Update), Just(StepOp::Delete),
            Just(StepOp::Replace), Just(StepOp::Import),
        ],
        switches in any::<[bool; 6]>(),
    ) {
        let stack = Res::stack(StepOp::Same).old_side(PropertyMap::new(), old.clone()).new_side(PropertyMap::new(), old.clone());
        let mut res = Res::new(op, PET, "pet");
        let (old, new) = match op {
            StepOp::Create | StepOp::Delete => (alone.clone(), alone),
            _ => (old, new),
        };
        if res.step.old.is_some() {
            res = res.old_side(old.clone(), old.clone());
        }
        if res.step.new.is_some() {
            res = res.new_side(new.clone(), PropertyMap::new());
        }
        let mut done = res.clone();
        if done.step.new.is_some() {
            done = done.new_side(new.clone(), new.clone());
        }
        if switches[0] {
            let paths = diff_maps(&old, &new).paths();
            let texts: Vec<(String, DiffKind)> = paths.into_iter().map(|(p, k)| (p.to_string(), k)).collect();
            let paths: Vec<(&str, DiffKind, bool)> =
                texts.iter().enumerate().map(|(i, (p, k))| (p.as_str(), *k, i % 2 == 0)).collect();
            res = res.detailed(&paths);
            done = done.detailed(&paths);
        }
        let repair = repaired("mends", old.clone(), new.clone());
        let events = [
            stack.pre(), stack.done(), repair, res.pre(), done.done(), stack.amended(new.clone()),
            summary(switches[1], &[]),
        ];
        let options = Options {
            preview: switches[1],
            show_sames: switches[2],
            only_changes: switches[3],
            truncate: switches[4],
            colors: switches[5],
            ..Options::new(Operation::Update, false, "dev", "shop")
        };
        let shown = all_renderings(&options, &events);
        prop_assert!(!shown.contains(TOKEN), "{shown}");
    }

    #[test]
    fn no_value_shows_a_secret(tree in tree()) {
        if let Some(value) = tree.side(true) {
            prop_assert!(!value_text(&value.into_secret(), false).contains(TOKEN));
        }
    }
}
