//! A git repository with settings that know one kind of secret, so that a test says in sight what is one and what is not.

use std::path::{Path, PathBuf};

use super::{Folder, Ran, Step};

/// A repository in a folder of its own; its work tree is the folder `work`.
pub struct Repo {
    pub folder: Folder,
    /// The folder, by its name in `folder`.
    pub work: String,
}

/// The rule by which tests find secrets.
pub const SETTINGS: &str = "\
[[rule]]
id = \"test-token\"
provider = \"Test\"
title = \"token of a test\"
severity = \"high\"
confidence = \"high\"
keywords = [\"sealtok_\"]
pattern = '''sealtok_[a-z0-9]{24}'''
";

/// A secret of that rule, one for each number.
pub fn token(number: usize) -> String {
    let text = format!("{:024}", number * 7919 + 31);
    let letters = text.bytes().enumerate().map(|(at, digit)| (b'a' + (digit - b'0') * 2 + (at % 3) as u8) as char);
    format!("sealtok_{}", letters.collect::<String>())
}

impl Repo {
    /// With a first commit, which has the settings.
    pub fn new() -> Self {
        let repo = Self { folder: Folder::new(), work: "work".to_owned() };
        std::fs::create_dir_all(repo.path("")).unwrap();
        repo.git(["init", "--quiet", "--initial-branch=main", "."]).exits(0);
        repo.name();
        repo.write(".seal/scan.toml", SETTINGS);
        repo.commit("settings");
        repo
    }

    /// A bare repository beside it, as its remote `origin`, which has what this one has.
    pub fn with_remote() -> Self {
        let repo = Self::new();
        repo.folder.program("git", ["init", "--quiet", "--bare", "--initial-branch=main", "remote.git"]).ok();
        repo.git(["remote", "add", "origin", "../remote.git"]).exits(0);
        repo.git(["push", "--quiet", "origin", "main"]).exits(0);
        repo
    }

    /// Sets who commits here.
    pub fn name(&self) {
        for (name, value) in [("user.name", "ada"), ("user.email", "ada@example.com"), ("commit.gpgsign", "false")] {
            self.git(["config", name, value]).exits(0);
        }
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path(&self.work).join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        self.folder.write(Path::new(&self.work).join(name), content)
    }

    /// Adds and commits all that is in the work tree, and gives the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.git(["add", "--all"]).exits(0);
        self.git(["commit", "--quiet", "--allow-empty", "--no-verify", "-m", message]).exits(0);
        self.id("HEAD")
    }

    /// Writes a file and commits it.
    pub fn commit_file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        self.write(name, content);
        self.commit(&format!("{name} changes"))
    }

    pub fn id(&self, revision: &str) -> String {
        self.git(["rev-parse", "--verify", revision]).exits(0).stdout_text().trim().to_owned()
    }

    /// git in the work tree, with seal in its path.
    pub fn git_step<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Step {
        self.at(self.folder.program("git", args))
    }

    pub fn git<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Ran {
        self.git_step(args).run()
    }

    /// seal in the work tree.
    pub fn seal_step<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Step {
        self.at(self.folder.seal(args))
    }

    pub fn seal<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Ran {
        self.seal_step(args).run()
    }

    /// In the work tree, with seal in the path.
    pub fn at(&self, step: Step) -> Step {
        let folder = self.folder.path("bin");
        if !folder.join("seal").exists() {
            std::fs::create_dir_all(&folder).unwrap();
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_seal"), folder.join("seal")).unwrap();
        }
        let ours = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths(std::iter::once(folder).chain(std::env::split_paths(&ours))).unwrap();
        step.env("PATH", path).inside(&self.path(""))
    }

    /// Where a scan finds the rule's secrets: `path:line`, or what else a report calls the place, sorted.
    pub fn places<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        places(&self.seal(["scan", "--format", "json", "--rule", "test-token"].into_iter().chain(args)))
    }
}

/// The places of a JSON report of findings that count.
pub fn places(ran: &Ran) -> Vec<String> {
    let report: serde_json::Value =
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}\n{ran}"));
    let mut found = Vec::new();
    for finding in report["findings"].as_array().unwrap() {
        if finding["suppressed"].is_object() || finding["preexisting"] == true {
            continue;
        }
        for place in finding["places"].as_array().unwrap() {
            found.push(match (place["kind"].as_str().unwrap(), place["path"].as_str()) {
                ("name" | "commit" | "tag", _) | (_, None) => place["kind"].as_str().unwrap().to_owned(),
                (_, Some(path)) => format!("{path}:{}", place["line"]),
            });
        }
    }
    found.sort();
    found
}
