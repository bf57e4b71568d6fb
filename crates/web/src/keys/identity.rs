//! An identity with its scope, and the access that an endpoint declares.

use http::StatusCode;

use super::super::error::{Error, Origin, Result};
use base::secret::Digest;

/// The rights of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Reading.
    Read,
    /// Starting, stopping and resuming work, and posting messages.
    Run,
    /// Everything.
    Admin,
}

impl Scope {
    /// The word for it in documents and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Run => "run",
            Self::Admin => "admin",
        }
    }

    /// Returns true if a key of this scope may call an endpoint that needs `needed`.
    #[must_use]
    pub fn allows(self, needed: Self) -> bool {
        self >= needed
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The access that an endpoint declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Every client that the guard lets in, with or without a key.
    Open,
    /// Clients with a key of at least this scope, once keys are required.
    Key(Scope),
}

impl From<Scope> for Access {
    fn from(scope: Scope) -> Self {
        Self::Key(scope)
    }
}

impl Access {
    /// Returns the identity if it has this access.
    pub(crate) fn check(self, identity: Option<Identity>) -> Result<Option<Identity>> {
        match (identity, self) {
            (identity, Self::Open) => Ok(identity),
            (None, Self::Key(_)) => Err(Error::unauthorized()),
            (Some(identity), Self::Key(scope)) if identity.scope.allows(scope) => Ok(Some(identity)),
            (Some(identity), Self::Key(scope)) => {
                let name = identity.name.as_deref().unwrap_or_default();
                let text =
                    format!("this needs a key of scope {scope}; '{name}' has scope {}", identity.scope);
                Err(Error::new(StatusCode::FORBIDDEN, text).from(Origin::Key))
            }
        }
    }
}

/// The identity behind a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name of the key; absent if no key is required.
    pub name: Option<String>,
    /// The scope of the key.
    pub scope: Scope,
    /// The proof that was given.
    pub proof: Proof,
}

/// The proof of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// None: no key is required here.
    None,
    /// The kernel says that the client is the user.
    Owner,
    /// A key, by its digest.
    Key(Digest),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_allows_itself_and_the_lesser_ones() {
        use Scope::{Admin, Read, Run};
        let with = |scope| Some(Identity { name: Some("ann".to_owned()), scope, proof: Proof::Owner });
        for (identity, access, status) in [
            (None, Access::Open, 200),
            (None, Access::Key(Read), 401),
            (with(Read), Access::Key(Read), 200),
            (with(Read), Access::Key(Run), 403),
            (with(Run), Access::Key(Run), 200),
            (with(Run), Access::Key(Admin), 403),
            (with(Admin), Access::Key(Admin), 200),
            (with(Admin), Access::Key(Read), 200),
        ] {
            let checked = access.check(identity.clone());
            let given = checked.as_ref().map_or_else(|e| e.status.as_u16(), |_| 200);
            assert_eq!(given, status, "{identity:?} {access:?}");
            assert!(checked.is_err() || checked == Ok(identity));
        }
    }
}
