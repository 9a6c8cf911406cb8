# Zustimmung
consent-title = Zugriff erlauben?
consent-heading = { $app } möchte auf { $site } zugreifen
described-at = Die Anwendung ist hier nicht registriert. Sie kommt von { $place }.
signed-in-as = Angemeldet als
consent-list = Wenn Sie es erlauben, kann die Anwendung:
consent-ticks = Kreuzen Sie an, was sie außerdem darf:
consent-agent = Dies ist ein Agent: Er handelt selbstständig, und niemand sieht sich jeden seiner Schritte an.
consent-registered = Diese Anwendung hat sich selbst registriert. Niemand hat ihren Namen geprüft.
allow = Erlauben
deny = Ablehnen
switch-user = Mit einem anderen Konto anmelden
goes-to = Sie werden zu { $place } zurückgeleitet.

# Erneute Anmeldung
again-title = Erneut anmelden
again-why = { $app } bittet Sie, sich erneut anzumelden.
again-button = Erneut anmelden
cancel = Abbrechen

# Anmeldung
login-title = Bei { $site } anmelden
login-why = { $app } bittet Sie, sich anzumelden.
login-user = E-Mail-Adresse oder Benutzername
login-password = Passwort
login-button = Anmelden
login-elsewhere = Andere Arten der Anmeldung, oder Passwort vergessen
login-wrong = Der Benutzername oder das Passwort ist falsch.
login-too-many =
    { $count ->
        [one] Zu viele Fehlversuche. Versuchen Sie es in einer Minute noch einmal.
       *[other] Zu viele Fehlversuche. Versuchen Sie es in { $count } Minuten noch einmal.
    }
login-unavailable = Die Anmeldung ist im Moment nicht möglich. Versuchen Sie es in ein paar Minuten noch einmal.

# Abmeldung
logout-title = Von { $site } abmelden?
logout-why = { $app } bittet Sie, sich abzumelden.
logout-button = Abmelden
logout-stay = Angemeldet bleiben
logged-out-title = Sie sind abgemeldet
logged-out-text = Sie können diese Seite jetzt schließen.
stayed-title = Sie sind weiterhin angemeldet
stayed-text = Es wurde nichts geändert. Sie können diese Seite jetzt schließen.

# Fehler
error-title = Diese Anfrage kann nicht fortgesetzt werden
error-text = Die Anwendung hat eine Anfrage geschickt, die nicht beantwortet werden kann. Gehen Sie zurück zur Anwendung und versuchen Sie es noch einmal; wenn es wieder geschieht, sagen Sie es ihren Betreibern.
error-details = Für die Betreiber:

# Der Weg zurück zur Anwendung
continue-title = Weiter
continue-button = Weiter zur Anwendung

# Was Berechtigungen bedeuten
scope-all = auf { $site } alles tun, was Sie dürfen
scope-erp-read = auf { $site } alles sehen, was Sie sehen dürfen
scope-erp-write = auf { $site } Datensätze anlegen, ändern und löschen, soweit Sie das dürfen
scope-openid = Ihren Namen, Ihre E-Mail-Adresse, Ihr Bild und Ihre Rollen sehen
scope-identity = Sie wiedererkennen
scope-profile = Ihren Namen, Ihr Bild und Ihre weiteren Angaben zur Person sehen (etwa Geschlecht, Geburtsdatum, Sprache und Zeitzone)
scope-email = Ihre E-Mail-Adresse sehen
scope-phone = Ihre Telefonnummer sehen
scope-address = Ihre Postanschrift sehen
scope-roles = Ihre Rollen sehen
scope-offline = den Zugriff behalten, während Sie nicht angemeldet sind
scope-other = die Berechtigung „{ $scope }“ in Ihrem Namen nutzen
documents = { $doctype } { $actions }
all-documents = Dokumente jeder Art
call = die Methode { $method } aufrufen
read = lesen
create = anlegen
change = ändern
delete = löschen

# Aufzählungen
list-next = { $first }, { $second }
list-last = { $first } und { $second }
phrases = { $first }; { $second }
# Connected applications
apps-title = Verbundene Anwendungen
apps-intro = Diese Anwendungen dürfen { $site } in Ihrem Namen nutzen:
apps-none = Keine Anwendung darf { $site } in Ihrem Namen nutzen.
apps-since = Zugriff seit { $date }
apps-used = Zuletzt genutzt am { $date }
apps-unused = In letzter Zeit nicht genutzt
apps-only-consent = Hat zurzeit keinen Zugriff; sie bekäme ihn wieder, ohne Sie zu fragen.
apps-end = Zugriff von { $app } beenden
apps-hidden =
    { $count ->
        [one] Eine weitere wird nicht gezeigt.
       *[other] { $count } weitere werden nicht gezeigt.
    }

# Ein Gerät
device-title = Ein Gerät verbinden
device-intro = Geben Sie den Code ein, den das Gerät oder Programm Ihnen zeigt.
device-code = Code
device-button = Weiter
device-wrong = Dieser Code ist falsch oder abgelaufen. Sehen Sie noch einmal auf dem Gerät nach.
device-check = Erlauben Sie es nur, wenn Sie dies selbst begonnen haben und Ihr Gerät diesen Code zeigt:
device-allowed-title = Das Gerät hat Zugriff
device-allowed-text = Gehen Sie zurück zum Gerät: Es macht von selbst weiter. Sie können diese Seite jetzt schließen.
device-denied-title = Das Gerät hat keinen Zugriff
device-denied-text = Das Gerät hat nichts erhalten. Sie können diese Seite jetzt schließen.
