//! What Kubernetes objects mean: which documents are Secrets, and what in them is secret.
//!
//! Reading YAML or JSON is the business of [`document`](crate::document); encrypting, of [`crypt`](crate::crypt).

mod object;
mod secret;

pub use object::Object;
pub use secret::{BadData, Fit, check_data, selection_for};
