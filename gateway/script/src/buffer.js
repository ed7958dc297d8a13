// The part of Node's Buffer that codecs use, for those that name it.
(function () {
  "use strict";
  const encode = {
    hex: (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(""),
    latin1: (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""),
    ascii: (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte & 0x7f)).join(""),
    base64: (bytes) => btoa(encode.latin1(bytes)),
    utf8: (bytes) => {
      try { return decodeURIComponent(escape(encode.latin1(bytes))); } catch (_) { return encode.latin1(bytes); }
    },
  };
  const codes = (text) => Array.from({ length: text.length }, (_, place) => text.charCodeAt(place) & 0xff);
  const decode = {
    hex: (text) => (text.match(/^([0-9a-f]{2})*/i)[0].match(/../g) || []).map((pair) => parseInt(pair, 16)),
    latin1: codes,
    ascii: codes,
    base64: (text) => codes(atob(text.replace(/-/g, "+").replace(/_/g, "/").replace(/[^A-Za-z0-9+/]/g, ""))),
    utf8: (text) => codes(unescape(encodeURIComponent(text))),
  };
  const named = (table, name) => {
    const key = `${name === undefined ? "utf8" : name}`.toLowerCase().replace("-", "");
    const coding = table[key === "binary" ? "latin1" : key];
    if (coding === undefined) throw new TypeError(`Unknown encoding: ${name}`);
    return coding;
  };
  class Buffer extends Uint8Array {
    static from(source, coding) {
      if (source instanceof ArrayBuffer) return new Buffer(source);
      const bytes = typeof source === "string" ? named(decode, coding)(source) : source;
      const buffer = new Buffer(bytes.length);
      for (let place = 0; place < bytes.length; place++) buffer[place] = bytes[place];
      return buffer;
    }
    static alloc(length, fill) { return new Buffer(length).fill(fill === undefined ? 0 : fill); }
    static concat(list) { return Buffer.from([].concat(...list.map((part) => Array.from(part)))); }
    static isBuffer(value) { return value instanceof Buffer; }
    static byteLength(text, coding) { return Buffer.from(text, coding).length; }
    toString(coding, start = 0, end = this.length) { return named(encode, coding)(this.subarray(start, end)); }
    slice(start, end) { return this.subarray(start, end); }
    equals(other) { return this.length === other.length && this.every((byte, place) => byte === other[place]); }
  }
  // readUIntBE(at, length) and its three sisters, up to 6 bytes.
  const whole = (buffer, at, length, little, signed) => {
    if (!(at >= 0 && length > 0 && length <= 6 && at + length <= buffer.length)) {
      throw new RangeError("Attempt to access memory outside buffer bounds");
    }
    let value = 0;
    for (let i = 0; i < length; i++) value = value * 256 + buffer[little ? at + length - 1 - i : at + i];
    return signed && value >= 2 ** (8 * length - 1) ? value - 2 ** (8 * length) : value;
  };
  const method = (name, value) => Object.defineProperty(Buffer.prototype, name, { value, writable: true, configurable: true });
  const both = (name, value) => { method(name, value); method(name.replace("UInt", "Uint"), value); };
  for (const order of ["LE", "BE"]) {
    const little = order === "LE";
    both("readUInt" + order, function (at, length) { return whole(this, at, length, little, false); });
    method("readInt" + order, function (at, length) { return whole(this, at, length, little, true); });
  }
  for (const [name, type, size] of [["UInt8", "Uint8", 1], ["Int8", "Int8", 1], ["UInt16", "Uint16", 2], ["Int16", "Int16", 2],
    ["UInt32", "Uint32", 4], ["Int32", "Int32", 4], ["Float", "Float32", 4], ["Double", "Float64", 8]]) {
    for (const order of size === 1 ? [""] : ["LE", "BE"]) {
      const view = (buffer) => new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
      both("read" + name + order, function (at = 0) { return view(this)["get" + type](at, order === "LE"); });
      both("write" + name + order, function (value, at = 0) {
        view(this)["set" + type](at, value, order === "LE");
        return at + size;
      });
    }
  }
  Object.defineProperty(globalThis, "Buffer", { value: Buffer, writable: true, configurable: true });
})
