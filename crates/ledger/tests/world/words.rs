//! Lines of a script as transactions. A line is words; the first is who or what, the second what is done.

use super::*;
use cairn_ledger::economics::netting;
use cairn_ledger::tx::*;

/// The words of a line: plain ones in order, and `name=value` ones.
pub struct Words<'a> {
    plain: Vec<&'a str>,
    named: BTreeMap<&'a str, &'a str>,
}

impl<'a> Words<'a> {
    pub fn of(line: &'a str) -> Self {
        let (named, plain): (Vec<&str>, Vec<&str>) = line.split_whitespace().partition(|word| word.contains('='));
        let named = named.into_iter().filter_map(|word| word.split_once('=')).collect();
        Self { plain, named }
    }

    pub fn word(&self, at: usize) -> &'a str {
        self.plain
            .get(at)
            .copied()
            .unwrap_or_else(|| panic!("word {at} of {:?}", self.plain))
    }

    pub fn number(&self, at: usize) -> u64 {
        number(self.word(at))
    }

    fn named(&self, name: &str) -> Option<&'a str> {
        self.named.get(name).copied()
    }

    /// `name=0,2`.
    fn places(&self, name: &str) -> Vec<u32> {
        let places = self.named(name).unwrap_or_default().split(',');
        let places = places.filter(|place| !place.is_empty());
        places.map(|place| number(place) as u32).collect()
    }

    fn named_number(&self, name: &str, otherwise: u64) -> u64 {
        self.named(name).map_or(otherwise, number)
    }
}

/// Digits with `_` between them.
fn number(word: &str) -> u64 {
    word.replace('_', "")
        .parse()
        .unwrap_or_else(|_| panic!("{word} is no number"))
}

/// `2/alice,bob` or a single name.
fn rule_of(text: &str) -> (Rule, Vec<String>) {
    let (threshold, names) = text.split_once('/').unwrap_or(("1", text));
    let keys = names.split(',').map(public).collect();
    (
        Rule::any_of(number(threshold) as u8, keys),
        names.split(',').map(str::to_owned).collect(),
    )
}

impl World {
    fn network_id(&self, name: &str) -> NetworkId {
        let (founder, name) = name.split_once('/').unwrap_or(("alice", name));
        NetworkId::of(&chain(), &self.account_id(founder), name)
    }

    fn order_id(&self, name: &str) -> OrderId {
        self.orders.get(name).copied().unwrap_or_default()
    }

    fn device_id(name: &str) -> DeviceId {
        secret(name).public().device_id()
    }

    fn cell_of(word: &str) -> CellId {
        let (n, resolution) = word.split_once('@').unwrap_or((word, "8"));
        let cell = cell(number(n) as usize);
        match number(resolution) as u8 {
            9 => "891969c9b63ffff".parse().expect("a cell"),
            resolution => cell.parent(resolution).expect("coarser"),
        }
    }

    /// Runs a line; the answer is what stands after `=` in a script.
    pub fn line(&mut self, line: &str) -> String {
        let words = Words::of(line);
        match words.word(0) {
            "block" => events_text(&self.advance(words.plain.get(1).map_or(0, |ms| number(ms)))),
            "show" => self.show(&words),
            who => match self.transact(who, &words) {
                Ok(events) => events_text(&events),
                Err(reject) => format!("refused {} {reject:?}", reject.code()),
            },
        }
    }

