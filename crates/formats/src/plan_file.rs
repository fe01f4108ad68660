//! Update plans as files.
//!
//! The bags of a plan stay texts here: whoever has the secrets opens and seals them.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use purlin_diag::Diagnostic;
use purlin_model::event::StepOp;
use purlin_model::update_plan::{PlannedDiff, PlannedGoal, ResourcePlan, UpdatePlan};
use purlin_model::{Alias, AliasParent, CustomTimeouts, ProviderRef, RawText, Urn};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::checkpoint::magic;
use crate::history::{ConfigText, push_config};
use crate::text::{Escape, ObjectWriter, indent, push_on_one_line, push_string};

/// What a plan file says besides the plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanHeader {
    /// When the plan was made, RFC 3339.
    pub time: String,
    /// The version that made it.
    pub version: String,
    /// The configuration that it was made with.
    pub config: BTreeMap<String, ConfigText>,
}

/// The text of a plan file.
pub fn encode_plan(header: &PlanHeader, plan: &UpdatePlan<RawText>) -> String {
    let mut out = String::new();
    let mut object = ObjectWriter::begin(&mut out, Escape::Plain);
    let mut manifest = ObjectWriter::begin(object.key("manifest"), Escape::Plain);
    manifest.text("time", &header.time);
    manifest.text("magic", &magic(&header.version));
    manifest.text("version", &header.version);
    manifest.end();
    if !header.config.is_empty() {
        push_config(object.key("config"), &header.config);
    }
    if !plan.resources.is_empty() {
        let mut resources = ObjectWriter::begin(object.key("resourcePlans"), Escape::Plain);
        for (urn, resource) in &plan.resources {
            push_resource(resources.any_key(urn.as_str()), resource);
        }
        resources.end();
    }
    object.end();
    let mut text = indent(&out);
    text.push('\n');
    text
}

fn push_resource(out: &mut String, resource: &ResourcePlan<RawText>) {
    let mut object = ObjectWriter::begin(out, Escape::Plain);
    if let Some(goal) = &resource.goal {
        push_goal(object.key("goal"), goal);
    }
    object.texts_if("steps", resource.steps.iter().map(|op| op.as_str()));
    match &resource.outputs {
        Some(outputs) => push_on_one_line(object.key("state"), outputs.as_str()),
        None => object.raw("state", "null"),
    }
    if !resource.seed.is_empty() {
        object.text("seed", &STANDARD.encode(&resource.seed));
    }
    object.end();
}

fn push_goal(out: &mut String, goal: &PlannedGoal<RawText>) {
    let mut object = ObjectWriter::begin(out, Escape::Plain);
    object.text("type", &goal.ty);
    object.text("name", &goal.name);
    object.boolean("custom", goal.custom);
    push_diff(object.key("inputDiff"), &goal.inputs);
    push_diff(object.key("outputDiff"), &goal.outputs);
    object.text_if("parent", goal.parent.as_ref().map(Urn::as_str).unwrap_or_default());
    object.boolean("protect", goal.protect);
    object.texts_if("dependencies", goal.dependencies.iter().map(Urn::as_str));
    object.text_if("provider", &goal.provider.as_ref().map(ToString::to_string).unwrap_or_default());
    if !goal.property_dependencies.is_empty() {
        let mut lists = ObjectWriter::begin(object.key("propertyDependencies"), Escape::Plain);
        for (key, urns) in &goal.property_dependencies {
            let out = lists.any_key(key);
            out.push('[');
            for (index, urn) in urns.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                push_string(out, urn.as_str(), Escape::Plain);
            }
            out.push(']');
        }
        lists.end();
    }
    if let Some(first) = goal.delete_before_replace {
        object.boolean("deleteBeforeReplace", first);
    }
    object.texts_if("ignoreChanges", goal.ignore_changes.iter().map(String::as_str));
    object.texts_if("additionalSecretOutputs", goal.additional_secret_outputs.iter().map(String::as_str));
    push_aliases(&mut object, &goal.aliases);
    object.text_if("id", &goal.import_id);
    let mut timeouts = ObjectWriter::begin(object.key("customTimeouts"), Escape::Plain);
    timeouts.number_if("create", goal.custom_timeouts.create);
    timeouts.number_if("update", goal.custom_timeouts.update);
    timeouts.number_if("delete", goal.custom_timeouts.delete);
    timeouts.number_if("read", goal.custom_timeouts.read);
    timeouts.end();
    object.end();
}

