//! All rules of a box: the text of `rules.toml`, checked once.

use std::collections::BTreeSet;

use record::{Decimal, LimitSide, Quantity, RuleId, SourceId, SourceIdError, Unit};
use serde::Deserialize;
use toml::Spanned;

use crate::{Devices, Limit, Priority, Rule};

/// Most rules of one box: more is a list nobody answers for.
pub const RULES_MAX: usize = 256;

/// Longest on-delay, in seconds: one day. What must last longer is a mean, not a delay.
pub const ON_DELAY_S_MAX: u32 = 86_400;

/// The rules in the order of the file; no two have the same id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleSet(Vec<Rule>);

/// Why a text is no [`RuleSet`]. Lines count from 1. Correct the file and check it again with `weir config check`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleSetError {
    /// Not TOML, an unknown or missing key, or a value of the wrong form.
    #[error("line {line}: {why}")]
    Toml {
        /// Where.
        line: usize,
        /// What is wrong, by key.
        why: String,
    },
    /// Beyond [`RULES_MAX`].
    #[error("{count} rules are more than the {RULES_MAX} of one box: join rules by naming several devices in one")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// Two rules of one id.
    #[error("line {line}: rule `{rule}` stands twice: give each its own id")]
    Duplicate {
        /// Of the second.
        line: usize,
        /// The id.
        rule: RuleId,
    },
    /// A rule that cannot work.
    #[error("line {line}: rule `{rule}`")]
    Rule {
        /// Of the `[[rule]]`.
        line: usize,
        /// Its id.
        rule: RuleId,
        /// What is wrong with it.
        #[source]
        source: RuleError,
    },
}

/// Why a `[[rule]]` cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Neither or both of `high` and `low`.
    #[error("it has {0} of `high` and `low`: write one; for both sides, write two rules")]
    Sides(&'static str),
    /// A deadband below 0 would clear an alarm before the value is back.
    #[error("deadband {0} is below 0: write how far the value must come back, as 2")]
    NegativeDeadband(Decimal),
    /// Setpoint and deadband are too far apart in size to be added exactly.
    #[error("limit {setpoint} and deadband {deadband} cannot be added exactly: use fewer digits")]
    Digits {
        /// As written.
        setpoint: Decimal,
        /// As written.
        deadband: Decimal,
    },
    /// Beyond [`ON_DELAY_S_MAX`].
    #[error("on_delay_s {0} is more than {ON_DELAY_S_MAX} (one day): use a shorter delay")]
    OnDelay(u32),
    /// A unit that neither UCUM nor the SenML registry has.
    #[error("unit `{unit}` is not known: {hint}")]
    UnknownUnit {
        /// As written.
        unit: Unit,
        /// What to write.
        hint: String,
    },
    /// No device, or `*` beside names.
    #[error("`devices` is empty, or has `*` beside names: name devices, or write [\"*\"] for every one")]
    Devices,
    /// Not a device's name.
    #[error("`devices`")]
    Device(#[source] SourceIdError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Spanned<Section>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Limit,
}

/// A `[[rule]]` as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    id: RuleId,
    kind: Kind,
    devices: Vec<String>,
    quantity: Quantity,
    unit: Unit,
    high: Option<Decimal>,
    low: Option<Decimal>,
    #[serde(default = "zero")]
    deadband: Decimal,
    #[serde(default)]
    on_delay_s: u32,
    #[serde(default)]
    priority: Priority,
}

fn zero() -> Decimal {
    Decimal::ZERO
}