    fn transact(&mut self, who: &str, words: &Words<'_>) -> Result<Vec<Event>, Reject> {
        if words.word(1) == "open_account" && words.named("rule").is_some() {
            let (rule, names) = rule_of(words.named("rule").expect("named"));
            self.rules.insert(who.to_owned(), (rule.account_id(), rule, names));
        }
        let body = self.body(who, words);
        let mut transaction = self.transaction(who, body);
        transaction.nonce = words.named_number("nonce", transaction.nonce);
        transaction.fee_max = Token(words.named_number("fee_max", transaction.fee_max.0));
        transaction.chain = words
            .named("chain")
            .map_or(transaction.chain, |chain| chain.parse().expect("plain"));
        transaction.sponsor = match words.named("sponsor").map(|name| (name, name.strip_prefix("net:"))) {
            Some((_, Some(network))) => Some(Sponsor::Network(self.network_id(network))),
            Some((account, None)) => Some(Sponsor::Account(self.account_id(account))),
            None => None,
        };
        let signer = words.named("signer").unwrap_or(who);
        let mut signed = match words.named("signers") {
            // Some of the keys of the account's rule.
            Some(names) => {
                let names: Vec<String> = names.split(',').map(str::to_owned).collect();
                let rule = &self.rules.get(signer).expect("an account of several keys").1;
                let witness = witness(rule, &transaction.id().0, &names);
                Signed {
                    transaction,
                    witness,
                    sponsor: None,
                }
            }
            None => self.sign(signer, transaction),
        };
        if let Some(name) = words.named("sponsor").filter(|name| !name.starts_with("net:")) {
            let name = words.named("sponsor_signer").unwrap_or(name);
            let message = signed.transaction.id().0;
            signed.sponsor = Some(witness(&rule(name), &message, &[name.to_owned()]));
        }
        if let Some(order) = words.named("as") {
            self.orders.insert(order.to_owned(), open_order::order_id(&signed));
        }
        let answer = self.submit(&signed);
        if let (Ok(_), Body::RotateKeys(_)) = (&answer, &signed.transaction.body) {
            let (rule, names) = rule_of(words.word(2));
            self.rules
                .insert(who.to_owned(), (signed.transaction.account, rule, names));
        }
        answer
    }

