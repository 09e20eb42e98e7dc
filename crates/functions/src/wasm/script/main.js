// Joins the author's file to the world `script`.
//
// The author's file is a module of its own, so that the lines named in errors are its lines.
import { wake, config, describe, log } from "./prelude.js";
import * as author from "../function.js";

export { loaded } from "./prelude.js";

const { parse, stringify } = JSON;
const { isArray } = Array;
const { isView } = ArrayBuffer;

const NOTHING = { tag: "value", val: "" };
const PENDING = { tag: "pending" };

const handle = author.handle;
if (typeof handle !== "function") throw new Error("weir:no-handler");

class Context {
  constructor(subscription, attempt) {
    this.subscription = subscription;
    this.attempt = attempt;
  }

  get config() {
    return config();
  }

  get log() {
    return log;
  }
}

function isBytes(value) {
  return typeof value === "object" && value !== null && (isView(value) || value instanceof ArrayBuffer);
}

function bytesOf(value) {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

// JSON has no bytes: they go beside it. Returns the item without them.
function strip(item, index, parts) {
  if (typeof item !== "object" || item === null) return item;
  const name = isBytes(item.data) ? "data" : isBytes(item.body) ? "body" : undefined;
  if (name === undefined) return item;
  parts.push([index, bytesOf(item[name])]);
  return { ...item, [name]: undefined };
}

function reply(result) {
  if (result === undefined || result === null) return NOTHING;
  const parts = [];
  const lean = isArray(result) ? result.map((item, index) => strip(item, index, parts)) : strip(result, 0, parts);
  const text = stringify(lean);
  if (text === undefined) throw new TypeError(`handle returned a ${typeof result}: return an event, a list of events, or nothing`);
  return parts.length === 0 ? { tag: "value", val: text } : { tag: "parts", val: [text, parts] };
}

function thrown(error) {
  return { tag: "thrown", val: describe(error) };
}

let promise;

export function call(text, bytes, subscription, attempt) {
  wake();
  promise = undefined;
  try {
    const event = parse(text);
    if (bytes !== null) event.data = bytes;
    const result = handle(event, new Context(subscription, attempt));
    if (typeof result === "object" && result !== null && typeof result.then === "function") {
      promise = result;
      return PENDING;
    }
    return reply(result);
  } catch (error) {
    return thrown(error);
  }
}

export async function settle() {
  try {
    return reply(await promise);
  } catch (error) {
    return thrown(error);
  } finally {
    promise = undefined;
  }
}
