// The official JavaScript SDK of CloudEvents against a running Weir.
//
// Events that the SDK writes, in every mode, reach a function that reads them with the SDK; what that function returns,
// in every mode, comes back as events; and the log gives all of them as a batch that the SDK reads.
//
// The environment names the two APIs: WEIR_EVENTS and WEIR_CONFIG, each as HOST:PORT.

const assert = require('node:assert/strict')
const { CloudEvent, HTTP } = require('cloudevents')
const { bounded, collector, configure, serve } = require('./support.js')

const MODES = ['structured', 'binary', 'batch']
const BATCH_TYPE = 'application/cloudevents-batch+json'
const TIME = '2026-01-31T12:00:00.123Z'
const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, at) => at)

function samples (mode) {
  const plain = { source: '/javascript', type: 'interop.sent', time: TIME }
  const full = {
    ...plain,
    // The SDK puts attributes into headers as they are: without escapes, so they must be ASCII and have no percent sign.
    source: mode === 'binary' ? 'https://example.com/a?q=1#f' : 'https://example.com/k%C3%A4se?q=1#f',
    subject: mode === 'binary' ? 'kaese (q)' : 'käse "q" 100% 😀',
    dataschema: 'https://example.com/schema',
    text: mode === 'binary' ? 'uebung, 1' : 'übung, 1',
    number: -7,
    truth: true,
    partitionkey: 'k'
  }
  const data = { text: 'käse 😀 "q" \n', list: [1, -2.5, null, true, { a: [] }] }
  return [
    plain,
    { ...full, datacontenttype: 'application/json', data },
    { ...full, datacontenttype: 'application/vnd.example+json', data },
    { ...plain, datacontenttype: 'text/plain', data: 'käse\nand 😀' },
    { ...plain, datacontenttype: 'application/octet-stream', data: ALL_BYTES }
  ].map((each, at) => new CloudEvent({ ...each, id: `${mode}-${at}` }))
}

/** Compares an event that came with one that was sent. More attributes may have been added. */
function check (found, sent, mode) {
  for (const [name, value] of Object.entries(sent)) {
    if (value === undefined || ['data', 'data_base64'].includes(name)) continue
    // Headers have no types.
    const wanted = mode === 'binary' ? String(value) : value
    assert.deepEqual(found[name], wanted, `${sent.id}: ${name}`)
  }
  if (ArrayBuffer.isView(sent.data)) {
    assert.deepEqual(Buffer.from(found.data), Buffer.from(sent.data), `${sent.id}: data`)
  } else {
    assert.deepEqual(found.data, sent.data, `${sent.id}: data`)
  }
}

function messages (events, mode) {
  if (mode === 'batch') return [{ headers: { 'content-type': BATCH_TYPE }, body: JSON.stringify(events) }]
  return events.map(event => HTTP[mode](event))
}

function answer (question) {
  const { mode } = question.data
  const subject = mode === 'binary' ? 'antwoert' : 'antwört %'
  const attributes = { id: `answer-${mode}`, source: '/javascript/answers', type: 'interop.answer', time: TIME, subject }
  const data = { to: question.id, text: 'käse' }
  return new CloudEvent({ ...attributes, number: 7, datacontenttype: 'application/json', data })
}

async function emit (message) {
  const response = await fetch(`http://${process.env.WEIR_EVENTS}/`, { method: 'POST', ...message })
  assert.equal(response.status, 202, await response.text())
}

async function logged (eventType) {
  const url = `http://${process.env.WEIR_CONFIG}/v1/spaces/default/events?type=${eventType}&limit=1000`
  const response = await fetch(url)
  const headers = Object.fromEntries(response.headers)
  const events = HTTP.toEvent({ headers, body: await response.text() })
  return new Map(events.map(event => [event.id, event]))
}

bounded(async () => {
  const received = collector()
  const url = await serve((headers, body) => {
    const event = HTTP.toEvent({ headers, body: body.toString() })
    received.add(event.id, event)
    if (event.type !== 'interop.question') return { status: 204, headers: {}, body: '' }
    const [message] = messages([answer(event)], event.data.mode)
    return { status: 200, ...message }
  }, received.fail)
  await configure('functions', { functionId: 'javascript', type: 'http', provider: { url } })
  for (const eventType of ['interop.sent', 'interop.question', 'interop.answer']) {
    await configure('eventtypes', { name: eventType })
    await configure('subscriptions', { type: 'async', eventType, functionId: 'javascript' })
  }

  const sent = MODES.flatMap(mode => samples(mode).map(event => ({ mode, event })))
  for (const mode of MODES) {
    const events = sent.filter(each => each.mode === mode).map(each => each.event)
    for (const message of messages(events, mode)) await emit(message)
  }
  const delivered = await received.all(sent.map(({ event }) => event.id))
  for (const [place, found] of [['delivered', delivered], ['read', await logged('interop.sent')]]) {
    for (const { mode, event } of sent) check(found.get(event.id), event, mode)
    console.log(`${sent.length} events ${place} as they were sent`)
  }

  const questions = MODES.map(mode => {
    const attributes = { id: `question-${mode}`, source: '/javascript', type: 'interop.question' }
    return new CloudEvent({ ...attributes, datacontenttype: 'application/json', data: { mode } })
  })
  for (const message of messages(questions, 'structured')) await emit(message)
  const answers = await received.all(MODES.map(mode => `answer-${mode}`))
  for (const question of questions) {
    const { mode } = question.data
    check(answers.get(`answer-${mode}`), answer(question), mode)
    assert.equal(answers.get(`answer-${mode}`).causationid, question.id)
  }
  console.log(`${questions.length} events of a function came as they were returned`)
})
