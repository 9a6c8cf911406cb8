//! `[agents]`: what agents may do in a day.

use serde::Deserialize;

use crate::oauth::DailyBudget;

/// `[agents]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AgentsSettings {
    /// How many requests an agent may send in a day (UTC), or `off`. Default 10000: one every nine seconds.
    pub requests_per_day: DailyBudget,
    /// How many of them may be writes, or `off`. Default 500: more than a person does by hand, and few enough to look through.
    pub writes_per_day: DailyBudget,
}

impl Default for AgentsSettings {
    fn default() -> Self {
        Self { requests_per_day: DailyBudget::of(10_000), writes_per_day: DailyBudget::of(500) }
    }
}
