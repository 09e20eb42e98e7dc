// Runs before the author's file: gives it a console, random numbers and settings.
//
// Until the first call the imports cannot be called, because the file is loaded once, into the snapshot from which all
// instances come.
import { write } from "weir:function/log";
import { seed } from "weir:function/entropy";
import { all } from "weir:function/config";

const LINE_CHARACTERS_MAX = 8192;
const EARLY_LINES_MAX = 100;
const FRAMES_MAX = 10;

const { stringify } = JSON;

let live = false;
let early = [];

export function wake() {
  live = true;
}

// The lines that were written while the file was loaded.
export function loaded() {
  live = true;
  const lines = early;
  early = [];
  return lines;
}

function plain(_, value) {
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Error) return describe(value);
  if (value instanceof Map || value instanceof Set) return [...value];
  return value;
}

function format(value) {
  switch (typeof value) {
    case "string":
      return value;
    case "function":
      return `[function ${value.name || "anonymous"}]`;
    case "bigint":
      return `${value}n`;
    case "object":
      if (value === null) return "null";
      if (value instanceof Error) return describe(value);
      try {
        return stringify(value, plain) ?? Object.prototype.toString.call(value);
      } catch {
        // A cycle: say at least what it is.
        return Object.prototype.toString.call(value);
      }
    default:
      return String(value);
  }
}

// Says what was thrown, in one text: name, message, the frames of the author's file, and what caused it.
export function describe(thrown) {
  try {
    if (!(thrown instanceof Error)) return format(thrown).slice(0, LINE_CHARACTERS_MAX);
    const frames = String(thrown.stack ?? "")
      .split("\n")
      .filter((line) => line !== "" && !line.includes("(/weir/"))
      .slice(0, FRAMES_MAX);
    const lines = [`${thrown.name}: ${thrown.message}`, ...frames];
    if (thrown.cause !== undefined && thrown.cause !== thrown) lines.push(`caused by: ${describe(thrown.cause)}`);
    return lines.join("\n").slice(0, LINE_CHARACTERS_MAX);
  } catch {
    return "something was thrown that cannot be described";
  }
}

function print(level, values) {
  const text = values.map(format).join(" ").slice(0, LINE_CHARACTERS_MAX);
  if (live) write(level, text);
  else if (early.length < EARLY_LINES_MAX) early.push(text);
}

const at = (level) => (...values) => print(level, values);
const [debug, info, warn, error] = ["debug", "info", "warn", "error"].map(at);

// What `context.log` is: a function, and the levels as its methods.
export const log = Object.freeze(Object.assign((...values) => print("info", values), { debug, info, warn, error }));

globalThis.console = {
  debug,
  info,
  warn,
  error,
  log: info,
  dir: info,
  table: info,
  trace: debug,
  assert(condition, ...values) {
    if (!condition) print("error", ["assertion failed:", ...values]);
  },
};

let settings;

// What `context.config` is: the settings of the function, read once per instance.
export function config() {
  settings ??= Object.freeze(Object.fromEntries(all()));
  return settings;
}

// The engine's own generator was seeded in the snapshot: every instance would get the same numbers. This one (sfc32)
// is seeded by the first use after that.
const frozen = Math.random;
let state;

Math.random = function random() {
  if (!live) return frozen();
  state ??= Uint32Array.from(seed());
  const sum = (state[0] + state[1] + state[3]) >>> 0;
  state[3] += 1;
  state[0] = state[1] ^ (state[1] >>> 9);
  state[1] = state[2] + (state[2] << 3);
  state[2] = ((state[2] << 21) | (state[2] >>> 11)) + sum;
  return sum / 4294967296;
};
