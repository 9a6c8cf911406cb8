# Consent
consent-title = Allow access?
consent-heading = { $app } asks for access to { $site }
described-at = The application is not registered here. It comes from { $place }.
signed-in-as = Signed in as
consent-list = If you allow it, the application can:
consent-ticks = Tick what it may do besides:
consent-agent = This is an agent: it acts by itself, and nobody looks at each of its steps.
consent-registered = This application registered itself. Nobody has checked its name.
allow = Allow
deny = Deny
switch-user = Sign in as somebody else
goes-to = You will be sent back to { $place }.

# A fresh login is wanted
again-title = Sign in again
again-why = { $app } asks you to sign in again before it goes on.
again-button = Sign in again
cancel = Cancel

# Login
login-title = Sign in to { $site }
login-why = { $app } asks you to sign in.
login-user = E-mail address or user name
login-password = Password
login-button = Sign in
login-elsewhere = Other ways to sign in, or password forgotten
login-wrong = The user name or the password is wrong.
login-too-many =
    { $count ->
        [one] Too many failed attempts. Try again in a minute.
       *[other] Too many failed attempts. Try again in { $count } minutes.
    }
login-unavailable = Signing in is not possible at the moment. Try again in a few minutes.

# Logout
logout-title = Sign out of { $site }?
logout-why = { $app } asks you to sign out.
logout-button = Sign out
logout-stay = Stay signed in
logged-out-title = You are signed out
logged-out-text = You can close this page now.
stayed-title = You are still signed in
stayed-text = Nothing was changed. You can close this page now.

# Connected applications
apps-title = Connected applications
apps-intro = These applications may use { $site } on your behalf:
apps-none = No application may use { $site } on your behalf.
apps-since = Access since { $date }
apps-used = Last used on { $date }
apps-unused = Not used lately
apps-only-consent = Has no access at the moment; it would get it again without asking you.
apps-end = End the access of { $app }
apps-hidden =
    { $count ->
        [one] One more is not shown.
       *[other] { $count } more are not shown.
    }

# Errors
error-title = This request can’t go on
error-text = The application sent a request that can’t be answered. Go back to the application and try again; if it happens again, tell the people who run it.
error-details = For them:

# The way back to the application
continue-title = Continue
continue-button = Continue to the application

# What scopes mean
scope-all = do everything on { $site } that you may do
scope-erp-read = see everything on { $site } that you may see
scope-erp-write = create, change and delete records on { $site }, as far as you may
scope-openid = see your name, e-mail address, picture and roles
scope-identity = recognise you
scope-profile = see your name, your picture and what else you have entered about yourself (such as gender, date of birth, language and time zone)
scope-email = see your e-mail address
scope-phone = see your telephone number
scope-address = see your postal address
scope-roles = see your roles
scope-offline = keep its access while you are not signed in
scope-other = use the permission “{ $scope }” on your behalf
documents = { $actions } { $doctype }
all-documents = documents of every type
call = call the method { $method }
read = read
create = create
change = change
delete = delete

# Lists: all but the last member, the last one, and whole phrases
list-next = { $first }, { $second }
list-last = { $first } and { $second }
phrases = { $first }; { $second }

# A device
device-title = Connect a device
device-intro = Enter the code that the device or program shows you.
device-code = Code
device-button = Continue
device-wrong = This code is wrong, or it has expired. Look at the device again.
device-check = Allow it only if you have started this yourself, and your device shows this code:
device-allowed-title = The device has access
device-allowed-text = Go back to the device: it goes on by itself. You can close this page now.
device-denied-title = The device has no access
device-denied-text = Nothing was given to the device. You can close this page now.
