//! Plain lines, whole renderings.

mod events;

use events::*;
use purlin_diag::Severity;
use purlin_display::{LineRenderer, Operation, Options};
use purlin_model::event::{EngineEvent, StepOp};

fn render(options: Options, timed: &[(u64, EngineEvent)]) -> String {
    let mut renderer = LineRenderer::new(options);
    let mut out = renderer.start();
    let mut last = 0;
    for (time, event) in timed {
        out.push_str(&renderer.event(event, ms(*time)));
        last = *time;
    }
    out.push_str(&renderer.finish(ms(last)));
    out
}

fn update() -> Options {
    Options::new(Operation::Update, false, "dev", "shop")
}

fn preview() -> Options {
    Options::new(Operation::Update, true, "dev", "shop")
}

fn creation() -> Vec<(u64, EngineEvent)> {
    let stack = Res::stack(StepOp::Create);
    let pet = Res::new(StepOp::Create, PET, "pet");
    let site = Res::new(StepOp::Create, COMPONENT, "site");
    let default = Res::new(StepOp::Create, "pulumi:providers:random", "default");
    vec![
        (0, EngineEvent::Prelude { config: [("shop:len".to_owned(), "8".to_owned())].into() }),
        (0, stack.pre()),
        (0, stack.done()),
        (5, default.pre()),
        (6, default.done()),
        (10, site.pre()),
        (10, site.done()),
        (20, pet.pre()),
        (30, say(None, Severity::Info, "hello from the program\n")),
        (40, say(Some(&pet.step.urn), Severity::Warning, "this pet is old\nvery old")),
        (1540, pet.done()),
        (1600, site.amended(bag(&[("url", "x")]))),
        (
            1700,
            stack.amended([("name".to_owned(), "frank".into()), ("pw".to_owned(), secret("hunter2"))].into()),
        ),
        (1800, summary(false, &[(StepOp::Create, 3)])),
    ]
}