    fn body(&mut self, who: &str, words: &Words<'_>) -> Body {
        let asset = |at: usize| match words.word(at + 1) {
            "stable" => Asset::Stable(MicroUsd(words.number(at))),
            _ => Asset::Token(Token(words.number(at))),
        };
        match words.word(1) {
            "open_account" => Body::OpenAccount(open_account::OpenAccount {}),
            "rotate_keys" => Body::RotateKeys(rotate_keys::RotateKeys {
                rule: rule_of(words.word(2)).0,
            }),
            "set_payout_choice" => Body::SetPayoutChoice(set_payout_choice::SetPayoutChoice {
                wants: choice(words.word(2)),
            }),
            "transfer" => Body::Transfer(transfer::Transfer {
                to: self.account_id(words.word(2)),
                amount: asset(3),
            }),
            "issue_stable" => Body::IssueStable(issue_stable::IssueStable {
                to: self.account_id(words.word(2)),
                amount: MicroUsd(words.number(3)),
            }),
            "redeem_stable" => Body::RedeemStable(redeem_stable::RedeemStable {
                issuer: self.account_id(words.word(2)),
                amount: MicroUsd(words.number(3)),
                reference: vec![b'x'; words.named_number("reference", 8) as usize],
            }),
            "buy_credits" => Body::BuyCredits(buy_credits::BuyCredits {
                payment: payment(words),
            }),
            "refund_credits" => Body::RefundCredits(refund_credits::RefundCredits {
                credits: Credit(words.number(2)),
            }),
            "sell_token" => Body::SellToken(sell_token::SellToken {
                tokens: Token(words.number(2)),
                paid_min: MicroUsd(words.named_number("min", 0)),
            }),
            "bond_verifier" => Body::BondVerifier(bond_verifier::BondVerifier {
                amount: Token(words.number(2)),
                key: match words.named("key").filter(|key| key.starts_with("passkey")) {
                    Some(key) => public(key),
                    None => verifier_key(words.named("key").unwrap_or(who)).public(),
                },
            }),
            "unbond_verifier" => Body::UnbondVerifier(unbond_verifier::UnbondVerifier {
                amount: Token(words.number(2)),
            }),
            "slash_verifier" => self.slash(words),
            "slash_receipt" => self.slash_receipt(words),
            "set_verifier_url" => Body::SetVerifierUrl(set_verifier_url::SetVerifierUrl {
                url: match words.named("long") {
                    Some(long) => format!("https://{}", "a".repeat(number(long) as usize - 8)),
                    None => words.word(2).replace("none", ""),
                },
            }),
            "bar_device" => self.bar(words),
            "open_dispute" => {
                let (claimed, exchange) = self.claim(words);
                Body::OpenDispute(open_dispute::OpenDispute { claimed, exchange })
            }
            "vote_dispute" => {
                let (result, exchange) = self.claim(words);
                Body::VoteDispute(vote_dispute::VoteDispute {
                    result,
                    exchange,
                    blame: words.named("blame").is_some(),
                })
            }
            "vote_validator" => Body::VoteValidator(vote_validator::VoteValidator {
                key: validator_key(words.number(2) as usize),
                change: match words.word(3) {
                    "remove" => vote_validator::Change::Remove,
                    _ => {
                        let address = words.named("address").unwrap_or("host.example:9000").to_owned();
                        vote_validator::Change::Add(self.account_id(words.word(4)), address)
                    }
                },
            }),
            "vote_upgrade" => Body::VoteUpgrade(vote_upgrade::VoteUpgrade {
                version: words.number(2) as u16,
                height: (words.word(3) != "withdraw").then(|| words.number(3)),
            }),
            "post_price" => Body::PostPrice(post_price::PostPrice {
                price: Price(words.number(2)),
            }),
            "create_network" => Body::CreateNetwork(create_network::CreateNetwork {
                name: words.word(2).to_owned(),
                vertical: words.named("vertical").unwrap_or("any").to_owned(),
                resolution: words.named_number("resolution", 8) as u8,
                parameters: vec![7; words.named_number("parameters", 300) as usize],
                price_micro_usd: words.named_number("price", 1_000_000),
                bond: Token(words.named_number("bond", 1_000_000)),
                allowance: Token(words.named_number("allowance", 0)),
                treasurer: self.account_id(words.named("treasurer").unwrap_or(who)),
            }),
            "set_parameters" => Body::SetParameters(set_parameters::SetParameters {
                network: self.network_id(words.word(2)),
                parameters: vec![8; words.named_number("parameters", 10) as usize],
                price_micro_usd: words.named_number("price", 2_000_000),
            }),
            "fund_treasury" => Body::FundTreasury(fund_treasury::FundTreasury {
                network: self.network_id(words.word(2)),
                amount: asset(3),
                allowance: words.word(4) == "allowance",
            }),
            "withdraw_treasury" => Body::WithdrawTreasury(withdraw_treasury::WithdrawTreasury {
                network: self.network_id(words.word(2)),
                amount: asset(3),
            }),
            "close_network" => Body::CloseNetwork(close_network::CloseNetwork {
                network: self.network_id(words.word(2)),
            }),
            "register_device" => {
                let owner = self.account_id(words.named("for").unwrap_or(who));
                let by_device = register_device::RegisterDevice::by_device(&chain(), &owner, &secret(words.word(2)));
                Body::RegisterDevice(register_device::RegisterDevice {
                    key: public(words.word(2)),
                    ..by_device
                })
            }
            "join_network" => Body::JoinNetwork(join_network::JoinNetwork {
                device: Self::device_id(words.word(2)),
                network: self.network_id(words.word(3)),
                cell: Self::cell_of(words.word(4)),
            }),
            "leave_network" => Body::LeaveNetwork(leave_network::LeaveNetwork {
                device: Self::device_id(words.word(2)),
                network: self.network_id(words.word(3)),
            }),
            "move_device" => Body::MoveDevice(move_device::MoveDevice {
                device: Self::device_id(words.word(2)),
                network: self.network_id(words.word(3)),
                cell: Self::cell_of(words.word(4)),
            }),
            "retire_device" => Body::RetireDevice(retire_device::RetireDevice {
                device: Self::device_id(words.word(2)),
            }),
            "anchor_epoch" => self.anchor(words),
            "settle_epoch" => self.settle(words),
            "pay" => self.pay(words),
            "open_order" => Body::OpenOrder(open_order::OpenOrder {
                network: self.network_id(words.word(2)),
                provider: self.account_id(words.word(3)),
                shape: 0,
                terms: Hash([9; 32]),
                hold: Credit(words.number(4)),
                expires: self.block.time.plus_ms(words.named_number("ms", 10 * HOUR_MS)),
                voucher_key: words.named("voucher").map_or_else(|| voucher_key(who).public(), public),
            }),
            "settle_order" => {
                let voucher = settle_order::Voucher {
                    order: self.order_id(words.word(2)),
                    credits: Credit(words.number(3)),
                    meters: Hash([5; 32]),
                };
                Body::SettleOrder(voucher.sign(&chain(), &voucher_key(words.named("customer").unwrap_or("carol"))))
            }
            "close_order" => Body::CloseOrder(close_order::CloseOrder {
                order: self.order_id(words.word(2)),
            }),
            "expire_order" => Body::ExpireOrder(expire_order::ExpireOrder {
                order: self.order_id(words.word(2)),
            }),
            verb => panic!("no transaction is called {verb}"),
        }
    }

