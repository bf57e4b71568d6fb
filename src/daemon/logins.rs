//! How a page in a browser comes to a key of its own: a code that is good once, for a short time, and that
//! only those can make who may do everything anyway.
//!
//! A code goes into a folder that only the user may write to, or is asked for with a key.
//! The keys outlive the daemon, so that an upgrade logs nobody out; what is kept of them is their SHA-256.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::digest::{Digest, new_secret};
use crate::{
    config::{self, Scope, Secret},
    tree::{
        Result, Tree, TreeError,
        login::{BrowserKey, LoginCode, MadeBy},
    },
};

/// How long a code waits to be exchanged.
const CODE_LIFE: TimeDelta = TimeDelta::minutes(2);
/// How long a page's key is good.
const KEY_LIFE: TimeDelta = TimeDelta::days(7);
/// So many pages hold keys; for one more, the oldest loses its own.
const MOST: usize = 100;
/// What logs call the key of `api.api_key`.
const ONE_KEY: &str = "api_key";

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name of the key; absent where none is asked for.
    pub name: Option<String>,
    /// What it allows.
    pub scope: Scope,
    /// What shows that.
    pub proof: Proof,
}

/// What shows who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Nothing: no key is asked for here.
    None,
    /// The kernel says that it is the user himself.
    Owner,
    /// A key of the configuration.
    Key(Digest),
    /// The key of a page in a browser.
    Page(Digest),
}

/// A code or a key, as its owner gets it.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The text; nobody else ever sees it.
    pub secret: Secret,
    /// What logs call it; a code has no name.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// Until when.
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

/// Makes a code that whoever serves this tree will exchange: it takes the right to write there.
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
    /// The keys that are still good.
    #[must_use]
    pub fn open(tree: &Tree, api: &config::Api) -> Self {
        let one = api.api_key.iter().map(|key| (ONE_KEY.to_owned(), key, Scope::Admin));
        let named = api.keys.iter().map(|k| (k.name.clone(), &k.key, k.scope));
        let configured =
            one.chain(named).map(|(name, key, scope)| (name, Digest::of(key.expose()), scope)).collect();
        let mut keys = tree.browser_keys().unwrap_or_else(|e| {
            tracing::warn!(error = %e, "keys of pages in browsers are forgotten: their file cannot be read");
            Vec::new()
        });
        let now = tree.clock().now();
        if let Err(e) = tree.clear_logins(now) {
            tracing::warn!(error = %e, "codes that nobody has exchanged cannot be removed");
        }
        let logins =
            Self { tree: tree.clone(), configured, keys: Mutex::default(), writing: Mutex::default() };
        keys.retain(|key| key.expires_at > now && logins.scope(key).is_some());
        *logins.keys() = keys;
        logins
    }

    /// Who has this key. Every key is looked at, so that the time tells nothing.
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

    /// Whether anybody is asked for a key.
    #[must_use]
    pub fn are_required(&self) -> bool {
        !self.configured.is_empty()
    }

    /// Makes a code for whoever asks; `None`: it is not his to make one.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn offer(&self, identity: &Identity, scope: Scope) -> Result<Option<NewKey>> {
        match (&identity.proof, &identity.name) {
            (Proof::Owner, _) => offer(&self.tree, scope, None).map(Some),
            (Proof::Key(key), Some(name)) => {
                offer(&self.tree, scope.min(identity.scope), Some((name.clone(), *key))).map(Some)
            }
            // A page makes no pages, and where no key is asked for there is nothing to show.
            _ => Ok(None),
        }
    }

    /// Exchanges a code for a key; `None`: it is unknown, used or too old.
    ///
    /// # Errors
    /// If the disk fails; the code is used up nevertheless.
    pub fn exchange(&self, code: &str) -> Result<Option<NewKey>> {
        let now = self.tree.clock().now();
        let taken = self.tree.take_login(&Digest::of(code).hex())?;
        if let Err(e) = self.tree.clear_logins(now) {
            tracing::warn!(error = %e, "codes that nobody has exchanged cannot be removed");
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

    /// The keys that pages hold, the oldest first: name, scope, and from when to when they are good.
    #[must_use]
    pub fn list(&self) -> Vec<BrowserKey> {
        let now = self.tree.clock().now();
        self.keys().iter().filter(|key| key.expires_at > now && self.scope(key).is_some()).cloned().collect()
    }

    /// Makes the keys of these pages worthless. Returns how many that were.
    ///
    /// # Errors
    /// If the disk fails: the next daemon would know them again.
    pub fn revoke(&self, is_meant: impl Fn(&BrowserKey) -> bool) -> Result<usize> {
        let mut revoked = 0;
        self.change(|keys| {
            let before = keys.len();
            keys.retain(|key| !is_meant(key));
            revoked = before - keys.len();
        })?;
        Ok(revoked)
    }

    /// In memory first: what was revoked is so at once, whatever the disk says.
    fn change(&self, change: impl FnOnce(&mut Vec<BrowserKey>)) -> Result<()> {
        // So that of two changes the later one is what stands on the disk.
        let _one_at_a_time = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let now = {
            let mut keys = self.keys();
            change(&mut keys);
            keys.clone()
        };
        self.tree.remember_browser_keys(now)
    }

    /// What a page's key allows now; `None`: the key behind it is gone.
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
    use crate::{clock::Clock, fsx::Durability};

    fn tree() -> (tempfile::TempDir, Tree) {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let tree = Tree::create(folder.path(), Durability::Never, clock).unwrap();
        (folder, tree)
    }

    fn read(path: &std::path::Path) -> String {
        String::from_utf8(crate::fsx::read_outside(path, 1 << 20).unwrap()).unwrap()
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
