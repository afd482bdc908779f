//! The route table: which handler answers a method and a path, who may call it, and who may read the answer.
//!
//! | Method, path | Who | Handler |
//! |---|---|---|
//! | POST /api/event | anyone, from any page | [`ingest::event`] |
//! | GET /api/event | anyone, from any page; no HEAD: it must not count | [`ingest::pixel`] |
//! | POST /api/events | who has a key with scope Ingest or Admin | [`ingest::batch`] |
//! | POST /api/auth/{setup, login, logout}, GET /api/auth/status | anyone | [`auth::handlers`] |
//! | GET /api/stats/{main, timeseries, sessions, funnel, sequences, flow, retention, journeys, realtime, export} | readers | [`stats`] |
//! | GET /api/stats/breakdown/{dimension} | readers | [`stats`] |
//! | POST /api/v2/query, GET /api/v1/stats/{realtime/visitors, aggregate, timeseries, breakdown} | readers | [`plausible`] |
//! | GET /api/stats/goals, /api/stats/goals/{id}/{dimension} | readers | [`stats`] |
//! | GET /api/sites | readers; a restricted key sees its sites | [`sites`] |
//! | PUT /api/sites/{site_id} | operators of the site | [`sites`] |
//! | POST, GET /api/keys, DELETE /api/keys/{key_hash} | operators | [`auth::keys::api`] |
//! | POST, GET /api/sites/{site_id}/goals; PUT, DELETE /api/sites/{site_id}/goals/{id} | operators of the site; its readers may list | [`goals`] |
//! | DELETE /api/gdpr/erase | operators of the site | [`erase`] |
//! | POST, GET /api/sites/{site_id}/funnels; DELETE .../{id} | operators of the site; readers may list | [`funnels`] |
//! | POST, GET /api/sites/{site_id}/segments, DELETE .../{id} | operators of the site; its readers may list | [`segments`] |
//! | POST /api/store/acknowledge-loss | operators | [`loss`] |
//! | POST, GET /api/store/snapshots, DELETE /api/store/snapshots/{id} | operators; readers may list | [`backup::api`] |
//! | GET /api/openapi.json | anyone | [`openapi`] |
//! | GET /health, /health/ready, /health/detailed | anyone | [`health`] |
//! | GET /metrics | anyone, or who has the token | [`metrics`] |
//! | GET /mallard.js, /js/script.js | anyone, from any page | [`files`] |
//! | GET /robots.txt, /.well-known/security.txt | anyone | [`files`] |
//! | GET / and the dashboard's files | anyone | [`files`] |
//!
//! HEAD works where GET does, except on the pixel. Another method on a known path is 405 with `Allow`; OPTIONS is 204.

use hyper::Method;

use crate::app::App;
use crate::assets::{self, Asset};
use crate::auth::{Principal, keys};
use crate::error::ApiError;
use crate::request::Request;
use crate::response::Response;
use crate::server::cors::Cors;
use crate::{
    auth, backup, erase, files, funnels, goals, health, ingest, loss, metrics, openapi, plausible, segments, sites,
    stats,
};

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route<'a> {
    /// The route's name in metrics.
    pub(crate) label: &'static str,
    /// Which pages of other origins may read the answer.
    pub(crate) cors: Cors,
    access: Access<'a>,
    handler: Handler<'a>,
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access<'a> {
    Anyone,
    /// A session of the dashboard, or a key that may read; a restricted one only the site that the parameter `site_id` names.
    Readers,
    /// The same; a restricted key as far as the handler goes.
    ListReaders,
    /// The same; a restricted key never.
    StoreReaders,
    /// A session of the dashboard, used by its own page, or a key with scope Admin; a restricted one never.
    Operators,
    /// The same; a restricted key only for this site.
    OperatorsOf(&'a str),
    /// The same; a restricted key only for the site that the parameter `site_id` names.
    OperatorsOfNamed,
    /// The same as operators, for a question that changes nothing: no page has to say where it is from.
    Managers,
}

