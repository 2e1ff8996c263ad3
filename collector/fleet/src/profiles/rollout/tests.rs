use super::*;
use crate::profiles::ConfigurationDigest;

const SECOND: i64 = 1_000;

fn id(number: u64) -> HostId {
    HostId(u128::from(number + 1).to_be_bytes())
}

fn name(host: HostId) -> String {
    format!("web{}", u128::from_be_bytes(host.0) - 1)
}

fn digest(version: u64) -> ConfigurationDigest {
    u128::from(version).to_be_bytes()
}

/// What an agent does with the new document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    TakesIt,
    RefusesIt,
    /// After so many seconds.
    RevertsIt(i64),
    /// It says nothing more.
    IsMute,
    /// Its session ends after so many seconds and none follows.
    Dies(i64),
    /// It is not connected.
    IsAway,
}

/// A fleet whose agents do as they are told.
struct World {
    machine: Machine,
    does: BTreeMap<HostId, Does>,
    has: BTreeMap<HostId, u64>,
    /// Words that are still to come.
    words: Vec<(i64, HostId, Does)>,
    now_ms: i64,
    effects: Vec<Effect>,
    /// Restarts the collector after each event.
    restarts: bool,
}

impl World {
    fn new(does: impl IntoIterator<Item = Does>) -> Self {
        let does: BTreeMap<HostId, Does> = (0..).map(id).zip(does).collect();
        let row = Rollout {
            target: 2,
            base: 1,
            state: RolloutState::Running,
            wave: 0,
            wave_failed: 0,
            reason: String::new(),
            by: "user:ann".into(),
            begun_ms: 0,
            changed_ms: 0,
            hosts: does.len() as u64,
            good: 0,
            failed: Vec::new(),
        };
        let connected = does.iter().filter(|(_, does)| **does != Does::IsAway).map(|(host, _)| *host).collect();
        let machine = Machine::new(row, does.keys().map(|host| (*host, Stage::Waiting, 0)), connected, 0);
        let has = does.keys().map(|host| (*host, 1)).collect();
        Self { machine, does, has, words: Vec::new(), now_ms: 0, effects: Vec::new(), restarts: false }
    }

    /// The host that tries first.
    fn canary(&self) -> HostId {
        *self.machine.members.iter().min_by_key(|(_, member)| member.order).unwrap().0
    }

    fn happens(&mut self, happened: Happened<'_>) {
        let effects = self.machine.step(self.now_ms, happened, &name);
        for effect in effects {
            self.effects.push(effect.clone());
            match effect {
                Effect::Release(host) => {
                    self.has.insert(host, 2);
                    self.happens(Happened::Expects(host, Expected { digest: digest(2) }));
                    let does = self.does[&host];
                    let after = match does {
                        Does::RevertsIt(seconds) | Does::Dies(seconds) => seconds,
                        _ => 2,
                    };
                    if !matches!(does, Does::RefusesIt | Does::IsMute) {
                        self.words.push((self.now_ms + 2 * SECOND, host, Does::TakesIt));
                    }
                    self.words.push((self.now_ms + after * SECOND, host, does));
                }
                Effect::SetBack(host, _) => drop(self.has.insert(host, 1)),
                _ => {}
            }
        }
    }

