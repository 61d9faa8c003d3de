//! The file that says what an epoch comes to: a result with its exchange, in the form in which a vote carries them, or the manifest of an
//! archive, which holds both.

use crate::error::{Done, Failure, Kind, OrFail};
use cairn_ledger::tx::vote_dispute::VoteDispute;
use cairn_types::codec;
use cairn_verifier::archive::Manifest;
use std::path::Path;

/// More is no such file: a manifest has a signature for each verifier.
const FILE_BYTES_MAX: u64 = 1 << 20;

pub fn write(path: &Path, result: &VoteDispute) -> Done {
    std::fs::write(path, codec::encode(result)).or_fail(Kind::Files, path.display())
}

pub fn read(path: &Path) -> Result<VoteDispute, Failure> {
    let named = path.display();
    let bytes = std::fs::metadata(path).or_fail(Kind::Files, &named)?.len();
    let wrong = |what: &str| {
        let failure = Failure::new(Kind::Files, format!("{named} {what}"));
        failure.hint("name a file that `cairn dispute judge --save` wrote, or the manifest.cbor of an archive")
    };
    if bytes > FILE_BYTES_MAX {
        return Err(wrong("is too long for a result"));
    }
    let bytes = std::fs::read(path).or_fail(Kind::Files, &named)?;
    if let Ok(result) = codec::decode_canonical::<VoteDispute>(&bytes) {
        return Ok(result);
    }
    let manifest = codec::decode_canonical::<Manifest>(&bytes).map_err(|_| wrong("holds no result"))?;
    Ok(VoteDispute {
        result: manifest.attestation.result,
        exchange: manifest.exchange.map(|attested| attested.exchange),
        // The manifest knows only its own side.
        blame: false,
    })
}
