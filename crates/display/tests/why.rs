//! What led to a step, in words.

mod events;

use std::sync::Arc;

use events::{PET, STRING, urn};
use purlin_display::{Operation, Options, explanation, explanations};
use purlin_model::cause::{Cause, PropertyCause};
use purlin_model::event::StepOp;
use purlin_model::{Causes, Urn};

fn by(property: &str, from: &[Urn]) -> Cause {
    Cause::Properties(vec![PropertyCause { property: property.into(), from: from.to_vec() }])
}

fn causes() -> Causes {
    let (a, b, quiet) = (urn(PET, "a"), urn(PET, "b"), urn(PET, "quiet"));
    let mut causes = Causes::default();
    let mut note = |op: StepOp, ty: &str, name: &str, cause: Option<Cause>| {
        let mut step = events::Res::new(op, ty, name).step;
        step.cause = cause.map(Arc::new);
        causes.note(&step);
    };
    note(StepOp::Same, PET, "quiet", None);
    note(StepOp::Replace, PET, "a", Some(by("size", &[])));
    note(StepOp::CreateReplacement, PET, "a", Some(by("size", &[])));
    let along = Cause::Cascade { root: a.clone(), because: Arc::new(by("from", &[a, quiet])) };
    note(StepOp::DeleteReplaced, PET, "b", Some(along.clone()));
    note(StepOp::Replace, PET, "b", Some(along));
    note(StepOp::Create, PET, "new", None);
    note(StepOp::Update, STRING, "c", Some(by("keepers.b", &[b])));
    note(StepOp::Delete, PET, "gone", Some(Cause::NotRegistered));
    note(StepOp::DeleteReplaced, PET, "left", Some(Cause::PendingDelete));
    note(StepOp::DeleteReplaced, PET, "a", Some(Cause::Replaced));
    causes
}

fn told(ty: &str, name: &str) -> String {
    let options = Options::new(Operation::Update, true, "dev", "shop");
    explanation(&options, &causes(), &urn(ty, name))
}

#[test]
fn a_chain_is_told_down_to_what_began_it() {
    let expected = "\
random:index:RandomString c is updated: `keepers.b` changes, which comes from random:index:RandomPet b
  random:index:RandomPet b is replaced: `from` changes, which comes from random:index:RandomPet a; it goes before \
random:index:RandomPet a can be deleted and created anew
    random:index:RandomPet a is replaced: `size` changes
";
    assert_eq!(told(STRING, "c"), expected);
}

#[test]
fn what_stays_and_what_is_new_says_so() {
    let same =
        "random:index:RandomPet quiet does not change: its inputs and its options are what they were\n";
    assert_eq!(told(PET, "quiet"), same);
    let new = "random:index:RandomPet new is created: the state does not have it yet\n";
    assert_eq!(told(PET, "new"), new);
    assert_eq!(told(PET, "nobody"), "");
}

#[test]
fn a_preview_explains_what_is_lost() {
    let options = Options::new(Operation::Update, true, "dev", "shop");
    let expected = "\
Why:
    random:index:RandomPet a is replaced: `size` changes
    random:index:RandomPet b is replaced: `from` changes, which comes from random:index:RandomPet a; it goes before \
random:index:RandomPet a can be deleted and created anew
    random:index:RandomPet gone is deleted: the program does not register it any more
    random:index:RandomPet left has an old state that is deleted: an earlier run replaced it and did not delete what \
it replaced
";
    assert_eq!(explanations(&options, &causes()), expected);
    assert_eq!(explanations(&options, &Causes::default()), "");
}
