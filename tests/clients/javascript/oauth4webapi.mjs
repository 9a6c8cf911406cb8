// oauth4webapi against the gateway: `node oauth4webapi.mjs target/debug/examples/demo`
import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'
import { Browser, finish, keysOf, test, theDemo, withDemo } from './demo.mjs'

// The gateway of the demo is on loopback, without TLS.
const plain = { [oauth.allowInsecureRequests]: true }

/** One client of the demo, and what discovery says of its server. */
class Party {
  constructor(demo, server, { id, secret }) {
    this.demo = demo
    this.server = server
    this.client = { client_id: id }
    this.authentication = secret ? oauth.ClientSecretBasic(secret) : oauth.None()
  }

  /** From the authorization request to a token response whose id_token the keys of JWKS verify. */
  async logIn(user, parameters = {}, browser = new Browser(this.demo.gateway)) {
    const { demo, server, client, authentication } = this
    const verifier = oauth.generateRandomCodeVerifier()
    const state = oauth.generateRandomState()
    const nonce = oauth.generateRandomNonce()
    const url = new URL(server.authorization_endpoint)
    url.search = new URLSearchParams({
      client_id: client.client_id,
      redirect_uri: demo.callback,
      response_type: 'code',
      scope: 'openid all',
      state,
      nonce,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...parameters,
    })
    const back = await browser.authorize(url, user)
    // State, and the parameter `iss` of RFC 9207, which discovery announces.
    const answer = oauth.validateAuthResponse(server, client, back, state)
    const response = await oauth.authorizationCodeGrantRequest(
      server, client, authentication, answer, demo.callback, verifier, plain)
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
      expectedNonce: nonce,
      requireIdToken: true,
      ...(parameters.max_age && { maxAge: Number(parameters.max_age) }),
    })
    await oauth.validateApplicationLevelSignature(server, response, plain)
    return tokens
  }

  async refresh(token) {
    const { server, client, authentication } = this
    const response = await oauth.refreshTokenGrantRequest(server, client, authentication, token, plain)
    return oauth.processRefreshTokenResponse(server, client, response)
  }

  async profile(tokens) {
    const { server, client } = this
    const response = await oauth.userInfoRequest(server, client, tokens.access_token, plain)
    return oauth.processUserInfoResponse(server, client, oauth.getValidatedIdTokenClaims(tokens).sub, response)
  }

  async introspect(token) {
    const { server, client, authentication } = this
    const response = await oauth.introspectionRequest(server, client, authentication, token, plain)
    return oauth.processIntrospectionResponse(server, client, response)
  }

  async revoke(token) {
    const { server, client, authentication } = this
    await oauth.processRevocationResponse(
      await oauth.revocationRequest(server, client, authentication, token, plain))
  }

  async whoami(accessToken) {
    const url = new URL('/api/method/frappe.auth.get_logged_user', this.demo.gateway)
    const answer = await oauth.protectedResourceRequest(accessToken, 'GET', url, undefined, null, plain)
    return (await answer.json()).message
  }

  async isRefused(accessToken) {
    await assert.rejects(this.whoami(accessToken), (error) => {
      assert.equal(error.code, oauth.WWW_AUTHENTICATE_CHALLENGE)
      assert.equal(error.status, 401)
      assert.equal(error.cause[0].parameters.error, 'invalid_token')
      return true
    })
  }
}

async function discover(demo) {
  const issuer = new URL(demo.gateway)
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, plain))
}

async function confidential(demo, server) {
  const [alice] = demo.users
  const web = new Party(demo, server, demo.clients['demo-web'])
  let tokens
  await test('a code flow with PKCE gives tokens, and JWKS verifies the id_token', async () => {
    tokens = await web.logIn(alice)
    assert.equal(oauth.getValidatedIdTokenClaims(tokens).aud, web.client.client_id)
  })
  await test('max_age is held to: auth_time is told and young enough', async () => {
    const young = await web.logIn(alice, { max_age: '600', scope: 'openid' })
    assert.equal(typeof oauth.getValidatedIdTokenClaims(young).auth_time, 'number')
  })
  await test('userinfo names the subject of the id_token', async () => {
    assert.equal((await web.profile(tokens)).email, alice.name)
  })
  await test('the API is called as that user', async () => {
    assert.equal(await web.whoami(tokens.access_token), alice.name)
  })
  await test('a refresh gives a new access token', async () => {
    const refreshed = await web.refresh(tokens.refresh_token)
    assert.notEqual(refreshed.access_token, tokens.access_token)
    tokens = { ...refreshed, refresh_token: refreshed.refresh_token ?? tokens.refresh_token }
  })
  await test('introspection says whose token it is', async () => {
    const told = await web.introspect(tokens.access_token)
    assert.equal(told.active, true)
    assert.equal(told.client_id, web.client.client_id)
    assert.equal(told.username, alice.name)
  })
  await test('a revoked token is refused by the next call, and with it the whole grant', async () => {
    await web.revoke(tokens.refresh_token)
    await web.isRefused(tokens.access_token)
    assert.deepEqual(await web.introspect(tokens.access_token), { active: false })
    await assert.rejects(web.refresh(tokens.refresh_token), { error: 'invalid_grant' })
  })
}

