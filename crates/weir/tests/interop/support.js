// What the scripts beside this one share: a function of Weir as a server, waiting with a bound, and configuration.

const assert = require('node:assert/strict')
const { createServer } = require('node:http')

const BOUND_MS = 60_000

/** Runs a script to its end; whatever hangs or fails ends the process with 1. */
function bounded (main) {
  const timer = setTimeout(() => give(new Error(`not done after ${2 * BOUND_MS} ms`)), 2 * BOUND_MS)
  const give = error => {
    console.error(error)
    process.exit(1)
  }
  main().then(() => process.exit(0), give).finally(() => clearTimeout(timer))
}

/** Starts a function that answers each call by `handle(headers, body)`; returns its URL. */
function serve (handle, fail) {
  const server = createServer(async (request, response) => {
    try {
      const pieces = []
      for await (const piece of request) pieces.push(piece)
      const { status, headers, body } = handle(request.headers, Buffer.concat(pieces))
      response.writeHead(status, headers)
      response.end(body)
    } catch (error) {
      fail(error)
      response.writeHead(500).end()
    }
  })
  return new Promise(resolve => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}/`))
  })
}

/** Keeps what came under its name, and lets somebody wait for it. What comes twice counts once. */
function collector () {
  const found = new Map()
  let changed = () => {}
  let failed
  return {
    add (name, value) {
      found.set(name, value)
      changed()
    },
    fail (error) {
      failed = error
      changed()
    },
    async all (names) {
      for (;;) {
        if (failed) throw failed
        if (names.every(name => found.has(name))) return found
        await new Promise(resolve => { changed = resolve })
      }
    }
  }
}

/** Makes a resource of the default space. */
async function configure (resource, value) {
  const response = await fetch(`http://${process.env.WEIR_CONFIG}/v1/spaces/default/${resource}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(value)
  })
  assert.equal(response.status, 201, `${resource}: ${await response.text()}`)
}

module.exports = { bounded, collector, configure, serve }
