//! The live tree: frames at given times and sizes, and the final text.

mod events;

use events::*;
use purlin_diag::Severity;
use purlin_display::{Operation, Options, TreeRenderer};
use purlin_model::event::{EngineEvent, StepOp};

fn update() -> Options {
    Options::new(Operation::Update, false, "dev", "shop")
}

fn tree(options: Options, timed: &[(u64, EngineEvent)]) -> TreeRenderer {
    let mut renderer = TreeRenderer::new(options);
    for (time, event) in timed {
        renderer.event(event, ms(*time));
    }
    renderer
}

fn frame(renderer: &TreeRenderer, now: u64, width: u16, height: u16) -> String {
    renderer.frame(ms(now), width, height).join("\n")
}

fn sides(res: Res) -> Res {
    res.old_side(bag(&[("length", 8.0)]), bag(&[("length", 8.0)]))
        .new_side(bag(&[("length", 9.0)]), bag::<f64>(&[]))
}

fn story() -> Vec<(u64, EngineEvent)> {
    let stack = Res::stack(StepOp::Create);
    let site = Res::new(StepOp::Create, COMPONENT, "site");
    let pet = Res::new(StepOp::Create, PET, "pet").below(&site.step.urn);
    let other = Res::new(StepOp::Create, PET, "other").below(&site.step.urn);
    let same = Res::new(StepOp::Same, PET, "same");
    let update = sides(Res::new(StepOp::Update, STRING, "日本"));
    let create = sides(Res::new(StepOp::CreateReplacement, STRING, "str"));
    let replace = sides(Res::new(StepOp::Replace, STRING, "str"));
    let delete = Res::new(StepOp::DeleteReplaced, STRING, "str");
    vec![
        (0, stack.pre()),
        (0, stack.done()),
        (5, same.pre()),
        (5, same.done()),
        (10, site.pre()),
        (10, site.done()),
        (20, pet.pre()),
        (20, other.pre()),
        (30, update.pre()),
        (30, create.pre()),
        (1030, create.done()),
        (1030, replace.pre()),
        (1030, replace.done()),
        (1040, delete.pre()),
        (1100, say(Some(&update.step.urn), Severity::Warning, "slow today, as ever, and then some more")),
        (1200, pet.done()),
    ]
}

fn ending() -> Vec<(u64, EngineEvent)> {
    let stack = Res::stack(StepOp::Create);
    let site = Res::new(StepOp::Create, COMPONENT, "site");
    let other = Res::new(StepOp::Create, PET, "other").below(&site.step.urn);
    let update = sides(Res::new(StepOp::Update, STRING, "日本"));
    let delete = Res::new(StepOp::DeleteReplaced, STRING, "str");
    vec![
        (2000, other.done()),
        (2100, update.done()),
        (2200, delete.done()),
        (2300, site.amended(bag::<&str>(&[]))),
        (2300, stack.amended(bag(&[("url", "x")]))),
        (2400, summary(false, &[(StepOp::Create, 4), (StepOp::Update, 1), (StepOp::Replace, 1)])),
    ]
}

