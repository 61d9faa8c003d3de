//! Each rule of the judge on small made epochs: what is refused, with which reason, and what just passes.

use super::memory::Memory;
use crate::kit::place::Point;
use crate::kit::{Admitted, Assessment, Epoch, Member, assess, reasons};
use crate::wireless::Wireless;
use crate::wireless::beacon::{Due, due};
use crate::wireless::params::Params;
use crate::wireless::region::REGIONS;
use crate::wireless::report::{Beacon, Body, Heard, Source};
use cairn_types::{AccountNumber, CellId, DeviceId, DeviceNumber, EpochNumber, NetworkId, ReportId, TimeMs, codec};

const HOUR_MS: u64 = 3_600_000;
const BEGIN: u64 = 1_000 * HOUR_MS;
const NOON: TimeMs = TimeMs(BEGIN + HOUR_MS / 2);

fn centre() -> CellId {
    "881969c9b7fffff".parse().expect("a cell")
}

/// A cell so many steps from the middle.
fn at(steps: u32) -> CellId {
    let ring = centre()
        .disk(steps)
        .into_iter()
        .filter(|cell| cell.steps_to(centre()) == Some(steps));
    ring.min().expect("a ring has cells")
}

/// Some hundred kilometres away.
fn far() -> CellId {
    CellId::new(centre().get() ^ 1 << 39).expect("a sibling")
}

fn members(cells: &[CellId]) -> Vec<Member> {
    let member = |(number, cell): (u32, &CellId)| Member {
        number: DeviceNumber(number),
        device: DeviceId([number as u8; 32]),
        operator: AccountNumber(number),
        cell: *cell,
        joined: EpochNumber(0),
        barred_until: None,
    };
    (0..).zip(cells).map(member).collect()
}

/// A network over some hours.
struct Net {
    members: Vec<Member>,
    params: Params,
    memory: Vec<u8>,
    hour: u64,
}

impl Net {
    fn of(cells: &[CellId]) -> Self {
        Self {
            members: members(cells),
            params: Params::default(),
            memory: Vec::new(),
            hour: 0,
        }
    }

    fn start(&self) -> TimeMs {
        TimeMs(BEGIN + self.hour * HOUR_MS)
    }

    /// Judges an hour in which each body is of the member at its place; then the next begins.
    fn judge(&mut self, bodies: &[(usize, Body)]) -> Assessment {
        let (start, end) = (self.start(), self.start().plus_ms(HOUR_MS));
        let reports: Vec<Admitted> = bodies
            .iter()
            .enumerate()
            .map(|(place, (row, body))| Admitted {
                id: ReportId([place as u8; 32]),
                device: DeviceNumber(*row as u32),
                time: start,
                received: end.plus_ms(1_000),
                sequence: self.hour * 100 + place as u64,
                body: body.encode().expect("a body"),
            })
            .collect();
        let params = self.params.encode();
        let epoch = Epoch {
            network: NetworkId([1; 32]),
            epoch: EpochNumber(self.hour),
            start,
            end,
            params: &params,
            roster: &self.members,
            memory: &self.memory,
            beacon: [9; 32],
        };
        let assessment = assess(&Wireless, &epoch, &reports, 2).expect("an epoch");
        self.memory = assessment.memory.clone();
        self.hour += 1;
        assessment
    }

    /// What became of everything that was said, report by report: `-` is believed.
    fn verdicts(&mut self, bodies: &[(usize, Body)]) -> Vec<Vec<&'static str>> {
        let assessment = self.judge(bodies);
        let name = |reason| reasons::text(&Wireless, reason).expect("a reason has a text").name;
        let runs = assessment.findings.iter().map(|finding| {
            let own = finding.spans.iter().filter(|span| span.quantity != reasons::STANDING);
            own.map(|span| span.reason.map_or("-", name)).collect()
        });
        runs.collect()
    }

    /// The beacon a member is asked for this hour.
    fn due(&self, row: usize) -> Due {
        let seed = crate::kit::memory::Memory::decode(&self.memory)
            .expect("ours")
            .vertical
            .to_vec();
        let seed = Memory::decode(&seed).expect("ours").seed;
        let times = (EpochNumber(self.hour), self.start(), self.start().plus_ms(HOUR_MS));
        due(&self.params, &REGIONS[0], &seed, times, (self.members[row].cell, 0))
    }

    fn beacon(&self, row: usize) -> Beacon {
        let due = self.due(row);
        Beacon {
            time: due.time,
            nonce: row as u64,
            frequency_hz: due.frequency_hz,
            rate: due.rate,
            power_ddbm: 140,
        }
    }

    /// A member's beacon as another hears it.
    fn hears(&self, row: usize, rssi_ddbm: i16) -> Heard {
        let (due, beacon) = (self.due(row), self.beacon(row));
        Heard {
            time: due.time.plus_ms(400),
            frame: due.frame(beacon.nonce),
            frequency_hz: due.frequency_hz,
            rate: due.rate,
            rssi_ddbm,
            snr_ddb: 20,
            held_ms: 0,
            size: 24,
            source: None,
        }
    }
}

