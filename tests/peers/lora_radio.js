#!/usr/bin/env node
// LoRaWAN devices (npm lora-packet) and packet forwarders (forwarder.js) that a test drives step by step: one JSON
// request a line on standard input, one JSON answer a line on standard output, {"error": ..} if it cannot be done.
//
// Proves: an independent LoRaWAN implementation, 1.0 and 1.1, joins, is understood, and understands every downlink.
//
//   {"do":"gateway","name":"a","eui":"0016c001f153a14c","local":"127.0.0.1","tx_ack":"NONE","tx_ack_socket":"down",
//    "answered":true}                                  opens both sockets; answers once PULL_ACK came
//   {"do":"device","name":"d","version":"1.0.3","dev_eui":..,"join_eui":..,"app_key":..,"nwk_key":..}     joins
//   {"do":"device","name":"d","version":"1.0.3","dev_addr":..,"nwk_s_key":..,"app_s_key":..}              does not
//   {"do":"join","device":"d","nonce":1,"take":true}   take false: the accept does not reach the device
//   {"do":"uplink","device":"d","fcnt":1,"confirmed":true,"f_port":2,"payload":HEX,"f_opts":HEX,"adr":false,
//    "adr_ack_req":false,"ack":false}                  default FCnt: the next one
//   {"do":"frame", as uplink}                          only makes it: {"phy": HEX}
//   {"do":"push","gateway":"a","frames":[{"phy":HEX,"base64":"padded|bare|url|url_bare","stat":1}]}   one PUSH_DATA:
//                                                      {"bytes": of its rxpk, "data": [their base64]}
//   {"do":"pull"}                                      one PULL_DATA more of each gateway, not waited for
//   {"do":"listen","device":"d","immediate":true}      waits for a downlink that answers nothing (class C)
//   {"do":"counts","gateway":"a"}                      datagrams so far, PUSH_DATA without PUSH_ACK, what was wrong
//   {"do":"keys","device":"d"}                         its session keys in hex: {app, f, s, enc}
//   {"do":"stray"}                                     downlinks nobody waited for since the last time
//
// join and uplink also take "freq", "datr", "dr" and "ch" (1.1's MIC covers them), "via" ([{"gateway","snr","rssi"}],
// default: the gateway unused for longest, for while one answers in RX1 it is deaf and mute for others), and "wait": false
// to go on at once, or "wait_ms" to go on with {"silent":true}. An uplink with "on_air": true takes its time on air, and
// before that waits for the end of what is on the air on its channel and data rate. They answer with the downlink that the
// device heard: {gateway, delay_us, freq, datr, checks (all must hold), wrong, refused (what forwarders did not take) ..} and
// for a join-accept {join_nonce, net_id, dev_addr, dl_settings, rx_delay, cf_list}, for a data frame {confirmed, ack,
// adr, f_pending, fcnt, mac ([[CID, HEX]]), f_port, payload}.
'use strict'

const path = require('node:path')
const readline = require('node:readline')
const { createRequire } = require('node:module')
const { Forwarder, WRAP } = require('./forwarder.js')
const lora = createRequire(path.join(__dirname, '../.tools/node/package.json'))('lora-packet')

// Only a failure waits so long.
const PATIENCE_MS = 30_000
const DELAYS_S_MAX = 16 // RxDelay is at most 15 s, RX2 one later
// Bytes behind each command that a network may send (LoRaWAN 1.1 §5).
const MAC_BYTES = { 1: 1, 2: 2, 3: 4, 4: 1, 5: 4, 6: 0, 7: 5, 8: 1, 9: 1, 10: 4, 11: 1, 13: 5, 15: 1 }

const gateways = new Map(), devices = new Map()
const flights = [] // {device, tmst: Map(gateway name -> µs), refused: [], told, request}
const stray = []
let listening = null

const bytes = (hex) => Buffer.from(hex ?? '', 'hex')
const hex = (buffer) => Buffer.from(buffer ?? []).toString('hex')
const high = (fcnt) => { const b = Buffer.alloc(2); b.writeUInt16LE(fcnt >>> 16); return b }

// Time on air of an uplink, ms (Semtech AN1200.13 §4; 4/5, 125 kHz, preamble of 8 symbols, CRC).
function airtimeMs(phy, datr) {
  const sf = Number(/^SF(\d+)BW125$/.exec(datr)[1]), symbolMs = 2 ** sf / 125
  const bits = Math.max(0, 8 * phy.length + 44 - 4 * sf)
  return symbolMs * (12.25 + 8 + 5 * Math.ceil(bits / (4 * (symbolMs > 16 ? sf - 2 : sf))))
}

