//! What a gateway reads from customers and from its own disk, and what a customer reads from a gateway: nothing a gateway says makes
//! a customer pay for what was not asked.

use cairn_gateway::{
    api_key::ApiKey,
    customer::{self, Agreed},
    export::Format,
    faces::{PurchaseRequest, QuoteFace, QuoteRequest},
    journal::{Journal, Pending, Room},
    purse::{Bought, Paid},
    query::Query,
    quote::{self, Epochs, Quote},
    sale,
};
use cairn_ledger::tx::settle_order::Voucher;
use cairn_types::{
    AccountId, CellId, ChainId, Credit, DeviceNumber, EpochNumber, Hash, NetworkId, OrderId, TimeMs, codec::encode,
};
use cairn_verifier::{disk::SimulatedDisk, meters::MeterEntry};
use serde_json::{from_slice, to_vec};

use crate::{Target, types::key, value};

const HOUR_MS: u64 = 3_600_000;
const ORDER: OrderId = OrderId([4; 32]);

pub const TARGETS: &[Target] = &[
    Target {
        name: "quote_request",
        run: quote_request,
        seeds: || {
            let asked = [
                asked(),
                Query {
                    cells: vec![],
                    ..asked()
                },
            ];
            let nobody = QuoteRequest {
                customer: None,
                ..customer::ask(&asked[0], &AccountId([6; 32]))
            };
            let mut seeds = asked
                .map(|query| json(&customer::ask(&query, &AccountId([6; 32]))))
                .to_vec();
            seeds.push(json(&nobody));
            seeds
        },
    },
    Target {
        name: "purchase_request",
        run: purchase_request,
        seeds: || {
            let agreed = Agreed::check(&asked(), &chain(), &(&quote()).into()).expect("its own terms");
            Format::ALL
                .map(|format| json(&agreed.purchase(ORDER, format, &key(3))))
                .to_vec()
        },
    },
    Target {
        name: "quote",
        run: quote_face,
        seeds: || vec![json(&QuoteFace::from(&quote()))],
    },
    Target {
        name: "sale_journal",
        run: sale_journal,
        seeds: || vec![encode(&pending(0)), encode(&pending(3)), encode(&of_key())],
    },
    Target {
        name: "api_key",
        run: api_key,
        seeds: || {
            let texts = [[1; 32], [250; 32]].map(|secret| ApiKey::new(ORDER, secret).text());
            texts.map(|text| text.as_bytes().to_vec()).to_vec()
        },
    },
];

fn json(face: &impl serde::Serialize) -> Vec<u8> {
    to_vec(face).expect("faces are plain")
}

/// A question that was read is asked again the same.
pub fn quote_request(bytes: &[u8]) -> bool {
    let Ok((query, customer)) = from_slice::<QuoteRequest>(bytes).map_or(Err(()), |face| face.read().map_err(|_| ()))
    else {
        return false;
    };
    let again = QuoteRequest {
        customer: customer.map(|customer| customer.to_string()),
        ..customer::ask(&query, &AccountId([6; 32]))
    };
    let again = again.read();
    assert!(again.is_ok_and(|again| again == (query.clone(), customer)));
    is_answerable(&query)
}

/// A request that was not signed for is never taken for one that was.
pub fn purchase_request(bytes: &[u8]) -> bool {
    let Ok((ask, format)) = from_slice::<PurchaseRequest>(bytes).map_or(Err(()), |face| face.read().map_err(|_| ()))
    else {
        return false;
    };
    assert_eq!(Format::by_name(format.name()), Some(format));
    let message = sale::request_message(&chain(), &ask.voucher.order, &ask.query);
    if key(3).public().verify(&message, &ask.signature) {
        assert!(
            ask.query == quote().query && ask.voucher.order == ORDER,
            "a forged request"
        );
    }
    is_answerable(&ask.query)
}