    fn slash(&mut self, words: &Words<'_>) -> Body {
        let network = self.network_id("red");
        let mut first = self.result(network, words.named_number("epoch", 0), &[]);
        let mut second = first.clone();
        second.findings = Hash([words.named_number("second", 99) as u8; 32]);
        if words.named("previous").is_some() {
            second.previous = Hash([6; 32]);
        }
        if words.named("anchors").is_some() {
            second.anchors = Hash([6; 32]);
        }
        second.without = words.places("without");
        // Against what validators decided: the second has no signature of the verifier's.
        let is_decided = words.named("decided").is_some();
        if is_decided {
            std::mem::swap(&mut first, &mut second);
        }
        let key = verifier_key(words.named("signer_of_second").unwrap_or(words.word(2)));
        Body::SlashVerifier(slash_verifier::SlashVerifier {
            verifier: self.account_id(words.word(2)),
            first_signature: first.sign(&verifier_key(words.word(2))),
            second_signature: (!is_decided).then(|| second.sign(&key)),
            first,
            second,
        })
    }

    /// `slash_receipt VERIFIER NETWORK EPOCH REPORT`, and what is shown: `no_anchor`, or absence `under=anchor` or `under=archive` of so
    /// many reports (`of=3`).
    fn slash_receipt(&mut self, words: &Words<'_>) -> Body {
        let report = report_id(words.number(5));
        let promise = receipt::Promise {
            report: ReportId(report.0),
            network: self.network_id(words.word(3)),
            epoch: EpochNumber(words.number(4)),
        };
        let key = verifier_key(words.named("receipt_by").unwrap_or(words.word(2)));
        let mut issued = receipt::issue(self.account_id(words.word(2)), &key, START, &[promise]);
        if words.named("moved").is_some() {
            issued[0].epoch = EpochNumber(issued[0].epoch.0 - 1);
        }
        let of = words.named_number("of", 3);
        let ids: Vec<Hash> = (1..=of).map(report_id).collect();
        let nothing = merkle::AbsenceProof {
            neighbours: Vec::new(),
            range: None,
        };
        let proof = merkle::AbsenceProof::make(&report_tree(of), &ids, &report).unwrap_or(nothing);
        Body::SlashReceipt(slash_receipt::SlashReceipt {
            receipt: issued.remove(0),
            evidence: match words.named("under") {
                Some("archive") => slash_receipt::Evidence::NotJudged(proof),
                Some(_) => slash_receipt::Evidence::NotAnchored(proof),
                None => slash_receipt::Evidence::NoAnchor,
            },
        })
    }

    /// `bar_device DEVICE NETWORK SEQUENCE`: two reports that differ in their bodies, or in `second=SEQUENCE`, or in nothing (`same`).
    fn bar(&mut self, words: &Words<'_>) -> Body {
        let network = self.network_id(words.word(3));
        let seal = |signer: &str, sequence, body: &[u8]| {
            let report = Report {
                network,
                time: START,
                sequence,
                body: body.to_vec(),
            };
            Envelope::seal(&report, &secret(signer))
        };
        let (device, sequence) = (words.word(2), words.number(4));
        let second = words.named_number("second", sequence);
        let body: &[u8] = if words.named("same").is_some() { b"one" } else { b"two" };
        let mut forged = seal(device, second, body);
        if words.named("forged").is_some() {
            let last = forged.len() - 1;
            forged[last] ^= 1;
        }
        Body::BarDevice(bar_device::BarDevice {
            first: seal(device, sequence, b"one"),
            second: forged,
        })
    }

