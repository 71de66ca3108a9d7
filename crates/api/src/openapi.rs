//! The OpenAPI document: made from the routes themselves, committed in `fixtures/api`, compared in
//! a test. A change of the api is a change of that file.

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use model::{Event, EventKind};
use serde_json::{Value, json};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi, openapi};

use crate::{
    actions, announcements, conferences, control, events, metrics, parties, probes, problem,
    recordings, registrations, trunks,
};

/// The table of contents.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Convoke",
        version = "1",
        description = "Conferences of a SIP/RTP media server.\n\n\
            A request that changes something is a command: it is answered at once with 202 and the \
            number of the conference's last event, or with a problem that says which rule refused \
            it. Events tell how it goes. A view is a fold of a conference's events, and its `seq` \
            is the last one in it.\n\n\
            Each request needs a bearer token (RFC 6750) once there are tokens, but for health and \
            metrics; until then it must come from the server's own machine. 401 is for a token \
            that is missing or not believed, 403 for one that is not for this.\n\n\
            Errors are problem details (RFC 9457); `code` is for programs, `detail` for people. An \
            Idempotency-Key makes a retry safe.\n\n\
            Times are in milliseconds since the Unix epoch.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    tags(
        (name = "conferences", description = "What is going on."),
        (name = "parties", description = "Who is in, and what each may do."),
        (name = "control", description = "Consulting, whispering, supervising, roles."),
        (name = "recordings", description = "The mix, as WAV."),
        (name = "events", description = "What happened, in order."),
        (name = "server", description = "The server itself."),
    ),
    paths(
        conferences::list_conferences,
        conferences::show_conference,
        conferences::end_conference,
        conferences::write_message,
        announcements::announce,
        announcements::stop_announcement,
        parties::list_parties,
        parties::invite_party,
        parties::show_party,
        parties::remove_party,
        parties::transfer_party,
        control::press,
        parties::change_party,
        control::consult,
        control::whisper,
        control::pair,
        control::appoint,
        control::supervise,
        control::stand,
        actions::list_actions,
        actions::list_actions_with,
        recordings::set_recording,
        recordings::download_recording,
        events::follow_conference,
        events::follow_all,
        registrations::list_registrations,
        trunks::list_trunks,
        probes::about,
        probes::healthz,
        probes::readyz,
        metrics::scrape,
        show,
    ),
    modifiers(&Bearer),
    security(("bearer" = [])),
    components(schemas(
        Event, EventKind, events::Opening, events::OpeningOfAll, problem::Problem
    )),
)]
struct Contents;

/// The one way in.
struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.description = Some(
            "A token that `convoke token` has made, or a JWT (RFC 7519) of an issuer that is \
             believed, with the claims `role` (admin, integration, supervisor, agent, guest), and, \
             as the role needs them, `user`, `conference` and `party`; `scope` narrows it to some \
             of `read`, `control` and `recordings`."
                .to_owned(),
        );
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let contents = serde_json::to_value(Contents::openapi());
    let mut document = contents.expect("our own document is always JSON");
    illustrate(&mut document);
    format!("{document:#}\n")
});

/// The OpenAPI 3.1 document as JSON.
pub fn document() -> &'static str {
    &DOCUMENT
}

/// The OpenAPI document
///
/// This one.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    tag = "server",
    responses((status = 200, description = "OpenAPI 3.1.", body = Object,
        content_type = "application/json")),
)]
pub(crate) async fn show() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], document())
}

/// Adds to the words of `model` what only a reader of this document needs: how ids look.
fn illustrate(document: &mut Value) {
    for (name, letter) in
        [("ConferenceId", 'c'), ("PartyId", 'p'), ("RecordingId", 'r'), ("CommandId", 'x')]
    {
        let schema = &mut document["components"]["schemas"][name];
        schema["pattern"] = json!(format!("^{letter}[0-9a-hjkmnp-tv-z]{{13}}$"));
        schema["example"] = json!(format!("{letter}0000000000007"));
    }
    document["components"]["schemas"]["ConferenceName"]["example"] = json!("standup");
}
