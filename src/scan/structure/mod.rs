//! Credentials that an encoding or the structure of a file gives away: one file a detector.
//!
//! A detector knows the rules it finds things for from when it is made; a rule that is not in force has none. What Kubernetes
//! objects hold is in [`kubernetes`](super::kubernetes).

mod age;
mod armor;
mod ciphertext;
mod docker_config;
pub(super) mod json;
mod jwt;
mod keystore;
mod netrc;
mod npmrc;
mod pem;
mod pgp;
mod putty;
mod pypirc;
mod service_account;
pub(super) mod stand_in;
mod terraform_state;
mod url;

use super::decode::{Decode, Decoder};
use super::kubernetes::Manifests;
use super::{Detector, Ruleset};

/// All detectors of this folder, that of Kubernetes objects, and the decoder. `now` is in seconds since 1970: what ended before
/// it is expired.
pub fn detectors(rules: &Ruleset, now: i64, decode: Decode) -> Vec<Box<dyn Detector>> {
    vec![
        Box::new(age::Age::new(rules)),
        Box::new(ciphertext::Ciphertext),
        Box::new(docker_config::DockerConfig::new(rules)),
        Box::new(jwt::Jwt::new(rules, now)),
        Box::new(keystore::Keystore::new(rules)),
        Box::new(netrc::Netrc::new(rules)),
        Box::new(npmrc::Npmrc::new(rules)),
        Box::new(pem::Pem::new(rules)),
        Box::new(pgp::Pgp::new(rules)),
        Box::new(putty::Putty::new(rules)),
        Box::new(pypirc::Pypirc::new(rules)),
        Box::new(service_account::ServiceAccount::new(rules)),
        Box::new(terraform_state::TerraformState::new(rules)),
        Box::new(url::Url::new(rules)),
        Box::new(Manifests::new(rules)),
        Box::new(Decoder::new(rules, decode)),
    ]
}

/// What the tests of this folder share.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use super::*;
    use crate::scan::{Candidate, Confidence, Engine, Rule};

    /// An engine with only the detectors, as of 2026-01-01, and a rule for every id given.
    pub fn engine(ids: &[&str]) -> Engine {
        let mut text = String::new();
        for id in ids {
            text += &format!("[[rule]]\nid = '{id}'\ntitle = 'x'\nseverity = 'high'\ndetector = 'pem'\n");
        }
        let rules = || Ruleset::new(Rule::parse_all(&text, "test").unwrap()).unwrap();
        let detectors = detectors(&rules(), 1_767_225_600, Decode::Promising);
        Engine::new(rules(), detectors).unwrap()
    }

    /// What is found in a text: rule, the secret's bytes there, confidence.
    pub fn found<'t>(engine: &Engine, text: &'t str) -> Vec<(String, &'t str, Confidence)> {
        let shown = |candidate: &Candidate| {
            (engine.rules().rule(candidate.rule).id.clone(), &text[candidate.secret.clone()], candidate.confidence)
        };
        candidates(engine, text).iter().map(shown).collect()
    }

    pub fn candidates(engine: &Engine, text: &str) -> Vec<Candidate> {
        let mut found = Vec::new();
        assert!(engine.scan(text.as_bytes(), &mut found).is_empty());
        found
    }
}
