//! A large state: how long it takes to be read, exported and edited, and how much memory.
//!
//! It is written here, not made by an operation: resources as a provider leaves them, every tenth with
//! a secret that no key opens. So whatever decrypts fails.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::options::Options;
use crate::bench::measure::{Measured, measured};
use crate::bench::options::{Language, Provider};
use crate::bench::stage::{Engine, Stage, Surroundings};
use crate::bench::table::{MEGABYTE, float, seconds, shown};
use crate::repo::Repo;

/// How many bytes the text of each resource is padded to, about.
const PADDING: usize = 1380;

/// What was measured.
struct Findings {
    /// The size of the checkpoint in bytes.
    size: u64,
    load: Measured,
    export: Measured,
    copy: Measured,
    delete: Measured,
}

/// Measures a state of a size, and says what was found.
pub(crate) fn run(
    repo: &Repo,
    purlin: &Engine,
    resources: usize,
    options: &Options,
    arguments: &[String],
) -> Result<String> {
    let provider = Provider::Builtin;
    let around = Surroundings { repo, provider: &provider, env: None, backend: None, chained: false };
    // The program is never run.
    let stage = Stage::set(&around, purlin, Language::Yaml, 1, false)?;
    stage.init()?;
    let file = stage.state().join(".pulumi/stacks/many/dev.json");
    write(&file, &salt(&stage.program())?, resources)?;
    let place = Place { out: stage.state().join("exported.json"), stage };
    let mut all = Vec::new();
    for run in 0..options.runs.min(resources) {
        all.push(place.measure(&file, resources - 1 - run)?);
    }
    let description = crate::bench::table::description(&provider, None)?;
    Ok(report(resources, &Findings::median(&all), &description, arguments))
}

/// The salt of the stack's secrets.
fn salt(program: &Path) -> Result<String> {
    let text = std::fs::read_to_string(program.join("Pulumi.dev.yaml"))?;
    let salt = text.lines().find_map(|line| line.strip_prefix("encryptionsalt: "));
    salt.map(str::to_owned).context("the stack has no salt")
}

struct Place {
    stage: Stage,
    /// Where the state is exported to.
    out: PathBuf,
}

impl Place {
    /// Measures once, and removes a resource of this number.
    fn measure(&self, file: &Path, number: usize) -> Result<Findings> {
        // From here on it is in the cache.
        let size = std::fs::read(file)?.len() as u64;
        let load = self.command(&["stack", "output", "--json"])?;
        let export = self.command(&["stack", "export", "--file", &self.out.to_string_lossy()])?;
        let copied = self.out.with_extension("copy");
        let copy = measured(Command::new("cp").arg(&self.out).arg(&copied), &self.log())?;
        std::fs::remove_file(copied)?;
        std::fs::remove_file(&self.out)?;
        let delete = self.command(&["state", "delete", &urn(number), "--yes"])?;
        Ok(Findings { size, load, export, copy, delete })
    }

    fn log(&self) -> PathBuf {
        self.out.with_extension("txt")
    }

    /// Runs a command that is told no passphrase.
    fn command(&self, arguments: &[&str]) -> Result<Measured> {
        let mut command = self.stage.engine(arguments);
        command.env_remove("PULUMI_CONFIG_PASSPHRASE");
        measured(&mut command, &self.log()).with_context(|| arguments.join(" "))
    }
}

impl Findings {
    fn median(all: &[Findings]) -> Findings {
        let of = |part: fn(&Findings) -> Measured| {
            let mut measured: Vec<Measured> = all.iter().map(part).collect();
            measured.sort_by(|a, b| a.wall.total_cmp(&b.wall));
            measured.get(measured.len() / 2).copied().unwrap_or_default()
        };
        Findings {
            size: all.first().map_or(0, |findings| findings.size),
            load: of(|findings| findings.load),
            export: of(|findings| findings.export),
            copy: of(|findings| findings.copy),
            delete: of(|findings| findings.delete),
        }
    }
}

fn urn(number: usize) -> String {
    format!("urn:pulumi:dev::many::random:index/randomString:RandomString::thing-{number}")
}

const STACK: &str = "urn:pulumi:dev::many::pulumi:pulumi:Stack::many-dev";
const PROVIDER: &str = "urn:pulumi:dev::many::pulumi:providers:random::default";
const PROVIDER_ID: &str = "12345678-1234-1234-1234-123456789abc";