fn source() -> Source {
    Source {
        id: 5,
        counter: None,
        place: Some(at(8)),
        height_m: Some(200),
        power_ddbm: Some(140),
        range_m: None,
        taken: None,
    }
}

fn packet(frame: u64) -> Heard {
    Heard {
        time: NOON,
        frame: frame << 32,
        frequency_hz: 868_100_000,
        rate: 5,
        rssi_ddbm: -1_180,
        snr_ddb: -35,
        held_ms: 0,
        size: 23,
        source: Some(source()),
    }
}

fn told(heard: Vec<Heard>) -> Body {
    let mut body = Body {
        heard,
        ..Body::default()
    };
    body.settle();
    body
}

/// What becomes of one packet of which something was changed.
fn one(change: impl FnOnce(&mut Heard)) -> &'static str {
    let mut heard = packet(1);
    change(&mut heard);
    Net::of(&[centre()]).verdicts(&[(0, told(vec![heard]))])[0][0]
}

fn with(change: impl FnOnce(&mut Source)) -> &'static str {
    one(|heard| {
        let mut source = source();
        change(&mut source);
        heard.source = Some(source);
    })
}

#[test]
fn a_packet_is_held_against_clock_region_and_physics() {
    assert_eq!(one(|_| {}), "-");
    assert_eq!(one(|heard| heard.time = TimeMs(BEGIN - 1)), "outside_epoch");
    assert_eq!(one(|heard| heard.time = TimeMs(BEGIN + HOUR_MS)), "outside_epoch");
    assert_eq!(one(|heard| heard.held_ms = 900_000), "-");
    assert_eq!(one(|heard| heard.held_ms = 900_001), "late");
    assert_eq!(one(|heard| heard.frequency_hz = 862_999_999), "wrong_frequency");
    assert_eq!(one(|heard| heard.frequency_hz = 903_900_000), "wrong_frequency");
    assert_eq!(one(|heard| heard.rate = 7), "wrong_rate");
    // SF7 needs -7.5 dB, and six are given.
    assert_eq!(one(|heard| heard.snr_ddb = -135), "-");
    assert_eq!(one(|heard| heard.snr_ddb = -136), "too_weak");
    assert_eq!(one(|heard| heard.rssi_ddbm = -1_400), "too_weak");
    assert_eq!(one(|heard| heard.source = None), "no_sender");
}

#[test]
fn a_clock_is_held_against_the_customers() {
    let taken = |off: i64, held: u64| {
        one(|heard| {
            heard.held_ms = held;
            let mut source = source();
            source.taken = NOON.0.checked_add_signed(off).map(TimeMs);
            heard.source = Some(source);
        })
    };
    assert_eq!((taken(5_000, 0), taken(5_001, 0)), ("-", "clock"), "behind");
    assert_eq!((taken(-5_000, 0), taken(-5_001, 0)), ("-", "clock"), "ahead");
    assert_eq!(
        (taken(45_000, 20_000), taken(45_001, 20_000)),
        ("-", "clock"),
        "kept, and waiting on the way"
    );
}

#[test]
fn a_signal_is_no_stronger_than_free_space_and_one_reflection_allow() {
    // 12.749 km at 868.1 MHz lose 113.3 dB: 14 dBm and a dipole give -97.2 dBm, a reflection -91.2 dBm.
    let strong = |rssi_ddbm| {
        one(|heard| {
            (heard.rssi_ddbm, heard.snr_ddb) = (rssi_ddbm, 300);
            heard.source = Some(Source {
                place: None,
                range_m: Some(12_749),
                ..source()
            });
        })
    };
    assert_eq!((strong(-912), strong(-911)), ("-", "too_strong"));
    let antenna = |gain| {
        let mut body = told(vec![Heard {
            rssi_ddbm: -850,
            snr_ddb: 300,
            source: Some(Source {
                range_m: Some(12_749),
                place: None,
                ..source()
            }),
            ..packet(1)
        }]);
        body.station.gain_ddbi = gain;
        Net::of(&[centre()]).verdicts(&[(0, body)])[0][0]
    };
    assert_eq!(antenna(Some(90)), "-", "who has a better antenna says so");
    assert_eq!((antenna(None), antenna(Some(10))), ("too_strong", "too_strong"));
    let reflector = Some(3_000);
    let near = one(|heard| {
        (heard.rssi_ddbm, heard.snr_ddb) = (-300, 300);
        heard.source = Some(Source {
            place: None,
            range_m: Some(1_000),
            ..source()
        });
    });
    assert_eq!(near, "too_strong");
    assert_eq!(antenna(reflector), "-", "fifteen decibels are believed at most");
}

