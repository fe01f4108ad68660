//! Makes the random values.

use std::sync::LazyLock;

use purlin_model::{PropertyMap, PropertyValue};
use purlin_ports::{Clock, Entropy};

use super::chance::Chance;
use super::encode;
use super::planned::{as_flag, as_integer, as_text};
use super::spec::{Resource, Spec};
use super::words::{ADJECTIVES, ADVERBS, ANIMALS};

const DIGITS: &str = "0123456789";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const SPECIAL: &str = "!@#$%&*()-_=+[]{}<>:?";

/// A resource just made: its id and its computed outputs. The hash of a password is not among
/// them, since it takes long; see [`bcrypt_hash`].
pub(super) struct Made {
    pub(super) id: String,
    pub(super) outputs: PropertyMap,
}

/// Makes a resource of checked inputs.
pub(super) fn make(spec: &Spec, inputs: &PropertyMap, entropy: &dyn Entropy, clock: &dyn Clock) -> Made {
    let result = |text: String| Made {
        id: text.clone(),
        outputs: PropertyMap::from([("result".to_owned(), text.into())]),
    };
    match spec.resource {
        Resource::Bytes => {
            let bytes = random_bytes(entropy, as_integer(inputs, "length"));
            Made { id: encode::base64(&bytes), outputs: encode::bytes_outputs(&bytes) }
        }
        Resource::Id => {
            let bytes = random_bytes(entropy, as_integer(inputs, "byteLength"));
            let outputs = encode::id_outputs(&bytes, as_text(inputs, "prefix"));
            Made { id: encode::base64_url(&bytes), outputs }
        }
        Resource::Integer => integer(inputs, entropy),
        Resource::Password => Made { id: "none".to_owned(), ..result(text(inputs, entropy)) },
        Resource::Pet => Made { id: pet(inputs, entropy), outputs: PropertyMap::new() },
        Resource::Shuffle => {
            let results = PropertyValue::Array(shuffled(inputs, entropy));
            Made { id: "-".to_owned(), outputs: PropertyMap::from([("results".to_owned(), results)]) }
        }
        Resource::String => result(text(inputs, entropy)),
        Resource::Uuid | Resource::Uuid4 => result(entropy.uuid()),
        Resource::Uuid7 => result(uuid7(entropy, clock)),
    }
}

fn random_bytes(entropy: &dyn Entropy, length: Option<i64>) -> Vec<u8> {
    let mut bytes = vec![0; length.and_then(|n| usize::try_from(n).ok()).unwrap_or(0)];
    entropy.fill(&mut bytes);
    bytes
}

fn integer(inputs: &PropertyMap, entropy: &dyn Entropy) -> Made {
    let min = as_integer(inputs, "min").unwrap_or(0);
    let max = as_integer(inputs, "max").unwrap_or(min).max(min);
    let mut chance = Chance::of(entropy, as_text(inputs, "seed"));
    // The width of the widest range is one more than fits; it loses its last number.
    let width = max.wrapping_sub(min).cast_unsigned().saturating_add(1);
    let number = min.wrapping_add(chance.below(width).cast_signed());
    let result = PropertyValue::Number(number as f64);
    Made { id: number.to_string(), outputs: PropertyMap::from([("result".to_owned(), result)]) }
}

fn text(inputs: &PropertyMap, entropy: &dyn Entropy) -> String {
    let special = match as_text(inputs, "overrideSpecial") {
        "" => SPECIAL,
        other => other,
    };
    let classes = [
        ("upper", "minUpper", UPPER),
        ("lower", "minLower", LOWER),
        ("numeric", "minNumeric", DIGITS),
        ("special", "minSpecial", special),
    ];
    let length = as_integer(inputs, "length").unwrap_or(0).max(0) as usize;
    let mut chance = Chance::new(entropy);
    let mut all: Vec<char> = Vec::with_capacity(96);
    let mut result: Vec<char> = Vec::with_capacity(length);
    for (flag, least, set) in classes {
        let from = all.len();
        all.extend(set.chars());
        for _ in 0..as_integer(inputs, least).unwrap_or(0) {
            result.push(chance.pick(&all[from..]));
        }
        if as_flag(inputs, flag) != Some(true) {
            all.truncate(from);
        }
    }
    while result.len() < length && !all.is_empty() {
        result.push(chance.pick(&all));
    }
    chance.shuffle(&mut result);
    result.into_iter().collect()
}

fn pet(inputs: &PropertyMap, entropy: &dyn Entropy) -> String {
    static WORDS: LazyLock<[Vec<&'static str>; 3]> =
        LazyLock::new(|| [ADVERBS, ADJECTIVES, ANIMALS].map(|words| words.split(' ').collect()));
    let [adverbs, adjectives, animals] = &*WORDS;
    let length = as_integer(inputs, "length").unwrap_or(2);
    let mut chance = Chance::new(entropy);
    let mut words: Vec<&str> = (2..length).map(|_| chance.pick(adverbs)).collect();
    if length != 1 {
        words.push(chance.pick(adjectives));
    }
    words.push(chance.pick(animals));
    match as_text(inputs, "prefix") {
        "" => {}
        prefix => words.insert(0, prefix),
    }
    words.join(as_text(inputs, "separator"))
}

fn shuffled(inputs: &PropertyMap, entropy: &dyn Entropy) -> Vec<PropertyValue> {
    let Some(PropertyValue::Array(items)) = inputs.get("inputs").map(PropertyValue::plain) else {
        return Vec::new();
    };
    let count = as_integer(inputs, "resultCount").map_or(items.len(), |n| n.max(0) as usize);
    let mut chance = Chance::of(entropy, as_text(inputs, "seed"));
    let mut results = Vec::with_capacity(count);
    let mut order: Vec<usize> = (0..items.len()).collect();
    while results.len() < count && !items.is_empty() {
        chance.shuffle(&mut order);
        let missing = count - results.len();
        results.extend(order.iter().take(missing).map(|at| items[*at].clone()));
    }
    results
}

fn uuid7(entropy: &dyn Entropy, clock: &dyn Clock) -> String {
    let millis = milliseconds(clock).to_be_bytes();
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    bytes[..6].copy_from_slice(&millis[2..]);
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    encode::uuid(bytes)
}

/// Milliseconds of the Unix epoch. The part below a second is taken from the text form.
fn milliseconds(clock: &dyn Clock) -> u64 {
    let now = clock.now();
    let seconds = u64::try_from(clock.unix_seconds()).unwrap_or(0);
    let fraction = now.split_once('.').map_or("", |(_, rest)| rest);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).chain(std::iter::repeat(b'0')).take(3);
    seconds * 1000 + digits.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'))
}

/// The bcrypt hash of a password, of its first 72 bytes. Takes tens of milliseconds on purpose.
pub(super) fn bcrypt_hash(password: &str, salt: [u8; 16]) -> Result<String, String> {
    let bytes = &password.as_bytes()[..password.len().min(72)];
    match bcrypt::hash_with_salt(bytes, BCRYPT_COST, salt) {
        Ok(parts) => Ok(parts.format_for_version(bcrypt::Version::TwoA)),
        Err(error) => Err(format!("the password can't be hashed: {error}")),
    }
}

const BCRYPT_COST: u32 = 10;