#[test]
fn frames_as_things_go_on() {
    let mut renderer = tree(update(), &story());
    insta::assert_snapshot!(frame(&renderer, 1250, 100, 30), @"
        Type                          Name      Status                      Info
    +   pulumi:pulumi:Stack           shop-dev  creating (1.2s) |
    +   ├─ shop:web:Site              site      creating (1.2s) |
    +   │  ├─ random:index:RandomPet  pet       created (1.2s)
    +   │  └─ random:index:RandomPet  other     creating (1.2s) |
    ~   ├─ random:index:RandomString  日本      updating (1.2s) |           [diff: ~length]; warning:…
    --  └─ random:index:RandomString  str       deleting original (0.2s) |  [diff: ~length]
        1 unchanged
    ");
    insta::assert_snapshot!(frame(&renderer, 1350, 60, 30), @"
        Type                      Name      Status           …
    +   pulumi:pulumi:Stack       shop-dev  creating (1.3s) /
    +   ├─ shop:web:Site          site      creating (1.3s) /
    +   │  ├─ random:index:Rand…  pet       created (1.2s)
    +   │  └─ random:index:Rand…  other     creating (1.3s) /
    ~   ├─ random:index:RandomS…  日本      updating (1.3s) /…
    --  └─ random:index:RandomS…  str       deleting original…
        1 unchanged
    ");
    for (time, event) in ending() {
        renderer.event(&event, ms(time));
    }
    insta::assert_snapshot!(frame(&renderer, 2400, 100, 30), @"
        Type                          Name      Status                   Info
    +   pulumi:pulumi:Stack           shop-dev  creating (2.4s) |
    +   ├─ shop:web:Site              site      created (2.3s)
    +   │  ├─ random:index:RandomPet  pet       created (1.2s)
    +   │  └─ random:index:RandomPet  other     created (2.0s)
    ~   ├─ random:index:RandomString  日本      updated (2.1s)           [diff: ~length]; warning: sl…
    --  └─ random:index:RandomString  str       deleted original (1.2s)  [diff: ~length]
        1 unchanged
    ");
    insta::assert_snapshot!(renderer.finish(ms(2400), 100), @r#"
         Type                          Name      Status           Info
     +   pulumi:pulumi:Stack           shop-dev  created (2.3s)
     +   ├─ shop:web:Site              site      created (2.3s)
     +   │  ├─ random:index:RandomPet  pet       created (1.2s)
     +   │  └─ random:index:RandomPet  other     created (2.0s)
     ~   ├─ random:index:RandomString  日本      updated (2.1s)   [diff: ~length]; 1 warning
     +-  └─ random:index:RandomString  str       replaced (1.2s)  [diff: ~length]

    Diagnostics:
      random:index:RandomString (日本):
        warning: slow today, as ever, and then some more

    Outputs:
        url: "x"

    Resources:
        + 4 created
        ~ 1 updated
        +-1 replaced
        6 changes

    Duration: 3s
    "#);
}

#[test]
fn a_preview_shows_plans() {
    let mut renderer = tree(Options { preview: true, urns: true, ..update() }, &story());
    insta::assert_snapshot!(frame(&renderer, 1250, 100, 30), @"
        URN                                                                    Plan       Info
    +   urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev                    create |
    +   ├─ urn:pulumi:dev::shop::shop:web:Site::site                           create
    +   │  ├─ urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet      create
    +   │  └─ urn:pulumi:dev::shop::random:index/randomPet:RandomPet::other    create |
    ~   ├─ urn:pulumi:dev::shop::random:index/randomString:RandomString::日本  update |   [diff: ~len…
    +-  └─ urn:pulumi:dev::shop::random:index/randomString:RandomString::str   replace |  [diff: ~len…
        1 unchanged
    ");
    insta::assert_snapshot!(renderer.finish(ms(1250), 0), @"
         URN                                                                    Plan     Info
     +   urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev                    create
     +   ├─ urn:pulumi:dev::shop::shop:web:Site::site                           create
     +   │  ├─ urn:pulumi:dev::shop::random:index/randomPet:RandomPet::pet      create
     +   │  └─ urn:pulumi:dev::shop::random:index/randomPet:RandomPet::other    create
     ~   ├─ urn:pulumi:dev::shop::random:index/randomString:RandomString::日本  update   [diff: ~length]; 1 warning
     +-  └─ urn:pulumi:dev::shop::random:index/randomString:RandomString::str   replace  [diff: ~length]

    Diagnostics:
      urn:pulumi:dev::shop::random:index/randomString:RandomString::日本:
        warning: slow today, as ever, and then some more
    ");
}

#[test]
fn frames_keep_to_their_size() {
    let stack = Res::stack(StepOp::Same);
    let mut timed = vec![(0, stack.pre()), (0, stack.done())];
    for index in 0..20u64 {
        let res = Res::new(StepOp::Create, PET, &format!("pet-{index}"));
        timed.push((index, res.pre()));
        if index % 4 != 3 {
            timed.push((100 + index, res.done()));
        }
    }
    timed.push((
        200,
        EngineEvent::Progress {
            id: "x".into(),
            message: "Downloading plugin random-4.0.0".into(),
            received: 1 << 20,
            total: 4 << 20,
            done: false,
        },
    ));
    let same = Res::new(StepOp::Same, PET, "same");
    timed.extend([(200, same.pre()), (200, same.done())]);
    let renderer = tree(Options { emoji: true, ..update() }, &timed);
    insta::assert_snapshot!(frame(&renderer, 300, 80, 14), @"
        Type                       Name      Status
        pulumi:pulumi:Stack        shop-dev  running ⠸
    +   ├─ random:index:RandomPet  pet-3     creating (0.2s) ⠸
    +   ├─ random:index:RandomPet  pet-7     creating (0.2s) ⠸
    +   ├─ random:index:RandomPet  pet-11    creating (0.2s) ⠸
    +   ├─ random:index:RandomPet  pet-15    creating (0.2s) ⠸
    +   ├─ random:index:RandomPet  pet-16    created (0.10s)
    +   ├─ random:index:RandomPet  pet-17    created (0.10s)
    +   ├─ random:index:RandomPet  pet-18    created (0.10s)
    +   └─ random:index:RandomPet  pet-19    creating (0.2s) ⠸
        … 12 more
        Downloading plugin random-4.0.0 [██████                  ] 1.0 MiB/4.0 MiB
        2 unchanged
    ");
    insta::assert_snapshot!(frame(&renderer, 300, 80, 6), @"
        Type                       Name      Status
        pulumi:pulumi:Stack        shop-dev  running ⠸
    +   └─ random:index:RandomPet  pet-19    creating (0.2s) ⠸
        … 19 more
        Downloading plugin random-4.0.0 [██████                  ] 1.0 MiB/4.0 MiB
    ");
    for height in 0..40 {
        for width in [0, 1, 2, 5, 10, 33, 80, 200] {
            let lines = renderer.frame(ms(300), width, height);
            assert!(lines.len() < usize::from(height).max(1), "{width}x{height}");
            let widest = lines.iter().map(|l| l.chars().count()).max().unwrap_or(0);
            assert!(widest < usize::from(width).max(1), "{width}x{height}");
        }
    }
}

#[test]
fn a_failure_stays_in_view() {
    let stack = Res::stack(StepOp::Same);
    let bad = Res::new(StepOp::Create, PET, "bad");
    let create = sides(Res::new(StepOp::CreateReplacement, STRING, "str"));
    let error = say(Some(&bad.step.urn), Severity::Error, "boom");
    let timed = [
        (0, stack.pre()),
        (0, stack.done()),
        (10, bad.pre()),
        (10, create.pre()),
        (20, error),
        (20, say(Some(&bad.step.urn), Severity::Info, "something else")),
        (30, bad.failed()),
    ];
    let mut renderer = tree(update(), &timed);
    insta::assert_snapshot!(frame(&renderer, 100, 100, 30), @"
        Type                          Name      Status                       Info
        pulumi:pulumi:Stack           shop-dev  running /
    +   ├─ random:index:RandomPet     bad       **creating failed (0.02s)**  error: boom
    ++  └─ random:index:RandomString  str       creating replacement (0s) /  [diff: ~length]
        1 unchanged
    ");
    insta::assert_snapshot!(renderer.finish(ms(200), 100), @"
         Type                          Name      Status                              Info
         pulumi:pulumi:Stack           shop-dev
     +   ├─ random:index:RandomPet     bad       **creating failed (0.02s)**         1 error; 1 message
     ++  └─ random:index:RandomString  str       creating replacement (interrupted)  [diff: ~length]

    Diagnostics:
      random:index:RandomPet (bad):
        error: boom
        something else
    ");
}

#[test]
fn children_that_go_before_their_parents_keep_their_place() {
    let options = Options::new(Operation::Destroy, false, "dev", "shop");
    let site = Res::new(StepOp::Delete, COMPONENT, "site");
    let pet = Res::new(StepOp::Delete, PET, "pet").below(&site.step.urn);
    let renderer = tree(options, &[(0, pet.pre())]);
    insta::assert_snapshot!(frame(&renderer, 100, 100, 30), @"
        Type                          Name      Status
        pulumi:pulumi:Stack           shop-dev  running /
        └─ shop:web:Site              site
    -      └─ random:index:RandomPet  pet       deleting (0.1s) /
    ");
}