fn resource(number: usize) -> Value {
    let payload = format!("{number:0>PADDING$}");
    let result = match number % 10 {
        0 => json!({
            "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
            "ciphertext": format!("v1:abcdefghijklmnop:{number:0>40}"),
        }),
        _ => json!("abcdefgh"),
    };
    json!({
        "urn": urn(number),
        "custom": true,
        "id": "abcdefgh",
        "type": "random:index/randomString:RandomString",
        "inputs": { "length": 8, "keepers": { "number": number.to_string() } },
        "outputs": { "id": "abcdefgh", "length": 8, "keepers": { "payload": payload }, "result": result },
        "parent": STACK,
        "provider": format!("{PROVIDER}::{PROVIDER_ID}"),
        "propertyDependencies": { "keepers": null, "length": null },
        "created": "2025-01-02T03:04:05.678901234Z",
        "modified": "2025-01-02T03:04:05.678901234Z",
    })
}

/// Writes the checkpoint of a stack with many resources, as an operation leaves it.
fn write(file: &Path, salt: &str, resources: usize) -> Result<()> {
    let mut out = BufWriter::new(File::create(file).with_context(|| file.display().to_string())?);
    let secrets = json!({ "type": "passphrase", "state": { "salt": salt } });
    let manifest = json!({ "time": "2025-01-02T03:04:05.678901234Z", "magic": "", "version": "" });
    let stack = json!({ "urn": STACK, "custom": false, "type": "pulumi:pulumi:Stack", "outputs": { "made": "here" } });
    let provider =
        json!({ "urn": PROVIDER, "custom": true, "id": PROVIDER_ID, "type": "pulumi:providers:random" });
    write!(out, r#"{{"version":3,"checkpoint":{{"stack":"organization/many/dev","latest":{{"#)?;
    write!(out, r#""manifest":{manifest},"secrets_providers":{secrets},"resources":[{stack},{provider}"#)?;
    for number in 0..resources {
        write!(out, ",{}", resource(number))?;
    }
    out.write_all(br#"],"metadata":{}}}}"#)?;
    Ok(out.flush()?)
}

fn report(resources: usize, findings: &Findings, description: &str, arguments: &[String]) -> String {
    let Findings { size, load, export, copy, delete } = findings;
    let mut text = format!(
        "`cargo xtask bench {}` ({description})\n\n**{resources} resources**, {:.0} MB\n\n\
         | | wall s | CPU s | peak MB |\n|---|--:|--:|--:|\n",
        shown(arguments),
        float(*size) / MEGABYTE
    );
    for (name, measured) in [
        ("load (`stack output`)", load),
        ("`stack export --file`", export),
        ("`cp` of what was exported", copy),
        ("`state delete` of one resource", delete),
    ] {
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "| {name} | {} | {} | {:.0} |",
            seconds(measured.wall),
            seconds(measured.own_cpu),
            float(measured.own_peak) / MEGABYTE
        );
    }
    text.push_str("\n| goal | measured | |\n|---|---|---|\n");
    let most = [load, export, delete].map(|measured| measured.own_peak).into_iter().max().unwrap_or_default();
    let times = export.wall / copy.wall.max(0.001);
    let seconds = |measured: &Measured| format!("{} s", seconds(measured.wall));
    for (what, measured, reached) in [
        ("loads in 1.5 s", seconds(load), load.wall <= 1.5),
        ("exports in 2.5 times the time of a copy", format!("{times:.1} times"), times <= 2.5),
        ("under 1 GB", format!("{:.0} MB at most", float(most) / MEGABYTE), most < 1_000_000_000),
        ("`state delete` under 2 s", seconds(delete), delete.wall < 2.0),
        ("nothing is decrypted", "it is told no passphrase".to_owned(), true),
    ] {
        let reached = if reached { "reached" } else { "**not reached**" };
        let _ = writeln!(text, "| {what} | {measured} | {reached} |");
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_a_checkpoint() {
        let file = std::env::temp_dir().join(format!("xtask-large-{}.json", std::process::id()));
        write(&file, "v1:salt", 12).unwrap();
        let text = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let state: Value = serde_json::from_slice(&text).unwrap();
        let resources = state["checkpoint"]["latest"]["resources"].as_array().unwrap();
        assert_eq!((resources.len(), &resources[13]["urn"]), (14, &json!(urn(11))));
        assert!(resources[2]["outputs"]["result"]["ciphertext"].is_string());
        assert!(resources[3]["outputs"]["result"].is_string());
    }

    #[test]
    fn goals_are_judged() {
        let measured = |wall: f64| Measured { wall, own_peak: 500_000_000, ..Measured::default() };
        let (load, export) = (measured(1.6), measured(1.0));
        let findings =
            Findings { size: 200_000_000, load, export, copy: measured(0.5), delete: measured(1.0) };
        let text = report(10, &findings, "here", &["state".to_owned()]);
        assert!(text.contains("| loads in 1.5 s | 1.60 s | **not reached** |"), "{text}");
        assert!(
            text.contains("| 2.0 times | reached |") && text.contains("500 MB at most | reached"),
            "{text}"
        );
    }
}
