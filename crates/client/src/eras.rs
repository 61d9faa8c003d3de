//! From the first key to the one that signs now: how a client whose trust anchor is of an earlier era goes on. The node only hands
//! over what the eras before signed; nothing of it is believed unchecked.

use crate::error::ClientError;
use crate::node::NodeClient;
use cairn_engine::Resolution;
use cairn_engine::light::{Anchor, GROUP_KEY_BYTES, HandOver, follow};
use cairn_types::codec;
use serde::Deserialize;

/// What a node says of the eras so far. Nothing of it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eras {
    pub era: u32,
    /// The first era's group key.
    pub first: [u8; GROUP_KEY_BYTES],
    /// The oldest first.
    pub hand_overs: Vec<HandOver>,
}

#[derive(Deserialize)]
struct ErasBody {
    era: u32,
    first_group_key: String,
    hand_overs: Vec<String>,
}

#[derive(Deserialize)]
struct HandedIn {}

impl NodeClient {
    /// The eras of the node's chain, as it tells them.
    pub async fn eras(&self) -> Result<Eras, ClientError> {
        let body: ErasBody = self.http.get("/v1/eras").await?;
        let mut first = [0; GROUP_KEY_BYTES];
        let read = hex::decode_to_slice(&body.first_group_key, &mut first);
        read.map_err(|_| ClientError::Nonsense("not a group key"))?;
        let hand_over = |text: &String| hand_over(text).ok_or(ClientError::Nonsense("not a hand-over"));
        Ok(Eras {
            era: body.era,
            first,
            hand_overs: body.hand_overs.iter().map(hand_over).collect::<Result<_, _>>()?,
        })
    }

    /// The same client with the anchor of the era that signs now: each hand-over since its own anchor is checked. Answers those
    /// hand-overs as well.
    pub async fn followed(self) -> Result<(Self, Vec<HandOver>), ClientError> {
        let Some(anchor) = self.anchor().cloned() else {
            return Ok((self, Vec::new()));
        };
        if self.status().await?.era <= anchor.era {
            return Ok((self, Vec::new()));
        }
        let hand_overs = self.eras().await?.hand_overs;
        let next = follow(&anchor, &hand_overs)?;
        Ok((self.with_anchor(next), hand_overs))
    }

    /// Hands in the validators' resolution to end their era.
    pub async fn hand_over(&self, resolution: &Resolution) -> Result<(), ClientError> {
        let _: HandedIn = self.http.post("/v1/transactions", &resolution.encode()).await?;
        Ok(())
    }
}

/// A hand-over from the hexadecimal digits of its bytes.
pub fn hand_over(text: &str) -> Option<HandOver> {
    codec::decode_canonical(&hex::decode(text).ok()?).ok()
}

/// The anchor at the end of these hand-overs, each checked.
pub fn follow_eras(anchor: &Anchor, hand_overs: &[HandOver]) -> Result<Anchor, ClientError> {
    Ok(follow(anchor, hand_overs)?)
}