#[test]
fn honest_links_of_50_and_109_kilometres_pass_and_the_horizon_ends_them() {
    let link = |range, sender, here: Option<i16>| {
        let mut body = told(vec![Heard {
            rssi_ddbm: -1_190,
            snr_ddb: -60,
            source: Some(Source {
                place: None,
                range_m: Some(range),
                height_m: sender,
                ..source()
            }),
            ..packet(1)
        }]);
        body.station.height_m = here;
        Net::of(&[centre()]).verdicts(&[(0, body)])[0][0]
    };
    assert_eq!(link(50_000, Some(240), None), "-", "over mountains");
    assert_eq!(link(109_000, Some(1_351), Some(220)), "-", "from a summit");
    assert_eq!(link(109_000, None, None), "-", "between places of unknown height");
    assert_eq!(link(143_000, None, None), "beyond_reach");
    assert_eq!(link(65_000, Some(30), Some(100)), "beyond_reach");
    assert_eq!(
        link(800_000, Some(i16::MAX), Some(i16::MAX)),
        "beyond_reach",
        "nobody stands that high"
    );
    assert_eq!(with(|source| source.place = Some(far())), "beyond_reach");
}

#[test]
fn a_measured_distance_is_the_one_between_the_places() {
    let range = |range| with(|source| source.range_m = Some(range));
    let metres = crate::kit::place::Point::of(at(8)).metres_to(crate::kit::place::Point::of(centre())) as u32;
    assert_eq!((range(metres - 2_700), range(metres + 2_700)), ("-", "-"));
    assert_eq!(
        (range(metres - 2_800), range(metres + 2_800)),
        ("wrong_place", "wrong_place")
    );
}

#[test]
fn a_place_that_measured_distances_keep_contradicting_is_not_believed_at_all() {
    let mut net = Net::of(&[centre(), at(3)]);
    let ranged = |frame, range| Heard {
        source: Some(Source {
            range_m: range,
            ..source()
        }),
        ..packet(frame)
    };
    let hour = |net: &Net, ranges: &[Option<u32>]| {
        let frames = ranges.iter().zip(1 + 100 * net.hour..);
        told(
            frames
                .map(|(range, frame)| Heard {
                    time: net.start().plus_ms(frame),
                    ..ranged(frame, *range)
                })
                .collect(),
        )
    };
    let metres = crate::kit::place::Point::of(at(8)).metres_to(crate::kit::place::Point::of(centre())) as u32;
    let (near, wide, none) = (Some(metres), Some(metres + 9_000), None);
    let mut play = |ranges: &[Option<u32>]| {
        let body = hour(&net, ranges);
        net.verdicts(&[(0, body)]).remove(0)
    };
    assert_eq!(play(&[near, near, wide, none]), ["-", "-", "wrong_place", "-"]);
    assert_eq!(play(&[near, wide, none]), ["misplaced", "wrong_place", "misplaced"]);
    assert_eq!(play(&[none]), ["misplaced"]);
    assert_eq!(
        play(&[near, near, near, near, near, near, none]),
        ["-"; 7],
        "most of them fit again"
    );
    // Who registers elsewhere begins anew.
    assert_eq!(play(&[wide, wide, wide, none])[3], "misplaced");
    net.members[0].cell = at(3);
    let body = hour(&net, &[none]);
    assert_eq!(net.verdicts(&[(0, body)]), [["-"]]);
}

#[test]
fn a_device_stands_where_it_is_registered() {
    let stands = |place| {
        let mut body = told(vec![packet(1)]);
        body.station.place = Some(place);
        let mut net = Net::of(&[centre()]);
        net.verdicts(&[(0, body)])[0][0]
    };
    assert_eq!(
        (stands(centre()), stands(at(2)), stands(at(5)), stands(far())),
        ("-", "-", "moved", "moved")
    );
    let mut body = told(vec![packet(1)]);
    body.station.region = 200;
    assert_eq!(Net::of(&[centre()]).verdicts(&[(0, body)])[0][0], "wrong_region");
}

#[test]
fn a_frame_is_paid_once_to_each_device_that_heard_it() {
    let mut net = Net::of(&[centre(), at(3)]);
    let again = Heard {
        time: NOON.plus_ms(200_000),
        rssi_ddbm: -1_100,
        ..packet(1)
    };
    let verdicts = net.verdicts(&[(0, told(vec![packet(1), again])), (1, told(vec![again]))]);
    assert_eq!(verdicts, [vec!["-", "duplicate"], vec!["-"]]);
    // Shortly after, in the next hour, the same holds.
    let late = |ms| Heard {
        time: TimeMs(BEGIN + HOUR_MS + ms),
        ..packet(1)
    };
    let verdicts = net.verdicts(&[(0, told(vec![late(1_000)])), (1, told(vec![late(2_000_000)]))]);
    assert_eq!(verdicts, [["duplicate"], ["replayed"]]);
}

#[test]
fn an_old_frame_is_a_replay_whoever_tells_it_and_is_remembered_for_weeks() {
    let mut net = Net::of(&[centre(), at(3)]);
    let then = |net: &Net, ms| Heard {
        time: net.start().plus_ms(ms),
        ..packet(1)
    };
    net.judge(&[(0, told(vec![then(&net, 60_000)]))]);
    for hours in [1u64, 30 * 24] {
        net.hour = hours;
        let told_again = told(vec![then(&net, 60_000 + 60 * 60_000 / 2)]);
        assert_eq!(net.verdicts(&[(1, told_again)]), [["replayed"]], "{hours} hours later");
    }
    net.hour = 60 * 24;
    net.judge(&[(0, told(vec![packet(2)]))]);
    assert_eq!(net.verdicts(&[(1, told(vec![then(&net, 0)]))]).len(), 1);
}