impl RuleSet {
    /// Reads and checks the text of `rules.toml`.
    ///
    /// # Errors
    /// [`RuleSetError`] for the first fault, with its line.
    pub fn from_toml(text: &str) -> Result<RuleSet, RuleSetError> {
        let line_of = |at: usize| 1 + text.bytes().take(at).filter(|b| *b == b'\n').count();
        let file: File = toml::from_str(text).map_err(|error| RuleSetError::Toml {
            line: line_of(error.span().map_or(text.len(), |span| span.start)),
            why: error.message().to_owned(),
        })?;
        if file.rule.len() > RULES_MAX {
            return Err(RuleSetError::TooMany { count: file.rule.len() });
        }
        let mut rules: Vec<Rule> = Vec::with_capacity(file.rule.len());
        for section in file.rule {
            let line = line_of(section.span().start);
            let section = section.into_inner();
            let id = section.id.clone();
            if rules.iter().any(|rule| rule.id == id) {
                return Err(RuleSetError::Duplicate { line, rule: id });
            }
            rules.push(section.into_rule().map_err(|source| RuleSetError::Rule { line, rule: id, source })?);
        }
        Ok(RuleSet(rules))
    }

    /// The rules in the order of the file.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Rule> + '_ {
        self.0.iter()
    }

    pub(crate) fn into_rules(self) -> Vec<Rule> {
        self.0
    }
}

impl Section {
    fn into_rule(self) -> Result<Rule, RuleError> {
        if !self.unit.is_known() {
            return Err(RuleError::UnknownUnit { hint: unit_hint(&self.quantity), unit: self.unit });
        }
        if self.deadband < Decimal::ZERO {
            return Err(RuleError::NegativeDeadband(self.deadband));
        }
        if self.on_delay_s > ON_DELAY_S_MAX {
            return Err(RuleError::OnDelay(self.on_delay_s));
        }
        let Kind::Limit = self.kind;
        let (side, setpoint) = match (self.high, self.low) {
            (Some(high), None) => (LimitSide::High, high),
            (None, Some(low)) => (LimitSide::Low, low),
            (Some(_), Some(_)) => return Err(RuleError::Sides("both")),
            (None, None) => return Err(RuleError::Sides("neither")),
        };
        let on_delay_ms = u64::from(self.on_delay_s) * 1000;
        let limit = Limit::new(side, setpoint, self.deadband, on_delay_ms)
            .ok_or(RuleError::Digits { setpoint, deadband: self.deadband })?;
        let devices = devices(&self.devices)?;
        let Self { id, quantity, unit, priority, .. } = self;
        Ok(Rule { id, devices, quantity, unit, limit, priority })
    }
}

fn devices(names: &[String]) -> Result<Devices, RuleError> {
    match names {
        [every] if every == "*" => Ok(Devices::Every),
        names if names.is_empty() || names.iter().any(|name| name == "*") => Err(RuleError::Devices),
        names => {
            let named: Result<BTreeSet<SourceId>, _> = names.iter().map(|name| SourceId::new(name)).collect();
            named.map(Devices::Named).map_err(RuleError::Device)
        }
    }
}

