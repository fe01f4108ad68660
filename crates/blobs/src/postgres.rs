//! A table of PostgreSQL as a place for bytes, laid out as the official CLI lays it out: `key TEXT
//! PRIMARY KEY`, `data JSON` with the bytes in base64 under `data`, `updated_at`. Both share it.
//!
//! Conditions are decided by single statements. The tag of a version is the number of the
//! transaction that wrote its row, so that no two versions of a row have the same one, whoever wrote
//! them.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use purlin_diag::Diagnostic;
use purlin_ports::{Blob, BlobError, BlobInfo, BlobTag, Blobs, Put};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use tokio::sync::OnceCell;
use url::Url;

/// The table where the URL names none.
const TABLE: &str = "pulumi_state";

/// What a URL may say that the client understands. All else is a setting of the session, which the
/// server has to understand.
const CLIENT_OPTIONS: [&str; 16] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
];

/// How many connections there are at most. Calls beyond wait.
const CONNECTIONS: u32 = 16;

/// After how long a connection that nobody used is tried before it is trusted.
const IDLE: Duration = Duration::from_secs(10);

/// How long a connection may take, unless the URL says (`connect_timeout`, in seconds).
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes in a table of PostgreSQL.
pub struct PostgresBlobs {
    pool: PgPool,
    table: String,
    /// Set once the table is known to be there.
    there: OnceCell<()>,
}

impl PostgresBlobs {
    /// The table that a URL names: `postgres://user:password@host:port/database?sslmode=…&table=…`.
    /// Connects when the first call is made, and makes the table then if there is none.
    ///
    /// # Errors
    ///
    /// `postgres-url` when the URL makes no sense, `postgres-table` when the table's name doesn't.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn open(url: &str) -> Result<Self, Diagnostic> {
        let settings = Settings::of(url)?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(settings.patience)
            // A round trip before every call would double what each costs.
            .test_before_acquire(false)
            .before_acquire(|connection, about| {
                Box::pin(async move {
                    if about.idle_for < IDLE {
                        return Ok(true);
                    }
                    Ok(connection.ping().await.is_ok())
                })
            })
            .connect_lazy_with(settings.options);
        Ok(PostgresBlobs { pool, table: settings.table, there: OnceCell::new() })
    }

    /// The connections, once the table is there.
    async fn ready(&self) -> Result<&PgPool, BlobError> {
        self.there.get_or_try_init(|| self.make_table()).await?;
        Ok(&self.pool)
    }

    async fn make_table(&self) -> Result<(), BlobError> {
        // Looked up first: who may only use the table needn't be allowed to make one.
        if self.has_table().await? {
            return Ok(());
        }
        let table = &self.table;
        let statements = [
            format!(
                "CREATE TABLE IF NOT EXISTS {table} (key TEXT PRIMARY KEY, data JSON NOT NULL, updated_at \
                 TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now())"
            ),
            format!("CREATE INDEX IF NOT EXISTS {table}_key_prefix_idx ON {table} (key text_pattern_ops)"),
        ];
        for statement in statements {
            if let Err(error) = sqlx::query(AssertSqlSafe(statement)).execute(&self.pool).await {
                // Somebody else may be making it at the same time, which PostgreSQL trips over.
                if self.has_table().await? {
                    continue;
                }
                return Err(failed(error));
            }
        }
        Ok(())
    }

    async fn has_table(&self) -> Result<bool, BlobError> {
        let query = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(&self.table);
        query.fetch_one(&self.pool).await.map_err(failed)
    }

    /// A statement about the table, whose name stands for `{}`.
    fn sql(&self, statement: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(statement.replace("{}", &self.table))
    }
}

/// What a URL says.
struct Settings {
    options: PgConnectOptions,
    table: String,
    patience: Duration,
}

