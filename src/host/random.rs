//! Random bytes from the operating system, and from nowhere else.

/// Fills `bytes` with random bytes fit for keys.
pub fn fill(bytes: &mut [u8]) -> Result<(), RandomError> {
    getrandom::fill(bytes).map_err(|error| RandomError(error.to_string()))
}

/// The operating system gave no random bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random bytes: {0}")]
pub struct RandomError(String);

#[cfg(test)]
mod tests {
    #[test]
    fn fills_all_and_never_twice_the_same() {
        let (mut a, mut b) = ([0; 64], [0; 64]);
        super::fill(&mut a).expect("random");
        super::fill(&mut b).expect("random");
        assert!(a != b && a[48..] != [0; 16]);
    }
}