#[test]
fn within_one_epoch_a_frame_may_be_repeated_for_fifty_minutes() {
    let mut net = Net::of(&[centre(), at(3)]);
    let heard = |ms| Heard {
        time: TimeMs(BEGIN + ms),
        ..packet(1)
    };
    let verdicts = net.verdicts(&[(0, told(vec![heard(1_000)])), (1, told(vec![heard(3_001_001)]))]);
    assert_eq!(verdicts, [["-"], ["replayed"]]);
}

#[test]
fn a_counter_that_starts_anew_is_no_replay_but_its_old_frames_are() {
    let counted = |net: &Net, minute: u64, counter: u32, frame: u64| Heard {
        time: net.start().plus_ms(minute * 60_000),
        source: Some(Source {
            counter: Some(counter),
            ..source()
        }),
        ..packet(frame)
    };
    let mut net = Net::of(&[centre()]);
    let first = (0..6).map(|n| counted(&net, 1 + n, 100 + n as u32, 100 + n)).collect();
    assert_eq!(net.verdicts(&[(0, told(first))]), [["-"; 6]]);
    net.hour = 24;
    // It begins at 0 again; counter 101 comes with the very bytes of the day before, and goes on.
    let mut second: Vec<Heard> = (0..4).map(|n| counted(&net, 1 + n, n as u32, 500 + n)).collect();
    second.push(counted(&net, 10, 100, 600));
    second.push(counted(&net, 11, 101, 101));
    second.push(counted(&net, 12, 102, 602));
    assert_eq!(net.verdicts(&[(0, told(second))]), [["-"; 7]]);
    // The same bytes in the middle of a session that is elsewhere are a replay.
    net.hour = 48;
    let third = vec![
        counted(&net, 1, 110, 700),
        counted(&net, 2, 105, 105),
        counted(&net, 3, 111, 701),
    ];
    assert_eq!(net.verdicts(&[(0, told(third))]), [["-", "replayed", "-"]]);
}

#[test]
fn a_replay_within_the_epoch_is_no_new_start_of_a_counter() {
    let counted = |minute: u64, counter: u32| Heard {
        time: TimeMs(BEGIN + minute * 60_000),
        source: Some(Source {
            counter: Some(counter),
            ..source()
        }),
        ..packet(counter.into())
    };
    let mut net = Net::of(&[centre(), at(3)]);
    let heard = told(vec![counted(1, 100), counted(2, 150)]);
    let again = told(vec![counted(55, 100)]);
    assert_eq!(
        net.verdicts(&[(0, heard), (1, again)]),
        [vec!["-"; 2], vec!["replayed"]]
    );
}

#[test]
fn a_frame_is_known_by_who_stands_elsewhere_or_has_the_wrong_time() {
    let then = |net: &Net, off: u64, taken: u64| Heard {
        time: net.start().plus_ms(60_000 + off),
        source: Some(Source {
            taken: Some(net.start().plus_ms(60_000 + taken)),
            ..source()
        }),
        ..packet(1)
    };
    type Case = (fn(&mut Body), u64, &'static str, &'static str);
    let cases: [Case; 3] = [
        (|body| body.station.place = Some(far()), 0, "moved", "replayed"),
        // It says an hour later than the customer had it: what came meanwhile came in time.
        (|_| {}, 3_000_000, "clock", "replayed"),
        // Nobody can have read it: who says so proves no frame.
        (|body| body.heard[0].snr_ddb = -300, 0, "too_weak", "-"),
    ];
    for (change, off, first, second) in cases {
        let mut net = Net::of(&[centre(), at(3)]);
        let mut body = told(vec![then(&net, off, 0)]);
        change(&mut body);
        let soon = told(vec![then(&net, 120_000, 120_000)]);
        assert_eq!(net.verdicts(&[(0, body), (1, soon)]), [[first], ["-"]]);
        let mut net = Net::of(&[centre(), at(3)]);
        let mut body = told(vec![then(&net, off, 0)]);
        change(&mut body);
        net.judge(&[(0, body)]);
        net.hour = 3;
        let later = told(vec![then(&net, 0, 0)]);
        assert_eq!(net.verdicts(&[(1, later)]), [[second]], "{first}");
    }
}

