//! The trial of a new version: what was seen, and what it comes to. Time is an argument.
//!
//! It is over when everything that is judged was well for a while in the same processes, or when the deadline has passed. While
//! somebody has stopped a daemon on purpose, and no other is unwell, the deadline waits. It begins anew with the machine, so that
//! power cuts decide nothing.

use std::time::Duration;

/// A daemon at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// It works, in this process.
    Well(u32),
    /// It does not, and why.
    Unwell(String),
    /// Nobody wants it to run.
    Stopped,
}

/// What it comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing yet.
    Waiting,
    /// It was well for long enough.
    Well,
    /// It was not in time, and why.
    NotWell(String),
}

/// One trial.
#[derive(Debug)]
pub(super) struct Trial {
    deadline: Duration,
    hold: Duration,
    /// Of the deadline.
    used: Duration,
    looked_at: Option<Duration>,
    /// Since when all are well, in which processes.
    well: Option<(Duration, Vec<u32>)>,
}

impl Trial {
    pub(super) fn begin(deadline: Duration, hold: Duration) -> Trial {
        Trial { deadline, hold, used: Duration::ZERO, looked_at: None, well: None }
    }

    /// What was seen at `now`, on any clock that never goes back.
    pub(super) fn see(&mut self, now: Duration, looks: &[Look]) -> Verdict {
        let passed = now.saturating_sub(self.looked_at.replace(now).unwrap_or(now));
        let why = looks.iter().find_map(|look| if let Look::Unwell(why) = look { Some(why) } else { None });
        if let Some(why) = why {
            self.used += passed;
            self.well = None;
            return if self.used >= self.deadline { Verdict::NotWell(why.clone()) } else { Verdict::Waiting };
        }
        if looks.contains(&Look::Stopped) {
            self.well = None;
            return Verdict::Waiting;
        }
        self.used += passed;
        let processes = looks.iter().filter_map(|look| if let Look::Well(pid) = look { Some(*pid) } else { None });
        let processes: Vec<u32> = processes.collect();
        match &self.well {
            Some((since, same)) if *same == processes => {
                if now.saturating_sub(*since) >= self.hold {
                    Verdict::Well
                } else {
                    Verdict::Waiting
                }
            }
            Some(_) if self.used >= self.deadline => Verdict::NotWell("it was started again and again".into()),
            _ => {
                self.well = Some((now, processes));
                Verdict::Waiting
            }
        }
    }

    /// It was well until its last proof, which failed.
    pub(super) fn disprove(&mut self, why: String) -> Verdict {
        self.well = None;
        if self.used >= self.deadline { Verdict::NotWell(why) } else { Verdict::Waiting }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `5 w1` at 5 s process 1 is well, `u` unwell, `s` stopped; gives when the verdict fell, and it.
    fn check(seen: &str, expected: &str) {
        let mut trial = Trial::begin(Duration::from_secs(60), Duration::from_secs(12));
        for look in seen.split(", ") {
            let (at, look) = look.split_once(' ').unwrap();
            let look = match look.split_at(1) {
                ("w", pid) => Look::Well(pid.parse().unwrap()),
                ("u", _) => Look::Unwell("silent".into()),
                _ => Look::Stopped,
            };
            let verdict = trial.see(Duration::from_secs(at.parse().unwrap()), &[look]);
            if verdict != Verdict::Waiting {
                assert_eq!(format!("{at} {verdict:?}"), expected, "{seen}");
                return;
            }
        }
        assert_eq!("waiting", expected, "{seen}");
    }

    #[test]
    fn well_is_who_was_well_for_a_while_in_one_process() {
        check("0 w1, 6 w1, 11 w1", "waiting");
        check("0 w1, 6 w1, 12 w1", "12 Well");
        check("0 u, 20 w1, 26 u, 30 w1, 41 w1, 42 w1", "42 Well");
        check("0 w1, 8 w2, 16 w3, 24 w4, 30 w4", "waiting");
    }

    #[test]
    fn not_well_is_who_is_not_in_time() {
        check("0 u, 59 u", "waiting");
        check("0 u, 60 u", r#"60 NotWell("silent")"#);
        check("0 w1, 8 u, 16 w2, 24 u, 61 u", r#"61 NotWell("silent")"#);
        // Started again and again: never silent when somebody looks, and never one process for long.
        check("0 w1, 10 w2, 20 w3, 30 w4, 40 w5, 50 w6, 62 w7", r#"62 NotWell("it was started again and again")"#);
        // Who is well when the deadline ends has the time to prove it.
        check("0 u, 55 w1, 61 w1, 67 w1", "67 Well");
        check("0 u, 55 w1, 61 w1, 66 u", r#"66 NotWell("silent")"#);
    }

    #[test]
    fn while_somebody_has_stopped_it_the_deadline_waits() {
        check("0 u, 20 u, 30 s, 9000 s, 9010 u, 9020 u", "waiting");
        check("0 u, 20 u, 30 s, 9000 s, 9010 u, 9040 u", r#"9040 NotWell("silent")"#);
        check("0 w1, 6 s, 12 w1, 20 w1", "waiting");
    }

    #[test]
    fn a_proof_that_fails_costs_time_and_not_more_than_the_deadline() {
        let mut trial = Trial::begin(Duration::from_secs(60), Duration::from_secs(12));
        let mut at = 0;
        let why = || "no test frame".to_owned();
        let verdict = loop {
            match trial.see(Duration::from_secs(at), &[Look::Well(1)]) {
                Verdict::Well => match trial.disprove(why()) {
                    Verdict::Waiting => {}
                    verdict => break verdict,
                },
                Verdict::Waiting => {}
                verdict => break verdict,
            }
            at += 4;
        };
        assert_eq!((verdict, at), (Verdict::NotWell(why()), 60));
    }

    #[test]
    fn one_that_is_stopped_is_no_excuse_for_the_other() {
        let mut trial = Trial::begin(Duration::from_secs(60), Duration::from_secs(12));
        let looks = [Look::Unwell("gateway".into()), Look::Stopped];
        assert_eq!(trial.see(Duration::ZERO, &looks), Verdict::Waiting);
        assert_eq!(trial.see(Duration::from_secs(60), &looks), Verdict::NotWell("gateway".into()));
    }

    #[test]
    fn all_that_are_judged_must_be_well() {
        let mut trial = Trial::begin(Duration::from_secs(60), Duration::from_secs(12));
        let both = |gateway, sync| [gateway, sync];
        assert_eq!(trial.see(Duration::ZERO, &both(Look::Well(1), Look::Well(2))), Verdict::Waiting);
        let looks = both(Look::Well(1), Look::Unwell("sync".into()));
        assert_eq!(trial.see(Duration::from_secs(13), &looks), Verdict::Waiting);
        assert_eq!(trial.see(Duration::from_secs(61), &looks), Verdict::NotWell("sync".into()));
    }
}
