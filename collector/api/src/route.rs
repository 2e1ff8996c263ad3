//! The table of routes, and the router made of it.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::MethodRouter;
use muster_fleet::Scope;

use crate::auth::Guard;
use crate::error::{ApiError, Dialect, ErrorKind};
use crate::state::State;
use crate::{admin, alertmanager, install, loki, muster, prometheus};

/// Questions that may be long come by POST too.
pub(crate) const BOTH: &[&str] = &["GET", "POST"];
pub(crate) const READ: &[&str] = &["GET"];

/// Makes what answers a route.
pub(crate) type Handler = fn() -> MethodRouter<Arc<State>>;

/// One row of a dialect's table: a path, its methods, and who may ask.
pub struct Route {
    /// axum's form: `/api/v1/label/{name}/values`.
    pub path: &'static str,
    pub methods: &'static [&'static str],
    /// What a token must be good for; `None`: anybody may ask.
    pub scope: Option<Scope>,
    pub dialect: Dialect,
    pub(crate) handler: Handler,
}

impl Route {
    /// A question that a token of scope read may ask.
    pub(crate) const fn read(
        dialect: Dialect,
        path: &'static str,
        methods: &'static [&'static str],
        handler: Handler,
    ) -> Self {
        Self { path, methods, scope: Some(Scope::Read), dialect, handler }
    }
}

/// Every route, by dialect.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    let others = [alertmanager::ROUTES, loki::ROUTES, muster::ROUTES, admin::ROUTES, install::ROUTES];
    prometheus::ROUTES.iter().chain(others.into_iter().flatten())
}

/// The router of all routes. Paths and methods that it does not know are refused in the dialect that the path begins with.
pub fn router(state: &Arc<State>) -> Router {
    let mut router = Router::new();
    for route in routes() {
        let guard = Guard { state: Arc::clone(state), scope: route.scope, dialect: route.dialect };
        router = router.route(route.path, guard.around((route.handler)()));
    }
    router.fallback(no_route).method_not_allowed_fallback(no_method).with_state(Arc::clone(state))
}

async fn no_route(request: Request) -> Response {
    let path = request.uri().path();
    ApiError::new(ErrorKind::NotFound, format!("this version has no path `{path}`"))
        .place(path)
        .remedy("/api/muster/v1/openapi.yaml names the paths there are")
        .respond(Dialect::of_path(path))
}

async fn no_method(request: Request) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    ApiError::new(ErrorKind::MethodNotAllowed, format!("`{path}` does not take {method}"))
        .place(path)
        .remedy("the `Allow` header names the methods that it takes")
        .respond(Dialect::of_path(path))
}
