//! The web page: three files that come with the program. It has no privileges: whatever it does, a
//! script can do.

use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName};
use axum::response::IntoResponse;

/// Nothing but our own files, and no markup from text: what phones say of themselves can only ever
/// be shown (acceptance S11).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// What a browser is told about one file.
type Headers = [(HeaderName, &'static str); 2];

fn headers(content_type: &'static str) -> Headers {
    [(CONTENT_TYPE, content_type), (CONTENT_SECURITY_POLICY, POLICY)]
}

pub(crate) async fn index() -> impl IntoResponse {
    (headers("text/html; charset=utf-8"), include_str!("../page/index.html"))
}

pub(crate) async fn style() -> impl IntoResponse {
    (headers("text/css; charset=utf-8"), include_str!("../page/style.css"))
}

pub(crate) async fn script() -> impl IntoResponse {
    (headers("text/javascript; charset=utf-8"), include_str!("../page/page.js"))
}

pub(crate) async fn icon() -> impl IntoResponse {
    (headers("image/svg+xml"), include_str!("../page/icon.svg"))
}