impl Settings {
    fn of(text: &str) -> Result<Settings, Diagnostic> {
        let mut url = Url::parse(text).map_err(|error| unusable(&error.to_string()))?;
        let (mut table, mut patience, mut has_mode) = (TABLE.to_owned(), PATIENCE, false);
        let (mut kept, mut session) = (Vec::new(), Vec::new());
        for (name, value) in url.query_pairs().into_owned() {
            match name.as_str() {
                "table" if value.is_empty() => {}
                "table" => table = value,
                "connect_timeout" => {
                    let seconds: u64 =
                        value.parse().map_err(|_| unusable("connect_timeout is not a number of seconds"))?;
                    // None at all means no limit; a long one is as good.
                    patience = Duration::from_secs(if seconds == 0 { 24 * 3600 } else { seconds });
                }
                _ if CLIENT_OPTIONS.contains(&name.as_str()) => {
                    has_mode |= name == "sslmode" || name == "ssl-mode";
                    kept.push((name, value));
                }
                _ => session.push((name, value)),
            }
        }
        let bare = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        if !table.chars().all(bare) || table.starts_with(|letter: char| letter.is_ascii_digit()) {
            return Err(Diagnostic::error(
                "postgres-table",
                format!("'{table}' can't be the name of a table for state"),
            )
            .with_hint(
                "use letters, digits and underscores in the URL's `table`, with no digit at its start",
            ));
        }
        if kept.is_empty() {
            url.set_query(None);
        } else {
            url.query_pairs_mut().clear().extend_pairs(&kept);
        }
        let mut options: PgConnectOptions =
            url.as_str().parse().map_err(|error: sqlx::Error| unusable(&error.to_string()))?;
        // The official CLI's client encrypts unless told otherwise; falling back to clear text is
        // nothing that happens silently.
        if !has_mode && matches!(options.get_ssl_mode(), PgSslMode::Prefer) {
            options = options.ssl_mode(PgSslMode::Require);
        }
        if !session.is_empty() {
            options = options.options(session);
        }
        // Names in lower case, as PostgreSQL folds what isn't quoted.
        Ok(Settings { options, table: table.to_ascii_lowercase(), patience })
    }
}

fn unusable(why: &str) -> Diagnostic {
    Diagnostic::error("postgres-url", format!("the URL of the PostgreSQL database can't be used: {why}"))
        .with_hint(
            "it has the form postgres://user:password@host:port/database?sslmode=require&table=pulumi_state",
        )
}

/// What an error of the client or the server means.
fn failed(error: sqlx::Error) -> BlobError {
    let sqlx::Error::Database(database) = &error else {
        return match &error {
            sqlx::Error::Tls(_) => BlobError::Refused(format!("no encrypted connection: {error}")),
            sqlx::Error::PoolTimedOut => {
                BlobError::Unknown("the database can't be reached in time".to_owned())
            }
            _ => BlobError::Unknown(error.to_string()),
        };
    };
    let code = database.code().unwrap_or_default().into_owned();
    let text = format!("{} ({code})", database.message());
    match code.get(..2).unwrap_or_default() {
        // The database or the schema isn't there.
        "3D" | "3F" => BlobError::NoBucket(text),
        // Passwords; rights.
        "28" => BlobError::Denied(text),
        _ if code == "42501" => BlobError::Denied(text),
        // The table went away.
        _ if code == "42P01" => BlobError::NoBucket(text),
        // The connection, resources, an operator, the system, a conflict that another try may win.
        "08" | "53" | "57" | "58" | "40" | "55" | "XX" => BlobError::Unknown(text),
        _ => BlobError::Refused(text),
    }
}

fn encoded(bytes: &[u8]) -> String {
    // What the official CLI writes, to the last byte.
    format!("{{\"data\":\"{}\"}}", STANDARD.encode(bytes))
}

