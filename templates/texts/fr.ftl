# Consentement
consent-title = Autoriser l’accès ?
consent-heading = { $app } demande l’accès à { $site }
described-at = L’application n’est pas enregistrée ici. Elle vient de { $place }.
signed-in-as = Connecté en tant que
consent-list = Si vous l’autorisez, l’application pourra :
consent-ticks = Cochez ce qu’elle pourra faire en plus :
consent-agent = Ceci est un agent : il agit de lui-même, et personne ne regarde chacune de ses actions.
consent-registered = Cette application s’est enregistrée elle-même. Personne n’a vérifié son nom.
allow = Autoriser
deny = Refuser
switch-user = Se connecter avec un autre compte
goes-to = Vous serez renvoyé vers { $place }.

# Nouvelle connexion
again-title = Se reconnecter
again-why = { $app } vous demande de vous reconnecter avant de continuer.
again-button = Se reconnecter
cancel = Annuler

# Connexion
login-title = Se connecter à { $site }
login-why = { $app } vous demande de vous connecter.
login-user = Adresse e-mail ou nom d’utilisateur
login-password = Mot de passe
login-button = Se connecter
login-elsewhere = Autres moyens de se connecter, ou mot de passe oublié
login-wrong = Le nom d’utilisateur ou le mot de passe est incorrect.
login-too-many =
    { $count ->
        [one] Trop de tentatives échouées. Réessayez dans une minute.
       *[other] Trop de tentatives échouées. Réessayez dans { $count } minutes.
    }
login-unavailable = La connexion est impossible pour le moment. Réessayez dans quelques minutes.

# Déconnexion
logout-title = Se déconnecter de { $site } ?
logout-why = { $app } vous demande de vous déconnecter.
logout-button = Se déconnecter
logout-stay = Rester connecté
logged-out-title = Vous êtes déconnecté
logged-out-text = Vous pouvez maintenant fermer cette page.
stayed-title = Vous êtes toujours connecté
stayed-text = Rien n’a été modifié. Vous pouvez maintenant fermer cette page.

# Erreurs
error-title = Cette demande ne peut pas aboutir
error-text = L’application a envoyé une demande à laquelle il est impossible de répondre. Retournez à l’application et réessayez ; si cela se reproduit, prévenez ses responsables.
error-details = Pour eux :

# Le retour à l’application
continue-title = Continuer
continue-button = Continuer vers l’application

# Le sens des autorisations
scope-all = faire sur { $site } tout ce que vous pouvez y faire
scope-erp-read = voir sur { $site } tout ce que vous pouvez y voir
scope-erp-write = créer, modifier et supprimer des enregistrements sur { $site }, dans la limite de vos droits
scope-openid = voir votre nom, votre adresse e-mail, votre photo et vos rôles
scope-identity = vous reconnaître
scope-profile = voir votre nom, votre photo et les autres informations de votre profil (comme le sexe, la date de naissance, la langue et le fuseau horaire)
scope-email = voir votre adresse e-mail
scope-phone = voir votre numéro de téléphone
scope-address = voir votre adresse postale
scope-roles = voir vos rôles
scope-offline = garder son accès lorsque vous n’êtes pas connecté
scope-other = utiliser l’autorisation « { $scope } » en votre nom
documents = { $actions } { $doctype }
all-documents = les documents de tout type
call = appeler la méthode { $method }
read = lire
create = créer
change = modifier
delete = supprimer

# Énumérations
list-next = { $first }, { $second }
list-last = { $first } et { $second }
phrases = { $first } ; { $second }
# Connected applications
apps-title = Applications connectées
apps-intro = Ces applications peuvent utiliser { $site } en votre nom :
apps-none = Aucune application ne peut utiliser { $site } en votre nom.
apps-since = Accès depuis le { $date }
apps-used = Dernière utilisation le { $date }
apps-unused = Pas utilisée récemment
apps-only-consent = N’a pas d’accès en ce moment ; elle l’obtiendrait de nouveau sans vous demander.
apps-end = Mettre fin à l’accès de { $app }
apps-hidden =
    { $count ->
        [one] Une autre n’est pas affichée.
       *[other] { $count } autres ne sont pas affichées.
    }

# Un appareil
device-title = Connecter un appareil
device-intro = Saisissez le code que l’appareil ou le programme vous montre.
device-code = Code
device-button = Continuer
device-wrong = Ce code est erroné ou a expiré. Regardez de nouveau l’appareil.
device-check = N’autorisez que si vous l’avez demandé vous-même et que votre appareil montre ce code :
device-allowed-title = L’appareil a accès
device-allowed-text = Retournez à l’appareil : il continue de lui-même. Vous pouvez fermer cette page.
device-denied-title = L’appareil n’a pas accès
device-denied-text = Rien n’a été donné à l’appareil. Vous pouvez fermer cette page.
