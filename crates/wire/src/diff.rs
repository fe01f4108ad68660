//! Differences that providers report path by path.

use std::collections::BTreeMap;

use purlin_model::DiffKind;
use purlin_model::diff::{DetailedDiff, PathDiff};

use crate::pulumirpc::{PropertyDiff, property_diff::Kind};

/// A detailed diff as the model has it. Kinds that a newer provider may know are changes, too.
pub fn detailed_diff(paths: BTreeMap<String, PropertyDiff>) -> DetailedDiff {
    let path_diff = |diff: PropertyDiff| {
        let kind = match Kind::try_from(diff.kind) {
            Ok(Kind::Add) => DiffKind::Add,
            Ok(Kind::AddReplace) => DiffKind::AddReplace,
            Ok(Kind::Delete) => DiffKind::Delete,
            Ok(Kind::DeleteReplace) => DiffKind::DeleteReplace,
            Ok(Kind::UpdateReplace) => DiffKind::UpdateReplace,
            Ok(Kind::Update) | Err(_) => DiffKind::Update,
        };
        PathDiff { kind, input_diff: diff.input_diff }
    };
    paths.into_iter().map(|(path, diff)| (path, path_diff(diff))).collect()
}
