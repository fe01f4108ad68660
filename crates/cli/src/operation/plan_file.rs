//! Update plans: kept for the update of the same run, read from files, written to files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use purlin_diag::Diagnostic;
use purlin_formats::{ConfigText, PlanHeader, decode_plan, encode_plan};
use purlin_model::Bag;
use purlin_model::update_plan::UpdatePlan;
use purlin_ports::{BagCodec, Clock, RecordedConfig};

use crate::ambient::SystemClock;
use crate::context::Context;
use crate::exit::CommandError;
use crate::version::COMPATIBLE_VERSION;

/// A plan that a preview recorded, with what seals it.
pub(crate) struct RecordedPlan {
    pub(crate) plan: UpdatePlan,
    pub(crate) bags: Arc<dyn BagCodec>,
}

/// Reads a plan from a file and opens its secrets.
pub(crate) async fn read(path: &Path, bags: &dyn BagCodec) -> Result<Arc<UpdatePlan>, CommandError> {
    let failed = |e: std::io::Error| {
        Diagnostic::error("plan-file", format!("the plan {} can't be read: {e}", path.display()))
            .with_hint("make one with `preview --save-plan`")
    };
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let named = |problem: Diagnostic| Diagnostic {
        message: format!("{}: {}", path.display(), problem.message),
        ..problem
    };
    let (_, plan) = decode_plan(&text).map_err(named)?;
    let mut opened = Vec::new();
    for raw in plan.bags() {
        let map = bags.open(&Bag::Raw(raw.clone())).await.map_err(named)?;
        opened.push(Arc::unwrap_or_clone(map));
    }
    Ok(Arc::new(plan.with_bags(opened).unwrap_or_default()))
}

/// Writes a plan to a file that only its owner may read, its secrets encrypted.
pub(crate) async fn write(
    path: &Path,
    recorded: RecordedPlan,
    config: BTreeMap<String, ConfigText>,
) -> Result<(), CommandError> {
    let mut sealed = Vec::new();
    for map in recorded.plan.bags() {
        sealed.push(recorded.bags.seal(map, None).await?);
    }
    let header = PlanHeader { time: SystemClock.now(), version: format!("v{COMPATIBLE_VERSION}"), config };
    let text = encode_plan(&header, &recorded.plan.with_bags(sealed).unwrap_or_default());
    Ok(crate::config_values::write_private(path, &text)?)
}

/// What to do with a plan that was written.
pub(crate) fn tell(context: &Context, path: &Path) {
    let (path, name) = (path.display(), &context.ambient.invoked_as);
    context.out.line(format!(
        "Update plan written to '{path}'\nRun `{name} up --plan='{path}'` to constrain the update to the \
         operations planned by this preview"
    ));
}

/// The configuration of an operation as files have it.
pub(crate) fn config_texts(config: &BTreeMap<String, RecordedConfig>) -> BTreeMap<String, ConfigText> {
    let text = |value: &RecordedConfig| match value.clone() {
        RecordedConfig::Plain(text) => ConfigText::Plain(text),
        RecordedConfig::Secret(text) => ConfigText::Secret(text),
        RecordedConfig::Structured(text) => ConfigText::Structured(text),
    };
    config.iter().map(|(key, value)| (key.clone(), text(value))).collect()
}
