//! The environment variables that seal knows: each is named and explained here, once, and read once.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

macro_rules! variables {
    ($($variant:ident $name:literal $about:literal)*) => {
        /// An environment variable that seal knows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum Variable { $(#[doc = $about] $variant,)* }

        impl Variable {
            /// All of them, in the order in which help lists them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it is for, as help says it.
            pub fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)* }
            }
        }
    };
}

variables! {
    SopsConfig "SOPS_CONFIG" "path of the .sops.yaml to use, instead of looking for one"
    SopsAgeRecipients "SOPS_AGE_RECIPIENTS" "age recipients, comma-separated; as --age, overrides the config's"
    SopsPgpFp "SOPS_PGP_FP" "PGP fingerprints, as --pgp"
    SopsKmsArn "SOPS_KMS_ARN" "AWS KMS keys, as --kms"
    SopsGcpKmsIds "SOPS_GCP_KMS_IDS" "GCP KMS keys, as --gcp-kms"
    SopsHuaweicloudKmsIds "SOPS_HUAWEICLOUD_KMS_IDS" "Huawei Cloud KMS keys, as --hckms"
    SopsAzureKeyvaultUrls "SOPS_AZURE_KEYVAULT_URLS" "Azure Key Vault keys, as --azure-kv"
    SopsVaultUris "SOPS_VAULT_URIS" "Vault transit keys, as --hc-vault-transit"
    SealAgeKey "SEAL_AGE_KEY" "age identities themselves, beside those of SOPS_AGE_KEY"
    SealAgeKeyFile "SEAL_AGE_KEY_FILE" "file of age identities, beside that of SOPS_AGE_KEY_FILE"
    SopsAgeKey "SOPS_AGE_KEY" "age identities themselves, separated by blanks or lines"
    SopsAgeKeyFile "SOPS_AGE_KEY_FILE" "file that holds age identities, one a line"
    SopsAgeKeyCmd "SOPS_AGE_KEY_CMD" "command that prints age identities; it finds the recipient in SOPS_AGE_RECIPIENT"
    SopsAgeSshPrivateKeyFile "SOPS_AGE_SSH_PRIVATE_KEY_FILE" "file that holds an ssh private key to use as identity"
    SopsAgeSshPrivateKeyCmd "SOPS_AGE_SSH_PRIVATE_KEY_CMD" "command that prints an ssh private key to use as identity"
    SopsKeyservice "SOPS_KEYSERVICE" "remote key services; this version asks none, and says so"
    SopsEnableLocalKeyservice "SOPS_ENABLE_LOCAL_KEYSERVICE" "false: no identity of this machine may be used"
    SopsDecryptionOrder "SOPS_DECRYPTION_ORDER" "kinds of keys to try first, comma-separated; default age,pgp"
    SopsDisableVersionCheck "SOPS_DISABLE_VERSION_CHECK" "accepted and without effect: seal never looks for newer versions"
    SealEditor "SEAL_EDITOR" "editor for `edit`; else SOPS_EDITOR, EDITOR, VISUAL, vim, nano, vi"
    SopsEditor "SOPS_EDITOR" "editor for `edit`"
    Editor "EDITOR" "editor for `edit`"
    Visual "VISUAL" "editor for `edit`"
    GitDir "GIT_DIR" "the repository, as git names it to hooks"
    GitIndexFile "GIT_INDEX_FILE" "the index that is about to be committed, as git names it to hooks"
    GitObjectDirectory "GIT_OBJECT_DIRECTORY" "where git keeps what a push brings until it is accepted"
    GitAlternateObjectDirectories "GIT_ALTERNATE_OBJECT_DIRECTORIES" "further folders of objects, as git names them to hooks"
    GitPushOptionCount "GIT_PUSH_OPTION_COUNT" "how many options a push came with; each is in GIT_PUSH_OPTION_0 and so on"
    GlUsername "GL_USERNAME" "who pushes, as GitLab says it"
    GiteaPusherName "GITEA_PUSHER_NAME" "who pushes, as Gitea and Forgejo say it"
    RemoteUser "REMOTE_USER" "who pushes, as a web server says it"
    SealScrubPush "SEAL_SCRUB_PUSH" "set by `seal scrub push` for the hook of the push: its commits are not looked through again"
    SealHook "SEAL_HOOK" "path of the hook that calls seal; one that stood there before lies beside it"
    PreCommitFromRef "PRE_COMMIT_FROM_REF" "where a push begins, as the pre-commit framework says it"
    PreCommitToRef "PRE_COMMIT_TO_REF" "what is pushed, as the pre-commit framework says it"
    PreCommitRemoteName "PRE_COMMIT_REMOTE_NAME" "where it is pushed to, as the pre-commit framework says it"
    GitleaksConfig "GITLEAKS_CONFIG" "as gitleaks: path of the settings to use"
    GitleaksConfigToml "GITLEAKS_CONFIG_TOML" "as gitleaks: the settings themselves"
    NoColor "NO_COLOR" "no colour when not empty"
    Clicolor "CLICOLOR" "no colour when 0"
    ClicolorForce "CLICOLOR_FORCE" "colour also into files and pipes when neither empty nor 0"
    ForceColor "FORCE_COLOR" "the same"
    Term "TERM" "no colour when dumb"
    Columns "COLUMNS" "width of tables, in characters"
    LcAll "LC_ALL" "signs beyond ASCII only when it, LC_CTYPE or LANG names UTF-8"
    LcCtype "LC_CTYPE" "see LC_ALL"
    Lang "LANG" "see LC_ALL"
    Home "HOME" "where ~ is"
    Path "PATH" "folders in which editors are looked for"
    XdgConfigHome "XDG_CONFIG_HOME" "folder that holds sops/age/keys.txt; default ~/.config"
    XdgRuntimeDir "XDG_RUNTIME_DIR" "folder in memory for what an editor is shown; else /dev/shm"
}