    /// `anchor_epoch EPOCH NETWORK[:COUNT]...`, sorted unless `unsorted`; `many=N`: N made-up networks.
    fn anchor(&mut self, words: &Words<'_>) -> Body {
        let mut anchors: Vec<anchor_epoch::NetworkAnchor> = Vec::new();
        for word in words.plain.iter().skip(3) {
            let (network, count) = word.split_once(':').unwrap_or((word, "1"));
            anchors.push(anchor_epoch::NetworkAnchor {
                network: self.network_id(network),
                root: report_tree(number(count)).root(),
                count: number(count),
                reports_hash: Hash([8; 32]),
            });
        }
        let many = words.named_number("many", 0) as u32;
        anchors.extend((0..many).map(|n| anchor_epoch::NetworkAnchor {
            network: NetworkId(hash::domain("test/many", &[&n.to_be_bytes()]).0),
            root: Hash::default(),
            count: 0,
            reports_hash: Hash::default(),
        }));
        if words.named("unsorted").is_none() {
            anchors.sort_by_key(|anchor| anchor.network);
        }
        let epoch = EpochNumber(words.number(2));
        Body::AnchorEpoch(anchor_epoch::AnchorEpoch { epoch, anchors })
    }

    /// `VERB NETWORK EPOCH [leaf...]`: a result and its exchange, as `settle_epoch` says it. It is remembered for `pay`.
    fn claim(&mut self, words: &Words<'_>) -> (EpochResult, Option<settle_epoch::Exchange>) {
        let (result, leaves, wants) = self.result_of(words);
        let attestation = self.attest(result.clone(), &[]);
        let exchange = words
            .named("exchange")
            .map(|offers| self.exchange(&attestation, &leaves, &wants, offers, &[]).exchange);
        if words.named("right").is_some() {
            let at = (result.network, result.epoch.0);
            self.leaves.insert(at, leaves);
            self.choices
                .insert(at, if exchange.is_some() { wants } else { Vec::new() });
        }
        (result, exchange)
    }

    /// A leaf being `operator:units:availability:usage:cash:paid[:choice]`.
    fn result_of(&mut self, words: &Words<'_>) -> (EpochResult, Vec<PayoutLeaf>, Vec<Option<BasisPoints>>) {
        let (network, epoch) = (self.network_id(words.word(2)), words.number(3));
        let (mut leaves, mut wants) = (Vec::new(), Vec::new());
        for word in words.plain.iter().skip(4) {
            let parts: Vec<&str> = word.split(':').collect();
            let operator = if parts[0] == "nobody" {
                AccountNumber(9_999)
            } else {
                self.account(parts[0]).number
            };
            leaves.push(PayoutLeaf {
                operator,
                units: number(parts[1]),
                availability: Token(number(parts[2])),
                usage: Token(number(parts[3])),
                cash: MicroUsd(number(parts[4])),
                customers_paid: Credit(number(parts[5])),
            });
            wants.push(parts.get(6).and_then(|word| choice(word)));
        }
        let mut result = self.result(network, epoch, &leaves);
        result.findings = Hash([words.named_number("findings", 3) as u8; 32]);
        result.totals.units += words.named_number("more_units", 0);
        result.totals.units -= words.named_number("less_units", 0);
        if words.named("anchors").is_some() {
            result.anchors = Hash([6; 32]);
        }
        if words.named("previous").is_some() {
            result.previous = Hash([6; 32]);
        }
        result.without = words.places("without");
        if let Some(archive) = words.named("archive") {
            let reports = if archive == "empty" { 0 } else { number(archive) };
            result.archive = report_tree(reports).root();
        }
        (result, leaves, wants)
    }

    /// `settle_epoch NETWORK EPOCH [leaf...] by=a,b`, a leaf being `operator:units:availability:usage:cash:paid[:choice]`.
    fn settle(&mut self, words: &Words<'_>) -> Body {
        let (result, leaves, wants) = self.result_of(words);
        let (network, epoch) = (result.network, result.epoch.0);
        let verifiers: Vec<&str> = words.named("by").unwrap_or("vera").split(',').collect();
        let mut attestation = self.attest(result, &verifiers);
        if words.named("twice").is_some() {
            attestation.signatures.push(attestation.signatures[0]);
        }
        if words.named("forged").is_some() {
            attestation.signatures[0].1.0[7] ^= 1;
        }
        let exchange = words
            .named("exchange")
            .map(|offers| self.exchange(&attestation, &leaves, &wants, offers, &verifiers));
        self.leaves.insert((network, epoch), leaves);
        self.choices
            .insert((network, epoch), if exchange.is_some() { wants } else { Vec::new() });
        Body::SettleEpoch(settle_epoch::SettleEpoch { attestation, exchange })
    }