const air = new Map() // channel and data rate -> when what is on it ends, ms

async function takeAir(phy, { freq = 868.1, datr = 'SF7BW125' }) {
  const now = performance.now(), key = `${freq} ${datr}`
  const ends = Math.max(now, air.get(key) ?? 0) + airtimeMs(phy, datr)
  air.set(key, ends)
  await new Promise((resolve) => setTimeout(resolve, ends - now))
}

function flightOf(gateway, txpk) {
  for (const flight of flights) {
    if (!flight.tmst.has(gateway)) continue
    const delay = (txpk.tmst - flight.tmst.get(gateway) + WRAP) % WRAP
    if (delay > 0 && delay % 1_000_000 === 0 && delay <= DELAYS_S_MAX * 1_000_000) return { flight, delay }
  }
  return {}
}

function openGateway({ name, eui, local, tx_ack: txAck, tx_ack_socket: txAckSocket, answered = true, port, host }) {
  const forwarder = new Forwarder({ host, port, eui, local, ...(txAck && { txAck }), ...(txAckSocket && { txAckSocket }) })
  gateways.set(name, forwarder)
  forwarder.isFirstWindow = (tmst) => flightOf(name, { tmst }).flight?.refused.length === 0
  forwarder.on('downlink', (downlink) => onDownlink(name, downlink))
  const ready = new Promise((resolve) => forwarder.once('ready', () => resolve({})))
  forwarder.start(1)
  return answered ? ready : {}
}

function onDownlink(gateway, { phy, txpk, verdict }) {
  const sent = { gateway, verdict, freq: txpk.freq, datr: txpk.datr, powe: txpk.powe, phy: hex(phy) }
  const radio = {
    ipol: txpk.ipol === true, ncrc: txpk.ncrc === true, modu: txpk.modu === 'LORA', codr: txpk.codr === '4/5',
    size: txpk.size === phy.length,
  }
  if (txpk.imme === true) {
    if (!listening) return stray.push({ ...sent, immediate: true, radio })
    const { device, told } = listening
    listening = null
    return told(heard(device, phy, null, sent, radio))
  }
  const { flight, delay } = flightOf(gateway, txpk)
  if (!flight || (verdict === 'NONE' && !flight.told)) return stray.push({ ...sent, delay_us: delay })
  if (verdict !== 'NONE') return flight.refused.push({ ...sent, delay_us: delay })
  flight.told(heard(flight.device, phy, flight, { ...sent, delay_us: delay }, radio))
  flight.told = null
}

function heard(device, phy, flight, sent, radio) {
  try {
    const { checks, ...facts } = phy[0] >> 5 === 1 ? joinAccept(device, phy, flight) : dataDown(device, phy)
    const all = { ...radio, ...checks }
    return { ...sent, ...facts, refused: flight?.refused ?? [], wrong: Object.keys(all).filter((key) => !all[key]) }
  } catch (error) {
    return { error: `${error.message} in ${hex(phy)}` }
  }
}

function joinAccept(device, phy, { request, take }) {
  const root = device.v11 ? device.nwk : device.app
  const packet = lora.fromWire(lora.decryptJoinAccept(lora.fromWire(phy), root))
  const { AppNonce: joinNonce, NetID: netId, DevAddr: address } = packet
  let session
  if (device.v11) {
    Object.assign(packet, { AppEUI: device.joinEui, DevNonce: request.nonce, JoinReqType: Buffer.from([0xff]) })
    const js = lora.generateJSKeys(device.nwk, device.eui)
    const keys = lora.generateSessionKeys11(device.app, device.nwk, device.joinEui, joinNonce, request.nonce)
    session = { app: keys.AppSKey, f: keys.FNwkSIntKey, s: keys.SNwkSIntKey, enc: keys.NwkSEncKey }
    session.mic = lora.verifyMIC(packet, js.JSIntKey, device.nwk)
  } else {
    const keys = lora.generateSessionKeys10(device.app, netId, joinNonce, request.nonce)
    session = { app: keys.AppSKey, f: keys.NwkSKey, s: keys.NwkSKey, enc: keys.NwkSKey }
    session.mic = lora.verifyMIC(packet, undefined, device.app)
  }
  const nonce = joinNonce.readUIntBE(0, 3)
  const checks = { mic: session.mic, opt_neg: packet.getDLSettingsOptNeg() === device.v11, rising: nonce > device.joinNonce }
  if (take) {
    device.joinNonce = nonce
    device.session = { ...session, address, fcnt: 0, up: 0, confDown: 0, down: { nwk: -1, app: -1 } }
  }
  return {
    checks, join_nonce: nonce, net_id: hex(netId), dev_addr: hex(address), dl_settings: hex(packet.DLSettings),
    rx_delay: packet.getRxDelayDel(), cf_list: hex(packet.CFList),
  }
}

