//! Numbers for Prometheus.

use super::{ApiError, Head};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::sync::atomic::Ordering;

pub async fn text(head: Head) -> Result<Response, ApiError> {
    let at = head.read(|ask| Ok(ask.at.clone())).await?;
    let (height, time) = at.map_or((0, head.shared.genesis.start), |at| (at.height, at.time));
    let progress = head.shared.live.progress();
    let lag = head.shared.now().since_ms(time);
    let answered = head.shared.answered.load(Ordering::Relaxed);
    let waits = u8::from(progress.state == "waiting");
    let text = format!(
        "# HELP cairn_explorer_height The last block in the index.\n# TYPE cairn_explorer_height gauge\ncairn_explorer_height {height}\n\
         # HELP cairn_explorer_node_height The node's newest block.\n# TYPE cairn_explorer_node_height gauge\n\
         cairn_explorer_node_height {}\n# HELP cairn_explorer_lag_ms Age of the newest block in the index.\n\
         # TYPE cairn_explorer_lag_ms gauge\ncairn_explorer_lag_ms {lag}\n\
         # HELP cairn_explorer_waiting Whether following stands still.\n# TYPE cairn_explorer_waiting gauge\n\
         cairn_explorer_waiting {waits}\n# HELP cairn_explorer_answers Requests answered.\n\
         # TYPE cairn_explorer_answers counter\ncairn_explorer_answers_total {answered}\n# EOF\n",
        progress.node_height.unwrap_or(0)
    );
    let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, form)], text).into_response())
}