/// Whoever agrees holds exactly the price, for what was asked, under terms that say so.
pub fn quote_face(bytes: &[u8]) -> bool {
    let Ok(face) = from_slice::<QuoteFace>(bytes) else {
        return false;
    };
    let Ok(agreed) = Agreed::check(&asked(), &chain(), &face) else {
        return false;
    };
    let (quote, asked) = (agreed.quote(), asked());
    assert!(
        quote.query.to <= asked.to
            && quote.query
                == Query {
                    to: quote.query.to,
                    ..asked
                }
    );
    let order = agreed.order(TimeMs(u64::MAX), key(3).public());
    assert!(order.hold == quote.price && order.terms == quote.terms);
    let bought = agreed.purchase(ORDER, Format::Csv, &key(3)).read();
    assert!(bought.is_ok_and(|(ask, _)| ask.query == quote.query && ask.voucher.credits == quote.price));
    true
}

/// What stands in a file of the journal is found as it is, or refused as damaged.
pub fn sale_journal(bytes: &[u8]) -> bool {
    let disk = SimulatedDisk::new(1 << 20);
    disk.tamper(&format!("{ORDER}.sale"), bytes.to_vec());
    let found = value::<Pending>(bytes);
    let room = Room {
        pending_max: 8,
        keys_max: 8,
    };
    let Ok(journal) = Journal::open(Box::new(disk), room) else {
        assert!(found.is_none_or(|pending| pending.order() != ORDER));
        return false;
    };
    assert_eq!(journal.get(&ORDER).expect("it was opened"), found);
    true
}

/// A text that is an API key is the one text of that key.
pub fn api_key(bytes: &[u8]) -> bool {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let Ok(key) = text.parse::<ApiKey>() else {
        return false;
    };
    assert!(*key.text() == text, "a key has one form");
    true
}

/// Looks at a query as the gateway does before it reads any data.
fn is_answerable(query: &Query) -> bool {
    query.hash();
    let answerable = query.check().is_ok() && query.check_cells(10).is_ok();
    query.covers(cell());
    answerable
}

fn cell() -> CellId {
    CellId::new(0x08a1_fb46_622d_ffff).expect("a cell of Amsterdam")
}

fn chain() -> ChainId {
    "cairn-fuzz".parse().expect("plain")
}

fn asked() -> Query {
    Query {
        network: NetworkId([3; 32]),
        cells: vec![cell().parent(5).expect("coarser")],
        quantity: "rain".to_owned(),
        from: TimeMs(1_500_076_800_000),
        to: TimeMs(1_500_076_800_000 + 24 * HOUR_MS),
    }
}

/// For an hour less than was asked.
fn quote() -> Quote {
    let mut query = asked();
    query.to = TimeMs(query.to.0 - HOUR_MS);
    let (provider, meters, price) = (AccountId([7; 32]), Hash([8; 32]), Credit(1_234));
    let until = query.to;
    Quote {
        terms: quote::terms(&chain(), &provider, &query, 276, price, &meters),
        query,
        chain: chain(),
        provider,
        rows: 276,
        devices: 1,
        price,
        meters,
        epochs: Epochs {
            first: EpochNumber(0),
            last: EpochNumber(22),
            settled: 23,
            missing: 0,
        },
        available_until: until,
        valid_until: until,
    }
}

fn pending(count: u32) -> Pending {
    let voucher = Voucher {
        order: ORDER,
        credits: Credit(5),
        meters: Hash([1; 32]),
    };
    let entry = |at| MeterEntry {
        device: DeviceNumber(at),
        credits: Credit(u64::from(at)),
    };
    Pending {
        network: NetworkId([9; 32]),
        settle: voucher.sign(&chain(), &key(3)),
        entries: (0..count).map(entry).collect(),
        due: None,
        bought: None,
    }
}

fn of_key() -> Pending {
    let mut bought = Bought::default();
    bought.note(Paid {
        query: Hash([2; 32]),
        rows: 7,
        price: Credit(5),
        meters: Hash([1; 32]),
    });
    Pending {
        due: Some(TimeMs(9)),
        bought: Some(bought),
        ..pending(3)
    }
}