fn push_diff(out: &mut String, diff: &PlannedDiff<RawText>) {
    let mut object = ObjectWriter::begin(out, Escape::Plain);
    let bag = |object: &mut ObjectWriter<'_>, key: &str, bag: &RawText| {
        if bag.as_str() != "{}" && !bag.as_str().is_empty() {
            push_on_one_line(object.key(key), bag.as_str());
        }
    };
    bag(&mut object, "adds", &diff.adds);
    object.texts_if("deletes", diff.deletes.iter().map(String::as_str));
    bag(&mut object, "updates", &diff.updates);
    object.end();
}

/// Aliases of all forms stand in one list, with the keys of the type that they have in Go.
fn push_aliases(object: &mut ObjectWriter<'_>, aliases: &[Alias]) {
    if aliases.is_empty() {
        return;
    }
    let out = object.key("structuredAliases");
    out.push('[');
    for (index, alias) in aliases.iter().enumerate() {
        out.push_str(if index == 0 { "" } else { "," });
        let empty = String::new();
        let (mut parts, mut above, mut orphan) = ([""; 5], "", false);
        match alias {
            Alias::Urn(urn) => parts[0] = urn.as_str(),
            Alias::Spec { name, ty, stack, project, parent } => {
                let given = [None, name.as_ref(), ty.as_ref(), project.as_ref(), stack.as_ref()];
                parts = given.map(|part| part.unwrap_or(&empty).as_str());
                match parent {
                    AliasParent::Same => {}
                    AliasParent::None => orphan = true,
                    AliasParent::Urn(urn) => above = urn.as_str(),
                }
            }
        }
        let mut object = ObjectWriter::begin(out, Escape::Plain);
        for (key, part) in ["URN", "Name", "Type", "Project", "Stack"].iter().zip(parts) {
            object.text(key, part);
        }
        object.text("Parent", above);
        object.boolean("NoParent", orphan);
        object.end();
    }
    out.push(']');
}

#[derive(Deserialize)]
struct PlanJson<'s> {
    manifest: ManifestJson,
    #[serde(default, borrow, rename = "resourcePlans")]
    resource_plans: Option<BTreeMap<String, ResourceJson<'s>>>,
}

#[derive(Deserialize, Default)]
struct ManifestJson {
    #[serde(default)]
    time: String,
    #[serde(default)]
    magic: String,
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
struct ResourceJson<'s> {
    #[serde(default, borrow)]
    goal: Option<GoalJson<'s>>,
    #[serde(default)]
    steps: Option<Vec<String>>,
    #[serde(default, borrow)]
    state: Option<&'s RawValue>,
    #[serde(default)]
    seed: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GoalJson<'s> {
    #[serde(rename = "type")]
    ty: String,
    name: String,
    #[serde(default)]
    custom: bool,
    #[serde(default, borrow)]
    input_diff: DiffJson<'s>,
    #[serde(default, borrow)]
    output_diff: DiffJson<'s>,
    #[serde(default)]
    parent: Option<String>,
    #[serde(default)]
    protect: bool,
    #[serde(default)]
    dependencies: Option<Vec<String>>,
    #[serde(default)]
    provider: Option<String>,
    #[serde(default)]
    property_dependencies: Option<BTreeMap<String, Option<Vec<String>>>>,
    #[serde(default)]
    delete_before_replace: Option<bool>,
    #[serde(default)]
    ignore_changes: Option<Vec<String>>,
    #[serde(default)]
    additional_secret_outputs: Option<Vec<String>>,
    #[serde(default)]
    aliases: Option<Vec<String>>,
    #[serde(default)]
    structured_aliases: Option<Vec<AliasJson>>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    custom_timeouts: TimeoutsJson,
}

#[derive(Deserialize, Default)]
struct DiffJson<'s> {
    #[serde(default, borrow)]
    adds: Option<&'s RawValue>,
    #[serde(default)]
    deletes: Option<Vec<String>>,
    #[serde(default, borrow)]
    updates: Option<&'s RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct TimeoutsJson {
    create: f64,
    update: f64,
    delete: f64,
    read: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct AliasJson {
    #[serde(rename = "URN")]
    urn: String,
    name: String,
    #[serde(rename = "Type")]
    ty: String,
    project: String,
    stack: String,
    parent: String,
    no_parent: bool,
}

/// Reads a plan file.
pub fn decode_plan(text: &str) -> Result<(PlanHeader, UpdatePlan<RawText>), Diagnostic> {
    let source: Arc<str> = text.into();
    let json: PlanJson<'_> =
        serde_json::from_str(&source).map_err(|e| invalid(format!("the plan can't be read: {e}")))?;
    let manifest = json.manifest;
    if !manifest.magic.is_empty() && manifest.magic != magic(&manifest.version) {
        return Err(invalid(
            "the plan's manifest doesn't fit its version: the file was changed by hand".into(),
        ));
    }
    let mut plan = UpdatePlan::default();
    for (name, resource) in json.resource_plans.unwrap_or_default() {
        let urn = urn(&name)?;
        let resource = read_resource(&source, resource)
            .map_err(|problem| Diagnostic { message: format!("{urn}: {}", problem.message), ..problem })?;
        plan.resources.insert(urn, resource);
    }
    let header = PlanHeader { time: manifest.time, version: manifest.version, config: BTreeMap::new() };
    Ok((header, plan))
}

