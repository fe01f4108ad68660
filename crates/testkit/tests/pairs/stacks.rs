//! The stacks that the pairs run over. In each `base` is what `mid` and through it `leaf` depend on,
//! `lone` depends on nothing, `guard` is protected, `old` leaves the program and `fresh` comes.

/// A stack: how it comes to be, and what the program says then.
pub(crate) struct Stack {
    pub(crate) name: &'static str,
    /// Blocks up to the run.
    pub(crate) setup: &'static str,
    /// The lines of the program of the run.
    pub(crate) program: &'static str,
    /// Whether replacing `base` deletes first, and what depends on it before.
    pub(crate) first: bool,
    /// Whether a create is pending.
    pub(crate) pending: bool,
    /// Whether the program wants `guard` gone.
    pub(crate) unguarded: bool,
    /// Whether the cloud has changed since.
    pub(crate) drifted: bool,
}

const AFTER: &str = "  stack
  custom base zone=y
  custom mid from=$base.arn size=2
  custom leaf from=$mid.arn
  custom lone size=2
  custom guard size=2 @protect
  custom fresh size=1
";

const UNGUARDED: &str = "  stack
  custom base zone=y
  custom mid from=$base.arn size=2
  custom leaf from=$mid.arn
  custom lone size=2
  custom fresh size=1
";

const PENDING: &str = "  stack
  custom base zone=x
  custom mid from=$base.arn size=2
  custom leaf from=$mid.arn
  custom lone size=2
  custom guard size=2 @protect
  custom fresh size=1
  custom maybe size=1
";

pub(crate) const ALL: [Stack; 4] = [
    Stack {
        name: "replaced after",
        setup: "cloud
  computed arn
  replaces zone
program
  stack
  custom base zone=x
  custom mid from=$base.arn size=1
  custom leaf from=$mid.arn
  custom lone size=1
  custom guard size=1 @protect
  custom old size=1
up
",
        program: AFTER,
        first: false,
        pending: false,
        unguarded: false,
        drifted: false,
    },
    Stack {
        name: "deleted first",
        setup: "cloud
  computed arn
  replaces zone
  replaces from
  dbr zone
program
  stack
  custom base zone=x
  custom mid from=$base.arn size=1
  custom leaf from=$mid.arn
  custom lone size=1
  custom guard size=1 @protect
  custom old size=1
up
",
        program: AFTER,
        first: true,
        pending: false,
        unguarded: false,
        drifted: false,
    },
    Stack {
        name: "pending and drifted",
        setup: "cloud
  computed arn
  replaces zone
  lost create maybe
program
  stack
  custom base zone=x
  custom mid from=$base.arn size=1
  custom leaf from=$mid.arn
  custom lone size=1
  custom guard size=1 @protect
  custom old size=1
  custom maybe size=1
up
cloud
  heals
  drift lone size=7
  drift mid size=7
  vanish old
",
        program: PENDING,
        first: false,
        pending: true,
        unguarded: false,
        drifted: true,
    },
    Stack {
        name: "protected and gone",
        setup: "cloud
  computed arn
  replaces zone
program
  stack
  custom base zone=x
  custom mid from=$base.arn size=1
  custom leaf from=$mid.arn
  custom lone size=1
  custom guard size=1 @protect
  custom old size=1
up
",
        program: UNGUARDED,
        first: false,
        pending: false,
        unguarded: true,
        drifted: false,
    },
];
