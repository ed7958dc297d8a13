#!/usr/bin/env node
// LoRaWAN 1.0 ABP devices (npm lora-packet) behind Semtech UDP packet forwarders (forwarder.js).
//
// Proves: an independent LoRaWAN implementation is understood, its confirmed uplinks are acknowledged in time by
// downlinks that it can verify, and hostile frames are answered with silence.
//
//   lora_device.js --port 1700 --devices devices.json --count 20 --acked acked.jsonl
//   devices.json: [{"name": "level-1", "dev_addr": "26010001", "nwk_s_key": "<32 hex>", "app_s_key": "<32 hex>"}]
//
// Payload (Cayenne LPP): channel 1 temperature and channel 2 analog input, both follow from the device and FCnt.
// A device sends its next frame once the last is acknowledged (or its --tries are used up), as a real one does. Of
// several forwarders (--eui A,B) each frame is heard by one of them, the next by another, and then one by all.
//
// Prints JSON lines: ready, and last summary: counts of the six datagrams, frames, uplinks, replays, confirmed,
// acknowledged, unacknowledged, rx1, rx2, reacknowledged (per frame, most), push_ack_ms and ack_ms (p50, p99, max), tx_refused, errors.
// Every downlink must name a frame of ours: MIC, DevAddr, tmst = uplink + 1 s (RX1, its freq and datr) or + 2 s
// (RX2, --rx2), ipol, ncrc, size, FCntDown rising; whatever is wrong is listed in errors.
// --acked lines: {dev_addr, fcnt, window, wall_ms, took_ms, phy, temperature, analog}; --sent: the same of all frames.
// A retransmission of the last frame is rightly acknowledged again: replay only older ones.
// Exit status: 0 no errors and all acknowledged (with --attack, --silence: nothing answered), 1 otherwise, 2 usage.
'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { createRequire } = require('node:module')
const { parseArgs } = require('node:util')
const { Forwarder, WRAP } = require('./forwarder.js')
const lora = createRequire(path.join(__dirname, '../.tools/node/package.json'))('lora-packet')

const text = (value) => ({ type: 'string', default: value })
const flag = { type: 'boolean', default: false }
const OPTIONS = {
  host: text('127.0.0.1'), port: text('1700'), eui: text('0016c001f153a14c'), // one or more, with commas
  devices: text(''),
  count: text('10'), // frames per device
  interval: text(''), // ms between a device's frames, at least; default 300, for a gateway has one transmitter; hostile: 2
  unconfirmed: flag,
  every: text('1'), // only each so manieth frame asks to be acknowledged
  replay: text('0'), // after each so many frames, the one before the last is sent once more
  tries: text('1'), timeout: text('2500'), // send a confirmed frame up to so often, waiting so many ms each time
  repeat: text('0'), // send each frame so many more times although acknowledged
  fcnt: text('1'), step: text('1'), // first FCnt (32-bit) and the distance to the next
  tmst: text('0'), // start of the gateway's microsecond counter
  freq: text('868.1'), datr: text('SF7BW125'), rx2: text('869.525,SF12BW125'), stat: text('1'), fport: text('2'),
  payload: text(''), // hex, instead of the one above
  attack: text(''), // mic | devaddr | flips: each bit of one frame in turn | replay: the frames of --frames
  frames: text(''), // file of --sent lines for replay
  silence: flag, // demand that nothing is answered
  txack: text('NONE'), 'txack-socket': text('down'), // see forwarder.js
  acked: text(''), sent: text(''), deadline: text('60'),
  until: text(''), // a file: once it is there, the frame under way is the last
}

