#!/usr/bin/env node
// Public LoRaWAN codecs (TS013) and the examples that their authors give for them, out of the npm package
// @intelligent-farming/lorawan-codec-normalization (AGPL-3.0: installed for this test only, part of nothing else).
//
//   codec_vectors.js
//
// Prints JSON lines, one a codec: {name, categories, source, vectors: [{description, bytes, fPort, recvTime?,
// expected: {data?, errors?, warnings?}}]}, in the order of their names.
'use strict'

const fs = require('node:fs')
const path = require('node:path')

const codecs = path.join(__dirname, '../.tools/node/node_modules/@intelligent-farming/lorawan-codec-normalization/codecs')
const json = (file) => JSON.parse(fs.readFileSync(file, 'utf8'))

for (const vendor of fs.readdirSync(codecs).sort()) {
  for (const device of fs.readdirSync(path.join(codecs, vendor)).sort()) {
    const folder = path.join(codecs, vendor, device)
    if (!fs.existsSync(path.join(folder, 'vectors.json'))) continue
    const vectors = json(path.join(folder, 'vectors.json')).uplink.map(({ description, input, expected }) => ({
      description, ...input, expected,
    }))
    const { categories } = json(path.join(folder, 'device.json'))
    const source = fs.readFileSync(path.join(folder, 'codec.js'), 'utf8')
    process.stdout.write(JSON.stringify({ name: `${vendor}/${device}`, categories, source, vectors }) + '\n')
  }
}
