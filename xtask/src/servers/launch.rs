//! How each server is started, and what is made in it before the tests.

use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::{captured, copy_folder};
use crate::servers::guard::Launch;
use crate::servers::kinds::{AZURE_KEY, PASSWORD, USER};
use crate::servers::{BUCKET, http};
use crate::tools::NODE;

/// The number of the user `nobody`, and of its group.
const NOBODY: u32 = 65534;

/// A program with arguments.
fn command(program: &Path, arguments: &[&str]) -> Vec<OsString> {
    [program.into()].into_iter().chain(arguments.iter().map(Into::into)).collect()
}

pub(super) fn s3(program: &Path, folder: &Path, port: u16, attempt: u32) -> Result<Launch> {
    let (root, beside) = (folder.join("root"), folder.join("beside"));
    // A folder at the top is a bucket.
    std::fs::create_dir_all(root.join(BUCKET))?;
    std::fs::create_dir_all(&beside)?;
    let mut command = command(program, &["--quiet", "--port", &format!("127.0.0.1:{port}"), "posix"]);
    if attempt > 0 {
        // Where the file system has no extended attributes they are kept in files.
        command.extend(["--sidecar".into(), beside.into()]);
    }
    command.push(root.into());
    let variables =
        vec![("ROOT_ACCESS_KEY_ID", USER.to_owned()), ("ROOT_SECRET_ACCESS_KEY", PASSWORD.to_owned())];
    Ok(Launch { command, variables, user: None })
}

pub(super) fn gcs(program: &Path, port: u16) -> Launch {
    let address = format!("127.0.0.1:{port}");
    let port = port.to_string();
    let arguments = [
        "-backend",
        "memory",
        "-scheme",
        "http",
        "-host",
        "127.0.0.1",
        "-port",
        &port,
        "-public-host",
        &address,
        "-log-level",
        "error",
    ];
    Launch { command: command(program, &arguments), variables: Vec::new(), user: None }
}

pub(super) fn gcs_bucket(port: u16) -> Result<()> {
    let body = serde_json::json!({ "name": BUCKET }).to_string();
    let answer = http(
        port,
        &format!(
            "POST /storage/v1/b?project=tests HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: \
             {}\r\n\r\n{body}",
            body.len()
        ),
    )?;
    if answer.split(' ').nth(1) != Some("200") {
        bail!("no bucket could be made: {answer}");
    }
    Ok(())
}

pub(super) fn azure(home: &Path, port: u16) -> Launch {
    let program = home.join("node_modules/azurite/dist/src/blob/main.js");
    let port = port.to_string();
    let arguments = [
        &program.to_string_lossy(),
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        &port,
        "--silent",
        "--inMemoryPersistence",
        "--skipApiVersionCheck",
        "--disableTelemetry",
    ];
    let accounts = format!("{USER}:{AZURE_KEY}");
    Launch {
        command: command(Path::new("node"), &arguments),
        variables: vec![("AZURITE_ACCOUNTS", accounts)],
        user: None,
    }
}

/// Makes the container. The request has to be signed; Node.js, which runs the server, can do that.
pub(super) fn azure_container(port: u16) -> Result<()> {
    let script = include_str!("azure_container.js");
    let port = port.to_string();
    captured(NODE.command().args(["-e", script, "--", &port, USER, AZURE_KEY, BUCKET]))
        .context("making a container")?;
    Ok(())
}

/// The package that holds PostgreSQL for this machine.
pub(super) fn postgres_package() -> Result<String> {
    let system = match std::env::consts::OS {
        "linux" => "linux",
        "macos" => "darwin",
        other => bail!("no registry that we know has PostgreSQL for {other}"),
    };
    let machine = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => bail!("no registry that we know has PostgreSQL for {other}"),
    };
    Ok(format!("@embedded-postgres/{system}-{machine}"))
}

pub(super) fn postgres(home: &Path, folder: &Path, port: u16) -> Result<Launch> {
    let mut native = home.join("node_modules").join(postgres_package()?).join("native");
    let mut data = folder.join("data");
    // It refuses to run as root.
    let user = rustix::process::geteuid().is_root().then_some(NOBODY);
    if user.is_some() && !(open_to_all(&native) && open_to_all(folder)) {
        // Another user can't get here, such as below /root: a copy goes where everybody can.
        let copy = std::env::temp_dir().join(format!("purlin-postgres-{}", std::process::id()));
        copy_folder(&native, &copy.join("native"))?;
        native = copy.join("native");
        data = copy.join("data");
        std::os::unix::fs::symlink(&copy, folder.join("elsewhere"))?;
    }
    std::fs::create_dir_all(&data)?;
    if let Some(user) = user {
        chown(&data, Some(user), Some(user)).context("giving the database's folder to another user")?;
    }
    let words = data.with_file_name("password");
    std::fs::write(&words, PASSWORD)?;
    let mut init = Command::new(native.join("bin/initdb"));
    init.arg("--pgdata").arg(&data).arg("--pwfile").arg(&words).args(["--username", USER]);
    init.args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]).current_dir(&data);
    if let Some(user) = user {
        init.uid(user).gid(user);
    }
    captured(&mut init)?;
    let port = port.to_string();
    let arguments = [
        "-D",
        &data.to_string_lossy(),
        "-p",
        &port,
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        "unix_socket_directories=",
        "-c",
        "fsync=off",
        "-c",
        "max_connections=200",
    ];
    Ok(Launch { command: command(&native.join("bin/postgres"), &arguments), variables: Vec::new(), user })
}

/// Whether every user can go into a folder.
fn open_to_all(folder: &Path) -> bool {
    let Ok(folder) = folder.canonicalize() else { return false };
    folder.ancestors().all(|folder| folder.metadata().is_ok_and(|metadata| metadata.mode() & 0o1 != 0))
}

/// What a server keeps outside of its folder, if anything.
pub(super) fn elsewhere(folder: &Path) -> Option<PathBuf> {
    std::fs::read_link(folder.join("elsewhere")).ok()
}

pub(super) fn moto(home: &Path, port: u16) -> Launch {
    let port = port.to_string();
    let arguments = ["-H", "127.0.0.1", "-p", &port];
    Launch { command: command(&home.join("bin/moto_server"), &arguments), variables: Vec::new(), user: None }
}
