// openid-client against the gateway: `node openid-client.mjs target/debug/examples/demo`
import assert from 'node:assert/strict'
import * as oidc from 'openid-client'
import { Browser, finish, keysOf, test, theDemo, withDemo } from './demo.mjs'

/** Discovery; id_tokens are verified with the keys of JWKS, though they come straight from the token endpoint. */
async function discover(demo, id, authentication, algorithm = 'oidc') {
  return oidc.discovery(new URL(demo.gateway), id, undefined, authentication, {
    algorithm,
    execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks],
  })
}

async function codeFlow(demo, config, user, scope = 'openid all', browser = new Browser(demo.gateway)) {
  const verifier = oidc.randomPKCECodeVerifier()
  const state = oidc.randomState()
  const nonce = oidc.randomNonce()
  const url = oidc.buildAuthorizationUrl(config, {
    redirect_uri: demo.callback,
    scope,
    state,
    nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  })
  const back = await browser.authorize(url, user)
  return oidc.authorizationCodeGrant(config, back, {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  })
}

async function isRefused(config, demo, accessToken) {
  const url = new URL('/api/resource/Customer', demo.gateway)
  await assert.rejects(oidc.fetchProtectedResource(config, accessToken, url, 'GET'), (error) => {
    assert.equal(error.status, 401)
    assert.equal(error.cause[0].parameters.error, 'invalid_token')
    return true
  })
}

async function confidential(demo) {
  const [alice] = demo.users
  const { id, secret } = demo.clients['demo-web']
  const config = await discover(demo, id, oidc.ClientSecretBasic(secret))
  let tokens
  await test('discovery names this issuer, PKCE and the iss parameter', () => {
    const metadata = config.serverMetadata()
    assert.equal(metadata.issuer, demo.gateway)
    assert.ok(metadata.supportsPKCE())
    assert.equal(metadata.authorization_response_iss_parameter_supported, true)
  })
  await test('discovery of OAuth metadata (RFC 8414) names the same endpoints', async () => {
    const other = await discover(demo, id, oidc.ClientSecretBasic(secret), 'oauth2')
    assert.equal(other.serverMetadata().token_endpoint, config.serverMetadata().token_endpoint)
  })
  await test('a code flow with PKCE gives tokens, and JWKS verifies the id_token', async () => {
    tokens = await codeFlow(demo, config, alice)
    assert.equal(tokens.token_type, 'bearer')
    assert.equal(tokens.claims().aud, id)
    assert.ok(tokens.refresh_token)
  })
  await test('userinfo names the subject of the id_token', async () => {
    const claims = tokens.claims()
    const profile = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub)
    assert.equal(profile.email, alice.name)
  })
  await test("the API is called as that user", async () => {
    const url = new URL('/api/method/frappe.auth.get_logged_user', demo.gateway)
    const answer = await oidc.fetchProtectedResource(config, tokens.access_token, url, 'GET')
    assert.equal((await answer.json()).message, alice.name)
  })
  await test('a refresh gives a new access token', async () => {
    const before = tokens
    const refreshed = await oidc.refreshTokenGrant(config, before.refresh_token)
    assert.notEqual(refreshed.access_token, before.access_token)
    assert.equal(refreshed.claims().sub, before.claims().sub)
    tokens = { ...refreshed, refresh_token: refreshed.refresh_token ?? before.refresh_token }
  })
  await test('introspection says whose token it is', async () => {
    const told = await oidc.tokenIntrospection(config, tokens.access_token)
    assert.equal(told.active, true)
    assert.equal(told.client_id, id)
  })
  await test('a revoked token is refused by the next call, and with it the whole grant', async () => {
    await oidc.tokenRevocation(config, tokens.refresh_token, { token_type_hint: 'refresh_token' })
    await isRefused(config, demo, tokens.access_token)
    assert.deepEqual(await oidc.tokenIntrospection(config, tokens.access_token), { active: false })
    await assert.rejects(oidc.refreshTokenGrant(config, tokens.refresh_token), { error: 'invalid_grant' })
  })
}

async function logout(demo) {
  const { id, secret } = demo.clients['demo-web']
  const config = await discover(demo, id, oidc.ClientSecretBasic(secret))
  await test('a logout ends the login session and leads back to the client', async () => {
    const browser = new Browser(demo.gateway)
    const tokens = await codeFlow(demo, config, demo.users[0], 'openid all', browser)
    assert.ok(await browser.isLoggedIn())
    const parameters = { id_token_hint: tokens.id_token, post_logout_redirect_uri: demo.callback, state: 'bye' }
    const back = await browser.logOut(oidc.buildEndSessionUrl(config, parameters))
    assert.equal(back.href, `${demo.callback}?state=bye`)
    assert.ok(!(await browser.isLoggedIn()))
    await isRefused(config, demo, tokens.access_token)
  })
}

