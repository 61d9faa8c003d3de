//! What a transaction costs. Fees are burned: they make room for re-emission and pay nobody for including anything.

use super::Body;
use crate::genesis::Fees;
use crate::records::PARAMETER_PAGE_BYTES;
use cairn_types::Token;

/// The fee of a body; a sum that cannot be counted is the largest fee.
pub fn fee(fees: &Fees, body: &Body) -> Token {
    let pages = |parameters: &[u8]| {
        let pages = parameters.len().div_ceil(PARAMETER_PAGE_BYTES) as u64;
        Token(fees.parameter_page.0.saturating_mul(pages))
    };
    let extra = match body {
        Body::PostPrice(_)
        | Body::AnchorEpoch(_)
        | Body::SettleEpoch(_)
        | Body::Pay(_)
        | Body::ExpireOrder(_)
        | Body::SlashVerifier(_)
        | Body::SlashReceipt(_)
        | Body::BarDevice(_)
        | Body::VoteDispute(_) => return Token::ZERO,
        Body::OpenAccount(_) => fees.open_account,
        Body::RegisterDevice(_) => fees.register_device,
        Body::JoinNetwork(_) => fees.join_network,
        Body::MoveDevice(_) => fees.move_device,
        Body::CreateNetwork(body) => Token(fees.create_network.0.saturating_add(pages(&body.parameters).0)),
        Body::SetParameters(body) => pages(&body.parameters),
        _ => Token::ZERO,
    };
    Token(fees.base.0.saturating_add(extra.0))
}