    /// Lets seconds pass.
    fn pass(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.now_ms += SECOND;
            let now_ms = self.now_ms;
            let due: Vec<_> = self.words.extract_if(.., |(at_ms, ..)| *at_ms <= now_ms).collect();
            for (_, host, does) in due {
                let (word, in_force, problems) = match does {
                    Does::TakesIt => (ConfigurationWord::InForce, 2, vec![]),
                    Does::RefusesIt => (ConfigurationWord::Refused, 1, vec!["checks.kind: no such".to_owned()]),
                    Does::RevertsIt(_) => (ConfigurationWord::Reverted, 1, vec!["the agent died".to_owned()]),
                    Does::Dies(_) => {
                        self.happens(Happened::Gone(host));
                        continue;
                    }
                    Does::IsMute | Does::IsAway => continue,
                };
                let told = Told { word, in_force: digest(in_force), offered: digest(2), problems: &problems };
                self.happens(Happened::Told(host, told));
            }
            self.happens(Happened::Tick);
            if self.restarts {
                self.restart();
            }
        }
    }

    /// What another process makes of the rows. Hosts come back and say how they stand.
    fn restart(&mut self) {
        let members: Vec<_> =
            self.machine.members.iter().map(|(host, member)| (*host, member.stage, member.wave)).collect();
        let row = self.machine.row.clone();
        let gone: Vec<HostId> =
            self.does.keys().filter(|host| !self.machine.connected.contains(host)).copied().collect();
        self.machine = Machine::new(row, members.clone(), BTreeSet::new(), self.now_ms);
        for (host, stage, _) in members {
            if !gone.contains(&host) {
                self.happens(Happened::Connected(host));
            }
            if matches!(stage, Stage::Released | Stage::Good) {
                self.happens(Happened::Expects(host, Expected { digest: digest(2) }));
                if !self.words.iter().any(|(_, other, _)| *other == host) && self.does[&host] == Does::TakesIt {
                    let told = Told {
                        word: ConfigurationWord::InForce,
                        in_force: digest(2),
                        offered: digest(2),
                        problems: &[],
                    };
                    self.happens(Happened::Told(host, told));
                }
            }
        }
    }

    fn having(&self, version: u64) -> usize {
        self.has.values().filter(|has| **has == version).count()
    }

    fn named(&self) -> Vec<String> {
        self.machine.row.failed.iter().map(|failed| format!("{} {}", name(failed.host), failed.problem)).collect()
    }
}

/// A hundred hosts that take what they are given, but those.
fn hundred(but: &[(u64, Does)]) -> World {
    World::new(
        (0..100).map(|number| but.iter().find(|(host, _)| *host == number).map_or(Does::TakesIt, |(_, does)| *does)),
    )
}

#[test]
fn waves_are_one_host_then_five_percent_then_all() {
    let mut world = hundred(&[]);
    let canary = world.canary();
    world.pass(1);
    assert_eq!((world.having(2), world.has[&canary]), (1, 2));
    world.pass(61);
    assert_eq!((world.having(2), world.machine.row.wave), (1, 0), "the soak lasts a minute from its word");
    world.pass(2);
    assert_eq!((world.having(2), world.machine.row.wave), (6, 1));
    world.pass(65);
    assert_eq!((world.having(2), world.machine.row.wave), (100, 2));
    world.pass(65);
    let row = &world.machine.row;
    assert_eq!((row.state, row.good, row.failed.len(), row.reason.as_str()), (RolloutState::Done, 100, 0, ""));
    assert_eq!(world.effects.last(), Some(&Effect::Done));
    let done = world.effects.len();
    world.pass(1_000);
    assert_eq!(world.effects.len(), done, "what is done does nothing more");
}

#[test]
fn a_document_that_breaks_on_one_host_of_a_hundred_is_set_back_there_alone() {
    for does in [Does::RefusesIt, Does::RevertsIt(10), Does::RevertsIt(59), Does::IsMute, Does::Dies(1), Does::Dies(40)]
    {
        let bad = if hundred(&[]).canary() == id(7) { 8 } else { 7 };
        let mut world = hundred(&[(bad, does)]);
        world.pass(1_500);
        let row = &world.machine.row;
        assert_eq!((row.state, row.good), (RolloutState::Done, 99), "{does:?}");
        assert_eq!((world.having(2), world.has[&id(bad)]), (99, 1), "{does:?}");
        let named = world.named();
        assert!(named.len() == 1 && named[0].starts_with(&format!("web{bad} ")), "{does:?}: {named:?}");
        if does == Does::RefusesIt {
            assert_eq!(named, [format!("web{bad} refused it: checks.kind: no such")]);
        }
    }
}

#[test]
fn a_document_that_breaks_on_the_first_host_stops_after_it() {
    for does in [Does::RefusesIt, Does::RevertsIt(30), Does::IsMute, Does::Dies(5)] {
        let mut world = hundred(&[]);
        let canary = world.canary();
        world.does.insert(canary, does);
        world.pass(1_500);
        let row = &world.machine.row;
        assert_eq!((row.state, row.wave, world.having(2)), (RolloutState::Stopped, 0, 0), "{does:?}");
        assert!(row.reason.starts_with(&format!("the first host, {}, ", name(canary))), "{}", row.reason);
        let released = world.effects.iter().filter(|effect| matches!(effect, Effect::Release(_))).count();
        assert_eq!((released, world.effects.last()), (1, Some(&Effect::Stopped)), "{does:?}");
        // A person goes on without it.
        world.happens(Happened::Resume);
        world.pass(600);
        assert_eq!((world.machine.row.state, world.having(2), world.named().len()), (RolloutState::Done, 99, 1));
    }
}

