//! An endpoint that is served: its declaration, and the filter that answers for it.

use std::{fmt, future::Future, marker::PhantomData, sync::Arc};

use http::Method;
use warp::{Filter, filters::BoxedFilter, reply::Response};

use super::{
    call::{Call, Handed, PendingCall},
    declared::{Declared, Draft},
    target::Target,
};
use crate::{
    body::{Body, body},
    caller::Caller,
    error::{Error, Result},
    manners::{Manners, RefusedRequest},
    socket::{Socket, SocketLimits, Upgrade},
};

/// An endpoint of an API with the state `S`.
pub struct Endpoint<S> {
    declared: Declared,
    filter: BoxedFilter<(Response,)>,
    state: PhantomData<fn(S)>,
}

impl<S> fmt::Debug for Endpoint<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoint").field(&self.declared).finish()
    }
}

impl<S> Endpoint<S> {
    /// Its declaration.
    #[must_use]
    pub fn declared(&self) -> &Declared {
        &self.declared
    }

    /// The filter that answers a request which the door has found to be for this endpoint.
    pub(crate) fn filter(&self) -> BoxedFilter<(Response,)> {
        self.filter.clone()
    }
}

impl Draft {
    /// Finishes the endpoint with a handler that waits for nothing.
    pub fn map<S, T, E>(
        self,
        handler: impl Fn(&Call<S>, &T) -> Result<Response, E> + Clone + Send + Sync + 'static,
    ) -> Endpoint<S>
    where
        S: Clone + Send + Sync + 'static,
        T: Target<S>,
        E: Into<Error> + Send + 'static,
    {
        self.then(move |call, target| std::future::ready(handler(&call, &target)))
    }

    /// Finishes the endpoint with an asynchronous handler.
    pub fn then<S, T, E, F>(
        self,
        handler: impl Fn(Call<S>, T) -> F + Clone + Send + Sync + 'static,
    ) -> Endpoint<S>
    where
        S: Clone + Send + Sync + 'static,
        T: Target<S>,
        E: Into<Error> + Send + 'static,
        F: Future<Output = Result<Response, E>> + Send + 'static,
    {
        self.serve(move |call, target, _| {
            let answering = handler(call, target);
            async move { answering.await.map_err(Into::into) }
        })
    }

    /// Opens a socket. The handler may refuse the request; else it returns the conversation, which begins once the client
    /// knows that the socket is open. The conversation is to end when [`Socket::receive`] or [`Socket::send`] fails.
    pub fn socket<S, T, E, F, C, G>(
        self,
        limits: SocketLimits,
        handler: impl Fn(Call<S>, T) -> F + Clone + Send + Sync + 'static,
    ) -> Endpoint<S>
    where
        S: Clone + Send + Sync + 'static,
        T: Target<S>,
        E: Into<Error> + Send + 'static,
        F: Future<Output = Result<C, E>> + Send + 'static,
        C: FnOnce(Socket) -> G + Send + 'static,
        G: Future<Output = ()> + Send + 'static,
    {
        let draft = Self(Declared { socket: Some(limits), ..self.0 });
        draft.serve(move |call, target, upgrade| {
            let beginning = handler(call, target);
            async move {
                let talk = beginning.await.map_err(Into::into)?;
                // The door refuses a request for this endpoint that asks for no socket.
                let upgrade = upgrade.ok_or_else(|| Error::bad_request("this path is a WebSocket"))?;
                Ok(upgrade.begin(talk))
            }
        })
    }

    fn serve<S, T, F>(
        self,
        handler: impl Fn(Call<S>, T, Option<Upgrade>) -> F + Clone + Send + Sync + 'static,
    ) -> Endpoint<S>
    where
        S: Clone + Send + Sync + 'static,
        T: Target<S>,
        F: Future<Output = Result<Response>> + Send + 'static,
    {
        let pending = warp::ext::get::<Handed<S>>().and_then(|handed: Handed<S>| {
            // The rejection is a bug, which the door reports.
            std::future::ready(handed.take().ok_or_else(warp::reject::reject))
        });
        let filter = pending
            .and(body())
            .then(move |mut pending: PendingCall<S>, body: Body| {
                let refuse = Refuse::of(&pending);
                let upgrade = pending.upgrade.take();
                let read = Call::read(pending, body);
                let begun = read.and_then(|(call, texts)| Ok(handler(call, T::read(&texts)?, upgrade)));
                async move {
                    let answered = match begun {
                        Ok(answering) => answering.await,
                        Err(e) => Err(e),
                    };
                    answered.unwrap_or_else(|e| refuse.spell(&e))
                }
            })
            .boxed();
        let declared = Declared { target: T::PARAMS, ..self.0 };
        Endpoint { declared, filter, state: PhantomData }
    }
}

/// Formats the errors of one call.
struct Refuse {
    manners: Arc<Manners>,
    caller: Arc<Caller>,
}

impl Refuse {
    fn of<S>(pending: &PendingCall<S>) -> Self {
        Self { manners: pending.manners.clone(), caller: pending.caller.clone() }
    }

    fn spell(&self, error: &Error) -> Response {
        let Caller { method, path, request_id, .. } = &*self.caller;
        let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
        self.manners.refuse(error, &RefusedRequest { method: &method, path, request_id })
    }
}