function dataDown(device, phy) {
  const { session } = device, packet = lora.fromWire(phy), ack = packet.getFCtrlACK()
  const fcnt = packet.getFCnt(), fPort = packet.getFPort()
  const conf = Buffer.alloc(2)
  conf.writeUInt16LE(ack ? session.up & 0xffff : 0)
  const counter = device.v11 && fPort > 0 ? 'app' : 'nwk'
  const checks = {
    direction: packet.getDir() === 'down', dev_addr: packet.DevAddr.equals(session.address), rising: fcnt > session.down[counter],
    mic: device.v11 ? lora.verifyMIC(packet, session.f, session.s, high(0), conf) : lora.verifyMIC(packet, session.f),
  }
  session.down[counter] = fcnt
  if (packet.isConfirmed()) session.confDown = fcnt
  let commands = device.v11 && packet.FOpts.length ? packet.decryptFOpts(session.enc, undefined, high(0)) : packet.FOpts
  const payload = packet.FRMPayload.length ? lora.decrypt(packet, session.app, session.enc) : Buffer.alloc(0)
  if (fPort === 0) commands = payload
  return {
    checks, confirmed: packet.isConfirmed(), ack, adr: packet.getFCtrlADR(), f_pending: packet.getFCtrlFPending(), fcnt,
    mac: macCommands(commands), f_port: fPort, payload: hex(payload),
  }
}

function macCommands(buffer) {
  const found = []
  for (let at = 0; at < buffer.length;) {
    const cid = buffer[at], length = MAC_BYTES[cid]
    if (length === undefined || at + 1 + length > buffer.length) throw new Error(`MAC command ${cid} in ${hex(buffer)}`)
    found.push([cid, hex(buffer.subarray(at + 1, at + 1 + length))])
    at += 1 + length
  }
  return found
}

function makeDevice({ version, dev_eui: eui, join_eui: joinEui, app_key: app, nwk_key: nwk, ...abp }) {
  const device = { v11: version === '1.1', eui: bytes(eui), joinEui: bytes(joinEui), app: bytes(app), nwk: bytes(nwk), joinNonce: -1 }
  if (abp.dev_addr) {
    const key = bytes(abp.nwk_s_key)
    device.session = {
      app: bytes(abp.app_s_key), f: key, s: key, enc: key, address: bytes(abp.dev_addr), fcnt: 0, up: 0, confDown: 0,
      down: { nwk: -1, app: -1 },
    }
  }
  return device
}

function makeFrame(device, { fcnt, confirmed = true, f_port: FPort = 2, payload, f_opts: fOpts, dr = 5, ch = 0, ...ctrl }) {
  const { session } = device
  const full = fcnt ?? session.fcnt
  session.fcnt = full + 1
  session.up = full
  const fields = {
    MType: confirmed ? 'Confirmed Data Up' : 'Unconfirmed Data Up', DevAddr: session.address, FCnt: full & 0xffff, FPort,
    FCtrl: { ADR: ctrl.adr, ADRACKReq: ctrl.adr_ack_req, ACK: ctrl.ack }, FOpts: bytes(fOpts),
    // Cayenne LPP: channel 1 is a temperature of FCnt tenths of a degree.
    payload: payload === undefined ? Buffer.from([1, 0x67, (full >> 8) & 0x7f, full & 255]) : bytes(payload),
  }
  if (!device.v11) return lora.fromFields(fields, session.app, session.f, undefined, high(full)).getPHYPayload()
  // lora-packet writes into the last argument, so each call gets its own.
  const context = () => { const b = Buffer.from([0, 0, dr, ch]); b.writeUInt16BE(session.confDown & 0xffff); return b }
  const packet = lora.fromFields(fields, session.app, session.f, session.s, high(full), context())
  if (fields.FOpts.length) {
    packet.encryptFOpts(session.enc, undefined, high(full))
    lora.recalculateMIC(packet, session.f, session.s, high(full), context())
  }
  return packet.getPHYPayload()
}