#[test]
fn who_is_borne_out_by_another_is_believed_against_one_whom_nobody_bears_out() {
    let unknown = |frame: u64| Heard {
        time: NOON.plus_ms(frame * 20_000),
        rssi_ddbm: -1_180 + 13 * frame as i16,
        source: Some(Source {
            place: None,
            ..source()
        }),
        ..packet(frame)
    };
    let siblings = (1..8).filter_map(|digit| CellId::new(centre().get() ^ digit << 39).ok());
    let metres = |one: CellId, other: CellId| Point::of(one).metres_to(Point::of(other));
    let apart = siblings.max_by_key(|cell| metres(*cell, far()).min(metres(*cell, centre())));
    let elsewhere = apart.expect("a sibling");
    let mut net = Net::of(&[centre(), at(3), far(), elsewhere]);
    // The first and the second bear each other out with a frame; the others hear what only the first heard.
    let heard = |frames: &[u64]| told(frames.iter().map(|frame| unknown(*frame)).collect());
    let said = [
        (0, heard(&[1, 2, 3])),
        (1, heard(&[1])),
        (2, heard(&[3])),
        (3, heard(&[2])),
    ];
    let verdicts = net.verdicts(&said);
    assert_eq!(verdicts, [vec!["-"; 3], vec!["-"], vec!["apart"], vec!["apart"]]);
}

#[test]
fn receivers_that_cannot_have_heard_one_sender_are_outvoted() {
    let unknown = |frame, ms| Heard {
        time: NOON.plus_ms(ms),
        source: Some(Source {
            place: None,
            ..source()
        }),
        ..packet(frame)
    };
    let mut net = Net::of(&[centre(), at(3), far()]);
    let said = |rows: &[usize]| -> Vec<(usize, Body)> {
        rows.iter()
            .map(|row| {
                (
                    *row,
                    told(vec![Heard {
                        rssi_ddbm: -1_180 + 30 * *row as i16,
                        ..unknown(1, 0)
                    }]),
                )
            })
            .collect()
    };
    assert_eq!(net.verdicts(&said(&[0, 1, 2])), [["-"], ["-"], ["apart"]]);
    let mut net = Net::of(&[centre(), at(3), far()]);
    assert_eq!(
        net.verdicts(&said(&[0, 2])),
        [["-"], ["-"]],
        "one against one settles nothing"
    );
}

#[test]
fn devices_that_hear_alike_are_one_radio_and_the_earlier_one_is_paid() {
    let mut net = Net::of(&[centre(), at(3), at(5)]);
    let frames = |off: [i16; 4], noise: i16| {
        let heard = |(frame, off): (u64, i16)| Heard {
            time: NOON.plus_ms(frame * 60_000 + off.unsigned_abs() as u64),
            rssi_ddbm: -1_180 + off,
            snr_ddb: -35 + noise,
            ..packet(frame)
        };
        told((1..).zip(off).map(heard).collect())
    };
    let said = [
        (0, frames([0, 0, 0, 0], 0)),
        (1, frames([10, -10, 0, 10], 5)),
        (2, frames([10, -30, 50, 0], 0)),
    ];
    assert_eq!(net.verdicts(&said), [["-"; 4], ["copied"; 4], ["-"; 4]]);
    // As strong, and half as often as clear: eight are enough; whatever the noise: twenty-four.
    for (count, noise, verdict) in [
        (7, [0, 20], "-"),
        (8, [0, 20], "copied"),
        (23, [20, 30], "-"),
        (24, [20, 30], "copied"),
    ] {
        let heard = |snr: [i16; 2]| {
            let frame = |frame: u64| Heard {
                time: NOON.plus_ms(frame * 60_000),
                snr_ddb: -35 + snr[frame as usize % 2],
                ..packet(frame)
            };
            told((1..=count).map(frame).collect())
        };
        let mut net = Net::of(&[centre(), at(3)]);
        assert_eq!(
            net.verdicts(&[(0, heard([0, 0])), (1, heard(noise))])[1][0],
            verdict,
            "{count}"
        );
    }
    // Exactly as clear, eight times, however strong; within two decibels of both, sixteen times.
    for (count, rssi, snr, verdict) in [
        (7, [40, -30], [0, 0], "-"),
        (8, [40, -30], [0, 0], "copied"),
        (8, [90, -90], [0, 0], "-"),
        (15, [20, -20], [20, -15], "-"),
        (16, [20, -20], [20, -15], "copied"),
    ] {
        let heard = |rssi: [i16; 2], snr: [i16; 2]| {
            let frame = |frame: u64| Heard {
                time: NOON.plus_ms(frame * 60_000),
                rssi_ddbm: -1_100 + rssi[frame as usize % 2],
                snr_ddb: -35 + snr[frame as usize % 2],
                ..packet(frame)
            };
            told((1..=count).map(frame).collect())
        };
        let mut net = Net::of(&[centre(), at(3)]);
        let said = [(0, heard([0, 0], [0, 0])), (1, heard(rssi, snr))];
        assert_eq!(net.verdicts(&said)[1][0], verdict, "{count} {rssi:?}");
    }
    // Two antennas at one device: it is enough that one of them hears as the other device does.
    let two = |first: u64, second: u64| {
        let heard = |frame: u64, ms: u64, rssi: i16| Heard {
            time: NOON.plus_ms(frame * 60_000 + ms),
            rssi_ddbm: -1_180 + rssi,
            ..packet(frame)
        };
        told(
            (1..4)
                .flat_map(|frame| [heard(frame, first, 0), heard(frame, second, 70)])
                .collect(),
        )
    };
    let mut net = Net::of(&[centre(), at(3)]);
    let said = [(0, two(0, 9)), (1, two(9, 0))];
    assert_eq!(net.verdicts(&said)[1], ["copied", "duplicate"].repeat(3));
    // A few times alike, of many that only one of both heard, proves nothing.
    let alike = |count: u64| {
        told(
            (1..=count)
                .map(|frame| Heard {
                    time: NOON.plus_ms(frame * 40_000),
                    ..packet(frame)
                })
                .collect(),
        )
    };
    for (more, verdict) in [(9, "copied"), (10, "-")] {
        let mut later = alike(3);
        let own = (1..=more).map(|frame| Heard {
            time: NOON.plus_ms(frame * 40_000 + 9_000),
            ..packet(100 + frame)
        });
        later.heard.extend(own);
        later.settle();
        let mut net = Net::of(&[centre(), at(3)]);
        assert_eq!(net.verdicts(&[(0, alike(3)), (1, later)])[1][0], verdict, "{more}");
    }
    // Remembered: one reception more is enough.
    let mut net = Net::of(&[centre(), at(3)]);
    net.judge(&[(0, alike(24)), (1, alike(24))]);
    let next = told(vec![Heard {
        time: net.start().plus_ms(7),
        ..packet(77)
    }]);
    assert_eq!(net.verdicts(&[(0, next.clone()), (1, next)]), [["-"], ["copied"]]);
}

