// The running demo, and a browser without a screen: plain HTTP requests that log in and consent.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** Starts the demo and hands its description to `work`; the demo ends with it, however it ends. */
export async function withDemo(program, work) {
  const child = spawn(program, ['--machine'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => child.once('close', resolve))
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      await work(JSON.parse(line))
      return
    }
    throw new Error('the demo did not start')
  } finally {
    child.stdin.end()
    await ended
  }
}

/** One browser with its cookies, all of one host. */
export class Browser {
  #cookies = new Map()

  constructor(gateway) {
    this.gateway = gateway
  }

  async #send(url, form, headers = {}) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(url, {
      method: form ? 'POST' : 'GET',
      body: form && new URLSearchParams(form),
      headers: { accept: 'text/html', ...(cookie && { cookie }), ...headers },
      redirect: 'manual',
    })
    for (const line of answer.headers.getSetCookie()) {
      const [name, ...value] = line.split(';')[0].split('=')
      this.#cookies.set(name, value.join('='))
    }
    return { status: answer.status, location: answer.headers.get('location'), body: await answer.text() }
  }

  /** Goes to the end session endpoint; gives the URL that it leads to. */
  async logOut(url) {
    const { location, status, body } = await this.#send(url)
    if (!location) throw new Error(`no way back to the client: ${status} ${body}`)
    return new URL(location)
  }

  /** Whether somebody is logged in. */
  async isLoggedIn() {
    return (await this.#send(`${this.gateway}/api/method/frappe.auth.get_logged_user`)).status === 200
  }

  /** Follows an authorization request through login and consent; gives the URL that it comes back to. */
  async authorize(url, user, decision = 'allow') {
    let answer = await this.#send(url)
    if (answer.status === 302 && answer.location.startsWith(`${this.gateway}/login?`)) {
      const login = await this.#send(`${this.gateway}/`, { cmd: 'login', usr: user.name, pwd: user.password })
      if (login.status !== 200) throw new Error(`the login failed: ${login.status} ${login.body}`)
      answer = await this.#send(new URL(answer.location).searchParams.get('redirect-to'))
    }
    if (answer.status === 200) {
      const field = (name) => answer.body.match(new RegExp(`name="${name}" value="([^"]*)"`))[1]
      const form = { handle: field('handle'), token: field('token'), decision }
      const approve = `${this.gateway}/api/method/frappe.integrations.oauth2.approve`
      answer = await this.#send(approve, form, { origin: this.gateway })
    }
    if (!answer.location) throw new Error(`no way back to the client: ${answer.status} ${answer.body}`)
    return new URL(answer.location)
  }
}

/** The key of a client that signs, and another one for its tokens. */
export async function keysOf(pkcs8) {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  const key = await crypto.subtle.importKey('pkcs8', Buffer.from(pkcs8, 'base64'), algorithm, false, ['sign'])
  return { key, forTokens: await crypto.subtle.generateKey(algorithm, false, ['sign', 'verify']) }
}

let passed = 0
let failed = 0

/** Runs `work`, and notes how it went. The name is the sentence. */
export async function test(name, work) {
  try {
    await work()
    passed += 1
    console.log(`ok    ${name}`)
  } catch (error) {
    failed += 1
    console.log(`FAIL  ${name}\n      ${error.stack}\n      ${JSON.stringify(error.cause) ?? ''}`)
  }
}

/** The last line, and the exit code. */
export function finish(library) {
  console.log(`${library}: ${passed} passed, ${failed} failed`)
  process.exitCode = failed || !passed ? 1 : 0
}

/** The program that the command line names. */
export function theDemo() {
  const [, self, program] = process.argv
  if (!program) {
    console.error(`usage: node ${self} PATH-OF-THE-DEMO`)
    process.exit(2)
  }
  return program
}
