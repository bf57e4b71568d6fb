//! The keys of the daemon's clients, as `web` asks for them.

use std::sync::Arc;

use serde_json::json;

use daemon::{AuditedSubmission, Logins};
use web::{Caller, Identity, Keyring, Proof, Scope, Sent};

/// The keys of the configuration, and those that pages got for a code.
#[derive(Debug, Clone)]
pub(super) struct DaemonKeys(pub(super) Arc<Logins>);

impl Keyring for DaemonKeys {
    fn is_required(&self) -> bool {
        self.0.are_required()
    }

    fn identify(&self, key: &str) -> Option<Identity> {
        let daemon::Identity { name, scope, proof } = self.0.identify(key)?;
        let proof = match proof {
            daemon::Proof::None => Proof::None,
            daemon::Proof::Owner => Proof::Owner,
            daemon::Proof::Key(digest) | daemon::Proof::Page(digest) => Proof::Key(digest),
        };
        Some(Identity { name, scope: scope_of(scope), proof })
    }
}

fn scope_of(scope: config::Scope) -> Scope {
    match scope {
        config::Scope::Read => Scope::Read,
        config::Scope::Run => Scope::Run,
        config::Scope::Admin => Scope::Admin,
    }
}

/// Returns the identity as the daemon has it.
pub(super) fn of_daemon(logins: &Logins, identity: &Identity) -> daemon::Identity {
    let scope = match identity.scope {
        Scope::Read => config::Scope::Read,
        Scope::Run => config::Scope::Run,
        Scope::Admin => config::Scope::Admin,
    };
    let proof = match identity.proof {
        Proof::None => daemon::Proof::None,
        Proof::Owner => daemon::Proof::Owner,
        Proof::Key(digest) if logins.is_configured(digest) => daemon::Proof::Key(digest),
        Proof::Key(digest) => daemon::Proof::Page(digest),
    };
    daemon::Identity { name: identity.name.clone(), scope, proof }
}

/// Returns the line of the audit log for a submission, so far.
pub(super) fn audit_line(caller: &Caller, sent: &Sent) -> AuditedSubmission {
    // The log keeps only the size of a payload that is as large as one without a value.
    let payload = sent.value().unwrap_or_else(|| json!({ "truncated": true, "bytes": sent.bytes().len() }));
    AuditedSubmission {
        request_id: caller.request_id.to_string(),
        method: caller.method.to_owned(),
        path: caller.path.to_string(),
        endpoint: caller.endpoint,
        remote_addr: Some(caller.peer.to_string()),
        key_name: caller.key_name().map(str::to_owned),
        payload,
        ..AuditedSubmission::default()
    }
}
