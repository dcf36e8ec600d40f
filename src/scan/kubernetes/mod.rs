//! What Kubernetes manifests hold in clear.
use crate::scan::{Detector,Reach,Ruleset};
/// x
pub struct Manifests;
impl Manifests { /// x
 pub fn new(_:&Ruleset)->Self{Self} }
impl Detector for Manifests { fn keywords(&self)->&[&str]{&["\u{1}\u{2}\u{3}"]} fn reach(&self)->Reach{Reach::Document} }
