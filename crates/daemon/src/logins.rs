//! Gives a page in a browser a key of its own, in exchange for a code. A code is valid once, for a short time, and
//! only clients with full rights can create one.
//!
//! A code is a file in a folder that only the user can write to, or is requested with a key. The keys outlive the
//! daemon, so that an upgrade signs no page out. Only their SHA-256 is stored.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use base::secret::{Digest, Secret, new_secret};
use config::Scope;
use tree::{
    Result, Tree, TreeError,
    login::{BrowserKey, LoginCode, MadeBy},
};

/// Time within which a code must be exchanged.
const CODE_LIFE: TimeDelta = TimeDelta::minutes(2);
/// Lifetime of a page's key.
const KEY_LIFE: TimeDelta = TimeDelta::days(7);
/// Maximum number of pages with a key; one more invalidates the oldest key.
const MOST: usize = 100;
/// The name of the key `api.api_key` in logs.
const ONE_KEY: &str = "api_key";

/// The identity of a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name of the key; absent if no key is required.
    pub name: Option<String>,
    /// The granted rights.
    pub scope: Scope,
    /// The proof of the identity.
    pub proof: Proof,
}

/// The proof of a caller's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// None: no key is required.
    None,
    /// The kernel confirms that the caller is the user.
    Owner,
    /// A key of the configuration.
    Key(Digest),
    /// The key of a page in a browser.
    Page(Digest),
}

/// A new code or key, as its owner receives it.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The text, which is shown only to its owner.
    pub secret: Secret,
    /// The name in logs; a code has none.
    pub name: String,
    /// The granted rights.
    pub scope: Scope,
    /// The end of its validity.
    pub expires_at: DateTime<Utc>,
}

/// The keys of pages in browsers.
#[derive(Debug)]
pub struct Logins {
    tree: Tree,
    /// The keys of the configuration, by name.
    configured: Vec<(String, Digest, Scope)>,
    keys: Mutex<Vec<BrowserKey>>,
    writing: Mutex<()>,
}

/// Creates a code that the daemon of this tree will exchange. Creating it requires write access to the tree.
///
/// # Errors
/// If the disk fails.
pub fn offer_code(tree: &Tree, scope: Scope) -> Result<NewKey> {
    offer(tree, scope, None)
}

fn offer(tree: &Tree, scope: Scope, made_with: Option<(String, Digest)>) -> Result<NewKey> {
    let secret = secret("cdc")?;
    let code = Digest::of(secret.expose());
    let expires_at = tree.clock().now() + CODE_LIFE;
    let made_by =
        made_with.map(|(name, key)| MadeBy { name, seal: code.seal(key).hex(), code_sha256: code.hex() });
    let record = LoginCode { version: 1, scope: scope.as_str().to_owned(), expires_at, made_by };
    tree.offer_login(&code.hex(), &record)?;
    Ok(NewKey { secret, name: String::new(), scope, expires_at })
}

fn secret(kind: &str) -> Result<Secret> {
    new_secret(kind).map_err(|e| TreeError::Invalid(format!("the machine gives no random bytes: {e}")))
}

impl Logins {
    /// Reads the keys that are still valid.
    #[must_use]
    pub fn open(tree: &Tree, api: &config::Api) -> Self {
        let one = api.api_key.iter().map(|key| (ONE_KEY.to_owned(), key, Scope::Admin));
        let named = api.keys.iter().map(|k| (k.name.clone(), &k.key, k.scope));
        let configured =
            one.chain(named).map(|(name, key, scope)| (name, Digest::of(key.expose()), scope)).collect();
        let mut keys = tree.browser_keys().unwrap_or_else(|e| {
            tracing::warn!(error = %e, "cannot read the keys of browser pages: these pages have to log in again");
            Vec::new()
        });
        let now = tree.clock().now();
        if let Err(e) = tree.clear_logins(now) {
            tracing::warn!(error = %e, "cannot remove expired login codes");
        }
        let logins =
            Self { tree: tree.clone(), configured, keys: Mutex::default(), writing: Mutex::default() };
        keys.retain(|key| key.expires_at > now && logins.scope(key).is_some());
        *logins.keys() = keys;
        logins
    }

    /// Returns the owner of a key. Every key is compared, so that the time reveals nothing.
    #[must_use]
    pub fn identify(&self, key: &str) -> Option<Identity> {
        let given = Digest::of(key);
        let mut found = None;
        for (name, digest, scope) in &self.configured {
            if *digest == given {
                found =
                    Some(Identity { name: Some(name.clone()), scope: *scope, proof: Proof::Key(*digest) });
            }
        }
        let now = self.tree.clock().now();
        for key in self.keys().iter() {
            let same = Digest::from_hex(&key.sha256).is_some_and(|digest| digest == given);
            if let (true, Some(scope)) = (same && key.expires_at > now, self.scope(key)) {
                found = Some(Identity { name: Some(key.name.clone()), scope, proof: Proof::Page(given) });
            }
        }
        found
    }