#[test]
fn more_than_a_twentieth_of_a_wave_stops_it_and_two_of_a_small_one() {
    let canary = hundred(&[]).canary();
    let others: Vec<u64> = (0..100).filter(|number| id(*number) != canary).collect();
    // Of the second wave's five two are too many; one is not.
    for (bad, state) in [(1, RolloutState::Done), (2, RolloutState::Stopped)] {
        let mut world = hundred(&[]);
        let mut order: Vec<(u64, HostId)> =
            world.machine.members.iter().map(|(host, member)| (member.order, *host)).collect();
        order.sort_unstable();
        world.does.extend(order[1..=bad].iter().map(|(_, host)| (*host, Does::RefusesIt)));
        world.pass(1_000);
        assert_eq!((world.machine.row.state, world.named().len()), (state, bad));
        if state == RolloutState::Stopped {
            assert_eq!(world.having(2), 4, "the canary and the three others of the wave");
            assert!(
                world.machine.row.reason.contains("2 of 5 hosts of the wave failed"),
                "{}",
                world.machine.row.reason
            );
        }
    }
    let mut world = hundred(&others[20..60].iter().map(|number| (*number, Does::RevertsIt(20))).collect::<Vec<_>>());
    world.pass(2_000);
    assert_eq!(world.machine.row.state, RolloutState::Stopped);
}

#[test]
fn hosts_that_come_later_get_it_when_the_rest_has_it() {
    let mut world = hundred(&[]);
    let canary = world.canary();
    let away = if canary == id(3) { id(4) } else { id(3) };
    world.does.insert(away, Does::IsAway);
    world.happens(Happened::Gone(away));
    world.pass(10);
    world.happens(Happened::Connected(away));
    world.happens(Happened::Gone(away));
    world.pass(130);
    assert_eq!((world.having(2), world.machine.row.wave, world.has[&away]), (99, 2, 1));
    world.does.insert(away, Does::TakesIt);
    world.happens(Happened::Connected(away));
    world.happens(Happened::Tick);
    assert_eq!(world.has[&away], 2, "at once in the last wave");
    world.pass(70);
    assert_eq!((world.machine.row.state, world.machine.row.good), (RolloutState::Done, 100));

    // Nobody is there: it waits for a first host.
    let mut world = World::new([Does::IsAway, Does::IsAway]);
    world.pass(10_000);
    assert_eq!((world.machine.row.state, world.machine.row.wave, world.having(2)), (RolloutState::Running, 0, 0));
    world.does.insert(id(0), Does::TakesIt);
    world.happens(Happened::Connected(id(0)));
    world.pass(70);
    assert_eq!(
        (world.machine.row.state, world.having(2)),
        (RolloutState::Done, 1),
        "the other one gets it when it comes"
    );
}

#[test]
fn a_host_that_comes_and_goes_without_a_word_has_an_end_too() {
    let mut world = World::new([Does::IsMute]);
    let host = id(0);
    world.pass(200);
    world.happens(Happened::Gone(host));
    world.pass(200);
    world.happens(Happened::Connected(host));
    world.pass(50);
    assert_eq!(world.machine.row.state, RolloutState::Running, "it has a minute to say how it stands");
    for _ in 0..20 {
        world.happens(Happened::Gone(host));
        world.pass(20);
        world.happens(Happened::Connected(host));
        world.pass(20);
    }
    assert_eq!(world.named(), ["web0 did not say within 15 min that it is in force"]);
}

#[test]
fn a_restart_after_each_event_changes_nothing_but_time() {
    let bad = if hundred(&[]).canary() == id(7) { 8 } else { 7 };
    for does in [Does::RefusesIt, Does::RevertsIt(2), Does::TakesIt] {
        let mut world = hundred(&[(bad, does)]);
        for _ in 0..40 {
            world.pass(11);
            world.restart();
        }
        world.pass(300);
        let failed = usize::from(does != Does::TakesIt);
        assert_eq!((world.machine.row.state, world.having(2)), (RolloutState::Done, 100 - failed), "{does:?}");
    }
    // Restarted every second nothing is taken for good that nobody watched for a minute.
    let mut world = hundred(&[]);
    world.restarts = true;
    world.pass(200);
    assert_eq!((world.machine.row.wave, world.having(2)), (0, 1));
    world.restarts = false;
    world.pass(300);
    assert_eq!(world.machine.row.state, RolloutState::Done);
}

