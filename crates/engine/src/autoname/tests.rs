//! Names, and the generator against the one that the official engine uses.

use super::*;

/// Drawn by the library that the official engine uses.
#[test]
fn the_generator_draws_what_the_ecosystems_does() {
    let mut generator = Generator::new(Sha256::digest(b"seed").into());
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    assert_eq!(hex(&generator.bytes(5)), "f6af37480a");
    assert_eq!(hex(&generator.bytes(3)), "0b3d9f");
    assert_eq!(hex(&generator.bytes(20)), "a1758fcb82cd19d724d33cbb6bb303907725026d");
    let mut text = String::new();
    generator.push(&mut text, b"0123456789abcdefghijklmnopqrstuvwxyz", 10);
    let expected: String = [0, 18, 0, 2, 33, 27, 5, 23, 17, 31]
        .map(|index| char::from_digit(index, 36).unwrap_or_default())
        .iter()
        .collect();
    assert_eq!(text, expected);
    assert_eq!(hex(&generator.bytes(3000)[2980..]), "76f5a1b9def180ab9e9e6f1365a7450f78db16d4");
    let mut text = String::new();
    generator.push(&mut text, b"0123456789", 5);
    assert_eq!(text, "36335");
}

const SEED: &[u8] = b"0123456789abcdef0123456789abcdef";

#[test]
fn names_are_those_that_the_official_engine_makes() {
    let pattern = "${name}-${hex(5)}-${hex(4)}-${alphanum(6)}-${string(4)}-${num(3)}-${uuid}";
    let name = expand(pattern, "n", SEED);
    let without_dashes = |text: &str| text.replace('-', "");
    assert_eq!(
        without_dashes(&name),
        without_dashes("n-85a45-d616-2sppxv-bmgy-808-88ac694f1c6476bcab3ed1b3a9d90361")
    );
    assert_eq!(name.len(), "n-85a45-d616-2sppxv-bmgy-808-88ac694f1c6476bcab3ed1b3a9d90361".len() + 4);
}

#[test]
fn what_is_no_expression_stays() {
    assert_eq!(expand("${name}${name}-${random(8)}${hex(x)}", "n", SEED), "nn-${random(8)}${hex(x)}");
    let twice = expand("${uuid}${uuid}", "n", SEED);
    assert_eq!(twice[..36], twice[36..]);
    assert_eq!(expand("${hex(0)}x", "n", SEED), "x");
    assert_eq!(expand("${num(99999)}", "n", SEED).len(), LONGEST);
}

#[test]
fn what_providers_are_told() {
    let urn = Urn::new("dev", "shop", None, "t:m:R", "a");
    let with = |default: Naming| {
        let naming = Autonaming { default, packages: std::collections::BTreeMap::new() };
        propose(&naming, &urn, SEED)
    };
    assert_eq!(with(Naming::Default), None);
    let told = |name: &str, mode, warn_if_unsupported| {
        Some(NameProposal { name: name.to_owned(), mode, warn_if_unsupported })
    };
    assert_eq!(with(Naming::Verbatim), told("a", NamingMode::Enforce, false));
    assert_eq!(with(Naming::Disabled), told("", NamingMode::Disable, false));
    let pattern = |enforce| Naming::Pattern { pattern: "p-${name}".to_owned(), enforce };
    assert_eq!(with(pattern(false)), told("p-a", NamingMode::Propose, false));
    assert_eq!(with(pattern(true)), told("p-a", NamingMode::Enforce, true));
    let package = purlin_model::autonaming::PackageNaming {
        default: Naming::Verbatim,
        specific: true,
        ..Default::default()
    };
    let naming = Autonaming {
        default: Naming::Default,
        packages: std::collections::BTreeMap::from([("t".to_owned(), package)]),
    };
    assert_eq!(propose(&naming, &urn, SEED), told("a", NamingMode::Enforce, true));
}