/// Members that all sent their beacon and heard all others.
fn everyone(net: &Net, rssi_ddbm: i16) -> Vec<(usize, Body)> {
    let body = |row: usize| {
        let others = (0..net.members.len()).filter(|other| *other != row);
        let fade = |other: usize| 23 * (((row + 3) * (other + 5)) % 7) as i16;
        let mut body = told(others.map(|other| net.hears(other, rssi_ddbm - fade(other))).collect());
        body.beacons = vec![net.beacon(row)];
        (row, body)
    };
    (0..net.members.len()).map(body).collect()
}

fn six() -> Net {
    Net::of(&[centre(), at(3), at(6), at(9), at(12), at(15)])
}

#[test]
fn a_beacon_as_asked_for_and_heard_by_others_earns_a_unit() {
    let mut net = six();
    let said = everyone(&net, -1_050);
    let units: Vec<u64> = net.judge(&said).findings.iter().map(|finding| finding.units).collect();
    assert_eq!(units, [1_000_000; 6]);
    // The next hour asks for other beacons, by the seed of this one.
    let before = net.due(0).frame(1);
    let said = everyone(&net, -1_050);
    assert_eq!(net.judge(&said).findings[0].units, 1_000_000);
    net.memory = Vec::new();
    assert_ne!(before, net.due(0).frame(1));
}

#[test]
fn after_an_epoch_that_nobody_judged_nothing_was_asked_for_and_nobody_is_blamed() {
    let mut net = six();
    let said = everyone(&net, -1_050);
    net.judge(&said);
    net.hour += 1;
    let said = everyone(&net, -1_050);
    assert!(net.verdicts(&said).iter().all(|verdicts| verdicts[0] == "no_challenge"));
    let said = everyone(&net, -1_050);
    assert!(net.verdicts(&said).iter().all(|verdicts| verdicts[0] == "-"));
}

/// What becomes of the beacon of the first, and of its reception by the second, when something is changed.
fn changed(change: impl FnOnce(&Net, &mut Vec<(usize, Body)>)) -> (&'static str, &'static str) {
    let mut net = six();
    let mut said = everyone(&net, -1_050);
    let frame = said[1]
        .1
        .heard
        .iter()
        .find(|heard| heard.time == net.hears(0, 0).time)
        .map(|heard| heard.frame);
    change(&net, &mut said);
    said.iter_mut().for_each(|(_, body)| body.settle());
    let place = said[1].1.heard.iter().position(|heard| Some(heard.frame) == frame);
    let verdicts = net.verdicts(&said);
    (
        verdicts[0][0],
        place.map_or("", |place| verdicts[1][said[1].1.beacons.len() + place]),
    )
}

/// Changes what the second says of the first's beacon.
fn second(net: &Net, said: &mut [(usize, Body)], change: impl Fn(&mut Heard)) {
    let frame = net.hears(0, 0).frame;
    said[1]
        .1
        .heard
        .iter_mut()
        .filter(|heard| heard.frame == frame)
        .for_each(change);
}

