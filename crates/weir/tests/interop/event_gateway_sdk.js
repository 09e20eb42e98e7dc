// The published Node client of the Event Gateway, unchanged, against Weir: every call that its documents have, except
// those of connections, which are of another program.
//
// The environment names the two APIs, WEIR_EVENTS and WEIR_CONFIG, each as HOST:PORT, and in WEIR_FORM the version of
// CloudEvents in which a function is given events: 1.0, or 0.1 where the server does as the Event Gateway did.

const assert = require('node:assert/strict')
const SDK = require('@serverless/event-gateway-sdk')
const { bounded, collector, serve } = require('./support.js')

const gateway = new SDK({
  url: `http://${process.env.WEIR_EVENTS}`,
  configurationUrl: `http://${process.env.WEIR_CONFIG}`
})
const isOld = process.env.WEIR_FORM === '0.1'

/** The example of its documents. */
function event (id) {
  return {
    eventID: id,
    eventType: 'user.created',
    cloudEventsVersion: '0.1',
    source: '/services/users',
    contentType: 'application/json',
    data: { userID: 'foo', name: 'Käse 😀' }
  }
}

async function fails (promise, message) {
  await assert.rejects(promise, error => {
    assert.ok(error.message.includes(message), `${error.message} does not say ${message}`)
    return true
  })
}

async function eventTypes () {
  assert.deepEqual(await gateway.listEventTypes(), [])
  const shown = await gateway.createEventType({ name: 'user.created', metadata: { team: 'a' } })
  assert.deepEqual(shown, { space: 'default', name: 'user.created', metadata: { team: 'a' } })
  assert.deepEqual(await gateway.listEventTypes({ 'metadata.team': 'a' }), [shown])
  assert.deepEqual(await gateway.listEventTypes({ 'metadata.team': 'b' }), [])
  const again = gateway.createEventType({ name: 'user.created' })
  await fails(again, 'Failed to create user.created event type due the error: Event Type "user.created" already exists.')
}

async function functions (url) {
  assert.deepEqual(await gateway.listFunctions(), [])
  const provider = { url: 'http://127.0.0.1:1/' }
  const shown = await gateway.createFunction({ functionId: 'sendEmail', type: 'http', provider })
  assert.equal(shown.functionId, 'sendEmail')
  assert.equal(shown.space, 'default')
  const changed = await gateway.updateFunction({ functionId: 'sendEmail', type: 'http', provider: { url } })
  assert.equal(changed.provider.url, url)
  assert.deepEqual(await gateway.listFunctions(), [changed])
  const missing = gateway.updateFunction({ functionId: 'other', type: 'http', provider })
  await fails(missing, 'Failed to update the function other due the error: Function "other" not found.')
}

async function subscriptions () {
  const async = await gateway.subscribe({ type: 'async', eventType: 'user.created', functionId: 'sendEmail' })
  assert.equal(async.path, '/')
  assert.equal(async.method, 'POST')
  const at = { path: '/users', method: 'POST' }
  const sync = await gateway.subscribe({ type: 'sync', eventType: 'user.created', functionId: 'sendEmail', ...at })
  const ids = (await gateway.listSubscriptions()).map(each => each.subscriptionId)
  assert.deepEqual(ids.sort(), [async.subscriptionId, sync.subscriptionId].sort())
  const unknown = gateway.subscribe({ type: 'async', eventType: 'unknown', functionId: 'sendEmail' })
  await fails(unknown, 'to the function sendEmail due the error: ')
  const needed = gateway.deleteFunction({ functionId: 'sendEmail' })
  await fails(needed, 'due the error: Function cannot be deleted because it\'s subscribed to a least one event.')
  return [async, sync]
}

async function emitting (received) {
  const accepted = await gateway.emit(event('1'))
  assert.equal(accepted.status, 202)
  assert.equal(await accepted.text(), '')
  const given = (await received.all(['1'])).get('1')
  const [type, source, version] = isOld
    ? [given.eventType, given.source, given.cloudEventsVersion]
    : [given.type, given.source, given.specversion]
  assert.deepEqual([type, source, version], ['user.created', '/services/users', isOld ? '0.1' : '1.0'])
  assert.deepEqual(given.data, event('1').data)

  const headers = { 'X-Request-Id': 'of-the-client' }
  const answered = await gateway.emit(event('2'), { path: '/users', headers })
  assert.equal(answered.status, 201)
  assert.deepEqual(await answered.json(), { id: '2' })

  const { source: _, ...incomplete } = event('3')
  await fails(gateway.emit(incomplete), "Failed to emit the event user.created due the error: CloudEvent doesn't validate:")
}

async function cors () {
  assert.deepEqual(await gateway.listCORS(), [])
  const place = { method: 'GET', path: '/hello' }
  const shown = await gateway.createCORS({ ...place, allowedOrigins: ['http://example.com'] })
  assert.equal(shown.corsId, 'GET%2Fhello')
  assert.deepEqual(shown.allowedMethods, ['HEAD', 'GET', 'POST'])
  const changed = await gateway.updateCORS({ ...place, corsId: shown.corsId, allowCredentials: true })
  assert.equal(changed.allowCredentials, true)
  assert.deepEqual(await gateway.listCORS(), [changed])
  assert.equal(await gateway.deleteCORS({ corsId: 'GET%2Fhello' }), undefined)
  assert.deepEqual(await gateway.listCORS(), [])
}

async function removal (made) {
  const guarded = await gateway.updateEventType({ name: 'user.created', authorizerId: 'sendEmail' })
  assert.equal(guarded.authorizerId, 'sendEmail')
  const used = gateway.deleteEventType({ name: 'user.created' })
  await fails(used, 'due the error: Event type cannot be deleted because there are subscriptions using it.')
  for (const { subscriptionId } of made) assert.equal(await gateway.unsubscribe({ subscriptionId }), undefined)
  assert.equal(await gateway.deleteEventType({ name: 'user.created' }), undefined)
  assert.equal(await gateway.deleteFunction({ functionId: 'sendEmail' }), undefined)
  for (const list of ['listSubscriptions', 'listEventTypes', 'listFunctions']) assert.deepEqual(await gateway[list](), [])
  const gone = gateway.deleteFunction({ functionId: 'sendEmail' })
  await fails(gone, 'Failed to delete the function sendEmail due the error: Function "sendEmail" not found.')
}

bounded(async () => {
  const received = collector()
  const url = await serve((_, body) => {
    const given = JSON.parse(body)
    const id = given.eventID ?? given.id
    received.add(id, given)
    // What a caller who waits is answered; one who does not gives it no meaning.
    const answer = { statusCode: 201, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ id }) }
    return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(answer) }
  }, received.fail)
  await eventTypes()
  await functions(url)
  const made = await subscriptions()
  await emitting(received)
  await cors()
  await removal(made)
  console.log('every documented call did what its documents say')
})
