//! Every decoder of an archive and of what providers send, fed with broken bytes from a fixed seed: an error, never a panic, and
//! never two byte forms of one value.

use super::*;
use crate::meters::SignedMeters;
use crate::world::World;
use cairn_types::BasisPoints;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Some bytes changed, some cut, some inserted.
    fn broken(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut broken = bytes.to_vec();
        for _ in 0..=self.next() % 4 {
            let at = self.next() as usize % broken.len().max(1);
            match self.next() % 4 {
                0 => broken.truncate(at),
                1 => broken.insert(at.min(broken.len()), self.next() as u8),
                _ => broken
                    .iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|byte| *byte = self.next() as u8),
            }
        }
        broken
    }
}

fn decoder<T>(what: &str, good: &[u8])
where
    T: Encode<()> + for<'b> Decode<'b, ()>,
{
    let mut random = Random(what.len() as u64 + 77);
    for _ in 0..2_000 {
        let bytes = random.broken(good);
        if let Ok(value) = codec::decode_canonical::<T>(&bytes) {
            assert_eq!(codec::encode(&value), bytes, "{what}");
        }
        let noise: Vec<u8> = (0..random.next() % 64).map(|_| random.next() as u8).collect();
        // Noise may mean something small; it must only not panic.
        let _ = codec::decode_canonical::<T>(&noise);
    }
}

#[test]
fn broken_bytes_are_errors_in_every_decoder() {
    let world = World::new(2);
    let (mut collector, mut epochs) = (world.collector(), world.epochs());
    world.choose(0, Some(10_000));
    world.close(&mut epochs, &mut collector, 0);
    world.feed(&mut collector, 1);
    world.close(&mut epochs, &mut collector, 1);
    let archive = EpochArchive::of(&world.objects, &world.network, EpochNumber(1));
    assert!(archive.manifest().unwrap().unwrap().exchange.is_some());
    decoder::<Inputs>(INPUTS, &archive.need(INPUTS).unwrap());
    decoder::<Manifest>(MANIFEST, &archive.need(MANIFEST).unwrap());
    decoder::<Vec<PayoutLeaf>>(PAYOUTS, &archive.need(PAYOUTS).unwrap());
    decoder::<Vec<Choice>>(
        CHOICES,
        &codec::encode(&vec![None, BasisPoints::new(300), Some(BasisPoints::WHOLE)]),
    );
    decoder::<minicbor::bytes::ByteVec>(MEMORY, &archive.need(MEMORY).unwrap());
    let findings = archive.findings().unwrap();
    decoder::<Vec<Finding>>(FINDINGS, &codec::encode(&findings[..2].to_vec()));
    let record = crate::meters::MeterRecord {
        network: world.network,
        order: Default::default(),
        entries: Vec::new(),
    };
    let signer = crate::world::account(crate::world::PROVIDER);
    let signed = record.sign_by(&"verifier-test".parse().unwrap(), &signer.rule, &signer.keys);
    decoder::<SignedMeters>("meters", &codec::encode(&signed));
}