const { values: o } = parseArgs({ options: OPTIONS })
const interval = (usual) => (o.interval === '' ? usual : Number(o.interval))
for (const key of ['port', 'count', 'every', 'replay', 'tries', 'timeout', 'repeat', 'fcnt', 'step', 'tmst', 'freq', 'stat', 'fport', 'deadline']) {
  o[key] = Number(o[key])
}
const devices = JSON.parse(fs.readFileSync(o.devices)).map((device) => ({
  address: Buffer.from(device.dev_addr, 'hex'), nwk: Buffer.from(device.nwk_s_key, 'hex'), app: Buffer.from(device.app_s_key, 'hex'),
  fcnt: o.fcnt, downCounters: new Map(),
}))
const silent = o.silence || o.attack !== ''
const forwarders = o.eui.split(',').map((eui) => Object.assign(
  new Forwarder({ host: o.host, port: o.port, eui, tmst: o.tmst, txAck: o.txack, txAckSocket: o['txack-socket'] }),
  { flights: new Map() }, // tmst of an uplink -> {frame, left}
))
const tally = { frames: 0, uplinks: 0, replays: 0, confirmed: 0, acknowledged: 0, rx1: 0, rx2: 0, reacknowledged_max: 0, tx_refused: {} }
const ackMs = []
const unacknowledged = []
const files = { acked: o.acked && fs.openSync(o.acked, 'a'), sent: o.sent && fs.openSync(o.sent, 'a') }
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const log = (file, line) => file && fs.writeSync(file, JSON.stringify(line) + '\n')
const say = (event, facts) => console.log(JSON.stringify({ event, wall_ms: Date.now(), ...facts }))

// Two values that follow from the FCnt: temperature -20.0 to 79.9 °C, analog -163.84 to 163.83.
function reading(fcnt) {
  const tenths = ((fcnt * 37) % 1000) - 200
  const hundredths = ((fcnt * 7919) % 32_768) - 16_384
  const lpp = Buffer.from([1, 0x67, 0, 0, 2, 2, 0, 0])
  lpp.writeInt16BE(tenths, 2)
  lpp.writeInt16BE(hundredths, 6)
  return { lpp, temperature: (tenths / 10).toFixed(1), analog: (hundredths / 100).toFixed(2) }
}

function makeFrame(device, fcnt) {
  const confirmed = !o.unconfirmed && fcnt % o.every === 0
  const { lpp, ...values } = reading(fcnt)
  const fields = {
    MType: confirmed ? 'Confirmed Data Up' : 'Unconfirmed Data Up', DevAddr: device.address, FCtrl: {},
    FCnt: fcnt & 0xffff, FPort: o.fport, payload: o.payload ? Buffer.from(o.payload, 'hex') : lpp,
  }
  // lora-packet wants the upper half of a 32-bit counter little-endian.
  const upper = Buffer.from([(fcnt >>> 16) & 255, fcnt >>> 24])
  const phy = lora.fromFields(fields, device.app, device.nwk, undefined, upper).getPHYPayload()
  return { device, fcnt, phy, confirmed, acks: 0, ...values }
}

function transmit(frame) {
  const turn = tally.uplinks % (forwarders.length + 1)
  const hearing = forwarders.filter((_, nth) => nth === turn || turn === forwarders.length)
  tally.uplinks += 1
  log(files.sent, describe(frame, { gateways: hearing.map(({ eui }) => eui) }))
  for (const forwarder of hearing) {
    const tmst = forwarder.now(), { flights } = forwarder
    flights.set(tmst, { frame, left: performance.now() })
    if (flights.size > 20_000) flights.delete(flights.keys().next().value)
    forwarder.push([{
      tmst, chan: 0, rfch: 0, freq: o.freq, stat: o.stat, modu: 'LORA', datr: o.datr, codr: '4/5', rssi: -59, lsnr: 9.5,
      size: frame.phy.length, data: frame.phy.toString('base64'),
    }])
  }
}

function describe(frame, more) {
  const { device, fcnt, phy, temperature, analog } = frame
  return { dev_addr: device && device.address.toString('hex'), fcnt, wall_ms: Date.now(), ...more, phy: phy.toString('hex'), temperature, analog }
}

