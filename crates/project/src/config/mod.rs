//! Configuration: keys, values, places inside values, and what an operation is given.

mod autonaming;
mod input;
mod key;
mod map;
mod path;
mod resolve;
mod view;

pub use autonaming::{NamingContext, autonaming};
pub use input::{ConfigInput, InputType, looks_like_secret, refuse_plaintext_secret};
pub use key::{ConfigKey, ConfigTarget};
pub use map::ConfigMap;
pub use path::{ConfigPath, Segment};
pub use resolve::{Decrypter, ResolvedConfig, Validation, apply_project, resolve};
pub use view::{ConfigRow, Secrets, get_row, list_rows, row_to_json, rows_to_json};
