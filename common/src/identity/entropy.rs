//! The system's random generator, for keys, ids and secrets.

/// The system's random generator gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system's random generator failed: check that getrandom is allowed here")]
pub struct RandomError;

/// Random bytes fit for keys and secrets.
///
/// # Errors
/// [`RandomError`] where the system has none.
pub fn random<const N: usize>() -> Result<[u8; N], RandomError> {
    use ring::rand::SecureRandom as _;
    let mut bytes = [0; N];
    ring::rand::SystemRandom::new().fill(&mut bytes).map_err(|_| RandomError)?;
    Ok(bytes)
}
