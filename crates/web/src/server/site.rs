//! The site of a listener: its guard, and the mounts behind it.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use http::Request;
use hyper::body::Incoming;
use warp::reply::Response;

use super::{
    door,
    guard::Guard,
    mount::{Asking, Mount, below},
};

/// The guard of a listener, and the mounts that its requests reach. Cheap to clone.
#[derive(Clone)]
pub struct Site {
    guard: Arc<Guard>,
    root: Arc<dyn AnyMount>,
    below: Vec<Arc<dyn AnyMount>>,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let below: Vec<&str> = self.below.iter().map(|mount| mount.prefix()).collect();
        f.debug_struct("Site").field("guard", &self.guard).field("below", &below).finish_non_exhaustive()
    }
}

impl Site {
    /// A site with one mount, which answers all requests that no other mount takes.
    #[must_use]
    pub fn new<S: Clone + Send + Sync + 'static>(guard: Guard, root: Mount<S>) -> Self {
        Self { guard: Arc::new(guard), root: Arc::new(root), below: Vec::new() }
    }

    /// Adds another mount below its prefix.
    #[must_use]
    pub fn with<S: Clone + Send + Sync + 'static>(mut self, mount: Mount<S>) -> Self {
        self.below.push(Arc::new(mount));
        // Of two prefixes that fit, the longer one is chosen.
        self.below.sort_by_key(|mount| std::cmp::Reverse(mount.prefix().len()));
        self
    }

    /// Answers a request.
    pub(super) async fn answer(&self, request: Request<Incoming>, asking: &Asking) -> Response {
        let path = request.uri().path();
        let mount = self.below.iter().find(|mount| below(mount.prefix(), path).is_some());
        let mount = mount.unwrap_or(&self.root).clone();
        mount.answer(&self.guard, request, asking).await
    }
}

/// A mount without the type of its state.
trait AnyMount: Send + Sync {
    fn prefix(&self) -> &'static str;

    fn answer<'a>(
        &'a self,
        guard: &'a Guard,
        request: Request<Incoming>,
        asking: &'a Asking,
    ) -> BoxFuture<'a, Response>;
}

impl<S: Clone + Send + Sync + 'static> AnyMount for Mount<S> {
    fn prefix(&self) -> &'static str {
        self.prefix
    }

    fn answer<'a>(
        &'a self,
        guard: &'a Guard,
        request: Request<Incoming>,
        asking: &'a Asking,
    ) -> BoxFuture<'a, Response> {
        Box::pin(door::answer(self, guard, request, asking))
    }
}
