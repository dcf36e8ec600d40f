//! Help: it is complete, its examples run, and shells and `man` can read what is made of it.

use std::path::PathBuf;

use seal::cli;
use seal::host::Variable;

use crate::support::{Folder, Ran, Step, repository};

/// All commands by their words, `seal` itself first.
fn commands() -> Vec<(Vec<String>, clap::Command)> {
    let mut seal = cli::command();
    seal.build();
    let mut waiting = vec![(Vec::new(), seal)];
    let mut found = Vec::new();
    while let Some((words, command)) = waiting.pop() {
        for inner in command.get_subcommands() {
            let words: Vec<_> = words.iter().cloned().chain([inner.get_name().to_owned()]).collect();
            waiting.push((words, inner.clone()));
        }
        found.push((words, command));
    }
    found
}

/// Whether a program is installed.
fn installed(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|folder| folder.join(program).is_file())
}

/// The lines below `Examples:`, those that go on over several lines joined.
fn examples(help: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let lines = help.lines().skip_while(|line| *line != "Examples:").skip(1).take_while(|line| line.starts_with("  "));
    for line in lines {
        match found.last_mut() {
            Some(last) if line.starts_with("    ") || last.ends_with('|') || last.ends_with('\\') => {
                *last = format!("{} {}", last.trim_end_matches('\\'), line.trim());
            }
            _ => found.push(line.trim().to_owned()),
        }
    }
    found
}

/// A repository with what the examples speak of, and a `kubectl` that only prints.
fn stage() -> Folder {
    let folder = Folder::new();
    folder.program("git", ["init", "--quiet", "--initial-branch=main", "."]).ok();
    folder.seal(["init"]).ok();
    let secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\ndata:\n  password: aHVudGVyMg==\n";
    folder.write("secret.yaml", secret);
    for sealed in ["db.yaml", "old.yaml", "new.yaml", "deploy/prod/a.secret.yaml"] {
        folder.write(sealed, secret);
    }
    folder.write("password", "hunter2");
    let kubectl = format!("#!/bin/sh\ncase $1 in apply) cat ;; *) printf '{}' ;; esac\n", secret.replace('\n', "\\n"));
    for program in [folder.write("bin/kubectl", kubectl), folder.write("server", "#!/bin/sh\n")] {
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_seal"), folder.path("bin/seal")).unwrap();
    // A rule for every file, so that the examples may call theirs as they like.
    let config = String::from_utf8(folder.read(".sops.yaml")).unwrap();
    let reader = config.split(|c: char| !c.is_alphanumeric()).find(|word| word.starts_with("age1")).unwrap().to_owned();
    folder.write(".sops.yaml", format!("creation_rules:\n  - age: {reader}\n"));
    folder.write("app.env", "DB_USER=ada\n");
    folder.write("db.secret.yaml", secret);
    for sealed in ["secret.yaml", "old.yaml", "new.yaml", "app.env"] {
        folder.seal(["encrypt", "-i", sealed]).ok();
    }
    for words in [
        &["add", "secret.yaml"][..],
        &["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", "one"],
    ] {
        folder.program("git", words).ok();
    }
    folder
}

fn shell(folder: &Folder, line: &str) -> Step {
    let ours = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths(std::iter::once(folder.path("bin")).chain(std::env::split_paths(&ours))).unwrap();
    folder.program("bash", ["-c", &format!("set -o pipefail; {line}")]).env("PATH", path).env("EDITOR", "true")
}

/// Whether the words of a line are such that seal and the shell know.
fn is_understood(ran: &Ran) -> bool {
    ran.code != Some(127) && !ran.stderr_text().contains("\nUsage: seal")
}

#[test]
fn every_command_has_examples_and_its_help_opens() {
    for (words, command) in commands() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let is_group = command.get_subcommands().next().is_some() && !words.is_empty();
        assert!(is_group || !examples(&help).is_empty(), "{words:?} shows no example");
        assert!(command.get_about().is_some(), "{words:?} says nothing of itself");
        let help = Folder::new().seal(words.iter().map(String::as_str).chain(["--help"])).run().exits(0);
        assert!(is_group || help.stdout_text().contains("Examples:"), "{help}");
    }
}

#[test]
fn examples_of_help_run() {
    let reader = age::x25519::Identity::generate().to_public().to_string();
    for (words, command) in commands() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in examples(&help) {
            let line = line.replace("age1…", &reader);
            let folder = stage();
            if words == ["encrypt"] || words.is_empty() && line.contains("encrypt") {
                folder.write("secret.yaml", "kind: Secret\nstringData:\n  a: b\n");
            }
            if words == ["init"] {
                std::fs::remove_file(folder.path(".sops.yaml")).unwrap();
            }
            let ran = shell(&folder, &line).run();
            assert!(is_understood(&ran), "{line}\n{ran}");
            let known =
                ["completions", "decrypt", "diff", "encrypt", "help", "init", "man", "merge-driver", "textconv"];
            let ours = words.first().is_none_or(|word| known.contains(&word.as_str()));
            // Revisions of an example are not those of the stage.
            if ours && !line.contains("..") {
                let _ = ran.exits(0);
            }
        }
    }
}