fn invalid(message: String) -> Diagnostic {
    Diagnostic::error("plan-invalid", message).with_hint("make a new plan with `preview --save-plan`")
}

fn urn(text: &str) -> Result<Urn, Diagnostic> {
    Urn::parse(text).ok_or_else(|| invalid(format!("'{text}' is no URN")))
}

fn urns(texts: Option<Vec<String>>) -> Result<Vec<Urn>, Diagnostic> {
    texts.unwrap_or_default().iter().map(|text| urn(text)).collect()
}

fn bag(source: &Arc<str>, raw: Option<&RawValue>) -> RawText {
    let slice = raw.filter(|raw| raw.get() != "null").and_then(|raw| {
        let start = (raw.get().as_ptr() as usize).checked_sub(source.as_ptr() as usize)?;
        RawText::slice(source, start, start + raw.get().len())
    });
    slice.unwrap_or_else(|| RawText::from("{}".to_owned()))
}

fn read_resource(source: &Arc<str>, json: ResourceJson<'_>) -> Result<ResourcePlan<RawText>, Diagnostic> {
    let op = |word: &String| {
        StepOp::from_word(word).ok_or_else(|| invalid(format!("'{word}' is no step that this version knows")))
    };
    let seed = json.seed.unwrap_or_default();
    Ok(ResourcePlan {
        goal: json.goal.map(|goal| read_goal(source, goal)).transpose()?,
        steps: json.steps.unwrap_or_default().iter().map(op).collect::<Result<_, _>>()?,
        outputs: json.state.filter(|raw| raw.get() != "null").map(|raw| bag(source, Some(raw))),
        seed: STANDARD.decode(&seed).map_err(|_| invalid("the seed isn't base64".to_owned()))?,
    })
}

fn read_goal(source: &Arc<str>, json: GoalJson<'_>) -> Result<PlannedGoal<RawText>, Diagnostic> {
    let diff = |json: DiffJson<'_>| {
        let mut deletes = json.deletes.unwrap_or_default();
        deletes.sort();
        PlannedDiff { adds: bag(source, json.adds), deletes, updates: bag(source, json.updates) }
    };
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let provider = given(json.provider).map(|text| {
        ProviderRef::parse(&text).ok_or_else(|| invalid(format!("'{text}' is no reference to a provider")))
    });
    let mut aliases: Vec<Alias> = urns(json.aliases)?.into_iter().map(Alias::Urn).collect();
    for alias in json.structured_aliases.unwrap_or_default() {
        aliases.push(read_alias(alias)?);
    }
    let timeouts = json.custom_timeouts;
    Ok(PlannedGoal {
        ty: json.ty,
        name: json.name,
        custom: json.custom,
        inputs: diff(json.input_diff),
        outputs: diff(json.output_diff),
        parent: given(json.parent).map(|text| urn(&text)).transpose()?,
        protect: json.protect,
        dependencies: urns(json.dependencies)?,
        provider: provider.transpose()?,
        property_dependencies: json
            .property_dependencies
            .unwrap_or_default()
            .into_iter()
            .map(|(key, list)| Ok((key, urns(list)?)))
            .collect::<Result<_, Diagnostic>>()?,
        delete_before_replace: json.delete_before_replace,
        ignore_changes: json.ignore_changes.unwrap_or_default(),
        additional_secret_outputs: json.additional_secret_outputs.unwrap_or_default(),
        aliases,
        import_id: json.id.unwrap_or_default(),
        custom_timeouts: CustomTimeouts {
            create: timeouts.create,
            update: timeouts.update,
            delete: timeouts.delete,
            read: timeouts.read,
        },
    })
}

fn read_alias(json: AliasJson) -> Result<Alias, Diagnostic> {
    if !json.urn.is_empty() {
        return Ok(Alias::Urn(urn(&json.urn)?));
    }
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let parent = match (json.no_parent, json.parent.as_str()) {
        (true, _) => AliasParent::None,
        (false, "") => AliasParent::Same,
        (false, text) => AliasParent::Urn(urn(text)?),
    };
    Ok(Alias::Spec {
        name: given(json.name),
        ty: given(json.ty),
        stack: given(json.stack),
        project: given(json.project),
        parent,
    })
}