#[test]
fn a_beacon_is_sent_when_and_as_it_was_asked_for() {
    assert_eq!(changed(|_, _| {}), ("-", "-"));
    assert_eq!(
        changed(|_, said| said[0].1.beacons[0].time.0 -= 10_001),
        ("off_schedule", "bad_beacon")
    );
    assert_eq!(
        changed(|_, said| said[0].1.beacons[0].frequency_hz += 200_000),
        ("wrong_frequency", "bad_beacon")
    );
    assert_eq!(
        changed(|_, said| said[0].1.beacons[0].rate = 0),
        ("wrong_rate", "bad_beacon")
    );
    assert_eq!(
        changed(|_, said| said[0].1.beacons[0].power_ddbm = 162),
        ("too_loud", "bad_beacon")
    );
    assert_eq!(changed(|_, said| said[0].1.beacons[0].nonce = 77).0, "unheard");
    let twice = |_: &Net, said: &mut Vec<(usize, Body)>| {
        let mut more = said[0].1.beacons[0];
        more.nonce += 1;
        said[0].1.beacons.push(more);
    };
    let mut net = six();
    let mut said = everyone(&net, -1_050);
    twice(&net, &mut said);
    assert_eq!(net.verdicts(&said)[0][1], "not_asked");
    // The same one told twice, by who was killed while it reported, is no second one.
    let mut net = six();
    let mut said = everyone(&net, -1_050);
    let again = Body {
        heard: Vec::new(),
        ..said[0].1.clone()
    };
    said.push((0, again));
    let verdicts = net.verdicts(&said);
    assert_eq!((verdicts[0][0], &verdicts[6][..]), ("-", &["duplicate"][..]));
}

#[test]
fn a_witness_contradicted_by_others_is_blamed_and_a_sender_contradicted_by_most_is() {
    assert_eq!(
        changed(|net, said| second(net, said, |heard| heard.time.0 += 12_000)),
        ("-", "clock")
    );
    assert_eq!(
        changed(|net, said| second(net, said, |heard| heard.frequency_hz += 40_000)),
        ("-", "wrong_frequency")
    );
    assert_eq!(
        changed(|net, said| second(net, said, |heard| heard.rate = 0)),
        ("-", "wrong_rate")
    );
    assert_eq!(
        changed(|net, said| second(net, said, |heard| heard.rssi_ddbm = 0)),
        ("-", "too_strong")
    );
    let everybody = |net: &Net, said: &mut Vec<(usize, Body)>| {
        let frame = net.hears(0, 0).frame;
        for (_, body) in said.iter_mut() {
            body.heard
                .iter_mut()
                .filter(|heard| heard.frame == frame)
                .for_each(|heard| heard.time.0 += 12_000);
        }
    };
    assert_eq!(changed(everybody), ("clock", "bad_beacon"));
    let alone = |net: &Net, said: &mut Vec<(usize, Body)>| {
        second(net, said, |heard| heard.rssi_ddbm = 0);
        let frame = net.hears(0, 0).frame;
        said[2..]
            .iter_mut()
            .for_each(|(_, body)| body.heard.retain(|heard| heard.frame != frame));
    };
    assert_eq!(changed(alone), ("unheard", "unsettled"));
}

#[test]
fn who_is_too_close_to_the_sender_is_no_witness() {
    let own = |net: &Net, said: &mut Vec<(usize, Body)>| said[0].1.heard.push(net.hears(0, -900));
    let mut net = six();
    let mut said = everyone(&net, -1_050);
    own(&net, &mut said);
    said[0].1.settle();
    assert!(net.verdicts(&said)[0].contains(&"own_beacon"));

    let mut net = six();
    net.members[1].operator = net.members[0].operator;
    let said = everyone(&net, -1_050);
    assert!(net.verdicts(&said)[1].contains(&"same_operator"));

    let mut net = six();
    net.params.apart_steps = 4;
    let said = everyone(&net, -1_050);
    assert!(net.verdicts(&said)[1].contains(&"too_near"));
}

#[test]
fn more_witnesses_than_count_are_drawn_by_lot() {
    let mut net = six();
    (net.params.witness_max, net.params.witness_target) = (2, 2);
    let said = everyone(&net, -1_050);
    let verdicts = net.verdicts(&said);
    let drawn = verdicts
        .iter()
        .flatten()
        .filter(|verdict| **verdict == "not_drawn")
        .count();
    assert_eq!(drawn, 6 * 3, "of five witnesses two count");
}

#[test]
fn the_same_witness_again_is_worth_less() {
    let mut net = six();
    net.params.witness_target = 5;
    let units = |net: &mut Net| {
        let said = everyone(net, -1_050);
        net.judge(&said).findings[0].units
    };
    let paid: Vec<u64> = (0..14).map(|_| units(&mut net)).collect();
    assert_eq!(
        (paid[0], paid[1], paid[4], paid[13]),
        (1_000_000, 975_000, 900_000, 750_000)
    );
}

#[test]
fn who_only_hears_is_not_believed_for_ever() {
    let mut net = six();
    net.params.both_ways_epochs = 3;
    let hour = |net: &mut Net| {
        let mut said = everyone(net, -1_050);
        said[0].1.beacons.clear();
        let frame = net.hears(0, 0).frame;
        said[1..]
            .iter_mut()
            .for_each(|(_, body)| body.heard.retain(|heard| heard.frame != frame));
        net.verdicts(&said)[0][0]
    };
    let verdicts: Vec<_> = (0..5).map(|_| hour(&mut net)).collect();
    assert_eq!(verdicts, ["-", "-", "-", "one_way", "one_way"]);
    let said = everyone(&net, -1_050);
    assert!(
        net.verdicts(&said)[0].iter().all(|verdict| *verdict == "-"),
        "one beacon that is heard, and all is well"
    );
}