    /// `exchange=true`: the sums of what the choices offer; `exchange=tokens:cash`: these.
    fn exchange(
        &mut self,
        attestation: &Attestation,
        leaves: &[PayoutLeaf],
        wants: &[Option<BasisPoints>],
        offers: &str,
        verifiers: &[&str],
    ) -> settle_epoch::ExchangeAttestation {
        let result = &attestation.result;
        let pool = view::pool(&mut self.store, &result.network, result.epoch).expect("memory");
        let scale = self.ledger.genesis().economics.scale().expect("decimals");
        let price = pool.and_then(|pool| pool.exchange_price);
        let offers =
            match offers.split_once(':') {
                Some((tokens, cash)) => netting::OfferTotals {
                    tokens: Token(number(tokens)),
                    cash: MicroUsd(number(cash)),
                },
                None => netting::offer_totals(leaves.iter().zip(wants).map(|(leaf, wants)| {
                    netting::offer(scale, price, netting::Earned::of(leaf).expect("small"), *wants)
                }))
                .expect("small"),
            };
        let choices = merkle::root(wants.iter().map(|wants| pay::choice_hash(*wants)).collect());
        let exchange = settle_epoch::Exchange {
            result: result.hash(),
            offers,
            choices,
        };
        let mut signers: Vec<_> = verifiers.iter().map(|name| (id(name), verifier_key(name))).collect();
        signers.sort_by_key(|(id, _)| *id);
        let signatures = signers
            .iter()
            .map(|(_, key)| key.sign(&exchange.signed_bytes()))
            .collect();
        settle_epoch::ExchangeAttestation { exchange, signatures }
    }

    /// `pay NETWORK EPOCH START END`.
    fn pay(&mut self, words: &Words<'_>) -> Body {
        let (network, epoch) = (self.network_id(words.word(2)), words.number(3));
        let (start, end) = (words.number(4) as usize, words.number(5) as usize);
        let leaves = self.leaves.get(&(network, epoch)).cloned().unwrap_or_default();
        let wants = self.choices.get(&(network, epoch)).cloned().unwrap_or_default();
        if end == 0 && words.named("altered").is_none() {
            return Body::Pay(pay::Pay::releasing(network, EpochNumber(epoch)));
        }
        let proof = |hashes: Vec<Hash>| {
            let none = merkle::RangeProof {
                start: start as u64,
                count: hashes.len() as u64,
                siblings: Vec::new(),
            };
            merkle::Tree::new(hashes)
                .prove(start as u64, end as u64)
                .unwrap_or(none)
        };
        let shown = words
            .named("choices")
            .map_or(!wants.is_empty(), |shown| shown == "true");
        let choices = shown.then(|| pay::Choices {
            wants: wants.get(start..end).unwrap_or_default().to_vec(),
            proof: proof(wants.iter().map(|wants| pay::choice_hash(*wants)).collect()),
        });
        let mut chunk = leaves.get(start..end).unwrap_or_default().to_vec();
        if let Some(leaf) = chunk.first_mut().filter(|_| words.named("altered").is_some()) {
            leaf.cash = MicroUsd(leaf.cash.0 + 1);
        }
        let proof = proof(leaves.iter().map(PayoutLeaf::hash).collect());
        Body::Pay(pay::Pay {
            network,
            epoch: EpochNumber(epoch),
            leaves: chunk,
            proof,
            choices,
        })
    }