impl Variable {
    /// Whether its value opens files, so that it is never printed and no child gets it.
    pub fn is_secret(self) -> bool {
        is_secret_name(OsStr::new(self.name()))
    }
}

/// Whether a variable of this name leads to identities: `SOPS_AGE_KEY…`, `SEAL_AGE_KEY…` and the ssh twins.
pub(super) fn is_secret_name(name: &OsStr) -> bool {
    let prefixes: [&[u8]; 3] = [b"SOPS_AGE_KEY", b"SEAL_AGE_KEY", b"SOPS_AGE_SSH_PRIVATE_KEY"];
    prefixes.iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix))
}

/// The values of the variables, as they were when the process began.
#[derive(Clone, Default)]
pub struct Environment {
    values: HashMap<Variable, OsString>,
    push_options: Vec<OsString>,
}

/// No more options of a push are read.
const MAX_PUSH_OPTIONS: usize = 1000;

impl Environment {
    /// Reads them all.
    pub fn read() -> Self {
        Self::from_lookup(|name| std::env::var_os(name))
    }

    /// Takes them from somewhere else.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        let values: HashMap<Variable, OsString> =
            Variable::ALL.iter().filter_map(|variable| Some((*variable, lookup(variable.name())?))).collect();
        let count = values.get(&Variable::GitPushOptionCount).and_then(|count| count.to_str()?.parse().ok());
        let numbers = 0..count.unwrap_or(0).min(MAX_PUSH_OPTIONS);
        let push_options = numbers.filter_map(|number| lookup(&format!("GIT_PUSH_OPTION_{number}"))).collect();
        Self { values, push_options }
    }

    /// What a push was given with `--push-option`.
    pub fn push_options(&self) -> &[OsString] {
        &self.push_options
    }

    /// A value that is set and not empty.
    pub fn value(&self, variable: Variable) -> Option<&OsStr> {
        self.values.get(&variable).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// A value that is set, not empty and UTF-8.
    pub fn text(&self, variable: Variable) -> Option<&str> {
        self.value(variable)?.to_str()
    }

    /// A value as a path.
    pub fn path(&self, variable: Variable) -> Option<PathBuf> {
        self.value(variable).map(PathBuf::from)
    }

    /// Variables of seal's own beside sops's of the same name, where both are set and say different things.
    pub fn differing_twins(&self) -> impl Iterator<Item = (Variable, Variable)> {
        let twin = |own: Variable| {
            let name = own.name().strip_prefix("SEAL_")?;
            let other = Variable::ALL.iter().find(|other| other.name().strip_prefix("SOPS_") == Some(name))?;
            Some((own, *other))
        };
        let differ = |(own, other): &(Variable, Variable)| match (self.value(*own), self.value(*other)) {
            (Some(own), Some(other)) => own != other,
            _ => false,
        };
        Variable::ALL.iter().filter_map(move |own| twin(*own)).filter(differ)
    }

    /// Whether text may hold signs beyond ASCII.
    pub fn is_utf8(&self) -> bool {
        let locale = [Variable::LcAll, Variable::LcCtype, Variable::Lang].into_iter().find_map(|v| self.text(v));
        locale.is_some_and(|locale| locale.to_ascii_uppercase().replace('-', "").contains("UTF8"))
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.keys().map(|variable| variable.name())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_counts_as_unset_and_secrets_are_not_shown() {
        let environment = Environment::from_lookup(|name| match name {
            "SOPS_AGE_KEY" => Some("AGE-SECRET-KEY-1CANARY".into()),
            "NO_COLOR" => Some("".into()),
            "LC_ALL" => Some("".into()),
            "LANG" => Some("de_DE.utf8".into()),
            _ => None,
        });
        assert!(environment.value(Variable::SopsAgeKey).is_some());
        assert_eq!(environment.value(Variable::NoColor), None);
        assert!(environment.is_utf8());
        assert!(!format!("{environment:?}").contains("CANARY"));
    }

    #[test]
    fn twins_that_differ_are_found() {
        let twins = |set: &'static [(&str, &str)]| {
            let lookup = move |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into());
            let environment = Environment::from_lookup(lookup);
            environment.differing_twins().map(|(own, other)| (own.name(), other.name())).collect::<Vec<_>>()
        };
        assert_eq!(twins(&[("SEAL_EDITOR", "a"), ("SOPS_EDITOR", "b")]), [("SEAL_EDITOR", "SOPS_EDITOR")]);
        assert_eq!(twins(&[("SEAL_AGE_KEY", "a"), ("SOPS_AGE_KEY", "b")]), [("SEAL_AGE_KEY", "SOPS_AGE_KEY")]);
        for same in
            [&[("SEAL_EDITOR", "a"), ("SOPS_EDITOR", "a")][..], &[("SEAL_EDITOR", "a")], &[("SOPS_EDITOR", "a")]]
        {
            assert!(twins(same).is_empty());
        }
    }

    #[test]
    fn options_of_a_push_are_read_as_far_as_they_are_counted() {
        let options = |count: &'static str| {
            let lookup = |name: &str| match name {
                "GIT_PUSH_OPTION_COUNT" => Some(count.into()),
                name => name.strip_prefix("GIT_PUSH_OPTION_").filter(|n| n.len() < 4).map(|n| format!("o{n}").into()),
            };
            Environment::from_lookup(lookup).push_options().to_vec()
        };
        assert_eq!(options("2"), ["o0", "o1"]);
        assert!(options("").is_empty() && options("-1").is_empty());
        assert_eq!(options("99999999").len(), MAX_PUSH_OPTIONS);
    }

    #[test]
    fn every_variable_is_named_once_and_explained() {
        let mut names: Vec<_> = Variable::ALL.iter().map(|variable| variable.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Variable::ALL.len());
        assert!(Variable::ALL.iter().all(|variable| !variable.about().is_empty()));
        assert!(Variable::SealAgeKey.is_secret() && !Variable::SopsAgeRecipients.is_secret());
    }
}
