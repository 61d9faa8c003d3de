//! Devices come, move, leave and come back at random; for every epoch the roster the ledger shows is the one a plain diary has.

mod world;

use cairn_ledger::view;
use cairn_types::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use world::*;

#[derive(Clone, Debug)]
enum Step {
    Join(usize, usize),
    Move(usize, usize),
    Leave(usize),
    Retire(usize),
    Epoch,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0usize..3, 0usize..5).prop_map(|(device, cell)| Step::Join(device, cell)),
        4 => (0usize..3, 0usize..5).prop_map(|(device, cell)| Step::Move(device, cell)),
        4 => (0usize..3).prop_map(Step::Leave),
        1 => (2usize..3).prop_map(Step::Retire),
        4 => Just(Step::Epoch),
    ]
}

/// Where each device counts in each epoch, and where it will in the next.
#[derive(Default)]
struct Diary {
    days: Vec<BTreeMap<usize, usize>>,
    /// Where each device will count.
    next: BTreeMap<usize, usize>,
    retired: Vec<usize>,
}

impl Diary {
    fn run(&mut self, step: &Step) -> bool {
        let today = self.days.last_mut().expect("a day");
        match *step {
            Step::Join(device, cell) => {
                let may = !self.retired.contains(&device) && !self.next.contains_key(&device);
                if may {
                    today.entry(device).or_insert(cell);
                    self.next.insert(device, cell);
                }
                may
            }
            Step::Move(device, cell) => {
                let may = !self.retired.contains(&device) && self.next.get(&device).is_some_and(|old| *old != cell);
                if may {
                    self.next.insert(device, cell);
                }
                may
            }
            Step::Leave(device) => !self.retired.contains(&device) && self.next.remove(&device).is_some(),
            Step::Retire(device) => {
                let may = !self.retired.contains(&device);
                self.next.remove(&device);
                self.retired.push(device);
                may
            }
            Step::Epoch => {
                self.days.push(self.next.clone());
                true
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rosters_are_as_the_diary_says(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new(genesis(&[("vera", 5_000_000)], Default::default()));
        world.line("alice create_network red");
        for device in 0..3 {
            world.line(&format!("bob register_device d{device}"));
        }
        let mut diary = Diary { days: vec![BTreeMap::new()], ..Diary::default() };
        for step in &steps {
            let line = match step {
                Step::Join(device, cell) => format!("bob join_network d{device} red {cell}"),
                Step::Move(device, cell) => format!("bob move_device d{device} red {cell}"),
                Step::Leave(device) => format!("bob leave_network d{device} red"),
                Step::Retire(device) => format!("bob retire_device d{device}"),
                Step::Epoch => "block 3_600_000".to_owned(),
            };
            let answer = world.line(&line);
            prop_assert_eq!(answer.starts_with("ok"), diary.run(step), "{} = {}", line, answer);
        }
        let network = NetworkId::of(&chain(), &id("alice"), "red");
        for (epoch, day) in diary.days.iter().enumerate() {
            let epoch = EpochNumber(epoch as u64);
            let pool = view::pool(&mut world.store, &network, epoch).expect("memory");
            let open = view::network(&mut world.store, &network).expect("memory").expect("created").roster;
            let entries = pool.map_or(open, |pool| pool.roster);
            let members = view::members(&mut world.store, &network, epoch, entries).expect("memory");
            let found: Vec<(u32, CellId)> = members.iter().map(|stay| (stay.device.0, stay.cell)).collect();
            let expected: Vec<(u32, CellId)> = day.iter().map(|(device, at)| (*device as u32, cell(*at))).collect();
            prop_assert_eq!(found, expected, "epoch {}", epoch);
        }
    }
}