#[test]
fn an_update_that_creates() {
    insta::assert_snapshot!(render(update(), &creation()), @r#"
    Updating (dev):
     +  pulumi:pulumi:Stack shop-dev creating (0s)
     +  shop:web:Site site creating (0s)
     +  random:index:RandomPet pet creating (0s)
     +  pulumi:pulumi:Stack shop-dev creating (0s) hello from the program
     +  random:index:RandomPet pet creating (0s) warning: this pet is old
     +  random:index:RandomPet pet created (1.5s) warning: this pet is old
     +  shop:web:Site site created (1.6s)
     +  pulumi:pulumi:Stack shop-dev created (1.7s) 1 message

    Diagnostics:
      random:index:RandomPet (pet):
        warning: this pet is old
        very old

      pulumi:pulumi:Stack (shop-dev):
        hello from the program

    Outputs:
        name: "frank"
        pw  : [secret]

    Resources:
        + 3 created

    Duration: 3s
    "#);
}

#[test]
fn a_preview_that_creates() {
    insta::assert_snapshot!(render(Options { show_config: true, ..preview() }, &creation()), @r#"
    Previewing update (dev):
    Configuration:
        shop:len: 8
     +  pulumi:pulumi:Stack shop-dev create
     +  shop:web:Site site create
     +  random:index:RandomPet pet create
     +  pulumi:pulumi:Stack shop-dev create hello from the program
     +  random:index:RandomPet pet create warning: this pet is old
     +  pulumi:pulumi:Stack shop-dev create 1 message

    Diagnostics:
      random:index:RandomPet (pet):
        warning: this pet is old
        very old

      pulumi:pulumi:Stack (shop-dev):
        hello from the program

    Outputs:
        name: "frank"
        pw  : [secret]

    Resources:
        + 3 to create
    "#);
}

#[test]
fn urns_in_place_of_names() {
    insta::assert_snapshot!(render(Options { urns: true, ..update() }, &creation()), @r#"
    Updating (dev):
     +  urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev creating (0s)
     +  urn:pulumi:dev::shop::shop:web:Site::site creating (0s)
     +  urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet creating (0s)
     +  urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev creating (0s) hello from the program
     +  urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet creating (0s) warning: this pet is old
     +  urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet created (1.5s) warning: this pet is old
     +  urn:pulumi:dev::shop::shop:web:Site::site created (1.6s)
     +  urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev created (1.7s) 1 message

    Diagnostics:
      urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet:
        warning: this pet is old
        very old

      urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev:
        hello from the program

    Outputs:
        name: "frank"
        pw  : [secret]

    Resources:
        + 3 created

    Duration: 3s
    "#);
}

fn replacement() -> Vec<(u64, EngineEvent)> {
    let stack = Res::stack(StepOp::Same)
        .old_side(bag::<&str>(&[]), bag(&[("kept", "a"), ("name", "old"), ("gone", "x")]))
        .new_side(bag::<&str>(&[]), bag(&[("kept", "a"), ("name", "old"), ("gone", "x")]));
    let sides = |res: Res| {
        res.old_side(bag(&[("length", 8.0)]), bag(&[("length", 8.0)]))
            .new_side(bag(&[("length", 9.0)]), bag::<f64>(&[]))
    };
    let create = sides(Res::new(StepOp::CreateReplacement, STRING, "str"));
    let replace = sides(Res::new(StepOp::Replace, STRING, "str"));
    let delete = Res::new(StepOp::DeleteReplaced, STRING, "str");
    let same = Res::new(StepOp::Same, PET, "pet");
    vec![
        (0, stack.pre()),
        (0, stack.done()),
        (5, same.pre()),
        (5, same.done()),
        (10, create.pre()),
        (2010, create.done()),
        (2010, replace.pre()),
        (2010, replace.done()),
        (2100, stack.amended(bag(&[("kept", "a"), ("name", "new"), ("more", "y")]))),
        (2200, delete.pre()),
        (2210, delete.done()),
        (2300, summary(false, &[(StepOp::Replace, 1), (StepOp::Same, 2)])),
    ]
}

#[test]
fn an_update_that_replaces() {
    insta::assert_snapshot!(render(update(), &replacement()), @r#"
    Updating (dev):
        pulumi:pulumi:Stack shop-dev running
     ++ random:index:RandomString str creating replacement (0s) [diff: ~length]
     ++ random:index:RandomString str created replacement (2.0s) [diff: ~length]
     -- random:index:RandomString str deleting original (0s) [diff: ~length]
     -- random:index:RandomString str deleted original (0.01s) [diff: ~length]
        pulumi:pulumi:Stack shop-dev

    Outputs:
      - gone: "x"
        kept: "a"
      + more: "y"
      ~ name: "old" => "new"

    Resources:
        +-1 replaced
        2 unchanged

    Duration: 3s
    "#);
}

#[test]
fn a_preview_that_replaces() {
    insta::assert_snapshot!(render(preview(), &replacement()), @r#"
    Previewing update (dev):
        pulumi:pulumi:Stack shop-dev running
     +- random:index:RandomString str replace [diff: ~length]
        pulumi:pulumi:Stack shop-dev

    Outputs:
      - gone: "x"
      + more: "y"
      ~ name: "old" => "new"

    Resources:
        +-1 to replace
        2 unchanged
    "#);
}

#[test]
fn the_steps_of_a_replacement_and_the_unchanged() {
    let options = Options { show_replacement_steps: true, show_sames: true, ..preview() };
    insta::assert_snapshot!(render(options, &replacement()), @r#"
    Previewing update (dev):
        pulumi:pulumi:Stack shop-dev running
        random:index:RandomPet pet
     ++ random:index:RandomString str create replacement [diff: ~length]
     +- random:index:RandomString str replace [diff: ~length]
     -- random:index:RandomString str delete original [diff: ~length]
        pulumi:pulumi:Stack shop-dev

    Outputs:
      - gone: "x"
        kept: "a"
      + more: "y"
      ~ name: "old" => "new"

    Resources:
        +-1 to replace
        2 unchanged
    "#);
}

#[test]
fn a_failure() {
    let stack = Res::stack(StepOp::Same);
    let bad = Res::new(StepOp::Create, PET, "bad");
    let unfinished = Res::new(StepOp::Update, PET, "unfinished");
    let stream = |text: &str| EngineEvent::Diagnostic {
        urn: Some(bad.step.urn.clone()),
        prefix: String::new(),
        message: text.to_owned(),
        severity: Severity::Info,
        stream_id: 7,
        ephemeral: false,
    };
    let passing = EngineEvent::Diagnostic {
        urn: Some(bad.step.urn.clone()),
        prefix: String::new(),
        message: "still waiting".to_owned(),
        severity: Severity::Info,
        stream_id: 0,
        ephemeral: true,
    };
    let timed = [
        (0, stack.pre()),
        (0, stack.done()),
        (10, bad.pre()),
        (10, unfinished.pre()),
        (500, stream("one ")),
        (500, stream("two\n")),
        (600, passing),
        (900, say(Some(&bad.step.urn), Severity::Debug, "nobody asked")),
        (1000, say(Some(&bad.step.urn), Severity::Error, "exit status 1:\n\u{1b}[31moops\u{1b}[0m\n\n")),
        (1010, bad.failed()),
        (1100, say(None, Severity::Error, "update failed")),
        (1200, summary(false, &[(StepOp::Same, 1)])),
    ];
    insta::assert_snapshot!(render(update(), &timed), @"
    Updating (dev):
        pulumi:pulumi:Stack shop-dev running
     +  random:index:RandomPet bad creating (0s)
     ~  random:index:RandomPet unfinished updating (0s)
     +  random:index:RandomPet bad creating (0.4s) one
     +  random:index:RandomPet bad creating (0.4s) two
     +  random:index:RandomPet bad creating (0.5s) still waiting
     +  random:index:RandomPet bad creating (0.9s) error: exit status 1:
     +  random:index:RandomPet bad **creating failed (1.0s)** error: exit status 1:
        pulumi:pulumi:Stack shop-dev running error: update failed
     ~  random:index:RandomPet unfinished updating (interrupted)
        pulumi:pulumi:Stack shop-dev **failed** 1 error

    Diagnostics:
      random:index:RandomPet (bad):
        one two
        error: exit status 1:
        oops

      pulumi:pulumi:Stack (shop-dev):
        error: update failed

    Resources:
        1 unchanged
        2 errored

    Duration: 3s
    ");
}

#[test]
fn a_refresh() {
    let options = Options::new(Operation::Refresh, false, "dev", "shop");
    let looks = |op: StepOp, name: &str| {
        let mut pre = Res::new(StepOp::Refresh, PET, name);
        let done = Res::new(op, PET, name)
            .old_side(bag(&[("length", 2.0)]), bag(&[("length", 2.0)]))
            .new_side(bag(&[("length", 3.0)]), bag(&[("length", 3.0)]));
        pre.step.new = None;
        [(10, pre.pre()), (400, done.done())]
    };
    let mut timed = vec![];
    timed.extend(looks(StepOp::Same, "same"));
    timed.extend(looks(StepOp::Update, "drifted"));
    timed.push((500, summary(false, &[(StepOp::Same, 1), (StepOp::Update, 1)])));
    insta::assert_snapshot!(render(options, &timed), @"
    Refreshing (dev):
     ~  random:index:RandomPet same refreshing (0s)
     ~  random:index:RandomPet drifted refreshing (0s)
     ~  random:index:RandomPet drifted updated (0.39s) [diff: ~length]
        pulumi:pulumi:Stack shop-dev

    Resources:
        ~ 1 updated
        1 unchanged

    Duration: 3s
    ");
}

#[test]
fn a_destroy_shows_outputs_go() {
    let options = Options::new(Operation::Destroy, false, "dev", "shop");
    let stack = Res::stack(StepOp::Delete).old_side(bag::<&str>(&[]), bag(&[("name", "frank")]));
    let site = Res::new(StepOp::Delete, COMPONENT, "site");
    let pet = Res::new(StepOp::Delete, PET, "pet")
        .with(|state| state.retain_on_delete = true)
        .below(&site.step.urn);
    let timed = [
        (0, pet.pre()),
        (250, pet.done()),
        (250, site.pre()),
        (250, site.done()),
        (300, stack.pre()),
        (300, stack.done()),
        (310, summary(false, &[(StepOp::Delete, 3)])),
    ];
    insta::assert_snapshot!(render(options, &timed), @r#"
    Destroying (dev):
     -  random:index:RandomPet pet deleting[retain] (0s)
     -  random:index:RandomPet pet deleted[retain] (0.25s)
     -  shop:web:Site site deleting (0s)
     -  shop:web:Site site deleted (0.00s)
     -  pulumi:pulumi:Stack shop-dev deleting (0s)
     -  pulumi:pulumi:Stack shop-dev deleted (0.00s)

    Outputs:
      - name: "frank"

    Resources:
        - 3 deleted

    Duration: 3s
    "#);
}

#[test]
fn downloads_and_reads() {
    let progress = |received, done| EngineEvent::Progress {
        id: "random".to_owned(),
        message: "Downloading plugin random-4.0.0".to_owned(),
        received,
        total: 4096,
        done,
    };
    let read = Res::new(StepOp::Read, PET, "ext");
    let events = [
        (0, progress(0, false)),
        (0, progress(2048, false)),
        (0, progress(4096, true)),
        (5, read.pre()),
        (7, read.done()),
        (8, summary(false, &[(StepOp::Read, 1)])),
    ];
    insta::assert_snapshot!(render(update(), &events), @"
    Updating (dev):
    Downloading plugin random-4.0.0: starting
    Downloading plugin random-4.0.0: done
        pulumi:pulumi:Stack shop-dev running read random:index:RandomPet ext
        pulumi:pulumi:Stack shop-dev

    Resources:
        none

    Duration: 3s
    ");
    let options = Options { show_reads: true, suppress_progress: true, ..update() };
    insta::assert_snapshot!(render(options, &events), @"
    Updating (dev):
     >  random:index:RandomPet ext reading (0s)
     >  random:index:RandomPet ext read (0.00s)
        pulumi:pulumi:Stack shop-dev

    Resources:
        none

    Duration: 3s
    ");
}

#[test]
fn an_unchanged_resource_shows_when_its_protection_changes() {
    let pet = Res::new(StepOp::Same, PET, "pet").with_new(|state| state.protect = true);
    insta::assert_snapshot!(render(update(), &[(0, pet.pre()), (1, pet.done())]), @"
    Updating (dev):
        random:index:RandomPet pet [diff: ~protect]
        pulumi:pulumi:Stack shop-dev
    ");
}

#[test]
fn colours_say_nothing_that_the_text_does_not() {
    let colored = render(Options { colors: true, ..update() }, &creation());
    let mut plain = String::new();
    let mut rest = colored.as_str();
    while let Some(at) = rest.find('\u{1b}') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + rest[at..].find('m').unwrap() + 1..];
    }
    plain.push_str(rest);
    assert_ne!(colored, plain);
    assert_eq!(plain, render(update(), &creation()));
    // No colour runs over the end of a line.
    let ends = |line: &str| line.rfind('\u{1b}').is_none_or(|at| line[at..].starts_with("\u{1b}[0m"));
    assert!(colored.lines().all(ends));
}

fn judgement(mandatory: bool) -> Vec<(u64, EngineEvent)> {
    let pet = Res::new(StepOp::Create, PET, "pet");
    let tags = |owner: &str| bag(&[("owner", owner)]);
    vec![
        (0, pet.pre()),
        (1, repaired("has-owner", tags(""), tags("nobody"))),
        (2, violated("short-name", false, "Names are short.\nthis is not")),
        (3, violated("no-pets", mandatory, "There are no pets.")),
        (4, pet.done()),
        (5, judged(&[("rules|local|./rules", "1.0.0"), ("others", "2.0.0")])),
    ]
}

#[test]
fn policies_are_summed_up_pack_by_pack() {
    insta::assert_snapshot!(render(update(), &judgement(false)), @"
    Updating (dev):
     +  random:index:RandomPet pet creating (0s)
     +  random:index:RandomPet pet created (0.00s)
        pulumi:pulumi:Stack shop-dev

    Policies:
        ✅ others@v2.0.0
        ⚠️ rules@v1.0.0 (local: ./rules)
            - [remediate]  has-owner  (1 resource)
            - [advisory]  no-pets  (random:index:RandomPet: pet)
              There are no pets.
            - [advisory]  short-name  (random:index:RandomPet: pet)
              Names are short.
              this is not

    Resources:
        + 1 created

    Duration: 3s
    ");
    let options = Options { show_policy_remediations: true, ..update() };
    insta::assert_snapshot!(render(options, &judgement(true)), @"
    Updating (dev):
     +  random:index:RandomPet pet creating (0s)
     +  random:index:RandomPet pet created (0.00s)
        pulumi:pulumi:Stack shop-dev

    Policies:
        ✅ others@v2.0.0
        ❌ rules@v1.0.0 (local: ./rules)
            - [remediate]  has-owner  (random:index:RandomPet: pet) [diff: ~owner]
            - [mandatory] [severity: high]  no-pets  (random:index:RandomPet: pet)
              There are no pets.
            - [advisory]  short-name  (random:index:RandomPet: pet)
              Names are short.
              this is not
    ");
}
