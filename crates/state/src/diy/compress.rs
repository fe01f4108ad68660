//! Compressing what is kept, and undoing it.

use std::io::{self, Read as _, Write};

use super::options::Compression;

/// How bytes are compressed, by what they begin with.
pub(crate) fn compression_of(bytes: &[u8]) -> Compression {
    match bytes {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
        _ => Compression::None,
    }
}

/// Undoes a compression.
pub(crate) fn expand(bytes: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut out = Vec::new();
    match compression_of(bytes) {
        Compression::None => return Ok(None),
        Compression::Gzip => flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut out)?,
        Compression::Zstd => zstd::stream::read::Decoder::with_buffer(bytes)?.read_to_end(&mut out)?,
    };
    Ok(Some(out))
}

/// Writes through a compression.
pub(crate) fn compressed<W: Write, E: From<io::Error>>(
    out: W,
    compression: Compression,
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<W, E> {
    match compression {
        Compression::None => {
            let mut out = out;
            write(&mut out)?;
            Ok(out)
        }
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::default());
            write(&mut encoder)?;
            Ok(encoder.finish()?)
        }
        Compression::Zstd => {
            let mut encoder = zstd::stream::write::Encoder::new(out, zstd::DEFAULT_COMPRESSION_LEVEL)?;
            write(&mut encoder)?;
            Ok(encoder.finish()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_goes_there_and_back() {
        for compression in Compression::ALL {
            let bytes =
                compressed::<_, io::Error>(Vec::new(), compression, |out| out.write_all(b"{\"a\":1}"))
                    .unwrap();
            assert_eq!(compression_of(&bytes), compression);
            let back = expand(&bytes).unwrap().unwrap_or(bytes);
            assert_eq!(back, b"{\"a\":1}");
        }
    }
}