/// What the registry says about the quantity is a better hint than a similar spelling: `mg/L` and `ug/L` are similar.
fn unit_hint(quantity: &Quantity) -> String {
    match Quantity::registry().iter().find(|(name, _)| *name == quantity.as_str()) {
        Some((name, unit)) => format!("`{name}` usually comes in `{unit}`"),
        None => "write it as UCUM does (mg/L, m3/h, uS/cm, Cel)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use std::error::Error;

    /// The annotated example that is shipped.
    const EXAMPLE: &str = include_str!("../../../config/rules.toml");

    const RULE: &str = "\n[[rule]]\nid = \"cod-high\"\nkind = \"limit\"\ndevices = [\"*\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nhigh = 80\n";

    fn check(text: &str, expected: Expect) {
        let shown = match RuleSet::from_toml(text) {
            Ok(rules) => format!("{:?}", rules.0),
            Err(error) => {
                let causes = std::iter::successors(error.source(), |cause| (*cause).source());
                causes.fold(error.to_string(), |shown, cause| format!("{shown}: {cause}"))
            }
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn the_shipped_example_is_a_rule_set() {
        let rules = RuleSet::from_toml(EXAMPLE).unwrap();
        let ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
        assert_eq!(ids, ["cod-high", "ph-low", "battery-low"]);
    }

    #[test]
    fn defaults_are_the_plainest_rule() {
        check("", expect!["[]"]);
        check(
            RULE,
            expect![[
                r#"[Rule { id: "cod-high", devices: Every, quantity: "cod", unit: "mg/L", limit: Limit { side: High, setpoint: 80, reset: 80, on_delay_ms: 0 }, priority: Medium }]"#
            ]],
        );
        check(
            &RULE
                .replace("high = 80", "low = 6.5\ndeadband = 0.2\non_delay_s = 10\npriority = \"high\"")
                .replace("\"*\"", "\"b\", \"a\""),
            expect![[
                r#"[Rule { id: "cod-high", devices: Named({"a", "b"}), quantity: "cod", unit: "mg/L", limit: Limit { side: Low, setpoint: 6.5, reset: 6.7, on_delay_ms: 10000 }, priority: High }]"#
            ]],
        );
    }

    #[test]
    fn faults_name_line_and_key() {
        check(
            &format!("{RULE}hihg = 1\n"),
            expect![
                "line 9: unknown field `hihg`, expected one of `id`, `kind`, `devices`, `quantity`, `unit`, `high`, `low`, `deadband`, `on_delay_s`, `priority`"
            ],
        );
        check(&RULE.replace("\"limit\"", "\"mean\""), expect!["line 4: unknown variant `mean`, expected `limit`"]);
        check(&RULE.replace("unit = \"mg/L\"\n", ""), expect!["line 2: missing field `unit`"]);
        check(
            &RULE.replace("mg/L", "mg/l"),
            expect!["line 2: rule `cod-high`: unit `mg/l` is not known: `cod` usually comes in `mg/L`"],
        );
        check(
            &RULE.replace("cod\"\n", "cod_x\"\n").replace("mg/L", "mg/l"),
            expect![
                "line 2: rule `cod-high`: unit `mg/l` is not known: write it as UCUM does (mg/L, m3/h, uS/cm, Cel)"
            ],
        );
        check(
            &RULE.replace("high = 80", ""),
            expect![
                "line 2: rule `cod-high`: it has neither of `high` and `low`: write one; for both sides, write two rules"
            ],
        );
        check(
            &format!("{RULE}low = 1\n"),
            expect![
                "line 2: rule `cod-high`: it has both of `high` and `low`: write one; for both sides, write two rules"
            ],
        );
        check(
            &format!("{RULE}deadband = -1\n"),
            expect!["line 2: rule `cod-high`: deadband -1 is below 0: write how far the value must come back, as 2"],
        );
        check(
            &format!("{RULE}deadband = 1e-30\n"),
            expect![
                "line 2: rule `cod-high`: limit 80 and deadband 0.000000000000000000000000000001 cannot be added exactly: use fewer digits"
            ],
        );
        check(
            &format!("{RULE}on_delay_s = 86401\n"),
            expect!["line 2: rule `cod-high`: on_delay_s 86401 is more than 86400 (one day): use a shorter delay"],
        );
        check(&RULE.replace("80", "\"80 mg/L\""), expect!["line 8: `80 mg/L` is not a decimal number"]);
        check(&RULE.replace("80", "nan"), expect!["line 8: `NaN` is not a decimal number"]);
        check(
            &RULE.replace("\"*\"", ""),
            expect![[
                r#"line 2: rule `cod-high`: `devices` is empty, or has `*` beside names: name devices, or write ["*"] for every one"#
            ]],
        );
        check(
            &RULE.replace("\"*\"", "\"*\", \"a\""),
            expect![[
                r#"line 2: rule `cod-high`: `devices` is empty, or has `*` beside names: name devices, or write ["*"] for every one"#
            ]],
        );
        check(
            &RULE.replace("\"*\"", "\"a b\""),
            expect!["line 2: rule `cod-high`: `devices`: `a b` is not a device name: use 1 to 64 of A-Z a-z 0-9 _ . -"],
        );
        check(&format!("{RULE}{RULE}"), expect!["line 10: rule `cod-high` stands twice: give each its own id"]);
        let many: String = (0..257).map(|n| RULE.replace("cod-high", &format!("r{n}"))).collect();
        check(
            &many,
            expect!["257 rules are more than the 256 of one box: join rules by naming several devices in one"],
        );
    }
}
