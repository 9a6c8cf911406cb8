// The client of the MCP SDK against an MCP server behind the gateway: `node mcp.mjs target/debug/examples/demo`
// The SDK is told nothing but the server's URL: it finds out by itself where to register and how to get a token.
import assert from 'node:assert/strict'
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { Browser, finish, test, theDemo, withDemo } from './demo.mjs'

/** What an application keeps for the SDK: nothing to begin with, but how it wants to be registered. */
class Application {
  registrations = 0
  #kept = {}

  constructor(callback, authentication) {
    this.redirectUrl = callback
    this.clientMetadata = {
      client_name: 'An agent',
      redirect_uris: [callback],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: authentication,
    }
  }

  clientInformation() { return this.#kept.client }
  saveClientInformation(client) {
    this.registrations += 1
    this.#kept.client = client
  }

  tokens() { return this.#kept.tokens }
  saveTokens(tokens) { this.#kept.tokens = tokens }
  codeVerifier() { return this.#kept.verifier }
  saveCodeVerifier(verifier) { this.#kept.verifier = verifier }
  state() { return 'state-of-the-agent' }
  redirectToAuthorization(url) { this.sentTo = url }
  invalidateCredentials(what) {
    if (what === 'all') this.#kept = {}
    if (what === 'tokens') delete this.#kept.tokens
  }
}

/** A connection, which notes what the SDK fetches. */
function transport(demo, application, fetched = []) {
  return new StreamableHTTPClientTransport(new URL(demo.mcp), {
    authProvider: application,
    fetch: async (url, init) => {
      const answer = await fetch(url, init)
      // Read to its end: else the SDK would wait for it when it drops its own half.
      const text = answer.clone().text()
      const { status, headers } = answer
      fetched.push({ path: new URL(url).pathname, form: init?.body, status, headers, text })
      return answer
    },
  })
}

/** From nothing but a URL to a connected client. */
async function connect(demo, application, user, fetched = []) {
  const first = transport(demo, application, fetched)
  await assert.rejects(new Client({ name: 'agent', version: '1' }).connect(first), UnauthorizedError)
  const back = await new Browser(demo.gateway).authorize(application.sentTo, user)
  assert.equal(back.searchParams.get('state'), 'state-of-the-agent')
  await first.finishAuth(back.searchParams.get('code'))
  return reconnect(demo, application, fetched)
}

async function reconnect(demo, application, fetched) {
  const client = new Client({ name: 'agent', version: '1' })
  await client.connect(transport(demo, application, fetched))
  return client
}

const whoami = async (client) => (await client.callTool({ name: 'whoami', arguments: {} })).content[0].text

async function discovery(demo) {
  const application = new Application(demo.callback, 'none')
  const fetched = []
  let client
  await test('from nothing but its URL a client finds, registers with, and logs in at the gateway', async () => {
    client = await connect(demo, application, demo.users[0], fetched)
    assert.equal(application.registrations, 1)
  })
  await test('the way was RFC 9728, RFC 8414, RFC 7591, PKCE and the resource of the metadata', async () => {
    const [refused, resource, server, registration] = fetched
    assert.equal(refused.status, 401)
    const challenge = refused.headers.get('www-authenticate')
    const [, metadata] = challenge.match(/resource_metadata="([^"]+)"/)
    assert.equal(new URL(metadata).pathname, resource.path)
    assert.equal(JSON.parse(await resource.text).authorization_servers[0], demo.gateway)
    assert.equal(server.path, '/.well-known/oauth-authorization-server')
    assert.equal(registration.status, 201)
    const asked = application.sentTo.searchParams
    assert.equal(asked.get('code_challenge_method'), 'S256')
    assert.equal(asked.get('resource'), demo.mcp)
    const token = fetched.find(({ form }) => String(form).includes('grant_type=authorization_code'))
    assert.equal(new URLSearchParams(String(token.form)).get('resource'), asked.get('resource'))
  })
  await test('tools are listed and called as the user', async () => {
    const { tools } = await client.listTools()
    assert.deepEqual(tools.map(({ name }) => name), ['whoami', 'list_customers'])
    assert.equal(await whoami(client), demo.users[0].name)
    const { content } = await client.callTool({ name: 'list_customers', arguments: { limit: 2 } })
    assert.equal(JSON.parse(content[0].text).length, 2)
  })
  await test('what nobody ticked is not granted, and the token is good at this server alone', async () => {
    const { scope, access_token: token } = application.tokens()
    assert.ok(scope.split(' ').includes('erp:read') && !scope.includes('erp:write'), scope)
    const elsewhere = await fetch(`${demo.gateway}/api/resource/Customer`, { headers: { authorization: `Bearer ${token}` } })
    assert.equal(elsewhere.status, 401)
  })
  return { application, client }
}

async function refresh(demo, { application, client }) {
  await test('a token that is not active any more is refreshed within the call', async () => {
    const before = application.tokens()
    application.saveTokens({ ...before, access_token: `${before.access_token.slice(0, -4)}AAAA` })
    assert.equal(await whoami(client), demo.users[0].name)
    assert.notEqual(application.tokens().access_token, before.access_token)
    assert.notEqual(application.tokens().refresh_token, before.refresh_token)
    assert.equal(application.registrations, 1)
  })
  await test('the next process goes on with what the application kept', async () => {
    assert.equal(await whoami(await reconnect(demo, application)), demo.users[0].name)
  })
  await test('where the refresh token has ended too, the user is asked again, by the same client', async () => {
    application.saveTokens({ ...application.tokens(), access_token: 'ended', refresh_token: 'ended' })
    const again = await connect(demo, application, demo.users[0])
    assert.equal(await whoami(again), demo.users[0].name)
    assert.equal(application.registrations, 1)
  })
}

async function others(demo) {
  await test('two applications that register at once each act as their own user', async () => {
    const applications = ['client_secret_basic', 'client_secret_post'].map((way) => new Application(demo.callback, way))
    const clients = await Promise.all(applications.map((one, at) => connect(demo, one, demo.users[at])))
    assert.deepEqual(await Promise.all(clients.map(whoami)), [demo.users[0].name, demo.users[1].name])
    const [one, other] = applications.map((application) => application.clientInformation())
    assert.notEqual(one.client_id, other.client_id)
  })
  await test('a client that the gateway has forgotten registers anew', async () => {
    const application = new Application(demo.callback, 'none')
    const fetched = []
    await connect(demo, application, demo.users[0], fetched)
    const { text } = fetched.find(({ status }) => status === 201)
    const { registration_client_uri: uri, registration_access_token: token } = JSON.parse(await text)
    const deleted = await fetch(uri, { method: 'DELETE', headers: { authorization: `Bearer ${token}` } })
    assert.equal(deleted.status, 204)
    assert.equal(await whoami(await connect(demo, application, demo.users[0])), demo.users[0].name)
    assert.equal(application.registrations, 2)
  })
}

await withDemo(theDemo(), async (demo) => {
  const connected = await discovery(demo)
  await refresh(demo, connected)
  await others(demo)
})
finish('the MCP SDK')