/// The pattern of texts that begin with one.
fn beginning_with(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 8);
    for letter in prefix.chars() {
        if matches!(letter, '\\' | '%' | '_') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

#[async_trait]
impl Blobs for PostgresBlobs {
    async fn get(&self, key: &str) -> Result<Blob, BlobError> {
        let pool = self.ready().await?;
        let query =
            sqlx::query(self.sql("SELECT data->>'data', xmin::text FROM {} WHERE key = $1")).bind(key);
        let row = query.fetch_optional(pool).await.map_err(failed)?.ok_or(BlobError::NotFound)?;
        let text: Option<String> = row.try_get(0).map_err(failed)?;
        let tag: String = row.try_get(1).map_err(failed)?;
        let strange = || {
            BlobError::Refused(format!("the row of '{key}' doesn't hold base64 under 'data' as it should"))
        };
        let bytes = STANDARD.decode(text.ok_or_else(strange)?).map_err(|_| strange())?;
        Ok(Blob { bytes, tag: BlobTag(tag) })
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, condition: &Put) -> Result<BlobTag, BlobError> {
        let pool = self.ready().await?;
        let data = encoded(&bytes);
        drop(bytes);
        let (statement, otherwise) = match condition {
            Put::Always => (
                "INSERT INTO {} (key, data) VALUES ($1, $2::text::json) ON CONFLICT (key) DO UPDATE SET data = \
                 excluded.data, updated_at = now() RETURNING xmin::text",
                BlobError::Unknown("nothing came back of a row that was put".to_owned()),
            ),
            Put::IfAbsent => (
                "INSERT INTO {} (key, data) VALUES ($1, $2::text::json) ON CONFLICT (key) DO NOTHING RETURNING \
                 xmin::text",
                BlobError::AlreadyExists,
            ),
            Put::IfMatch(_) => (
                "UPDATE {} SET data = $2::text::json, updated_at = now() WHERE key = $1 AND xmin::text = $3 \
                 RETURNING xmin::text",
                BlobError::PreconditionFailed,
            ),
        };
        let mut query = sqlx::query_scalar(self.sql(statement)).bind(key).bind(data);
        if let Put::IfMatch(tag) = condition {
            query = query.bind(&tag.0);
        }
        let tag: Option<String> = query.fetch_optional(pool).await.map_err(failed)?;
        tag.map(BlobTag).ok_or(otherwise)
    }

    async fn delete(&self, key: &str) -> Result<(), BlobError> {
        let pool = self.ready().await?;
        let query = sqlx::query(self.sql("DELETE FROM {} WHERE key = $1")).bind(key);
        query.execute(pool).await.map(drop).map_err(failed)
    }

    fn deletes_at_once(&self) -> usize {
        1000
    }

    async fn delete_all(&self, keys: &[String]) -> Result<(), BlobError> {
        let pool = self.ready().await?;
        let query = sqlx::query(self.sql("DELETE FROM {} WHERE key = ANY($1)")).bind(keys);
        query.execute(pool).await.map(drop).map_err(failed)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, BlobError> {
        let pool = self.ready().await?;
        let statement = "SELECT key, octet_length(data->>'data')::bigint, right(data->>'data', 2), \
                         extract(epoch FROM updated_at)::float8, xmin::text FROM {} WHERE key LIKE $1 ORDER BY key COLLATE \"C\"";
        let query = sqlx::query(self.sql(statement)).bind(beginning_with(prefix));
        let rows = query.fetch_all(pool).await.map_err(failed)?;
        let info = |row: &sqlx::postgres::PgRow| {
            let (length, end): (Option<i64>, Option<String>) = (row.try_get(1)?, row.try_get(2)?);
            let padding = end.unwrap_or_default().bytes().filter(|byte| *byte == b'=').count();
            let size = (length.unwrap_or_default() / 4 * 3).unsigned_abs() - padding as u64;
            let seconds: f64 = row.try_get(3)?;
            let modified = SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds.max(0.0));
            Ok(BlobInfo { key: row.try_get(0)?, size, modified, tag: Some(BlobTag(row.try_get(4)?)) })
        };
        rows.iter().map(info).collect::<Result<_, sqlx::Error>>().map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> Result<Settings, Diagnostic> {
        Settings::of(url)
    }

    #[test]
    fn urls_say_what_they_say_to_the_official_cli() {
        let plain = settings("postgres://me:secret@db.example.com:5433/state").unwrap();
        assert_eq!(plain.table, "pulumi_state");
        assert_eq!((plain.options.get_host(), plain.options.get_port()), ("db.example.com", 5433));
        assert!(matches!(plain.options.get_ssl_mode(), PgSslMode::Require));
        let full =
            settings("postgres://h/d?table=Team_State&sslmode=verify-full&search_path=x&connect_timeout=7")
                .unwrap();
        // As PostgreSQL folds it.
        assert_eq!((full.table.as_str(), full.patience.as_secs()), ("team_state", 7));
        assert!(matches!(full.options.get_ssl_mode(), PgSslMode::VerifyFull));
        assert!(full.options.get_options().is_some_and(|options| options.contains("search_path=x")));
    }

    #[test]
    fn what_is_no_table_and_no_url_is_refused() {
        for url in ["postgres://h/d?table=a;drop", "postgres://h/d?table=a.b", "postgres://h/d?table=1a"] {
            assert_eq!(
                settings(url).err().map(|error| error.code.to_string()),
                Some("postgres-table".to_owned())
            );
        }
        for url in
            ["postgres://h/d?sslmode=sometimes", "postgres://h:x/d", "postgres://h/d?connect_timeout=soon"]
        {
            assert_eq!(
                settings(url).err().map(|error| error.code.to_string()),
                Some("postgres-url".to_owned()),
                "{url}"
            );
        }
    }

    #[test]
    fn patterns_mean_themselves() {
        assert_eq!(beginning_with(".pulumi/a_b%\\"), ".pulumi/a\\_b\\%\\\\%");
    }
}