#[test]
fn devices_in_one_cell_share_what_it_is_worth() {
    let mut net = Net::of(&[centre(), at(3), at(6), at(9), at(12), at(12)]);
    let mut said = everyone(&net, -1_050);
    let nth = due(
        &net.params,
        &REGIONS[0],
        &[0; 32],
        (EpochNumber(0), net.start(), net.start().plus_ms(HOUR_MS)),
        (at(12), 1),
    );
    let old = net.hears(5, 0).frame;
    for (row, body) in &mut said {
        for heard in body.heard.iter_mut().filter(|heard| heard.frame == old) {
            let own = if *row == 4 { 4 } else { 5 };
            (heard.time, heard.frame) = (nth.time, nth.frame(own));
            (heard.frequency_hz, heard.rate) = (nth.frequency_hz, nth.rate);
        }
    }
    let beacon = &mut said[5].1.beacons[0];
    (beacon.time, beacon.frequency_hz, beacon.rate) = (nth.time, nth.frequency_hz, nth.rate);
    said.iter_mut().for_each(|(_, body)| body.settle());
    let units: Vec<u64> = net.judge(&said).findings.iter().map(|finding| finding.units).collect();
    assert_eq!(units[0], 1_000_000);
    assert!(units[4] <= 500_000 && units[5] <= 500_000, "{units:?}");
}

#[test]
fn an_epochs_coverage_is_paid_with_one_report() {
    let mut net = six();
    let mut said = everyone(&net, -1_050);
    let last = said[0].1.heard.pop().expect("several");
    said.push((0, told(vec![last])));
    said.push((0, told(vec![packet(9)])));
    let findings = net.judge(&said).findings;
    let name = |place: usize| {
        findings[place]
            .reason
            .map(|reason| reasons::text(&Wireless, reason).map(|text| text.name))
    };
    assert_eq!((findings[0].units, findings[6].units), (1_000_000, 0));
    assert_eq!((name(6), name(7)), (Some(Some("counted")), Some(Some("no_coverage"))));
}

#[test]
fn memory_that_nobody_here_wrote_is_refused() {
    let mut net = six();
    let counted = Heard {
        time: net.start(),
        source: Some(Source {
            counter: Some(1),
            ..source()
        }),
        ..packet(1)
    };
    net.judge(&[(0, told(vec![counted]))]);
    let said = everyone(&net, -1_050);
    net.judge(&said);
    let bytes = crate::kit::memory::Memory::decode(&net.memory)
        .expect("ours")
        .vertical
        .to_vec();
    let memory = Memory::decode(&bytes).expect("ours");
    assert!(!memory.buckets.is_empty() && !memory.devices[0].peers.is_empty());
    type Change = fn(&mut Memory);
    let changes: [Change; 4] = [
        |memory| memory.devices.reverse(),
        |memory| memory.devices[0].peers.reverse(),
        |memory| memory.buckets.push(memory.buckets[0].clone()),
        |memory| memory.sources.extend(memory.sources.clone()),
    ];
    for change in changes {
        let mut broken = memory.clone();
        change(&mut broken);
        assert!(Memory::decode(&codec::encode(&broken)).is_err());
    }
}

#[test]
fn a_reference_proves_coverage_to_two_operators_or_to_nobody() {
    let earned = |named: bool, operators: [u32; 2]| {
        let mut net = Net::of(&[at(3), at(6)]);
        for (member, operator) in net.members.iter_mut().zip(operators) {
            member.operator = AccountNumber(operator);
        }
        net.params.references = if named { vec![source().id] } else { vec![] };
        let heard = |row: i16| -> Vec<Heard> {
            let one = |frame: u64| Heard {
                time: NOON.plus_ms(frame * 60_000),
                rssi_ddbm: -1_050 - row * 70 - (frame as i16 * 37 * (row + 1)) % 90,
                source: Some(Source {
                    counter: Some(frame as u32),
                    ..source()
                }),
                ..packet(frame)
            };
            (1..=4).map(one).collect()
        };
        let findings = net.judge(&[(0, told(heard(0))), (1, told(heard(1)))]).findings;
        let spans = findings.iter().flat_map(|finding| &finding.spans);
        assert!(
            spans
                .filter(|span| span.quantity != reasons::STANDING)
                .all(|span| span.reason.is_none()),
            "a packet is a packet all the same: {findings:?}"
        );
        findings.iter().map(|finding| finding.units).collect::<Vec<_>>()
    };
    assert_eq!(
        earned(true, [1, 2]),
        [250_000, 250_000],
        "half of what four strangers' beacons prove"
    );
    assert_eq!(earned(true, [1, 1]), [0, 0]);
    assert_eq!(earned(false, [1, 2]), [0, 0]);
}
