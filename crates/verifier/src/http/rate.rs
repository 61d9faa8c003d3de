//! How much one address may send: a bucket of tokens for each, refilled by the machine's clock. Decides on numbers alone; the
//! table of buckets has an end, at which the fullest, that is the quietest, are forgotten.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

/// Addresses remembered at once.
const ADDRESSES_MAX: usize = 16_384;

/// Envelopes (a request counts as one at least) an address may send.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    pub per_second: u32,
    pub burst: u32,
}

/// The buckets.
pub struct Rates {
    rate: Rate,
    buckets: HashMap<IpAddr, Bucket>,
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Rates {
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            buckets: HashMap::new(),
        }
    }

    /// Takes `cost` from an address' bucket. `Err`: after how many seconds there will be enough.
    pub fn take(&mut self, address: IpAddr, cost: usize, now: Instant) -> Result<(), u32> {
        let address = household(address);
        if self.buckets.len() >= ADDRESSES_MAX && !self.buckets.contains_key(&address) {
            let rate = self.rate;
            self.buckets
                .retain(|_, bucket| bucket.filled(rate, now).tokens < f64::from(rate.burst) / 2.0);
            if self.buckets.len() >= ADDRESSES_MAX {
                return Err(1);
            }
        }
        let full = Bucket {
            tokens: f64::from(self.rate.burst),
            at: now,
        };
        let bucket = self.buckets.entry(address).or_insert(full);
        *bucket = bucket.filled(self.rate, now);
        // A request above the burst passes when the bucket is full, else it never would.
        let cost = (cost.max(1) as f64).min(f64::from(self.rate.burst));
        if bucket.tokens >= cost {
            bucket.tokens -= cost;
            return Ok(());
        }
        let seconds = (cost - bucket.tokens) / f64::from(self.rate.per_second.max(1));
        Err(seconds.ceil().max(1.0) as u32)
    }
}

/// Who shares a bucket: of the newer kind of addresses a household is given 2^64, which are one here.
pub fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::from((u128::from(address) >> 64 << 64).to_be_bytes()),
        v4 => v4,
    }
}

impl Bucket {
    fn filled(self, rate: Rate, now: Instant) -> Self {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        let tokens = (self.tokens + since * f64::from(rate.per_second)).min(f64::from(rate.burst));
        Self { tokens, at: now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_bucket_empties_and_fills_again_and_others_do_not_suffer() {
        let mut rates = Rates::new(Rate {
            per_second: 10,
            burst: 20,
        });
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let start = Instant::now();
        assert_eq!(rates.take(one, 20, start), Ok(()));
        assert_eq!(rates.take(one, 15, start), Err(2));
        assert_eq!(rates.take(other, 1, start), Ok(()));
        assert_eq!(rates.take(one, 15, start + Duration::from_millis(1_500)), Ok(()));
        assert_eq!(
            rates.take(other, 1_000, start + Duration::from_secs(9)),
            Ok(()),
            "never above the burst"
        );
    }

    #[test]
    fn a_household_has_one_bucket_however_many_addresses_it_has() {
        let mut rates = Rates::new(Rate {
            per_second: 1,
            burst: 10,
        });
        let start = Instant::now();
        let take = |rates: &mut Rates, address: &str| rates.take(address.parse().expect("an address"), 10, start);
        assert_eq!(take(&mut rates, "2001:db8:0:1::1"), Ok(()));
        assert_eq!(take(&mut rates, "2001:db8:0:1:ffff::2"), Err(10));
        assert_eq!(take(&mut rates, "2001:db8:0:2::1"), Ok(()));
        assert_eq!(take(&mut rates, "10.0.0.1"), Ok(()));
        assert_eq!(take(&mut rates, "::ffff:10.0.0.1"), Err(10));
        assert_eq!(take(&mut rates, "10.0.0.2"), Ok(()));
    }

    #[test]
    fn many_addresses_do_not_grow_the_table() {
        let mut rates = Rates::new(Rate {
            per_second: 1,
            burst: 10,
        });
        let start = Instant::now();
        for at in 0..ADDRESSES_MAX as u32 + 100 {
            let _ = rates.take(IpAddr::from(at.to_be_bytes()), 9, start);
        }
        assert!(rates.buckets.len() <= ADDRESSES_MAX);
        assert_eq!(
            rates.take(IpAddr::from([1, 2, 3, 4]), 1, start + Duration::from_secs(60)),
            Ok(())
        );
    }
}
