// A function that does what the type of its event says.
console.log("loaded", { at: 1 });

let calls = 0;

function kind(value) {
  return value instanceof Uint8Array ? "bytes" : Array.isArray(value) ? "list" : value === null ? "null" : typeof value;
}

function fail() {
  throw new RangeError("too much");
}

const behaviours = {
  echo: (event) => ({
    type: "echoed",
    subject: event.subject,
    sequence: event.sequence,
    data: {
      kind: kind(event.data),
      data: event.data instanceof Uint8Array ? [...event.data] : event.data,
      attributes: [event.id, event.source, event.type, event.time, event.sequence, event.sampled, event.partitionkey],
      absent: event.dataschema === undefined,
    },
  }),
  copy: (event) => ({ ...event, type: "copied" }),
  context: (event, context) => ({
    type: "context",
    data: [context.attempt, context.subscription, context.config.greeting, Object.keys(context.config).length],
  }),
  list: () => [
    { type: "one", data: new Uint8Array([9, 8, 7]).subarray(1) },
    { type: "two", data: "text", datacontenttype: "text/plain" },
    { type: "three", id: "own", source: "/own", data: null, flag: true },
  ],
  nothing: () => undefined,
  answer: () => ({ statusCode: 201, headers: { "x-a": "1" }, body: "made" }),
  image: () => ({ statusCode: 200, headers: { "content-type": "image/png" }, body: new Uint8Array([137, 80]).buffer }),
  object: () => ({ body: { a: [1, "ü"] } }),
  number: () => 3,
  throw: () => fail(),
  throwText: () => {
    throw "plain";
  },
  promise: async (event) => {
    await null;
    await Promise.resolve(1);
    return { type: "later", data: event.data };
  },
  reject: async () => {
    await null;
    fail();
  },
  never: () => new Promise(() => {}),
  loop: () => {
    for (;;);
  },
  deep: function deep() {
    return deep() + 1;
  },
  memory: () => {
    const hoard = [];
    for (;;) hoard.push(new Uint8Array(1024 * 1024));
  },
  cope: () => {
    const hoard = [];
    try {
      for (;;) hoard.push(new Uint8Array(1024 * 1024));
    } catch (error) {
      return { type: "coped", data: calls };
    }
  },
  large: (event) => ({ type: "large", data: "x".repeat(event.data) }),
  log: (event, context) => {
    console.log("plain", 1, true, null, undefined, { a: [1, 2] }, new Map([["k", 1]]), 10n);
    console.error(new TypeError("odd"));
    console.debug();
    context.log.warn("from the context");
    context.log("also");
  },
  count: () => ({ type: "counted", data: calls }),
  random: () => ({ type: "random", data: [Math.random(), Math.random()] }),
  now: () => ({ type: "now", data: Date.now() }),
};

export function handle(event, context) {
  calls += 1;
  return behaviours[event.type](event, context);
}
