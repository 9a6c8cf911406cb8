# Consentimento
consent-title = Permitir o acesso?
consent-heading = { $app } pede acesso a { $site }
described-at = O aplicativo não está registrado aqui. Ele vem de { $place }.
signed-in-as = Sessão iniciada como
consent-list = Se você permitir, o aplicativo poderá:
consent-ticks = Marque o que ele poderá fazer além disso:
consent-agent = Isto é um agente: ele age por conta própria, e ninguém acompanha cada um de seus passos.
consent-registered = Este aplicativo se registrou sozinho. Ninguém verificou o nome dele.
allow = Permitir
deny = Recusar
switch-user = Entrar com outra conta
goes-to = Você voltará para { $place }.

# Entrar de novo
again-title = Entrar de novo
again-why = { $app } pede que você entre de novo antes de continuar.
again-button = Entrar de novo
cancel = Cancelar

# Entrada
login-title = Entrar em { $site }
login-why = { $app } pede que você entre.
login-user = E-mail ou nome de usuário
login-password = Senha
login-button = Entrar
login-elsewhere = Outras formas de entrar, ou senha esquecida
login-wrong = O nome de usuário ou a senha está incorreta.
login-too-many =
    { $count ->
        [one] Muitas tentativas sem sucesso. Tente de novo em um minuto.
       *[other] Muitas tentativas sem sucesso. Tente de novo em { $count } minutos.
    }
login-unavailable = Não é possível entrar neste momento. Tente de novo em alguns minutos.

# Saída
logout-title = Sair de { $site }?
logout-why = { $app } pede que você saia.
logout-button = Sair
logout-stay = Continuar na sessão
logged-out-title = Você saiu
logged-out-text = Você já pode fechar esta página.
stayed-title = Sua sessão continua aberta
stayed-text = Nada foi alterado. Você já pode fechar esta página.

# Erros
error-title = Este pedido não pode continuar
error-text = O aplicativo enviou um pedido que não pode ser respondido. Volte ao aplicativo e tente de novo; se acontecer outra vez, avise os responsáveis por ele.
error-details = Para eles:

# A volta ao aplicativo
continue-title = Continuar
continue-button = Continuar para o aplicativo

# O que significam as permissões
scope-all = fazer em { $site } tudo o que você pode fazer
scope-erp-read = ver em { $site } tudo o que você pode ver
scope-erp-write = criar, alterar e excluir registros em { $site }, até onde você pode
scope-openid = ver seu nome, e-mail, foto e funções
scope-identity = reconhecer você
scope-profile = ver seu nome, sua foto e os outros dados do seu perfil (como gênero, data de nascimento, idioma e fuso horário)
scope-email = ver seu e-mail
scope-phone = ver seu número de telefone
scope-address = ver seu endereço postal
scope-roles = ver suas funções
scope-offline = manter o acesso enquanto você não estiver com a sessão aberta
scope-other = usar a permissão “{ $scope }” em seu nome
documents = { $actions } { $doctype }
all-documents = documentos de qualquer tipo
call = chamar o método { $method }
read = ler
create = criar
change = alterar
delete = excluir

# Enumerações
list-next = { $first }, { $second }
list-last = { $first } e { $second }
phrases = { $first }; { $second }
# Connected applications
apps-title = Aplicativos conectados
apps-intro = Estes aplicativos podem usar { $site } em seu nome:
apps-none = Nenhum aplicativo pode usar { $site } em seu nome.
apps-since = Acesso desde { $date }
apps-used = Último uso em { $date }
apps-unused = Sem uso recente
apps-only-consent = Não tem acesso no momento; voltaria a tê-lo sem perguntar a você.
apps-end = Encerrar o acesso de { $app }
apps-hidden =
    { $count ->
        [one] Mais um não é mostrado.
       *[other] Mais { $count } não são mostrados.
    }

# Um dispositivo
device-title = Conectar um dispositivo
device-intro = Digite o código que o dispositivo ou o programa mostra.
device-code = Código
device-button = Continuar
device-wrong = Este código está errado ou expirou. Olhe o dispositivo de novo.
device-check = Permita somente se você mesmo começou isto e o seu dispositivo mostra este código:
device-allowed-title = O dispositivo tem acesso
device-allowed-text = Volte ao dispositivo: ele continua sozinho. Você já pode fechar esta página.
device-denied-title = O dispositivo não tem acesso
device-denied-text = Nada foi dado ao dispositivo. Você já pode fechar esta página.