async function logout(demo, server) {
  const web = new Party(demo, server, demo.clients['demo-web'])
  await test('a logout ends the login session and leads back to the client', async () => {
    const browser = new Browser(demo.gateway)
    const tokens = await web.logIn(demo.users[0], {}, browser)
    // The library leaves the URL to its user.
    const url = new URL(server.end_session_endpoint)
    url.search = new URLSearchParams({
      id_token_hint: tokens.id_token,
      post_logout_redirect_uri: demo.callback,
      state: 'bye',
    })
    assert.equal((await browser.logOut(url)).href, `${demo.callback}?state=bye`)
    assert.ok(!(await browser.isLoggedIn()))
    await web.isRefused(tokens.access_token)
  })
}

async function publicClient(demo, server) {
  const bob = demo.users[1]
  const app = new Party(demo, server, demo.clients['demo-app'])
  let tokens
  await test('a public client goes through the code flow with PKCE alone', async () => {
    tokens = await app.logIn(bob)
    assert.equal((await app.profile(tokens)).email, bob.name)
  })
  await test("a public client's refresh token rotates", async () => {
    const refreshed = await app.refresh(tokens.refresh_token)
    assert.notEqual(refreshed.refresh_token, tokens.refresh_token)
    tokens = refreshed
  })
  await test('a public client revokes its token', async () => {
    await app.revoke(tokens.access_token)
    await app.isRefused(tokens.access_token)
  })
}

/** PAR, private_key_jwt and DPoP together; the library leaves the second try with the nonce to its user. */
async function signed(demo, server) {
  const { id, key: pkcs8 } = demo.clients['demo-signed']
  const { key, forTokens } = await keysOf(pkcs8)
  const client = { client_id: id }
  const authentication = oauth.PrivateKeyJwt(key)
  const DPoP = oauth.DPoP(client, forTokens)
  const proven = { ...plain, DPoP }
  const twice = (ask) => ask().catch((error) => {
    if (!oauth.isDPoPNonceError(error)) throw error
    return ask()
  })
  await test('a pushed, signed request with a proof gives a token that is bound to a key', async () => {
    const verifier = oauth.generateRandomCodeVerifier()
    const request = new URLSearchParams({
      redirect_uri: demo.callback,
      response_type: 'code',
      scope: 'all',
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    })
    const pushed = await twice(async () => oauth.processPushedAuthorizationResponse(server, client,
      await oauth.pushedAuthorizationRequest(server, client, authentication, request, proven)))
    const url = new URL(server.authorization_endpoint)
    url.search = new URLSearchParams({ client_id: id, request_uri: pushed.request_uri })
    const back = await new Browser(demo.gateway).authorize(url, demo.users[1])
    const answer = oauth.validateAuthResponse(server, client, back, oauth.expectNoState)
    const tokens = await twice(async () => oauth.processAuthorizationCodeResponse(server, client,
      await oauth.authorizationCodeGrantRequest(
        server, client, authentication, answer, demo.callback, verifier, proven)))
    assert.equal(tokens.token_type, 'dpop')
    const api = new URL('/api/method/frappe.auth.get_logged_user', demo.gateway)
    const called = await twice(() =>
      oauth.protectedResourceRequest(tokens.access_token, 'GET', api, undefined, null, proven))
    assert.equal((await called.json()).message, demo.users[1].name)
  })
}

await withDemo(theDemo(), async (demo) => {
  const server = await discover(demo)
  await confidential(demo, server)
  await logout(demo, server)
  await publicClient(demo, server)
  await signed(demo, server)
})
finish('oauth4webapi')
