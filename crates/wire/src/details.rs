//! Error details: messages that peers attach to a failed call, beside its code and text.

use prost::Message;
use prost_types::Any;
use tonic::{Code, Status};

use crate::pulumirpc::configure_error_missing_keys::MissingKey;
use crate::pulumirpc::input_properties_error::PropertyError;
use crate::pulumirpc::{
    ConfigureErrorMissingKeys, ErrorCause, ErrorResourceAwaitFailed, ErrorResourceInitFailed,
    InputPropertiesError,
};

/// The envelope of details: `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// The name of each kind of detail.
const INIT_FAILED: &str = "pulumirpc.ErrorResourceInitFailed";
const AWAIT_FAILED: &str = "pulumirpc.ErrorResourceAwaitFailed";
const INPUT_PROPERTIES: &str = "pulumirpc.InputPropertiesError";
const MISSING_KEYS: &str = "pulumirpc.ConfigureErrorMissingKeys";
const CAUSE: &str = "pulumirpc.ErrorCause";

/// What a failed call said about itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ErrorDetails {
    /// The resource exists, in a bad state.
    pub init_failed: Option<ErrorResourceInitFailed>,
    /// The operation had to wait for something and gave up; nothing was written.
    pub await_failed: bool,
    /// Inputs of a component or of a call that are not acceptable.
    pub property_errors: Vec<PropertyError>,
    /// Configuration that a provider needs and doesn't have.
    pub missing_keys: Vec<MissingKey>,
    /// What caused the failure, outermost first.
    pub causes: Vec<ErrorCause>,
}

/// A detail to attach to a failure.
#[derive(Clone, Debug, PartialEq)]
pub enum ErrorDetail {
    /// See [`ErrorDetails::init_failed`].
    InitFailed(ErrorResourceInitFailed),
    /// See [`ErrorDetails::await_failed`].
    AwaitFailed,
    /// See [`ErrorDetails::property_errors`].
    PropertyErrors(Vec<PropertyError>),
    /// See [`ErrorDetails::missing_keys`].
    MissingKeys(Vec<MissingKey>),
    /// See [`ErrorDetails::causes`].
    Cause(ErrorCause),
}

/// The details of a failed call. Details of other kinds, and what can't be read, are passed over:
/// the failure stands without them.
pub fn error_details(status: &Status) -> ErrorDetails {
    let envelope = Envelope::decode(status.details()).unwrap_or_default();
    let mut found = ErrorDetails::default();
    for any in envelope.details {
        let bytes = any.value.as_slice();
        match any.type_url.rsplit('/').next().unwrap_or_default() {
            INIT_FAILED => found.init_failed = ErrorResourceInitFailed::decode(bytes).ok(),
            AWAIT_FAILED => found.await_failed = true,
            INPUT_PROPERTIES => {
                found.property_errors.extend(InputPropertiesError::decode(bytes).unwrap_or_default().errors);
            }
            MISSING_KEYS => {
                let missing = ConfigureErrorMissingKeys::decode(bytes).unwrap_or_default();
                found.missing_keys.extend(missing.missing_keys);
            }
            CAUSE => found.causes.extend(ErrorCause::decode(bytes).ok()),
            _ => {}
        }
    }
    found
}

/// A failure with details.
pub fn status_with_details(
    code: Code,
    message: impl Into<String>,
    details: impl IntoIterator<Item = ErrorDetail>,
) -> Status {
    let message = message.into();
    let details = details.into_iter().map(ErrorDetail::into_any).collect();
    let envelope = Envelope { code: code.into(), message: message.clone(), details };
    Status::with_details(code, message, envelope.encode_to_vec().into())
}

impl ErrorDetail {
    fn into_any(self) -> Any {
        match self {
            ErrorDetail::InitFailed(detail) => any(INIT_FAILED, &detail),
            ErrorDetail::AwaitFailed => any(AWAIT_FAILED, &ErrorResourceAwaitFailed {}),
            ErrorDetail::PropertyErrors(errors) => any(INPUT_PROPERTIES, &InputPropertiesError { errors }),
            ErrorDetail::MissingKeys(missing_keys) => {
                any(MISSING_KEYS, &ConfigureErrorMissingKeys { missing_keys })
            }
            ErrorDetail::Cause(cause) => any(CAUSE, &cause),
        }
    }
}

fn any(name: &str, detail: &impl Message) -> Any {
    Any { type_url: format!("type.googleapis.com/{name}"), value: detail.encode_to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_go_there_and_back() {
        let init = ErrorResourceInitFailed {
            id: "i-1".into(),
            reasons: vec!["not ready".into()],
            refresh_before_update: true,
            ..Default::default()
        };
        let keys = vec![MissingKey { name: "p:region".into(), description: "where".into() }];
        let errors = vec![PropertyError { property_path: "a[0]".into(), reason: "too long".into() }];
        let cause = ErrorCause { message: "why".into(), stack_trace: String::new() };
        let status = status_with_details(
            Code::Unknown,
            "failed",
            [
                ErrorDetail::Cause(cause.clone()),
                ErrorDetail::InitFailed(init.clone()),
                ErrorDetail::AwaitFailed,
                ErrorDetail::PropertyErrors(errors.clone()),
                ErrorDetail::MissingKeys(keys.clone()),
            ],
        );
        assert_eq!((status.code(), status.message()), (Code::Unknown, "failed"));
        assert_eq!(
            error_details(&status),
            ErrorDetails {
                init_failed: Some(init),
                await_failed: true,
                property_errors: errors,
                missing_keys: keys,
                causes: vec![cause],
            }
        );
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        assert_eq!(error_details(&Status::unknown("plain")), ErrorDetails::default());
        let garbage = Status::with_details(Code::Internal, "bad", vec![0xff; 9].into());
        assert_eq!(error_details(&garbage), ErrorDetails::default());
        let strange = Envelope {
            details: vec![
                Any { type_url: "type.googleapis.com/google.rpc.Help".into(), value: vec![1] },
                Any {
                    type_url: "type.googleapis.com/pulumirpc.ErrorResourceInitFailed".into(),
                    value: vec![0xff],
                },
            ],
            ..Default::default()
        };
        let strange = Status::with_details(Code::Internal, "bad", strange.encode_to_vec().into());
        assert_eq!(error_details(&strange), ErrorDetails::default());
    }
}