#[test]
fn people_stop_it_and_late_reverts_are_set_back() {
    let mut world = hundred(&[]);
    world.pass(70);
    world.happens(Happened::Stop("user:ann stopped it: lunch"));
    world.pass(2_000);
    assert_eq!((world.machine.row.state, world.having(2)), (RolloutState::Stopped, 6));
    assert_eq!(world.machine.row.reason, "user:ann stopped it: lunch");
    let canary = world.canary();
    let problems = ["the agent died".to_owned()];
    let told = Told { word: ConfigurationWord::Reverted, in_force: digest(1), offered: digest(2), problems: &problems };
    world.happens(Happened::Told(canary, told));
    assert_eq!((world.having(2), world.named().len()), (5, 1), "although it had been good");
    world.happens(Happened::Resume);
    world.happens(Happened::Resume);
    world.pass(301);
    assert_eq!((world.machine.row.state, world.having(2)), (RolloutState::Done, 99));
    assert_eq!(world.effects.iter().filter(|effect| **effect == Effect::Resumed).count(), 1);

    // A retired host is no failure, and a document that the host itself changed begins its soak anew.
    let mut world = World::new([Does::TakesIt]);
    world.pass(30);
    world.happens(Happened::Expects(id(0), Expected { digest: digest(3) }));
    world.pass(40);
    assert_eq!(world.machine.row.state, RolloutState::Running);
    world.happens(Happened::Left(id(0)));
    world.pass(1);
    assert_eq!((world.machine.row.state, world.machine.row.failed.len()), (RolloutState::Done, 0));
}

#[test]
fn in_any_world_nobody_has_a_document_that_broke_and_waves_keep_their_bounds() {
    for seed in 0..150 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (count, broken) = (random.usize(1..60), random.usize(0..12));
        let mut does: Vec<Does> = vec![Does::TakesIt; count];
        for _ in 0..broken {
            let kinds = [
                Does::RefusesIt,
                Does::RevertsIt(random.i64(1..90)),
                Does::IsMute,
                Does::Dies(random.i64(1..90)),
                Does::IsAway,
            ];
            does[random.usize(0..count)] = kinds[random.usize(0..kinds.len())];
        }
        let mut world = World::new(does.clone());
        for _ in 0..random.usize(20..80) {
            world.pass(random.i64(1..60));
            match random.u8(0..12) {
                0 => world.restart(),
                1 => world.happens(Happened::Resume),
                2 => world.happens(Happened::Stop("x")),
                3 => {
                    let host = id(random.u64(0..count as u64));
                    world.happens(Happened::Gone(host));
                    world.happens(Happened::Connected(host));
                }
                _ => {}
            }
            let [waiting, released, good, failed] = world.machine.counts();
            assert_eq!(waiting + released + good + failed, count as u64, "seed {seed}");
            let wave = world.machine.row.wave;
            let most = [1, 1 + (count * 5).div_ceil(100), count][usize::from(wave)];
            assert!((released + good + failed) as usize <= most, "seed {seed}: wave {wave}");
            for (host, has) in &world.has {
                let stage = world.machine.members[host].stage;
                assert_eq!(*has == 2, matches!(stage, Stage::Released | Stage::Good), "seed {seed}: {stage:?}");
            }
        }
        // People go on until it is over, or nobody is there to try it.
        for _ in 0..50 {
            world.happens(Happened::Resume);
            world.pass(60);
        }
        let ends = world.machine.row.state == RolloutState::Done;
        assert!(ends || world.machine.connected.is_empty(), "seed {seed}: {:?}", world.machine.row);
        for (number, does) in (0..).zip(&does) {
            let bad = matches!(does, Does::RefusesIt | Does::RevertsIt(_));
            assert!(!bad || !ends || world.has[&id(number)] == 1, "seed {seed}: web{number} {does:?}");
        }
    }
}

#[test]
fn ten_thousand_hosts_are_released_in_portions() {
    let mut world = World::new((0..10_000).map(|_| Does::TakesIt));
    let mut most = 0;
    for _ in 0..400 {
        let before = world.having(2);
        world.pass(1);
        most = most.max(world.having(2) - before);
    }
    assert_eq!((world.machine.row.state, world.machine.row.good, most), (RolloutState::Done, 10_000, RELEASES_A_STEP));
}
