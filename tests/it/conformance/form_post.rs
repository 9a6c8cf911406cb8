//! `oidcc-formpost-basic-certification-test-plan`: the modules of the plan Basic, each request with `response_mode=form_post`.

use super::suite::Mode;

super::modules::plan!(Mode::FormPost);
