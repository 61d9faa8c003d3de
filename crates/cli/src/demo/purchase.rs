//! The customer's purchase, as any customer's program makes it: a quote over HTTP, an order on the ledger, the data over HTTP.

use super::tally::DayOrder;
use super::world::World;
use crate::error::{Failure, Kind, OrFail};
use cairn_gateway::customer::{Agreed, ask};
use cairn_gateway::export::Format;
use cairn_gateway::faces::QuoteFace;
use cairn_gateway::query::Query;
use cairn_ledger::tx::Body;
use cairn_ledger::tx::open_order::order_id;
use cairn_types::TimeMs;

/// How long the order may stay open, in milliseconds of data time.
const ORDER_MS: u64 = 3_600_000;

/// Every accepted reading of rain from `from` to before `to`, as CSV.
pub async fn day(world: &World, from: TimeMs, to: TimeMs) -> Result<DayOrder, Failure> {
    let http = reqwest::Client::new();
    let customer = &world.people.customer;
    let query = Query {
        network: world.network,
        cells: Vec::new(),
        quantity: "rain".to_owned(),
        from,
        to,
    };
    let asked = json(&ask(&query, &customer.account))?;
    let Some(answer) = post(&http, &format!("{}/v1/quotes", world.gateway.url()), asked).await? else {
        // Nothing was accepted that day: nothing to buy.
        return Ok(DayOrder::default());
    };
    let quote: QuoteFace = serde_json::from_slice(&answer).or_fail(Kind::Internal, "the quote")?;
    let agreed = Agreed::check(&query, &world.genesis.chain, &quote);
    let agreed = agreed.or_fail(Kind::Refused, "the quote is not what was asked for")?;
    let open = agreed.order(to.plus_ms(ORDER_MS), customer.key.public());
    let signed = world.wallet.sign(&customer.key, None, Body::OpenOrder(open)).await?;
    world.wallet.submit(&signed).await?;
    let purchase = json(&agreed.purchase(order_id(&signed), Format::Csv, &customer.key))?;
    let file = post(&http, &format!("{}/v1/queries", world.gateway.url()), purchase).await?;
    let file = file.ok_or_else(|| Failure::new(Kind::NotFound, "the paid data is not there"))?;
    let lines = file.iter().filter(|byte| **byte == b'\n').count() as u64;
    Ok(DayOrder {
        rows: lines.saturating_sub(1),
        credits: agreed.quote().price,
    })
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).or_fail(Kind::Internal, "JSON")
}

/// The body of a good answer; `None` for *not found*.
async fn post(http: &reqwest::Client, url: &str, body: Vec<u8>) -> Result<Option<Vec<u8>>, Failure> {
    let request = http.post(url).header("content-type", "application/json").body(body);
    let response = request.send().await.or_fail(Kind::Unreachable, url)?;
    let status = response.status();
    let bytes = response.bytes().await.or_fail(Kind::Unreachable, url)?;
    match status.as_u16() {
        200 => Ok(Some(bytes.to_vec())),
        404 => Ok(None),
        402 => Err(Failure::new(Kind::Insufficient, String::from_utf8_lossy(&bytes))),
        _ => Err(Failure::new(
            Kind::Refused,
            format!("{url}: {status}: {}", String::from_utf8_lossy(&bytes)),
        )),
    }
}
