# Consentimiento
consent-title = ¿Permitir el acceso?
consent-heading = { $app } pide acceso a { $site }
described-at = La aplicación no está registrada aquí. Procede de { $place }.
signed-in-as = Sesión iniciada como
consent-list = Si lo permite, la aplicación podrá:
consent-ticks = Marque lo que podrá hacer además:
consent-agent = Esto es un agente: actúa por sí mismo y nadie mira cada uno de sus pasos.
consent-registered = Esta aplicación se ha registrado a sí misma. Nadie ha comprobado su nombre.
allow = Permitir
deny = Rechazar
switch-user = Iniciar sesión con otra cuenta
goes-to = Volverá a { $place }.

# Iniciar sesión de nuevo
again-title = Iniciar sesión de nuevo
again-why = { $app } le pide que inicie sesión de nuevo antes de continuar.
again-button = Iniciar sesión de nuevo
cancel = Cancelar

# Inicio de sesión
login-title = Iniciar sesión en { $site }
login-why = { $app } le pide que inicie sesión.
login-user = Correo electrónico o nombre de usuario
login-password = Contraseña
login-button = Iniciar sesión
login-elsewhere = Otras formas de iniciar sesión, o contraseña olvidada
login-wrong = El nombre de usuario o la contraseña no son correctos.
login-too-many =
    { $count ->
        [one] Demasiados intentos fallidos. Inténtelo de nuevo dentro de un minuto.
       *[other] Demasiados intentos fallidos. Inténtelo de nuevo dentro de { $count } minutos.
    }
login-unavailable = En este momento no es posible iniciar sesión. Inténtelo de nuevo dentro de unos minutos.

# Cierre de sesión
logout-title = ¿Cerrar la sesión en { $site }?
logout-why = { $app } le pide que cierre la sesión.
logout-button = Cerrar sesión
logout-stay = Seguir con la sesión
logged-out-title = Ha cerrado la sesión
logged-out-text = Ya puede cerrar esta página.
stayed-title = Su sesión sigue abierta
stayed-text = No se ha cambiado nada. Ya puede cerrar esta página.

# Errores
error-title = Esta solicitud no puede continuar
error-text = La aplicación envió una solicitud que no se puede responder. Vuelva a la aplicación e inténtelo de nuevo; si vuelve a ocurrir, avise a sus responsables.
error-details = Para ellos:

# La vuelta a la aplicación
continue-title = Continuar
continue-button = Continuar a la aplicación

# Qué significan los permisos
scope-all = hacer en { $site } todo lo que usted puede hacer
scope-erp-read = ver en { $site } todo lo que usted puede ver
scope-erp-write = crear, cambiar y eliminar registros en { $site }, hasta donde usted puede hacerlo
scope-openid = ver su nombre, correo electrónico, foto y roles
scope-identity = reconocerle
scope-profile = ver su nombre, su foto y los demás datos de su perfil (como sexo, fecha de nacimiento, idioma y zona horaria)
scope-email = ver su correo electrónico
scope-phone = ver su número de teléfono
scope-address = ver su dirección postal
scope-roles = ver sus roles
scope-offline = mantener su acceso cuando no tenga la sesión iniciada
scope-other = usar el permiso «{ $scope }» en su nombre
documents = { $actions } { $doctype }
all-documents = documentos de cualquier tipo
call = llamar al método { $method }
read = leer
create = crear
change = modificar
delete = eliminar

# Enumeraciones
list-next = { $first }, { $second }
list-last = { $first } y { $second }
phrases = { $first }; { $second }
# Connected applications
apps-title = Aplicaciones conectadas
apps-intro = Estas aplicaciones pueden usar { $site } en su nombre:
apps-none = Ninguna aplicación puede usar { $site } en su nombre.
apps-since = Acceso desde { $date }
apps-used = Último uso: { $date }
apps-unused = Sin uso reciente
apps-only-consent = Ahora no tiene acceso; lo volvería a obtener sin preguntarle.
apps-end = Retirar el acceso de { $app }
apps-hidden =
    { $count ->
        [one] No se muestra una más.
       *[other] No se muestran { $count } más.
    }

# Un dispositivo
device-title = Conectar un dispositivo
device-intro = Introduzca el código que le muestra el dispositivo o el programa.
device-code = Código
device-button = Continuar
device-wrong = Este código es incorrecto o ha caducado. Mire de nuevo el dispositivo.
device-check = Permítalo solo si lo ha iniciado usted y su dispositivo muestra este código:
device-allowed-title = El dispositivo tiene acceso
device-allowed-text = Vuelva al dispositivo: continúa por sí solo. Ya puede cerrar esta página.
device-denied-title = El dispositivo no tiene acceso
device-denied-text = No se ha dado nada al dispositivo. Ya puede cerrar esta página.
