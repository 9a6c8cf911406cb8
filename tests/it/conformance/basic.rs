//! `oidcc-basic-certification-test-plan`: the answer in the query, as it is where nothing is said of the mode.

use super::suite::Mode;

super::modules::plan!(Mode::Query);