// Which uplink a downlink answers, and in which window.
function answered({ flights }, tmst) {
  for (const [window, delay] of [['rx1', 1_000_000], ['rx2', 2_000_000]]) {
    const flight = flights.get((tmst - delay + WRAP) % WRAP)
    if (flight) return { window, ...flight }
  }
  return null
}

function wrongIn(txpk, phy, window, frame) {
  const [freq, datr] = window === 'rx1' ? [o.freq, o.datr] : [Number(o.rx2.split(',')[0]), o.rx2.split(',')[1]]
  const packet = lora.fromWire(phy)
  const checks = {
    imme: txpk.imme === undefined || txpk.imme === false, freq: txpk.freq === freq, datr: txpk.datr === datr,
    ipol: txpk.ipol === true, ncrc: txpk.ncrc === true, modu: txpk.modu === 'LORA', codr: txpk.codr === '4/5',
    size: txpk.size === phy.length, direction: packet.getDir() === 'down', ack: packet.getFCtrlACK() === true,
    dev_addr: frame.device && packet.getBuffers().DevAddr.equals(frame.device.address),
    mic: frame.device && lora.verifyMIC(packet, frame.device.nwk),
  }
  return { packet, wrong: Object.keys(checks).filter((key) => !checks[key]) }
}

function onDownlink(forwarder, { phy, txpk, verdict }) {
  const answer = answered(forwarder, txpk.tmst)
  const hex = phy.toString('hex')
  if (!answer) return forwarder.complain('downlink for no uplink of ours', { txpk })
  const { frame, window, left } = answer
  let packet, wrong
  try {
    ({ packet, wrong } = wrongIn(txpk, phy, window, frame))
  } catch (error) {
    return forwarder.complain('downlink is no LoRaWAN frame', { why: error.message, hex })
  }
  if (wrong.length) return forwarder.complain('bad downlink', { wrong, window, txpk, hex })
  if (verdict !== 'NONE') {
    tally.tx_refused[verdict] = (tally.tx_refused[verdict] ?? 0) + 1
    return // the device hears nothing
  }
  const used = frame.device.downCounters, down = packet.getFCnt()
  if (used.size && down <= Math.max(...used.keys())) return forwarder.complain('FCntDown does not rise', { down, hex })
  used.clear() // only the highest is needed
  used.set(down, hex)
  tally[window] += 1
  frame.acks += 1
  tally.reacknowledged_max = Math.max(tally.reacknowledged_max, frame.acks - 1)
  if (frame.acks > 1) return
  const took = performance.now() - left
  ackMs.push(took)
  tally.acknowledged += 1
  log(files.acked, describe(frame, { window, took_ms: Math.round(took * 1000) / 1000 }))
  frame.heard?.()
}

for (const forwarder of forwarders) {
  forwarder.isFirstWindow = (tmst) => answered(forwarder, tmst)?.window === 'rx1'
  forwarder.on('downlink', (downlink) => onDownlink(forwarder, downlink))
}

const isOver = () => o.until !== '' && fs.existsSync(o.until)

async function run(device, until) {
  // One device after the other, evenly: two answers at one moment would need two transmitters.
  await sleep(interval(300) * devices.indexOf(device) / devices.length)
  for (let n = 0; n < o.count && Date.now() < until && !isOver(); n += 1) {
    const frame = makeFrame(device, device.fcnt)
    const heard = new Promise((resolve) => { frame.heard = resolve })
    const pause = sleep(interval(300))
    tally.frames += 1
    tally.confirmed += frame.confirmed
    for (let attempt = 0; attempt < o.tries && frame.acks === 0 && Date.now() < until; attempt += 1) {
      transmit(frame)
      if (!frame.confirmed) break
      let timer
      await Promise.race([heard, new Promise((resolve) => { timer = setTimeout(resolve, o.timeout) })])
      clearTimeout(timer)
    }
    for (let again = 0; again < o.repeat; again += 1) { transmit(frame); await sleep(interval(100)) }
    if (frame.confirmed && frame.acks === 0) unacknowledged.push({ dev_addr: device.address.toString('hex'), fcnt: frame.fcnt })
    device.fcnt += o.step
    if (o.replay && (n + 1) % o.replay === 0 && device.before) { transmit(device.before); tally.replays += 1 }
    device.before = frame
    await pause
  }
}