#[derive(Clone, Copy, Debug)]
enum Handler<'a> {
    Event,
    Batch,
    Pixel,
    Setup,
    Login,
    Logout,
    AuthStatus,
    Main,
    Timeseries,
    Breakdown(&'a str),
    Sessions,
    Funnel,
    Sequences,
    Flow,
    Retention,
    Query,
    RealtimeVisitors,
    Aggregate,
    V1Timeseries,
    V1Breakdown,
    Journeys,
    Realtime,
    Export,
    GoalReport,
    GoalBy(&'a str, &'a str),
    Goals(&'a str),
    Funnels(&'a str),
    AddFunnel(&'a str),
    RemoveFunnel(&'a str, &'a str),
    AddGoal(&'a str),
    ReplaceGoal(&'a str, &'a str),
    RemoveGoal(&'a str, &'a str),
    Sites,
    ChangeSite(&'a str),
    CreateKey,
    Keys,
    RevokeKey(&'a str),
    Erase,
    Segments(&'a str),
    AddSegment(&'a str),
    RemoveSegment(&'a str, &'a str),
    AcknowledgeLoss,
    TakeSnapshot,
    Snapshots,
    RemoveSnapshot(&'a str),
    OpenApi,
    Live,
    Ready,
    Detailed,
    Metrics,
    Tracker,
    Robots,
    Security,
    Asset(Asset),
}

/// One more than the longest path of the table has, so that a longer one is not taken for it.
const SEGMENTS_MAX: usize = 6;

/// The table. HEAD and OPTIONS are the business of [`resolve`].
#[expect(clippy::too_many_lines, reason = "one line for each route")]
fn find<'a>(method: &Method, path: &'a str) -> Option<Route<'a>> {
    use Access::{Anyone, ListReaders, Managers, Operators, OperatorsOf, OperatorsOfNamed, Readers, StoreReaders};
    use Cors::{AnyOrigin, DashboardOrigin, SameOrigin};
    let mut segments = [""; SEGMENTS_MAX];
    let mut count = 0;
    for (place, segment) in segments.iter_mut().zip(path.split('/').skip(1)) {
        *place = segment;
        count += 1;
    }
    let (label, access, cors, handler) = match (method, segments.get(..count).unwrap_or_default()) {
        (&Method::POST, ["api", "event"]) => ("event", Anyone, AnyOrigin, Handler::Event),
        (&Method::POST, ["api", "events"]) => ("events", Anyone, SameOrigin, Handler::Batch),
        (&Method::GET, ["api", "event"]) => ("pixel", Anyone, AnyOrigin, Handler::Pixel),
        (&Method::POST, ["api", "auth", "setup"]) => ("setup", Anyone, DashboardOrigin, Handler::Setup),
        (&Method::POST, ["api", "auth", "login"]) => ("login", Anyone, DashboardOrigin, Handler::Login),
        (&Method::POST, ["api", "auth", "logout"]) => ("logout", Anyone, DashboardOrigin, Handler::Logout),
        (&Method::GET, ["api", "auth", "status"]) => ("auth_status", Anyone, DashboardOrigin, Handler::AuthStatus),
        (&Method::GET, ["api", "stats", "main"]) => ("main", Readers, DashboardOrigin, Handler::Main),
        (&Method::GET, ["api", "stats", "timeseries"]) => ("timeseries", Readers, DashboardOrigin, Handler::Timeseries),
        (&Method::GET, ["api", "stats", "breakdown", dimension]) => {
            ("breakdown", Readers, DashboardOrigin, Handler::Breakdown(dimension))
        }
        (&Method::PUT, ["api", "sites", site]) => {
            ("change_site", OperatorsOf(site), DashboardOrigin, Handler::ChangeSite(site))
        }
        (&Method::GET, ["api", "stats", "sessions"]) => ("sessions", Readers, DashboardOrigin, Handler::Sessions),
        (&Method::GET, ["api", "stats", "funnel"]) => ("funnel", Readers, DashboardOrigin, Handler::Funnel),
        (&Method::GET, ["api", "stats", "sequences"]) => ("sequences", Readers, DashboardOrigin, Handler::Sequences),
        (&Method::GET, ["api", "stats", "flow"]) => ("flow", Readers, DashboardOrigin, Handler::Flow),
        (&Method::GET, ["api", "stats", "retention"]) => ("retention", Readers, DashboardOrigin, Handler::Retention),
        (&Method::POST, ["api", "v2", "query"]) => ("v2_query", ListReaders, DashboardOrigin, Handler::Query),
        (&Method::GET, ["api", "v1", "stats", "realtime", "visitors"]) => {
            ("v1_realtime", Readers, DashboardOrigin, Handler::RealtimeVisitors)
        }
        (&Method::GET, ["api", "v1", "stats", "aggregate"]) => {
            ("v1_aggregate", Readers, DashboardOrigin, Handler::Aggregate)
        }
        (&Method::GET, ["api", "v1", "stats", "timeseries"]) => {
            ("v1_timeseries", Readers, DashboardOrigin, Handler::V1Timeseries)
        }
        (&Method::GET, ["api", "v1", "stats", "breakdown"]) => {
            ("v1_breakdown", Readers, DashboardOrigin, Handler::V1Breakdown)
        }
        (&Method::GET, ["api", "stats", "journeys"]) => ("journeys", Readers, DashboardOrigin, Handler::Journeys),
        (&Method::GET, ["api", "stats", "realtime"]) => ("realtime", Readers, DashboardOrigin, Handler::Realtime),
        (&Method::GET, ["api", "stats", "export"]) => ("export", Readers, DashboardOrigin, Handler::Export),
        (&Method::GET, ["api", "stats", "goals"]) => ("goal_report", Readers, DashboardOrigin, Handler::GoalReport),
        (&Method::GET, ["api", "stats", "goals", id, dimension]) => {
            ("goal_by", Readers, DashboardOrigin, Handler::GoalBy(id, dimension))
        }
        (&Method::GET, ["api", "sites", site, "goals"]) => {
            ("goals", ListReaders, DashboardOrigin, Handler::Goals(site))
        }
        (&Method::POST, ["api", "sites", site, "goals"]) => {
            ("add_goal", OperatorsOf(site), DashboardOrigin, Handler::AddGoal(site))
        }
        (&Method::PUT, ["api", "sites", site, "goals", id]) => {
            ("replace_goal", OperatorsOf(site), DashboardOrigin, Handler::ReplaceGoal(site, id))
        }
        (&Method::DELETE, ["api", "sites", site, "goals", id]) => {
            ("remove_goal", OperatorsOf(site), DashboardOrigin, Handler::RemoveGoal(site, id))
        }
        (&Method::GET, ["api", "sites", site, "funnels"]) => {
            ("funnels", ListReaders, DashboardOrigin, Handler::Funnels(site))
        }
        (&Method::POST, ["api", "sites", site, "funnels"]) => {
            ("add_funnel", OperatorsOf(site), DashboardOrigin, Handler::AddFunnel(site))
        }
        (&Method::DELETE, ["api", "sites", site, "funnels", id]) => {
            ("remove_funnel", OperatorsOf(site), DashboardOrigin, Handler::RemoveFunnel(site, id))
        }
        (&Method::GET, ["api", "sites"]) => ("sites", ListReaders, DashboardOrigin, Handler::Sites),
        (&Method::POST, ["api", "keys"]) => ("create_key", Operators, DashboardOrigin, Handler::CreateKey),
        (&Method::GET, ["api", "keys"]) => ("keys", Managers, DashboardOrigin, Handler::Keys),
        (&Method::DELETE, ["api", "keys", hash]) => {
            ("revoke_key", Operators, DashboardOrigin, Handler::RevokeKey(hash))
        }
        (&Method::DELETE, ["api", "gdpr", "erase"]) => ("erase", OperatorsOfNamed, DashboardOrigin, Handler::Erase),
        (&Method::GET, ["api", "sites", site, "segments"]) => {
            ("segments", ListReaders, DashboardOrigin, Handler::Segments(site))
        }
        (&Method::POST, ["api", "sites", site, "segments"]) => {
            ("add_segment", OperatorsOf(site), DashboardOrigin, Handler::AddSegment(site))
        }
        (&Method::DELETE, ["api", "sites", site, "segments", id]) => {
            ("remove_segment", OperatorsOf(site), DashboardOrigin, Handler::RemoveSegment(site, id))
        }
        (&Method::POST, ["api", "store", "acknowledge-loss"]) => {
            ("acknowledge_loss", Operators, DashboardOrigin, Handler::AcknowledgeLoss)
        }
        (&Method::POST, ["api", "store", "snapshots"]) => {
            ("take_snapshot", Operators, DashboardOrigin, Handler::TakeSnapshot)
        }
        (&Method::GET, ["api", "store", "snapshots"]) => {
            ("snapshots", StoreReaders, DashboardOrigin, Handler::Snapshots)
        }
        (&Method::DELETE, ["api", "store", "snapshots", id]) => {
            ("remove_snapshot", Operators, DashboardOrigin, Handler::RemoveSnapshot(id))
        }
        (&Method::GET, ["api", "openapi.json"]) => ("openapi", Anyone, SameOrigin, Handler::OpenApi),
        (&Method::GET, ["health"]) => ("health", Anyone, SameOrigin, Handler::Live),
        (&Method::GET, ["health", "ready"]) => ("ready", Anyone, SameOrigin, Handler::Ready),
        (&Method::GET, ["health", "detailed"]) => ("health_detailed", Anyone, SameOrigin, Handler::Detailed),
        (&Method::GET, ["metrics"]) => ("metrics", Anyone, SameOrigin, Handler::Metrics),
        (&Method::GET, ["mallard.js"] | ["js", "script.js"]) => ("tracker", Anyone, AnyOrigin, Handler::Tracker),
        (&Method::GET, ["robots.txt"]) => ("robots", Anyone, SameOrigin, Handler::Robots),
        (&Method::GET, [".well-known", "security.txt"]) => ("security", Anyone, SameOrigin, Handler::Security),
        (&Method::GET, _) => ("asset", Anyone, SameOrigin, Handler::Asset(assets::find(path)?)),
        _ => return None,
    };
    Some(Route { label, cors, access, handler })
}

/// Who makes the request, if the route asks; an error if they may not.
fn authorize(access: Access<'_>, app: &App, request: &Request) -> Result<Option<Principal>, ApiError> {
    let (headers, now) = (request.headers(), app.now());
    let principal = match access {
        Access::Anyone => return Ok(None),
        Access::Readers | Access::ListReaders | Access::StoreReaders => app.auth.authorize_reading(headers, now)?,
        Access::Operators | Access::OperatorsOf(_) | Access::OperatorsOfNamed => {
            app.auth.authorize_change(headers, now)?
        }
        Access::Managers => app.auth.authorize_managing(headers, now)?,
    };
    match access {
        Access::Anyone | Access::ListReaders => {}
        Access::Readers | Access::OperatorsOfNamed => {
            let pairs = request.query_pairs();
            principal.require_site(stats::params::value(&pairs, "site_id").unwrap_or_default())?;
        }
        Access::OperatorsOf(site) => principal.require_site(sites::site_of(site)?.as_str())?,
        Access::StoreReaders | Access::Operators | Access::Managers => principal.require_all_sites()?,
    }
    Ok(Some(principal))
}

/// Runs the handler of `route`, if the caller may.
pub(crate) async fn call(route: Route<'_>, app: &App, request: Request) -> Result<Response, ApiError> {
    let principal = authorize(route.access, app, &request)?;
    match route.handler {
        Handler::Event => ingest::event::post(app, request).await,
        // The runtime moves the future of a request several times. Without the seldom ones in it that costs little.
        handler => Box::pin(call_seldom(handler, app, request, principal)).await,
    }
}

/// Runs a handler that is not the one for events.
async fn call_seldom(
    handler: Handler<'_>,
    app: &App,
    request: Request,
    principal: Option<Principal>,
) -> Result<Response, ApiError> {
    match handler {
        Handler::Event => ingest::event::post(app, request).await,
        Handler::Batch => ingest::batch::post(app, request).await,
        Handler::Pixel => ingest::pixel::get(app, request).await,
        Handler::Setup => auth::handlers::setup(app, request).await,
        Handler::Login => auth::handlers::login(app, request).await,
        Handler::Logout => auth::handlers::logout(app, request).await,
        Handler::AuthStatus => auth::handlers::status(app, request).await,
        Handler::Main => stats::main::get(app, &request).await,
        Handler::Timeseries => stats::timeseries::get(app, &request).await,
        Handler::Breakdown(dimension) => stats::breakdown::get(app, &request, dimension).await,
        Handler::Sessions => stats::sessions::get(app, &request).await,
        Handler::Funnel => stats::funnel::get(app, &request).await,
        Handler::Sequences => stats::sequences::get(app, &request).await,
        Handler::Flow => stats::flow::get(app, &request).await,
        Handler::Retention => stats::retention::get(app, &request).await,
        Handler::Query => plausible::v2::post(app, request, principal.as_ref()).await,
        Handler::RealtimeVisitors => plausible::v1::realtime(app, &request).await,
        Handler::Aggregate => plausible::v1::aggregate(app, &request).await,
        Handler::V1Timeseries => plausible::v1::timeseries(app, &request).await,
        Handler::V1Breakdown => plausible::v1::breakdown(app, &request).await,
        Handler::Journeys => stats::journeys::get(app, &request).await,
        Handler::Realtime => stats::realtime::get(app, &request).await,
        Handler::Export => stats::export::get(app, &request).await,
        Handler::GoalReport => stats::goals::get(app, &request).await,
        Handler::GoalBy(id, dimension) => stats::goals::by(app, &request, id, dimension).await,
        Handler::Goals(site) => goals::list(app, principal.as_ref(), site),
        Handler::AddGoal(site) => goals::add(app, request, site).await,
        Handler::ReplaceGoal(site, id) => goals::replace(app, request, site, id).await,
        Handler::RemoveGoal(site, id) => goals::remove(app, site, id).await,
        Handler::Funnels(site) => funnels::list(app, principal.as_ref(), site),
        Handler::AddFunnel(site) => funnels::add(app, request, site).await,
        Handler::RemoveFunnel(site, id) => funnels::remove(app, site, id).await,
        Handler::Sites => sites::get(app, principal.as_ref()),
        Handler::ChangeSite(site) => sites::put(app, request, site).await,
        Handler::CreateKey => keys::api::create(app, request).await,
        Handler::Keys => keys::api::list(app),
        Handler::RevokeKey(hash) => keys::api::revoke(app, hash).await,
        Handler::Erase => erase::delete(app, &request).await,
        Handler::Segments(site) => segments::list(app, principal.as_ref(), site),
        Handler::AddSegment(site) => segments::add(app, site, request).await,
        Handler::RemoveSegment(site, id) => segments::remove(app, site, id).await,
        Handler::AcknowledgeLoss => loss::post(app).await,
        Handler::TakeSnapshot => backup::api::take(app).await,
        Handler::Snapshots => backup::api::list(app).await,
        Handler::RemoveSnapshot(id) => backup::api::remove(app, id).await,
        Handler::OpenApi => openapi::get(&request),
        Handler::Live => Ok(health::live()),
        Handler::Ready => Ok(health::ready(app)),
        Handler::Detailed => health::detailed(app),
        Handler::Metrics => metrics::get(app, &request),
        Handler::Tracker => Ok(files::tracker(&request)),
        Handler::Robots => Ok(files::robots()),
        Handler::Security => Ok(files::security()),
        Handler::Asset(asset) => Ok(files::asset(&request, asset)),
    }
}

/// What a method and a path lead to.
#[derive(Debug)]
pub(crate) enum Resolution<'a> {
    /// A handler.
    Route(Route<'a>),
    /// A question about the path itself; to be answered with 204.
    Options(Cors),
    /// The path exists, the method does not; the methods that do.
    WrongMethod(Cors, String),
    /// Nothing has this path.
    Unknown,
}

/// Looks a request up in the table.
pub(crate) fn resolve<'a>(method: &Method, path: &'a str) -> Resolution<'a> {
    let in_table = if method == Method::HEAD { &Method::GET } else { method };
    match find(in_table, path) {
        Some(route) if method != Method::HEAD || route.allows_head() => Resolution::Route(route),
        _ => without_handler(method, path),
    }
}

impl Route<'_> {
    fn allows_head(&self) -> bool {
        !matches!(self.handler, Handler::Pixel)
    }
}

fn without_handler<'a>(method: &Method, path: &str) -> Resolution<'a> {
    let mut allow = Vec::new();
    let mut cors = Cors::SameOrigin;
    for candidate in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
        let Some(route) = find(&candidate, path) else { continue };
        cors = route.cors;
        if candidate == Method::GET && route.allows_head() {
            allow.push(Method::HEAD);
        }
        allow.push(candidate);
    }
    if allow.is_empty() {
        return Resolution::Unknown;
    }
    if method == Method::OPTIONS {
        return Resolution::Options(cors);
    }
    allow.push(Method::OPTIONS);
    let allow: Vec<&str> = allow.iter().map(Method::as_str).collect();
    Resolution::WrongMethod(cors, allow.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(method: &Method, path: &str) -> String {
        match resolve(method, path) {
            Resolution::WrongMethod(_, allow) => allow,
            other => panic!("{method} {path}: {other:?}"),
        }
    }

    fn label(method: &Method, path: &str) -> &'static str {
        match resolve(method, path) {
            Resolution::Route(route) => route.label,
            other => panic!("{method} {path}: {other:?}"),
        }
    }

    /// Paths of every kind of access; that all operations of the API ask for a credential is tested by its OpenAPI document.
    const GET_PATHS: [&str; 23] = [
        "/api/auth/status",
        "/api/stats/main",
        "/api/stats/timeseries",
        "/api/stats/breakdown/pages",
        "/api/stats/sessions",
        "/api/stats/funnel",
        "/api/stats/sequences",
        "/api/stats/flow",
        "/api/stats/retention",
        "/api/stats/journeys",
        "/api/stats/realtime",
        "/api/stats/export",
        "/api/sites",
        "/api/keys",
        "/health",
        "/health/ready",
        "/health/detailed",
        "/metrics",
        "/mallard.js",
        "/js/script.js",
        "/robots.txt",
        "/.well-known/security.txt",
        "/api/event",
    ];

    #[test]
    fn head_reaches_the_handler_of_get_except_on_the_pixel() {
        for path in GET_PATHS.into_iter().filter(|path| *path != "/api/event") {
            assert_eq!(label(&Method::HEAD, path), label(&Method::GET, path), "{path}");
        }
        assert_eq!(allow(&Method::HEAD, "/api/event"), "GET, POST, OPTIONS");
    }

    #[test]
    fn a_wrong_method_names_the_right_ones() {
        assert_eq!(allow(&Method::PUT, "/api/event"), "GET, POST, OPTIONS");
        assert_eq!(allow(&Method::GET, "/api/auth/login"), "POST, OPTIONS");
        assert_eq!(allow(&Method::HEAD, "/api/auth/login"), "POST, OPTIONS");
        assert_eq!(allow(&Method::POST, "/api/stats/main"), "HEAD, GET, OPTIONS");
        assert_eq!(allow(&Method::DELETE, "/health"), "HEAD, GET, OPTIONS");
    }

    #[test]
    fn every_statistic_is_behind_the_restriction_of_keys_to_sites() {
        for path in GET_PATHS.into_iter().filter(|path| path.starts_with("/api/stats/")) {
            assert!(matches!(find(&Method::GET, path), Some(Route { access: Access::Readers, .. })), "{path}");
        }
    }

    #[test]
    fn a_path_that_is_not_in_the_table_is_unknown_for_every_method() {
        for path in
            ["/api", "/api/", "/api/events/x", "/api/stats/breakdown", "/api/stats/main/", "//health", "/wp-login.php"]
        {
            for method in [Method::GET, Method::POST, Method::OPTIONS, Method::HEAD] {
                assert!(matches!(resolve(&method, path), Resolution::Unknown), "{method} {path}");
            }
        }
    }

    #[test]
    fn options_is_answered_by_the_rules_of_the_path() {
        assert!(matches!(resolve(&Method::OPTIONS, "/api/event"), Resolution::Options(Cors::AnyOrigin)));
        assert!(matches!(resolve(&Method::OPTIONS, "/mallard.js"), Resolution::Options(Cors::AnyOrigin)));
        assert!(matches!(resolve(&Method::OPTIONS, "/api/sites"), Resolution::Options(Cors::DashboardOrigin)));
        assert!(matches!(resolve(&Method::OPTIONS, "/api/auth/login"), Resolution::Options(Cors::DashboardOrigin)));
        assert!(matches!(resolve(&Method::OPTIONS, "/metrics"), Resolution::Options(Cors::SameOrigin)));
    }

    #[test]
    fn statistics_sites_and_keys_are_not_for_anyone() {
        for path in GET_PATHS {
            let Resolution::Route(route) = resolve(&Method::GET, path) else { panic!("{path}") };
            let is_protected = path.starts_with("/api/stats/") || matches!(path, "/api/sites" | "/api/keys");
            assert_eq!(route.access != Access::Anyone, is_protected, "{path}");
        }
    }
}