async function publicClient(demo) {
  const bob = demo.users[1]
  const config = await discover(demo, demo.clients['demo-app'].id, oidc.None())
  let tokens
  await test('a public client goes through the code flow with PKCE alone', async () => {
    tokens = await codeFlow(demo, config, bob)
    assert.equal((await oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)).email, bob.name)
  })
  await test("a public client's refresh token rotates, and two at once get the same successor", async () => {
    const before = tokens.refresh_token
    const both = await Promise.all([oidc.refreshTokenGrant(config, before), oidc.refreshTokenGrant(config, before)])
    tokens = both[0]
    assert.notEqual(tokens.refresh_token, before)
    assert.equal(both[1].refresh_token, tokens.refresh_token)
  })
  await test('a public client revokes its token', async () => {
    await oidc.tokenRevocation(config, tokens.access_token)
    await isRefused(config, demo, tokens.access_token)
  })
}

async function others(demo) {
  const service = demo.clients['demo-service']
  const config = await discover(demo, service.id, oidc.ClientSecretBasic(service.secret))
  await test('client_credentials gives a token of the service user', async () => {
    const tokens = await oidc.clientCredentialsGrant(config, { scope: 'all' })
    const url = new URL('/api/method/frappe.auth.get_logged_user', demo.gateway)
    const answer = await oidc.fetchProtectedResource(config, tokens.access_token, url, 'GET')
    assert.equal((await answer.json()).message, demo.users[1].name)
    assert.equal(tokens.refresh_token, undefined)
  })
  await test('a wrong secret is invalid_client', async () => {
    const wrong = await discover(demo, service.id, oidc.ClientSecretBasic('wrong'))
    await assert.rejects(oidc.clientCredentialsGrant(wrong), (error) => {
      assert.equal(error.status, 401)
      return true
    })
  })
  await test('a denied request comes back as access_denied', async () => {
    const web = await discover(demo, demo.clients['demo-web'].id, oidc.ClientSecretBasic(demo.clients['demo-web'].secret))
    const challenge = await oidc.calculatePKCECodeChallenge(oidc.randomPKCECodeVerifier())
    const pkce = { code_challenge: challenge, code_challenge_method: 'S256' }
    const url = oidc.buildAuthorizationUrl(web, { redirect_uri: demo.callback, scope: 'openid', state: 'x', prompt: 'consent', ...pkce })
    const back = await new Browser(demo.gateway).authorize(url, demo.users[0], 'deny')
    await assert.rejects(oidc.authorizationCodeGrant(web, back, { expectedState: 'x' }), { error: 'access_denied' })
  })
}

/** PAR, private_key_jwt and DPoP together, as FAPI 2.0 has them. */
async function signed(demo) {
  const { id, key: pkcs8 } = demo.clients['demo-signed']
  const { key, forTokens } = await keysOf(pkcs8)
  const config = await discover(demo, id, oidc.PrivateKeyJwt(key))
  const DPoP = oidc.getDPoPHandle(config, forTokens)
  let tokens
  await test('a pushed request, signed and with a proof, gives tokens that are bound to a key', async () => {
    const verifier = oidc.randomPKCECodeVerifier()
    const [state, nonce] = [oidc.randomState(), oidc.randomNonce()]
    const url = await oidc.buildAuthorizationUrlWithPAR(config, {
      redirect_uri: demo.callback,
      scope: 'openid all',
      state,
      nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    }, { DPoP })
    assert.deepEqual([...url.searchParams.keys()].sort(), ['client_id', 'request_uri'])
    const back = await new Browser(demo.gateway).authorize(url, demo.users[0])
    tokens = await oidc.authorizationCodeGrant(config, back, {
      pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true,
    }, undefined, { DPoP })
    assert.equal(tokens.token_type, 'dpop')
  })
  const url = new URL('/api/method/frappe.auth.get_logged_user', demo.gateway)
  const whoami = async (token, handle = DPoP) => {
    const answer = await oidc.fetchProtectedResource(config, token, url, 'GET', undefined, undefined, { DPoP: handle })
    return (await answer.json()).message
  }
  await test('the API and userinfo are called with proofs', async () => {
    assert.equal(await whoami(tokens.access_token), demo.users[0].name)
    const profile = await oidc.fetchUserInfo(config, tokens.access_token, tokens.claims().sub, { DPoP })
    assert.equal(profile.email, demo.users[0].name)
  })
  await test('a refresh gives another bound token', async () => {
    const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP })
    assert.equal(await whoami(refreshed.access_token), demo.users[0].name)
  })
  await test('who has the token and not its key can do nothing with it', async () => {
    await isRefused(config, demo, tokens.access_token)
    const thief = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256'))
    await assert.rejects(whoami(tokens.access_token, thief), { status: 401 })
  })
}

await withDemo(theDemo(), async (demo) => {
  await confidential(demo)
  await logout(demo)
  await publicClient(demo)
  await others(demo)
  await signed(demo)
})
finish('openid-client')
