//! A tar stream, byte for byte as Go's `archive/tar` writes it for entries that have nothing but a
//! name, a size and the mode 0600.
//!
//! The hash of an archive is the hash of such a stream, so every byte counts: USTAR headers as
//! long as the name fits (splitting it into prefix and name where it must), PAX records before the
//! header where it doesn't.

use std::io::{self, Write};

const BLOCK: usize = 512;
const NAME_SIZE: usize = 100;
const PREFIX_SIZE: usize = 155;
/// The first size that twelve octal digits, one of them the terminator, can't hold.
const OCTAL_SIZE_LIMIT: u64 = 1 << 33;

/// Writes a tar stream.
pub struct TarWriter<W> {
    target: W,
    padding: usize,
}

impl<W: Write> TarWriter<W> {
    /// A stream without entries.
    pub fn new(target: W) -> Self {
        TarWriter { target, padding: 0 }
    }

    /// Starts an entry. Exactly `size` bytes are to be written next, to [`TarWriter::data`].
    pub fn entry(&mut self, name: &[u8], size: u64) -> io::Result<()> {
        if name.contains(&0) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the name holds a NUL character"));
        }
        self.pad()?;
        let type_flag = if name.ends_with(b"/") { b'5' } else { b'0' };
        if type_flag == b'5' && size > 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a name that ends with / has content"));
        }
        let split = split_name(name);
        let name_fits = name.is_ascii() && (name.len() <= NAME_SIZE || split.is_some());
        if name_fits && size < OCTAL_SIZE_LIMIT {
            let (prefix, rest) = split.unwrap_or((&[], name));
            let mut block = header(rest, 0o600, size, type_flag);
            block[345..345 + prefix.len()].copy_from_slice(prefix);
            self.write_header(block)?;
        } else {
            self.write_pax(name, size)?;
            let block = header(&ascii_only(name), 0o600, size, type_flag);
            self.write_header(block)?;
        }
        self.padding = padding_of(size);
        Ok(())
    }

    /// Where the bytes of the entry go.
    pub fn data(&mut self) -> &mut W {
        &mut self.target
    }

    /// Ends the stream.
    pub fn finish(mut self) -> io::Result<W> {
        self.pad()?;
        self.target.write_all(&[0; 2 * BLOCK])?;
        Ok(self.target)
    }

    fn pad(&mut self) -> io::Result<()> {
        let padding = std::mem::take(&mut self.padding);
        self.target.write_all(&[0; BLOCK][..padding])
    }

    fn write_header(&mut self, mut block: [u8; BLOCK]) -> io::Result<()> {
        block[148..156].fill(b' ');
        let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
        octal(&mut block[148..155], sum);
        self.target.write_all(&block)
    }

    /// Writes the records that the header can't hold.
    fn write_pax(&mut self, name: &[u8], size: u64) -> io::Result<()> {
        let mut records = Vec::new();
        if !name.is_ascii() || name.len() > NAME_SIZE {
            pax_record(&mut records, "path", name);
        }
        if size >= OCTAL_SIZE_LIMIT {
            pax_record(&mut records, "size", size.to_string().as_bytes());
        }
        if records.is_empty() {
            return Ok(());
        }
        let (folder, file) = name.split_at(name.iter().rposition(|b| *b == b'/').map_or(0, |at| at + 1));
        let mut record_name = ascii_only(&join(&[folder, b"PaxHeaders.0", file]));
        record_name.truncate(NAME_SIZE);
        while record_name.last() == Some(&b'/') {
            record_name.pop();
        }
        let mut block = header(&record_name, 0, records.len() as u64, b'x');
        // Records have neither device numbers nor names of owners.
        block[265..345].fill(0);
        self.write_header(block)?;
        self.target.write_all(&records)?;
        self.target.write_all(&[0; BLOCK][..padding_of(records.len() as u64)])
    }
}

fn padding_of(size: u64) -> usize {
    (size.wrapping_neg() % BLOCK as u64) as usize
}

