//! The modules of the plans Basic and Form Post Basic, which are the same but for `response_mode`. Each function is one module, its
//! name in the comment before it.

pub mod claims;
pub mod prompts;
pub mod requests;
pub mod responses;
pub mod tokens;

/// A test for each module of the plan.
macro_rules! plan {
    ($mode:expr) => {
        crate::conformance::modules::plan! { $mode;
            responses: a_code_flow_gives_tokens_that_can_be_verified,
            responses: a_missing_response_type_is_an_error,
            responses: an_id_token_is_signed_with_rs256_and_names_its_key,
            responses: no_id_token_goes_without_a_signature,
            claims: userinfo_is_asked_by_get,
            claims: userinfo_is_asked_by_post,
            claims: userinfo_takes_no_token_from_a_body,
            responses: a_code_flow_needs_no_nonce,
            claims: the_scope_profile_opens_what_erpnext_knows,
            claims: the_scope_email_opens_the_address_in_userinfo_alone,
            claims: the_scope_address_opens_the_address,
            claims: the_scope_phone_opens_the_number,
            claims: all_scopes_together_open_all,
            claims: neither_scopes_nor_parameters_have_an_order,
            prompts: display_may_be_page,
            prompts: display_may_be_popup,
            prompts: prompt_login_asks_somebody_who_is_logged_in_again,
            prompts: prompt_none_without_a_login_is_an_error,
            prompts: prompt_none_with_a_login_shows_no_page,
            prompts: a_login_older_than_max_age_is_done_again,
            prompts: a_login_younger_than_max_age_is_good_enough,
            requests: an_unknown_parameter_is_ignored,
            prompts: an_id_token_is_a_hint_of_who_is_logged_in,
            prompts: a_login_hint_is_no_error,
            prompts: ui_locales_are_no_error,
            prompts: claims_locales_are_no_error,
            prompts: acr_values_are_no_error,
            tokens: a_code_works_once,
            tokens: a_code_that_comes_again_later_ends_what_it_gave,
            requests: a_redirect_uri_that_is_not_registered_is_an_error_page,
            requests: an_authorization_request_may_be_posted,
            responses: a_client_may_show_its_secret_in_the_form,
            requests: a_request_uri_is_refused_with_its_own_error,
            requests: a_request_object_is_refused_with_its_own_error,
            claims: an_essential_claim_comes_from_userinfo_alone,
            requests: a_request_object_does_not_mend_a_wrong_redirect_uri,
            tokens: a_refresh_token_works_for_its_own_client_alone,
            responses: pkce_is_understood,
        }
    };
    ($mode:expr; $($file:ident: $name:ident,)+) => { $(
        #[test]
        fn $name() {
            crate::conformance::modules::$file::$name($mode);
        }
    )+ };
}
pub(super) use plan;
