//! The page: files that were built from `web/` and lie in the program, or a small page that says how to get them. Paths that are not files
//! are the page's own.

use crate::api::{ApiError, Shared};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// A file of the page.
pub struct File {
    pub path: &'static str,
    pub bytes: &'static [u8],
    /// The same, packed by gzip.
    pub packed: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/page_files.rs"));

/// Shown where the page was not built.
const WITHOUT: &str = include_str!("page.html");

/// Whether the page is in the program.
pub fn is_built() -> bool {
    !FILES.is_empty()
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// A file of the page, or the page itself for a path of its own.
pub async fn serve(State(_): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/v1/") || path == "/v1" {
        return ApiError::not_found("path").into_response();
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let hint = "GET /v1/openapi.json lists every path with its methods";
        return ApiError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "pages are only read",
            hint,
        )
        .into_response();
    }
    let name = path.trim_start_matches('/');
    let packs = request.headers().get(header::ACCEPT_ENCODING);
    let packs = packs
        .and_then(|packs| packs.to_str().ok())
        .is_some_and(|packs| packs.contains("gzip"));
    let find = |name: &str| FILES.iter().find(|file| file.path == name);
    if let Some(file) = find(name) {
        return respond(file, packs, name.starts_with("assets/"));
    }
    // What has the form of a file and is none is missing; everything else is a place in the page.
    let last = name.rsplit('/').next().unwrap_or_default();
    if name.starts_with("assets/") || last.contains('.') {
        return ApiError::not_found("file").into_response();
    }
    match find("index.html") {
        Some(page) => respond(page, packs, false),
        None => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], WITHOUT).into_response(),
    }
}

/// Files with a hash in their name never change.
fn respond(file: &File, packs: bool, forever: bool) -> Response {
    let packed = file.packed.filter(|_| packs);
    let mut response = packed.unwrap_or(file.bytes).into_response();
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(file.path)));
    fields.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if packed.is_some() {
        fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let keep = match forever {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    response
}