    /// Returns true if a digest is that of a configured key.
    #[must_use]
    pub fn is_configured(&self, key: Digest) -> bool {
        self.configured.iter().any(|(_, digest, _)| *digest == key)
    }

    /// Returns true if clients need a key.
    #[must_use]
    pub fn are_required(&self) -> bool {
        !self.configured.is_empty()
    }

    /// Creates a code for a caller; `None` if the caller may not create one.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn offer(&self, identity: &Identity, scope: Scope) -> Result<Option<NewKey>> {
        match (&identity.proof, &identity.name) {
            (Proof::Owner, _) => offer(&self.tree, scope, None).map(Some),
            (Proof::Key(key), Some(name)) => {
                offer(&self.tree, scope.min(identity.scope), Some((name.clone(), *key))).map(Some)
            }
            // A page may not create codes, and without required keys there is nothing to prove.
            _ => Ok(None),
        }
    }

    /// Exchanges a code for a key; `None` if the code is unknown, used or too old.
    ///
    /// # Errors
    /// If the disk fails; the code is used up nevertheless.
    pub fn exchange(&self, code: &str) -> Result<Option<NewKey>> {
        let now = self.tree.clock().now();
        let taken = self.tree.take_login(&Digest::of(code).hex())?;
        if let Err(e) = self.tree.clear_logins(now) {
            tracing::warn!(error = %e, "cannot remove expired login codes");
        }
        let Some(code) = taken.filter(|code| code.expires_at > now) else { return Ok(None) };
        let secret = secret("cdk")?;
        let digest = Digest::of(secret.expose());
        let hex = digest.hex();
        let key = BrowserKey {
            name: format!("browser-{}", &hex[..8]),
            sha256: hex,
            scope: code.scope,
            created_at: now,
            expires_at: now + KEY_LIFE,
            made_by: code.made_by,
        };
        let Some(scope) = self.scope(&key) else { return Ok(None) };
        let new = NewKey { secret, name: key.name.clone(), scope, expires_at: key.expires_at };
        self.change(|keys| {
            keys.retain(|key| key.expires_at > now);
            let surplus = (keys.len() + 1).saturating_sub(MOST);
            keys.drain(..surplus);
            keys.push(key);
        })?;
        Ok(Some(new))
    }

    /// The keys of pages, oldest first: name, scope, and validity.
    #[must_use]
    pub fn list(&self) -> Vec<BrowserKey> {
        let now = self.tree.clock().now();
        self.keys().iter().filter(|key| key.expires_at > now && self.scope(key).is_some()).cloned().collect()
    }

    /// Invalidates the keys of the selected pages. Returns their number.
    ///
    /// # Errors
    /// If the disk fails: the next daemon would accept the keys again.
    pub fn revoke(&self, is_meant: impl Fn(&BrowserKey) -> bool) -> Result<usize> {
        let mut revoked = 0;
        self.change(|keys| {
            let before = keys.len();
            keys.retain(|key| !is_meant(key));
            revoked = before - keys.len();
        })?;
        Ok(revoked)
    }

    /// Changes the keys in memory first, so that a revocation takes effect at once, even if the disk fails.
    fn change(&self, change: impl FnOnce(&mut Vec<BrowserKey>)) -> Result<()> {
        // Held while writing, so that the later one of two changes ends up on the disk.
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let now = {
            let mut keys = self.keys();
            change(&mut keys);
            keys.clone()
        };
        self.tree.remember_browser_keys(now)
    }

    /// Returns the current rights of a page's key; `None` if the key that created it is gone.
    fn scope(&self, key: &BrowserKey) -> Option<Scope> {
        let own = Scope::of(&key.scope)?;
        let Some(made_by) = &key.made_by else { return Some(own) };
        let (code, seal) = (Digest::from_hex(&made_by.code_sha256)?, Digest::from_hex(&made_by.seal)?);
        let behind =
            self.configured.iter().find(|(name, key, _)| *name == made_by.name && code.seal(*key) == seal);
        behind.map(|(_, _, scope)| own.min(*scope))
    }

    fn keys(&self) -> MutexGuard<'_, Vec<BrowserKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{clock::Clock, fsx::Durability};

    fn tree() -> (tempfile::TempDir, Tree) {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let tree = Tree::create(folder.path(), Durability::Never, clock).unwrap();
        (folder, tree)
    }

    fn read(path: &std::path::Path) -> String {
        String::from_utf8(base::fsx::read_outside(path, 1 << 20).unwrap()).unwrap()
    }

    fn api(named: &[(&str, &str, Scope)]) -> config::Api {
        let key = |(name, key, scope): &(&str, &str, Scope)| config::ApiKey {
            name: (*name).to_owned(),
            key: Secret::new(*key),
            scope: *scope,
        };
        config::Api { keys: named.iter().map(key).collect(), ..config::Api::default() }
    }

    #[test]
    fn a_code_is_good_once_and_not_for_long() {
        let (_folder, tree) = tree();
        let logins = Logins::open(&tree, &api(&[]));
        let code = offer_code(&tree, Scope::Run).unwrap();
        let key = logins.exchange(code.secret.expose()).unwrap().unwrap();
        assert_eq!((key.scope, key.expires_at), (Scope::Run, tree.clock().now() + KEY_LIFE));
        assert!(logins.exchange(code.secret.expose()).unwrap().is_none(), "a second time");
        assert!(logins.exchange("cdc_unknown").unwrap().is_none());
        let late = offer_code(&tree, Scope::Run).unwrap();
        tree.clock().advance(CODE_LIFE);
        assert!(logins.exchange(late.secret.expose()).unwrap().is_none(), "too late");
        let who = logins.identify(key.secret.expose()).unwrap();
        assert_eq!((who.name.as_deref(), who.scope), (Some(key.name.as_str()), Scope::Run));
        tree.clock().advance(KEY_LIFE);
        assert_eq!(logins.identify(key.secret.expose()), None);
    }

    #[test]
    fn a_key_outlives_the_daemon_and_is_nowhere_in_clear() {
        let (folder, tree) = tree();
        let code = offer_code(&tree, Scope::Admin).unwrap();
        let waits = std::fs::read_dir(folder.path().join("_daemon/login-codes")).unwrap();
        for file in waits.flatten() {
            let text = read(&file.path());
            assert!(
                !text.contains(&code.secret.expose()[4..]) && !file.path().ends_with(code.secret.expose())
            );
        }
        let key = Logins::open(&tree, &api(&[])).exchange(code.secret.expose()).unwrap().unwrap();
        let kept = read(&folder.path().join("_daemon/browser-keys.json"));
        assert!(!kept.contains(&key.secret.expose()[4..]), "{kept}");
        let next = Logins::open(&tree, &api(&[]));
        assert!(next.identify(key.secret.expose()).is_some());
        assert_eq!(next.revoke(|k| k.name == key.name).unwrap(), 1);
        assert_eq!(next.identify(key.secret.expose()), None);
        assert!(Logins::open(&tree, &api(&[])).identify(key.secret.expose()).is_none());
    }

    #[test]
    fn a_pages_key_falls_with_the_key_behind_it() {
        let (_folder, tree) = tree();
        let settings = api(&[("ann", "anns-secret-key", Scope::Run)]);
        let logins = Logins::open(&tree, &settings);
        let ann = logins.identify("anns-secret-key").unwrap();
        let code = logins.offer(&ann, Scope::Admin).unwrap().unwrap();
        let key = logins.exchange(code.secret.expose()).unwrap().unwrap();
        assert_eq!(key.scope, Scope::Run, "no more than she may herself");
        let page = logins.identify(key.secret.expose()).unwrap();
        assert!(logins.offer(&page, Scope::Read).unwrap().is_none(), "a page makes no pages");
        for (settings, scope) in [
            (settings, Some(Scope::Run)),
            (api(&[("ann", "anns-secret-key", Scope::Read)]), Some(Scope::Read)),
            (api(&[("ann", "another-secret-key", Scope::Run)]), None),
            (api(&[]), None),
        ] {
            let now = Logins::open(&tree, &settings).identify(key.secret.expose());
            assert_eq!(now.map(|who| who.scope), scope, "{settings:?}");
        }
    }

    #[test]
    fn pages_are_forgotten_before_there_are_too_many() {
        let (_folder, tree) = tree();
        let logins = Logins::open(&tree, &api(&[]));
        let mut secrets = Vec::new();
        for _ in 0..=MOST {
            let code = offer_code(&tree, Scope::Read).unwrap();
            secrets.push(logins.exchange(code.secret.expose()).unwrap().unwrap().secret);
        }
        assert_eq!(logins.list().len(), MOST);
        assert_eq!(logins.identify(secrets[0].expose()), None);
        assert!(logins.identify(secrets[MOST].expose()).is_some());
    }
}
