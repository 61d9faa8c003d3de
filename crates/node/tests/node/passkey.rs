//! A newcomer with nothing but a passkey: a network pays for opening its account, and nobody who tampers with what it signed gets in
//! its way.

use crate::world::{CUSTOMER, OPERATOR, World, account};
use cairn_ledger::account::Rule;
use cairn_ledger::tx::open_account::OpenAccount;
use cairn_ledger::tx::transfer::Transfer;
use cairn_ledger::tx::{Asset, Body, Sponsor};
use cairn_ledger::{Reject, Signed, Transaction};
use cairn_types::Token;
use cairn_types::passkey::SoftPasskey;
use serde_json::json;

/// What somebody does to a witness on its way.
type Change = fn(&mut Signed);

fn passkey() -> SoftPasskey {
    SoftPasskey::new([77; 32]).unwrap()
}

fn signed(nonce: u64, sponsor: Option<Sponsor>, body: Body) -> Signed {
    let rule = Rule::single(passkey().public());
    let transaction = Transaction {
        chain: "cairn-test".parse().unwrap(),
        account: rule.account_id(),
        nonce,
        fee_max: Token(1_000_000),
        sponsor,
        body,
    };
    again(&transaction)
}

/// The same transaction with a signature of its own: a passkey draws them by lot.
fn again(transaction: &Transaction) -> Signed {
    let rule = Rule::single(passkey().public());
    let (signature, assertion) = passkey().sign(&transaction.id().0);
    Signed {
        transaction: transaction.clone(),
        witness: rule.witness_by(|_| Some((signature, Some(assertion.clone())))),
        sponsor: None,
    }
}

fn gift(to: cairn_types::AccountId) -> Body {
    Body::Transfer(Transfer {
        to,
        amount: Asset::Token(Token(50_000)),
    })
}

#[tokio::test]
async fn a_passkey_opens_an_account_that_a_network_pays_for_and_spends_from_it() {
    let world = World::new(|_| {}).await;
    let network = world.furnish().await.network;
    let opens = signed(1, Some(Sponsor::Network(network)), Body::OpenAccount(OpenAccount {}));
    let (status, opened) = world.post("/v1/transactions?wait=final", opens.bytes()).await;
    assert_eq!(status, 200, "{opened}");
    let id = opens.transaction.account;
    world.send(CUSTOMER, gift(id)).await;
    world.send(CUSTOMER, gift(id)).await;

    let pays = signed(2, None, gift(account(OPERATOR)));
    let other = again(&pays.transaction);
    assert_ne!(pays.bytes(), other.bytes());
    let refusals: [(Change, Reject); 3] = [
        (|signed| signed.witness.assertions.clear(), Reject::AssertionsIncomplete),
        (
            |signed| signed.witness.assertions[0].authenticator_data[32] = 0,
            Reject::AssertionWrong,
        ),
        (
            |signed| signed.witness.assertions[0].authenticator_data[36] ^= 1,
            Reject::SignatureWrong,
        ),
    ];
    for (change, reject) in refusals {
        let mut tampered = pays.clone();
        change(&mut tampered);
        assert_eq!(tampered.transaction.id(), pays.transaction.id());
        let (status, answer) = world.post("/v1/transactions", tampered.bytes()).await;
        assert_eq!((status, &answer["number"]), (422, &json!(reject.code())), "{answer}");
    }
    let (status, done) = world.post("/v1/transactions?wait=final", pays.bytes()).await;
    assert_eq!((status, &done["state"]), (200, &json!("final")), "{done}");
    // The same once more with another signature happened already: it is one transaction.
    let twice = world.post("/v1/transactions?wait=final", other.bytes()).await;
    assert_eq!(twice, (200, done));
    world.node.shutdown().await;
}
