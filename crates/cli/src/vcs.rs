//! What is known of where a run takes place: the repository, its commit, the build system.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use purlin_project::manifest::{ManifestKind, find_manifest};
use tokio::task::JoinHandle;

use crate::ambient::Ambient;
use crate::context::Context;
use crate::version::COMPATIBLE_VERSION;

/// What histories record of the surroundings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// `git.head`, `vcs.repo`, `ci.system` and so on.
    pub(crate) environment: BTreeMap<String, String>,
    /// The first line of the commit's message, which is the message of a run that has none.
    pub(crate) message: Option<String>,
}

/// A look at the surroundings that goes on beside everything else: git reads the whole work tree.
pub(crate) struct Looking(JoinHandle<Surroundings>);

impl Looking {
    /// What was found. What can't be found out is left out.
    pub(crate) async fn found(self) -> Surroundings {
        self.0.await.unwrap_or_default()
    }
}

/// Looks at the repository that the project is in, and at the variables of build systems.
pub(crate) fn look(context: &Context) -> Looking {
    let ambient = context.ambient.clone();
    let project = find_manifest(&ambient.cwd, ManifestKind::Project);
    let directory = project.as_deref().and_then(Path::parent).unwrap_or(&ambient.cwd).to_path_buf();
    Looking(tokio::task::spawn_blocking(move || surroundings(&ambient, &directory)))
}

fn surroundings(ambient: &Ambient, directory: &Path) -> Surroundings {
    let mut found = Surroundings::default();
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let os = if std::env::consts::OS == "macos" { "darwin" } else { std::env::consts::OS };
    for (key, value) in [("pulumi.arch", arch), ("pulumi.os", os), ("pulumi.version", COMPATIBLE_VERSION)] {
        found.environment.insert(key.to_owned(), value.to_owned());
    }
    let build = build_system(&|name| ambient.non_empty(name));
    if !commit(directory, ambient.env(), &build, &mut found) {
        given(&|name| ambient.non_empty(name), &build, &mut found);
    }
    for (key, value) in
        [("ci.system", build.system), ("ci.build.id", build.id), ("ci.build.number", build.number)]
    {
        found.environment.extend(value.map(|value| (key.to_owned(), value)));
    }
    let more = [("ci.build.type", build.kind), ("ci.build.url", build.url), ("ci.pr.headSHA", build.sha)];
    let more = more.into_iter().chain([("ci.pr.number", build.pull_request)]);
    found.environment.extend(more.filter_map(|(key, value)| Some((key.to_owned(), value?))));
    found
}

/// Runs git and gives what it prints. Locks that only speed git up are not taken.
fn git(directory: &Path, env: &BTreeMap<String, String>, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.arg("--no-optional-locks").args(arguments).current_dir(directory).env_clear().envs(env);
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    output.status.success().then_some(text)
}

/// What the repository says. `false` without a repository or without a commit.
fn commit(directory: &Path, env: &BTreeMap<String, String>, build: &Build, found: &mut Surroundings) -> bool {
    // Without a repository git need not be asked, and may not be there.
    if !directory.ancestors().any(|folder| folder.join(".git").exists()) {
        return false;
    }
    let format = "--format=%H%n%cn%n%ce%n%an%n%ae%n%s";
    let Some(text) = git(directory, env, &["log", "-1", "--no-show-signature", format]) else { return false };
    let mut lines = text.lines().map(str::to_owned);
    for key in ["git.head", "git.committer", "git.committer.email", "git.author", "git.author.email"] {
        found.environment.extend(lines.next().map(|line| (key.to_owned(), line)));
    }
    found.message = lines.next().filter(|line| !line.is_empty());
    let branch = git(directory, env, &["symbolic-ref", "-q", "HEAD"]).or_else(|| build.branch.clone());
    found.environment.extend(branch.map(|branch| ("git.headName".to_owned(), branch)));
    if let Some(status) = git(directory, env, &["status", "--porcelain", "--untracked-files=normal"]) {
        found.environment.insert("git.dirty".to_owned(), (!status.is_empty()).to_string());
    }
    if let Some((kind, owner, repo)) =
        git(directory, env, &["remote", "get-url", "origin"]).as_deref().and_then(hosted)
    {
        let prefix = git(directory, env, &["rev-parse", "--show-prefix"]).unwrap_or_default();
        let root = Some(prefix.trim_end_matches('/')).filter(|root| !root.is_empty()).unwrap_or(".");
        for (key, value) in
            [("vcs.kind", kind.as_str()), ("vcs.owner", &owner), ("vcs.repo", &repo), ("vcs.root", root)]
        {
            found.environment.insert(key.to_owned(), value.to_owned());
        }
    }
    true
}

/// Host, owner and repository of a remote's URL. `None` for what is on no host.
fn hosted(url: &str) -> Option<(String, String, String)> {
    let (host, path) = match url.split_once("://") {
        Some(("http" | "https" | "ssh", rest)) => rest.split_once('/')?,
        Some(_) => return None,
        // `git@host:owner/repo`, but not `C:\folder` or `/folder:name`.
        None => url.split_once(':').filter(|(host, _)| host.len() > 1 && !host.contains('/'))?,
    };
    let host = host.rsplit('@').next()?;
    let host = host.split(':').next()?;
    let path = path.trim_start_matches('/').trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let (owner, repo) = path.split_once('/')?;
    Some((host.to_owned(), owner.to_owned(), repo.to_owned()))
}