// Frames that must be answered with silence.
function hostile() {
  const device = devices[0], good = makeFrame(device, device.fcnt)
  const flipped = (bit) => { const phy = Buffer.from(good.phy); phy[bit >> 3] ^= 1 << (bit & 7); return { ...good, phy } }
  switch (o.attack) {
    case 'mic': return devices.map((d) => { const f = makeFrame(d, d.fcnt); f.phy[f.phy.length - 1] ^= 0x55; return f })
    case 'devaddr': return [makeFrame({ ...device, address: Buffer.from('deadbeef', 'hex') }, device.fcnt)]
    case 'flips': return Array.from({ length: good.phy.length * 8 }, (_, bit) => flipped(bit))
    case 'replay': return fs.readFileSync(o.frames, 'utf8').trim().split('\n').map((line) => {
      const { phy, fcnt } = JSON.parse(line)
      return { fcnt, phy: Buffer.from(phy, 'hex'), acks: 0 }
    })
    default: throw new Error(`no attack ${o.attack}`)
  }
}

async function attack(frames) {
  for (const frame of frames) { transmit(frame); await sleep(interval(2)) }
  await sleep(o.timeout) // an answer would come before the end of RX2
}

function spread(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share) => (sorted.length ? Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] * 1000) / 1000 : null)
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}

async function main() {
  const until = Date.now() + o.deadline * 1000
  const ready = Promise.all(forwarders.map((forwarder) => new Promise((resolve) => forwarder.once('ready', () => resolve(true)))))
  for (const forwarder of forwarders) forwarder.start(1)
  // While nobody listens, PULL_DATA goes on every second.
  if (!(await Promise.race([ready, sleep(o.deadline * 1000).then(() => false)]))) {
    say('summary', { errors: [{ what: 'no PULL_ACK before the deadline' }] })
    process.exit(1)
  }
  say('ready', {})
  for (const forwarder of forwarders) forwarder.push([], { time: new Date().toISOString().slice(0, 19).replace('T', ' ') + ' GMT', rxnb: 0, rxok: 0, rxfw: 0, ackr: 100, dwnb: 0, txnb: 0 })
  const began = Date.now()
  await (o.attack ? attack(hostile()) : Promise.all(devices.map((device) => run(device, until))))
  const seconds = (Date.now() - began) / 1000
  await sleep(200) // the last PUSH_ACKs
  const errors = forwarders.flatMap((forwarder) => forwarder.errors), pushAckMs = forwarders.flatMap((forwarder) => forwarder.pushAckMs)
  const total = (of) => forwarders.reduce((sum, forwarder) => sum + of(forwarder), 0)
  const counts = Object.fromEntries(Object.keys(forwarders[0].counts).map((key) => [key, total((forwarder) => forwarder.counts[key])]))
  say('summary', {
    ...counts, push_ack_missing: total(({ unanswered }) => unanswered.size), ...tally, unacknowledged: unacknowledged.slice(0, 100), seconds,
    uplinks_per_second: Math.round(tally.uplinks / seconds * 10) / 10,
    push_ack_ms: spread(pushAckMs), ack_ms: spread(ackMs), errors: errors.slice(0, 20), errors_count: errors.length,
  })
  for (const forwarder of forwarders) forwarder.stop()
  const wellAnswered = silent ? counts.pull_resp === 0 : unacknowledged.length === 0
  const complete = o.attack || ((isOver() || tally.frames === devices.length * o.count) && tally.acknowledged === tally.confirmed)
  process.exit(errors.length === 0 && wellAnswered && (silent || complete) ? 0 : 1)
}

main()
