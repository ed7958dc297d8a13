// Evaluated before every codec, to one function. `now` is the time of receipt in milliseconds, `spend(n)` counts n
// units of work and says whether they were too many.
(function (now, spend) {
  "use strict";
  const apply = Reflect.apply, construct = Reflect.construct, define = Object.defineProperty, isArray = Array.isArray;
  const hidden = (object, key, value) => define(object, key, { value, writable: true, configurable: true });

  // The engine looks at its budget every 10,000 calls and rounds, whatever each of them costs. What works on a whole
  // text or list in one call is therefore charged by length: 4 characters or one element are one unit.
  let pending = 0;
  const charge = (units) => {
    pending += units;
    if (pending < 4096) return;
    const over = spend(pending);
    pending = 0;
    if (over) for (;;); // ends at the next look, and no codec can catch that
  };
  const weight = (value) => {
    if (typeof value === "string") return value.length / 4;
    if (typeof value !== "object" || value === null) return 0;
    const length = Number(value.length);
    return length > 0 ? length : 0;
  };
  const charged = (object, key, cost) => {
    const plain = object[key];
    const counted = { [key](...args) {
      charge(cost(this, args));
      const result = apply(plain, this, args);
      charge(typeof result === "string" ? result.length / 4 : isArray(result) ? result.length : 0);
      return result;
    } }[key];
    hidden(object, key, counted);
  };
  const subject = (self) => 1 + weight(self);
  const search = (self, [needle]) => {
    const length = weight(self);
    return 1 + length + (typeof needle === "string" && needle.length > 16 ? length * needle.length / 4 : 0);
  };
  const sort = (self) => 1 + 32 * weight(self);
  const argument = (_, [value]) => 1 + 4 * weight(value);
  const all = (object, keys, cost) => { for (const key of keys) charged(object, key, cost); };
  all(String.prototype, ["includes", "indexOf", "lastIndexOf", "replace", "replaceAll", "split"], search);
  all(String.prototype, ["concat", "endsWith", "localeCompare", "match", "matchAll", "normalize", "padEnd", "padStart",
    "repeat", "search", "slice", "startsWith", "substr", "substring", "toLowerCase", "toUpperCase", "trim"], subject);
  all(Array.prototype, ["concat", "copyWithin", "fill", "flat", "join", "reverse", "shift", "slice", "splice",
    "toReversed", "toSpliced", "toString", "unshift", "with"], subject);
  all(Array.prototype, ["sort", "toSorted"], sort);
  const typed = Object.getPrototypeOf(Uint8Array.prototype);
  all(typed, ["copyWithin", "fill", "includes", "indexOf", "join", "lastIndexOf", "reverse", "set", "slice"], subject);
  all(typed, ["sort", "toSorted"], sort);
  all(JSON, ["parse", "stringify"], argument);
  all(Object, ["assign", "entries", "fromEntries", "getOwnPropertyNames", "keys", "values"], argument);
  all(Array, ["from"], argument);
  charged(RegExp.prototype, "exec", (_, [text]) => 2048 + weight(text));

  // Nothing of the outside: no clock, no randomness, no memory shared with another thread, no look at the collector.
  for (const key of ["performance", "SharedArrayBuffer", "Atomics", "WeakRef", "FinalizationRegistry"]) {
    delete globalThis[key];
  }
  // One operator on a huge BigInt lasts as long as the whole budget. Literals are refused before the codec is loaded.
  for (const key of ["BigInt", "BigInt64Array", "BigUint64Array"]) delete globalThis[key];
  for (const key of ["getBigInt64", "getBigUint64", "setBigInt64", "setBigUint64"]) delete DataView.prototype[key];
  // No code from text: it could hold the literals that the source must not.
  const refuse = () => { throw new EvalError("code from text is not run here"); };
  hidden(globalThis, "eval", refuse);
  for (const made of [function () {}, async function () {}, function* () {}, async function* () {}]) {
    const kind = Object.getPrototypeOf(made), name = kind.constructor.name;
    const none = { [name]: function () { refuse(); } }[name];
    none.prototype = kind;
    hidden(kind, "constructor", none);
    if (name === "Function") hidden(globalThis, name, none);
  }
  // A trace that is made of objects hands out the functions below it: ours, and the uncounted ones of the engine.
  define(Error, "prepareStackTrace", { get() {}, set() {}, configurable: false });
  Error.stackTraceLimit = 4; // a trace costs its length, and a deep recursion may throw at each level
  define(Error, "stackTraceLimit", { value: 4, writable: false, configurable: false });
  let seed = 1;
  hidden(Math, "random", () => {
    seed ^= seed << 13; seed ^= seed >>> 17; seed ^= seed << 5; // xorshift32 (Marsaglia 2003)
    return (seed >>> 0) / 4294967296;
  });
  const nothing = () => {};
  hidden(globalThis, "console", { log: nothing, info: nothing, warn: nothing, error: nothing, debug: nothing, trace: nothing });

  // Now is the time of receipt, and local time is UTC, whatever the box's TZ says.
  const Real = Date, dates = Real.prototype, realParse = Real.parse, utc = Real.UTC;
  const realOffset = dates.getTimezoneOffset;
  const offset = (ms) => apply(realOffset, new Real(ms), []) * 60000;
  const zoned = /(Z|GMT|UTC|[+-]\d\d:?\d\d)\s*(\(.*\))?$|^\s*[+-]?\d{4,6}(-\d\d){0,2}\s*$/i, test = zoned.test;
  const parse = (text) => {
    text = `${text}`;
    const ms = realParse(text);
    return apply(test, zoned, [text]) ? ms : ms - offset(ms);
  };
  const fields = (args) => {
    if (args.length !== 1) return args.length === 0 ? now : apply(utc, Real, args);
    const [value] = args;
    return typeof value === "string" ? parse(value) : value;
  };
  function Clock(...args) {
    if (new.target === undefined) return new Clock().toString();
    return construct(Real, [fields(args)], new.target);
  }
  hidden(Clock, "name", "Date");
  hidden(Clock, "now", () => now);
  hidden(Clock, "parse", parse);
  hidden(Clock, "UTC", utc);
  Clock.prototype = dates;
  hidden(dates, "constructor", Clock);
  hidden(globalThis, "Date", Clock);
  for (const field of ["FullYear", "Month", "Date", "Hours", "Minutes", "Seconds", "Milliseconds"]) {
    hidden(dates, "get" + field, dates["getUTC" + field]);
    hidden(dates, "set" + field, dates["setUTC" + field]);
  }
  hidden(dates, "getDay", dates.getUTCDay);
  hidden(dates, "getYear", function () { return this.getUTCFullYear() - 1900; });
  hidden(dates, "getTimezoneOffset", function () { return this.getTime() * 0; });
  for (const name of ["toString", "toDateString", "toTimeString", "toLocaleString", "toLocaleDateString", "toLocaleTimeString"]) {
    const plain = dates[name], replace = String.prototype.replace;
    hidden(dates, name, function () {
      const ms = this.getTime();
      const text = apply(replace, apply(plain, new Real(ms + offset(ms)), []), [/GMT[+-]\d{4}.*/, "GMT+0000 (UTC)"]);
      // As en-US has it everywhere else: 8/2/2001, 1:08:00 AM.
      return name.startsWith("toLocale") ? apply(replace, text, [/(^|\/|, )0/g, "$1"]) : text;
    });
  }

  const toWellFormed = String.prototype.toWellFormed;
  return { date: (ms) => new Real(ms), wellFormed: (text) => apply(toWellFormed, text, []) };
})