    fn show(&mut self, words: &Words<'_>) -> String {
        let store = &mut self.store.clone();
        match words.word(1) {
            "account" => {
                let account = self.account(words.word(2));
                let credits = account.credits;
                format!(
                    "token {} stable {} credits {}+{}",
                    account.token, account.stable, credits.stable, credits.burned
                )
            }
            "choice" => {
                let operator = [self.account(words.word(2)).number];
                let choices = view::payout_choices(store, &operator, EpochNumber(words.number(3))).expect("memory");
                choices[0].map_or("as earned".to_owned(), |part| part.get().to_string())
            }
            "uptime" => view::chain(store)
                .expect("memory")
                .expect("block 1")
                .uptime_ms
                .to_string(),
            "digest" => self.store.digest().to_string(),
            "chain" => {
                let chain = view::chain(store).expect("memory").expect("block 1");
                format!(
                    "height {} epoch {} round {} bond {}",
                    chain.height, chain.epoch, chain.round, chain.bond_active
                )
            }
            "network" => {
                let network = view::network(store, &self.network_id(words.word(2)))
                    .expect("memory")
                    .expect("a network");
                format!(
                    "roster {} unsettled {} unreleased {} treasury {}+{} allowance {} carry {}+{} bond {}",
                    network.roster,
                    network.unsettled,
                    network.unreleased,
                    network.treasury_token,
                    network.treasury_stable,
                    network.allowance,
                    network.carry_token,
                    network.carry_stable,
                    network.bond
                )
            }
            "terms" => {
                let terms = view::terms(store, &self.network_id(words.word(2)))
                    .expect("memory")
                    .expect("a network");
                format!(
                    "version {} price {} next {}",
                    terms.current.version,
                    terms.current.price_micro_usd,
                    terms.next.is_some()
                )
            }
            "parameters" => {
                let bytes = view::parameters(store, &self.network_id(words.word(2)), words.number(3) as u32);
                format!("{} bytes", bytes.expect("memory").len())
            }
            "roster" => {
                let entries = view::roster(store, &self.network_id(words.word(2)), 0, 100).expect("memory");
                let text = entries.iter().map(|stay| {
                    let left = stay.left.map_or(String::new(), |left| left.to_string());
                    format!("{}@{}:{}..{left}", stay.device, stay.cell, stay.joined)
                });
                text.collect::<Vec<_>>().join(" ")
            }
            "pool" => {
                let at = EpochNumber(words.number(3));
                let pool = view::pool(store, &self.network_id(words.word(2)), at)
                    .expect("memory")
                    .expect("a pool");
                format!(
                    "{:?} availability {} usage {} cash {} verifiers {} paid {}",
                    pool.state,
                    pool.availability,
                    pool.usage,
                    pool.cash,
                    pool.verifiers,
                    pool.customers_paid()
                )
            }
            "anchors" => {
                let (network, epoch) = (self.network_id(words.word(2)), EpochNumber(words.number(3)));
                let book = view::anchor_book(store, &network, epoch).expect("memory");
                let ended = view::is_anchored(store, &self.ledger.genesis().limits, &network, epoch).expect("memory");
                let anchors = view::anchors(store, &network, epoch).expect("memory");
                assert_eq!(anchors.len(), usize::from(book.count));
                format!("{} reports {} ended {ended}", book.count, book.reports)
            }
            "cursor" => {
                let at = EpochNumber(words.number(3));
                let settlement = view::settlement(store, &self.network_id(words.word(2)), at).expect("memory");
                settlement.map_or("none".to_owned(), |settled| {
                    format!("{} of {}", settled.cursor, settled.leaves)
                })
            }
            "dispute" => {
                let (network, epoch) = (self.network_id(words.word(2)), EpochNumber(words.number(3)));
                let dispute = view::dispute(store, &network, epoch).expect("memory");
                dispute.map_or("none".to_owned(), |dispute| {
                    let votes = view::votes(store, dispute.ballot).expect("memory");
                    format!("{:?} bond {} votes {}", dispute.state, dispute.bond, votes.len())
                })
            }
            "validators" => {
                let validators = view::validators(store).expect("memory");
                let text = validators.iter().map(|one| format!("{}@{}", one.number, one.address));
                text.collect::<Vec<_>>().join(" ")
            }
            "without" => {
                let (network, epoch) = (self.network_id(words.word(2)), EpochNumber(words.number(3)));
                let settled = view::without(store, &network, epoch).expect("memory");
                let claimed = view::claimed_without(store, &network, epoch).expect("memory");
                format!("settled {settled:?} claimed {claimed:?}")
            }
            "protocol" => {
                let protocol = view::protocol(store).expect("memory");
                let past = view::upgrades(store).expect("memory");
                let past: String = past
                    .iter()
                    .map(|(version, at)| format!(" {version}@{}", at.height))
                    .collect();
                let next = protocol.next.map_or(String::new(), |height| format!(" next {height}"));
                format!("version {} since {}{next}{past}", protocol.version, protocol.since)
            }
            "signers" => {
                let (network, epoch) = (self.network_id(words.word(2)), EpochNumber(words.number(3)));
                let signers = view::signers(store, &network, epoch).expect("memory");
                let text = signers
                    .iter()
                    .map(|signer| format!("{}:{}", signer.account, signer.bond));
                text.collect::<Vec<_>>().join(" ")
            }
            "barred" => {
                let (device, epoch) = (Self::device_id(words.word(2)), EpochNumber(words.number(3)));
                let record = view::device(store, &device).expect("memory").expect("a device");
                let until = view::barred_until(store, &device, &record, epoch).expect("memory");
                until.map_or("no".to_owned(), |until| format!("until {until}"))
            }
            "profile" => {
                let profile = view::profile(store, &self.account_id(words.word(2))).expect("memory");
                let limits = self.ledger.genesis().limits;
                let score = view::score(store, &limits, &self.account_id(words.word(2))).expect("memory");
                let score = format!(
                    "agreed {} differed {} silent {}",
                    score.agreed, score.differed, score.silent
                );
                profile.map_or("none".to_owned(), |profile| format!("url {} {score}", profile.url))
            }
            "cover" => {
                let emission = view::emission(store).expect("memory").expect("block 1");
                format!("{} slashed {}", emission.cover, emission.slashed)
            }
            "order" => {
                let order = view::order(store, &self.order_id(words.word(2)))
                    .expect("memory")
                    .expect("an order");
                format!(
                    "{:?} held {}+{} settled {}",
                    order.state, order.held.stable, order.held.burned, order.settled
                )
            }
            "verifier" => {
                let found = view::verifier(store, &self.account_id(words.word(2))).expect("memory");
                found.map_or("none".to_owned(), |verifier| {
                    format!(
                        "bond {} joining {} unbonding {} held {}",
                        verifier.bond,
                        verifier.joining,
                        verifier.unbonding_amount(),
                        verifier.held
                    )
                })
            }
            "price" => match view::quote(store, self.ledger.genesis()).expect("memory") {
                Some(quote) => format!("low {} mid {} high {}", quote.low.0, quote.mid.0, quote.high.0),
                None => "halted".to_owned(),
            },
            "supply" => {
                let supply = view::emission(store).expect("memory").expect("block 1").supply;
                format!(
                    "minted {} burned {} reminted {} reserve {} unminted {}",
                    supply.minted, supply.burned, supply.reminted, supply.reserve, supply.unminted
                )
            }
            "stable" => {
                let stable = view::stable(store).expect("memory").expect("block 1");
                format!(
                    "outstanding {} reserve {} pooled {} cover {} buy_back {}",
                    stable.outstanding, stable.reserve, stable.pooled, stable.cover, stable.buy_back
                )
            }
            what => panic!("cannot show {what}"),
        }
    }
}

