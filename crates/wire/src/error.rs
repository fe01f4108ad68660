//! Why a value could not be encoded or decoded, and where.

use std::fmt;

use purlin_model::{PathElement, PropertyPath};

/// A value that can't be encoded or decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodecError {
    /// Where the value is; empty for the whole.
    pub path: PropertyPath,
    /// What is wrong with it.
    pub kind: CodecErrorKind,
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodecErrorKind {
    /// The object says it is a special value of a kind that nobody knows.
    UnknownSignature(String),
    /// A special value lacks a part, or a part is of the wrong kind.
    Malformed {
        /// The kind of special value.
        what: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// A value is unknown where all values have to be known.
    UnexpectedUnknown,
    /// A text is not valid UTF-8 and the peer doesn't take such texts.
    ByteStringNotAccepted,
    /// An ordinary object has the key that marks special values.
    ReservedKey,
    /// Values are nested deeper than [`MAX_DEPTH`](crate::MAX_DEPTH).
    TooDeep,
    /// A value of no kind.
    NoKind,
    /// The bytes are no protobuf value.
    Wire(&'static str),
}

impl fmt::Display for CodecErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CodecErrorKind::UnknownSignature(signature) => {
                write!(f, "the signature {signature:?} of a special value is not known")
            }
            CodecErrorKind::Malformed { what, problem } => write!(f, "malformed {what}: {problem}"),
            CodecErrorKind::UnexpectedUnknown => f.write_str("the value is unknown where it has to be known"),
            CodecErrorKind::ByteStringNotAccepted => {
                f.write_str("the text is not valid UTF-8, and the receiver doesn't take such texts")
            }
            CodecErrorKind::ReservedKey => f.write_str("an object has the key that marks special values"),
            CodecErrorKind::TooDeep => f.write_str("values are nested too deeply"),
            CodecErrorKind::NoKind => f.write_str("the value is of no kind"),
            CodecErrorKind::Wire(problem) => write!(f, "not a protobuf value: {problem}"),
        }
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.0.is_empty() {
            return self.kind.fmt(f);
        }
        write!(f, "property {}: {}", self.path, self.kind)
    }
}

impl std::error::Error for CodecError {}

/// An error on its way up: the path is collected from its end.
#[derive(Debug)]
pub(crate) struct Fail(Box<CodecError>);

/// What the recursive parts return.
pub(crate) type Coded<T> = Result<T, Fail>;

impl From<CodecErrorKind> for Fail {
    fn from(kind: CodecErrorKind) -> Self {
        Fail(Box::new(CodecError { path: PropertyPath::default(), kind }))
    }
}

impl From<Fail> for CodecError {
    fn from(fail: Fail) -> Self {
        let mut error = *fail.0;
        error.path.0.reverse();
        error
    }
}

impl Fail {
    /// A special value that isn't as it should be.
    pub(crate) fn malformed(what: &'static str, problem: &'static str) -> Fail {
        CodecErrorKind::Malformed { what, problem }.into()
    }

    /// The error as seen from the object that holds the value.
    pub(crate) fn in_key(mut self, key: &str) -> Fail {
        self.0.path.0.push(PathElement::Key(key.to_owned()));
        self
    }

    /// The error as seen from the list that holds the value.
    pub(crate) fn in_index(mut self, index: usize) -> Fail {
        self.0.path.0.push(PathElement::Index(index));
        self
    }
}
