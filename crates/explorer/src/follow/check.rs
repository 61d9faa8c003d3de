//! Which of a run of blocks are final: each the parent of the next, up to the last that the validators certified. Pure.

use cairn_client::{Anchor, TakenBlock, verify};

/// Why blocks are not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    #[error("the node gives block {got} where {wanted} was asked for")]
    OtherHeight { wanted: u64, got: u64 },
    #[error("block {0} is of another chain or era")]
    OtherChain(u64),
    #[error("block {0} does not name the one before it as its parent")]
    Link(u64),
    #[error("the certificate of block {0} is of another block")]
    OtherBlock(u64),
    #[error("the certificate of block {height} does not hold: {why}")]
    Certificate { height: u64, why: String },
}

/// How many of these blocks are final by a certificate among them. `before` is the digest of the block before the first; none at the
/// chain's beginning, where the certificate alone says whose block it is.
pub fn certified(
    anchor: &Anchor,
    before: Option<[u8; 32]>,
    first: u64,
    blocks: &[TakenBlock],
) -> Result<usize, CheckError> {
    let mut parent = before;
    for (wanted, block) in (first..).zip(blocks) {
        let header = &block.header;
        let got = header.height;
        if got != wanted {
            return Err(CheckError::OtherHeight { wanted, got });
        }
        if header.genesis != anchor.genesis || header.era != anchor.era {
            return Err(CheckError::OtherChain(got));
        }
        if parent.is_some_and(|parent| parent != header.parent) {
            return Err(CheckError::Link(got));
        }
        parent = Some(header.digest());
    }
    let Some(last) = blocks.iter().rposition(|block| block.certificate.is_some()) else {
        return Ok(0);
    };
    let block = &blocks[last];
    let height = block.header.height;
    let certificate = block.certificate.as_deref().unwrap_or_default();
    let certified = verify::verify_certificate(&anchor.chain, &anchor.group_key, certificate);
    let certified = certified.map_err(|error| CheckError::Certificate {
        height,
        why: error.to_string(),
    })?;
    match certified.digest == block.header.digest() {
        true => Ok(last + 1),
        false => Err(CheckError::OtherBlock(height)),
    }
}