fn report_id(n: u64) -> Hash {
    Hash([n as u8; 32])
}

/// The tree over the reports 1 to `count`.
fn report_tree(count: u64) -> merkle::Tree {
    merkle::Tree::new((1..=count).map(|n| merkle::leaf(&report_id(n).0)).collect())
}

fn choice(word: &str) -> Option<BasisPoints> {
    (word != "none").then(|| BasisPoints::new(number(word) as u16).expect("a part"))
}

fn payment(words: &Words<'_>) -> buy_credits::Payment {
    use buy_credits::Payment;
    match words.word(2) {
        "stable" => Payment::Stable(MicroUsd(words.number(3))),
        "burn" => Payment::Burn(Token(words.number(3)), Credit(words.named_number("min", 0))),
        _ => Payment::BurnFor(Credit(words.number(3)), Token(words.named_number("max", u64::MAX))),
    }
}

/// The names of events in order, a repeated one counted.
fn events_text(events: &[Event]) -> String {
    let mut names: Vec<(String, u32)> = Vec::new();
    for event in events {
        let text = format!("{event:?}");
        let name = text.split([' ', '{']).next().unwrap_or_default().to_owned();
        match names.last_mut().filter(|(last, _)| *last == name) {
            Some((_, count)) => *count += 1,
            None => names.push((name, 1)),
        }
    }
    let text = names.iter().map(|(name, count)| {
        if *count > 1 {
            format!("{name}*{count}")
        } else {
            name.clone()
        }
    });
    format!("ok {}", text.collect::<Vec<_>>().join(" "))
        .trim_end()
        .to_owned()
}