/// A header without its checksum.
fn header(name: &[u8], mode: u64, size: u64, type_flag: u8) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let length = name.len().min(NAME_SIZE);
    block[..length].copy_from_slice(&name[..length]);
    if name.len() > NAME_SIZE && block[NAME_SIZE - 1] == b'/' {
        let end = block[..NAME_SIZE - 1].iter().rposition(|b| *b != b'/').map_or(0, |at| at + 1);
        block[end] = 0;
    }
    octal(&mut block[100..108], mode);
    octal(&mut block[108..116], 0);
    octal(&mut block[116..124], 0);
    octal(&mut block[124..136], if size < OCTAL_SIZE_LIMIT { size } else { 0 });
    octal(&mut block[136..148], 0);
    block[156] = type_flag;
    block[257..265].copy_from_slice(b"ustar\x0000");
    octal(&mut block[329..337], 0);
    octal(&mut block[337..345], 0);
    block
}

/// Writes a number as octal digits with leading zeros and a terminator.
fn octal(field: &mut [u8], mut number: u64) {
    let Some((last, digits)) = field.split_last_mut() else { return };
    *last = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number & 7) as u8;
        number >>= 3;
    }
}

/// Splits a long name at a slash so that both parts fit their fields.
fn split_name(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= NAME_SIZE || !name.is_ascii() {
        return None;
    }
    let end = match name.len() {
        length if length > PREFIX_SIZE + 1 => PREFIX_SIZE + 1,
        length if name.ends_with(b"/") => length - 1,
        length => length,
    };
    let slash = name[..end].iter().rposition(|b| *b == b'/').filter(|at| *at > 0)?;
    let (prefix, rest) = (&name[..slash], &name[slash + 1..]);
    (rest.len() <= NAME_SIZE && !rest.is_empty() && prefix.len() <= PREFIX_SIZE).then_some((prefix, rest))
}

fn ascii_only(name: &[u8]) -> Vec<u8> {
    name.iter().copied().filter(u8::is_ascii).collect()
}

/// Adds `<length> <key>=<value>\n`, where the length counts itself.
fn pax_record(records: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} {key}=").as_bytes());
    records.extend_from_slice(value);
    records.push(b'\n');
}

/// Joins parts of a name with slashes and cleans the result: no empty and no `.` parts, `..` takes
/// its predecessor away. Nothing at all is `.`, unless every part was empty.
pub(crate) fn join(parts: &[&[u8]]) -> Vec<u8> {
    let joined = parts.iter().filter(|p| !p.is_empty()).copied().collect::<Vec<_>>().join(&b'/');
    if joined.is_empty() { joined } else { clean(&joined) }
}

/// Cleans a name as [`join`] does.
pub(crate) fn clean(name: &[u8]) -> Vec<u8> {
    let rooted = name.starts_with(b"/");
    let mut kept: Vec<&[u8]> = Vec::new();
    for part in name.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match kept.last() {
                Some(last) if *last != b".." => {
                    kept.pop();
                }
                _ if rooted => {}
                _ => kept.push(part),
            },
            _ => kept.push(part),
        }
    }
    let mut cleaned = if rooted { b"/".to_vec() } else { Vec::new() };
    cleaned.extend_from_slice(&kept.join(&b'/'));
    if cleaned.is_empty() { b".".to_vec() } else { cleaned }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned() {
        for (name, cleaned) in [
            ("a/b", "a/b"),
            ("./a//b/.", "a/b"),
            ("a/../..", ".."),
            ("/../a", "/a"),
            ("a/..", "."),
            ("../../a", "../../a"),
        ] {
            assert_eq!(clean(name.as_bytes()), cleaned.as_bytes(), "{name}");
        }
    }

    #[test]
    fn a_record_counts_its_own_length() {
        let record = |value: &str| {
            let mut records = Vec::new();
            pax_record(&mut records, "path", value.as_bytes());
            String::from_utf8(records).unwrap()
        };
        assert_eq!(record("x"), "9 path=x\n");
        for length in [1, 2, 3, 88, 89, 90, 91, 92, 93, 988, 989, 990, 991, 992] {
            let text = record(&"x".repeat(length));
            let (count, _) = text.split_once(' ').unwrap();
            assert_eq!(count.parse::<usize>().unwrap(), text.len());
        }
    }

    #[test]
    fn a_name_with_nul_is_refused() {
        assert!(TarWriter::new(Vec::new()).entry(b"a\0b", 0).is_err());
    }
}