/// What users give where there is no repository.
fn given<'a>(var: &dyn Fn(&str) -> Option<&'a str>, build: &Build, found: &mut Surroundings) {
    let variables = [
        ("PULUMI_VCS_REPO_OWNER", "vcs.owner"),
        ("PULUMI_VCS_REPO_NAME", "vcs.repo"),
        ("PULUMI_VCS_REPO_KIND", "vcs.kind"),
        ("PULUMI_VCS_REPO_ROOT", "vcs.root"),
        ("PULUMI_GIT_HEAD_NAME", "git.headName"),
        ("PULUMI_GIT_HEAD", "git.head"),
        ("PULUMI_GIT_COMMITTER", "git.committer"),
        ("PULUMI_GIT_COMMITTER_EMAIL", "git.committer.email"),
        ("PULUMI_GIT_AUTHOR", "git.author"),
        ("PULUMI_GIT_AUTHOR_EMAIL", "git.author.email"),
    ];
    for (name, key) in variables {
        found.environment.extend(var(name).map(|value| (key.to_owned(), value.to_owned())));
    }
    if let Some(branch) = &build.branch {
        found.environment.entry("git.headName".to_owned()).or_insert_with(|| branch.clone());
    }
    let message = var("PULUMI_GIT_COMMIT_MESSAGE").map(str::to_owned).or_else(|| build.message.clone());
    found.message = message.and_then(|message| message.lines().next().map(str::to_owned));
}

/// What a build system says of a run.
#[derive(Default)]
struct Build {
    system: Option<String>,
    id: Option<String>,
    number: Option<String>,
    kind: Option<String>,
    url: Option<String>,
    sha: Option<String>,
    branch: Option<String>,
    message: Option<String>,
    pull_request: Option<String>,
}

fn build_system<'a>(var: &dyn Fn(&str) -> Option<&'a str>) -> Build {
    let own = |name: &str| var(name).map(str::to_owned);
    if own("PULUMI_CI_SYSTEM").is_some() {
        return Build {
            system: own("PULUMI_CI_SYSTEM"),
            id: own("PULUMI_CI_BUILD_ID"),
            kind: own("PULUMI_CI_BUILD_TYPE"),
            url: own("PULUMI_CI_BUILD_URL"),
            sha: own("PULUMI_CI_PULL_REQUEST_SHA"),
            pull_request: own("PULUMI_PR_NUMBER"),
            ..Build::default()
        };
    }
    if own("GITHUB_ACTIONS").is_some() {
        let run = own("GITHUB_RUN_ID");
        let address = |run: &String| {
            Some(format!("{}/{}/actions/runs/{run}", var("GITHUB_SERVER_URL")?, var("GITHUB_REPOSITORY")?))
        };
        let pull = var("GITHUB_REF").and_then(|text| text.strip_prefix("refs/pull/")?.split('/').next());
        return Build {
            system: Some("GitHub Actions".to_owned()),
            url: run.as_ref().and_then(address),
            id: run,
            number: own("GITHUB_RUN_NUMBER"),
            kind: own("GITHUB_EVENT_NAME"),
            sha: own("GITHUB_SHA"),
            branch: own("GITHUB_REF"),
            pull_request: pull.map(str::to_owned),
            ..Build::default()
        };
    }
    if own("GITLAB_CI").is_some() {
        return Build {
            system: Some("GitLab CI/CD".to_owned()),
            id: own("CI_JOB_ID"),
            number: own("CI_PIPELINE_IID"),
            kind: own("CI_PIPELINE_SOURCE"),
            url: own("CI_JOB_URL"),
            sha: own("CI_COMMIT_SHA"),
            branch: own("CI_COMMIT_REF_NAME"),
            message: own("CI_COMMIT_MESSAGE"),
            pull_request: own("CI_MERGE_REQUEST_ID"),
        };
    }
    if own("JENKINS_URL").is_some() {
        return Build {
            system: Some("Jenkins".to_owned()),
            id: own("BUILD_NUMBER"),
            url: own("BUILD_URL"),
            sha: own("GIT_COMMIT"),
            branch: own("GIT_BRANCH"),
            ..Build::default()
        };
    }
    Build::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_have_hosts_owners_and_names() {
        let cases = [
            ("git@github.com:acme/shop.git", Some(("github.com", "acme", "shop"))),
            ("https://user:pw@gitlab.com/acme/group/shop.git", Some(("gitlab.com", "acme", "group/shop"))),
            ("ssh://git@git.example.com:2222/acme/shop", Some(("git.example.com", "acme", "shop"))),
            ("/srv/git/shop.git", None),
            ("file:///srv/git/shop.git", None),
            ("https://github.com/only", None),
        ];
        for (url, expected) in cases {
            let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
            assert_eq!(hosted(url), expected, "{url}");
        }
    }

    #[test]
    fn build_systems_are_known_by_their_variables() {
        let var = |name: &str| match name {
            "GITHUB_ACTIONS" => Some("true"),
            "GITHUB_RUN_ID" => Some("17"),
            "GITHUB_SERVER_URL" => Some("https://github.com"),
            "GITHUB_REPOSITORY" => Some("acme/shop"),
            "GITHUB_REF" => Some("refs/pull/5/merge"),
            _ => None,
        };
        let build = build_system(&var);
        assert_eq!(build.system.as_deref(), Some("GitHub Actions"));
        assert_eq!(build.url.as_deref(), Some("https://github.com/acme/shop/actions/runs/17"));
        assert_eq!(build.pull_request.as_deref(), Some("5"));
    }
}
