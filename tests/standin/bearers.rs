//! The rows of *OAuth Bearer Token*, as a test makes and changes them.

use super::{Bearer, StandIn};

impl StandIn {
    /// Adds a row of *OAuth Bearer Token*, as if ERPNext had issued the token.
    pub fn add_bearer(&self, bearer: Bearer) {
        self.state(|state| state.put_bearer(bearer));
    }

    /// All rows of *OAuth Bearer Token*.
    pub fn bearer_rows(&self) -> Vec<Bearer> {
        self.state(|state| state.bearers.iter().map(|row| row.it.clone()).collect())
    }

    /// Sets the status of a row, `Active` or `Revoked`.
    pub fn set_bearer_status(&self, access_token: &str, status: &str) {
        self.state(|state| {
            let now = state.column_now();
            for row in state.bearers.iter_mut().filter(|row| row.it.access_token == access_token) {
                status.clone_into(&mut row.it.status);
                row.stamps.modified.clone_from(&now);
            }
        });
    }

    /// Changes all rows of *OAuth Bearer Token* in one moment, as one SQL statement does.
    pub fn touch_bearers(&self) {
        self.state(|state| {
            let now = state.column_now();
            for row in &mut state.bearers {
                row.stamps.modified.clone_from(&now);
            }
        });
    }

    /// Deletes a row of *OAuth Bearer Token*.
    pub fn delete_bearer(&self, access_token: &str) {
        self.state(|state| state.bearers.retain(|row| row.it.access_token != access_token));
    }

    /// Deletes all rows of *OAuth Bearer Token*.
    pub fn delete_all_bearers(&self) {
        self.state(|state| state.bearers.clear());
    }
}