// A gateway's time that no other uplink's windows can be mistaken for.
function freshTmst(name) {
  const taken = new Set(flights.filter(({ tmst }) => tmst.has(name)).map(({ tmst }) => tmst.get(name) % 1_000_000))
  let tmst = gateways.get(name).now()
  while (taken.has(tmst % 1_000_000)) tmst = (tmst + 1) % WRAP
  return tmst
}

function rxpk(phy, tmst, { freq = 868.1, datr = 'SF7BW125', stat = 1, snr = 9.5, rssi = -59, base64 = 'padded' }) {
  const url = base64.startsWith('url'), text = phy.toString(url ? 'base64url' : 'base64')
  const bare = text.replace(/=+$/, '')
  const data = base64.endsWith('bare') ? bare : bare.padEnd(Math.ceil(bare.length / 4) * 4, '=')
  return { tmst, chan: 0, rfch: 0, freq, stat, modu: 'LORA', datr, codr: '4/5', rssi, lsnr: snr, size: phy.length, data }
}

function transmit(device, phy, request) {
  const via = request.via ?? [{ gateway: rested() }]
  const flight = { device, tmst: new Map(), refused: [], told: null, request, take: request.take !== false }
  flights.push(flight)
  let answer = { phy: hex(phy) }
  if (request.wait !== false) answer = new Promise((resolve) => { flight.told = resolve })
  for (const { gateway, ...radio } of via) {
    const tmst = freshTmst(gateway)
    flight.tmst.set(gateway, tmst)
    gateways.get(gateway).push([rxpk(phy, tmst, { ...request, ...radio })])
  }
  return answer
}

function rested() {
  const name = gateways.keys().next().value, gateway = gateways.get(name)
  gateways.delete(name)
  gateways.set(name, gateway)
  return name
}

function join(request) {
  const device = devices.get(request.device), nonce = Buffer.alloc(2)
  nonce.writeUInt16BE(request.nonce)
  const key = bytes(request.wrong_key ?? hex(device.v11 ? device.nwk : device.app))
  const fields = { MType: 'Join Request', AppEUI: device.joinEui, DevEUI: device.eui, DevNonce: nonce }
  const phy = lora.fromFields(fields, undefined, undefined, key).getPHYPayload()
  return transmit(device, phy, { ...request, nonce })
}

const ACTIONS = {
  gateway: openGateway,
  device: (request) => { devices.set(request.name, makeDevice(request)); return {} },
  join,
  uplink: async (request) => {
    const device = devices.get(request.device), phy = request.phy ? bytes(request.phy) : makeFrame(device, request)
    if (request.on_air) await takeAir(phy, request)
    return transmit(device, phy, request)
  },
  frame: (request) => ({ phy: hex(makeFrame(devices.get(request.device), request)) }),
  push: ({ gateway, frames }) => {
    const all = frames.map((frame) => rxpk(bytes(frame.phy), freshTmst(gateway), frame))
    gateways.get(gateway).push(all)
    return { bytes: JSON.stringify(all).length, data: all.map(({ data }) => data) }
  },
  pull: () => { for (const gateway of gateways.values()) gateway.pull(); return {} },
  listen: ({ device }) => new Promise((told) => {
    const early = stray.findIndex(({ immediate }) => immediate)
    if (early < 0) { listening = { device: devices.get(device), told }; return }
    const [{ radio, ...sent }] = stray.splice(early, 1)
    told(heard(devices.get(device), bytes(sent.phy), null, sent, radio))
  }),
  counts: ({ gateway }) => {
    const { counts, errors, unanswered } = gateways.get(gateway)
    return { ...counts, push_ack_missing: unanswered.size, errors }
  },
  keys: ({ device }) => {
    const { app, f, s, enc } = devices.get(device).session
    return { app: hex(app), f: hex(f), s: hex(s), enc: hex(enc) }
  },
  stray: () => ({ stray: stray.splice(0) }),
}

async function answer(line) {
  const request = JSON.parse(line)
  let timer
  const late = new Promise((resolve) => {
    const failure = { error: `nothing came within ${PATIENCE_MS} ms`, request, stray }
    timer = setTimeout(() => resolve(request.wait_ms ? { silent: true } : failure), request.wait_ms ?? PATIENCE_MS)
  })
  try {
    return await Promise.race([ACTIONS[request.do](request), late])
  } catch (error) {
    return { error: error.stack, request }
  } finally {
    clearTimeout(timer)
  }
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) console.log(JSON.stringify(await answer(line)))
  process.exit(0)
}

main()