#[test]
fn lines_of_the_readme_run() {
    let readme = std::fs::read_to_string(repository("README.md")).unwrap();
    let blocks = readme.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let names: Vec<_> = commands().into_iter().filter_map(|(words, _)| words.first().cloned()).collect();
    let reader = age::x25519::Identity::generate().to_public().to_string();
    let mut tried = 0;
    for line in blocks.flat_map(str::lines) {
        let line = line.split("  # ").next().unwrap().trim();
        let command = line.strip_prefix("seal ").and_then(|rest| rest.split_whitespace().next());
        // What has to be filled in cannot be run.
        let line = line.replace("age1…", &reader);
        if !command.is_some_and(|name| names.iter().any(|known| known == name)) || line.contains('…') {
            continue;
        }
        let folder = stage();
        if line.starts_with("seal encrypt") {
            folder.write("secret.yaml", "kind: Secret\nstringData:\n  a: b\n");
        }
        if line.starts_with("seal init") {
            std::fs::remove_file(folder.path(".sops.yaml")).unwrap();
        }
        let ran = shell(&folder, &line).run();
        assert!(is_understood(&ran), "{line}\n{ran}");
        tried += 1;
    }
    assert!(tried > 5, "only {tried} lines of the README were run");
}

#[test]
fn topics_are_shown_and_strangers_answered() {
    let folder = Folder::new();
    let help = |word: &str| folder.seal(["help", word]).run();
    assert!(help("exit-codes").exits(0).stdout_text().contains("\n  4         no identity at hand opens it\n"));
    for topic in ["config", "keys", "recipients", "layout"] {
        let text = help(topic).exits(0).stdout_text();
        assert!(text.len() > 500 && !text.contains("```") && !text.starts_with('#'), "{text}");
    }
    let environment = help("environment").exits(0).stdout_text();
    for variable in Variable::ALL {
        assert!(environment.contains(variable.name()), "{}", variable.name());
    }
    assert_eq!(help("encrypt").exits(0).stdout, folder.seal(["encrypt", "--help"]).ok());
    assert_eq!(folder.seal(["help"]).ok(), folder.seal(["--help"]).ok());
    let stranger = help("exitcodes").exits(2);
    assert!(stranger.stderr_text().contains("did you mean: seal help exit-codes"), "{stranger}");
    let typo = folder.seal(["encrpyt"]).run().exits(2);
    assert!(typo.stderr_text().contains("'encrypt'"), "{typo}");
}

fn completions(folder: &Folder, shell: &str) -> PathBuf {
    let text = folder.seal(["completions", shell]).ok();
    folder.write(format!("seal.{shell}"), text)
}

#[test]
fn completions_load_in_each_shell() {
    let folder = Folder::new();
    let run = |shell: &str, script: &str| -> Option<Ran> {
        installed(shell).then(|| folder.program(shell, ["-c", script]).run().exits(0))
    };
    let bash = completions(&folder, "bash");
    let complete = format!(
        "source {} && complete -p seal && COMP_WORDS=(seal de) COMP_CWORD=1 && _seal seal de '' && printf '%s ' \"${{COMPREPLY[@]}}\"",
        bash.display()
    );
    folder.program("bash", ["-n", bash.to_str().unwrap()]).ok();
    let ran = run("bash", &complete).expect("bash is installed").stdout_text();
    assert!(ran.contains("-F _seal seal") && ran.contains("decrypt"), "{ran}");
    let zsh = completions(&folder, "zsh");
    run("zsh", &format!("autoload -U compinit && compinit -D && source {} && whence _seal", zsh.display()));
    let fish = completions(&folder, "fish");
    if let Some(ran) = run("fish", &format!("source {}; complete -C 'seal de'", fish.display())) {
        assert!(ran.stdout_text().contains("decrypt"), "{ran}");
    }
    for shell in ["elvish", "nushell", "powershell"] {
        let text = std::fs::read_to_string(completions(&folder, shell)).unwrap();
        assert!(text.contains("decrypt") && text.contains("extract"), "{shell}");
    }
}

#[test]
fn manual_pages_have_no_faults() {
    let folder = Folder::new();
    folder.seal(["man", "pages"]).ok();
    let mut names: Vec<_> = std::fs::read_dir(folder.path("pages"))
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), commands().len());
    assert!(names.contains(&"seal.1".to_owned()) && names.contains(&"seal-encrypt.1".to_owned()), "{names:?}");
    assert_eq!(folder.seal(["man"]).ok(), folder.read("pages/seal.1"));
    let text = String::from_utf8(folder.read("pages/seal.1")).unwrap();
    assert!(text.contains("SOPS_AGE_KEY_FILE") && text.contains("no identity at hand"), "{text}");
    if !installed("man") {
        return;
    }
    for name in names {
        let page = folder.path("pages").join(&name);
        let man = folder.program("man", ["--warnings", "-l", page.to_str().unwrap()]).run().exits(0);
        assert_eq!(man.stderr_text(), "", "{name}");
        let title = name.trim_end_matches(".1");
        assert!(man.stdout_text().contains(title), "{man}");
    }
}

#[test]
fn code_of_the_manual_is_of_commands_and_files_that_exist() {
    for topic in std::fs::read_dir(repository("src/manual")).unwrap() {
        let text = std::fs::read_to_string(topic.unwrap().path()).unwrap();
        for piece in text.split('`').skip(1).step_by(2).filter(|piece| piece.starts_with("seal ")) {
            let words: Vec<_> = piece.split_whitespace().skip(1).take(1).collect();
            let known = commands().iter().any(|(names, _)| names.first().map(String::as_str) == words.first().copied());
            assert!(known, "{piece}");
        }
    }
}
