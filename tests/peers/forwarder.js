// A Semtech UDP packet forwarder (GWMP v2) as a module for lora_device.js: two sockets, a 32-bit microsecond counter
// that wraps, PULL_DATA every second, TX_ACK for every downlink, and the refusals of a real concentrator's queue.
'use strict'

const dgram = require('node:dgram')
const { EventEmitter } = require('node:events')

const PUSH_DATA = 0, PUSH_ACK = 1, PULL_DATA = 2, PULL_RESP = 3, PULL_ACK = 4, TX_ACK = 5
const VERSION = 2
// lora_pkt_fwd refuses what starts in less than 1.5 + 1 + 40 ms, or in more than 512 s.
const AHEAD_US_MIN = 42_500, AHEAD_US_MAX = 512_000_000
const WRAP = 2 ** 32

// Emits 'downlink' ({phy, txpk, verdict}) where verdict is what TX_ACK told: 'NONE' means that it is transmitted.
class Forwarder extends EventEmitter {
  // options: host, port, eui (16 hex digits), tmst (start of the counter, µs),
  // txAck: NONE (honest), silent, empty, or an error that is told for the first window of each uplink,
  // txAckSocket: down | up, local: the address it sends from
  constructor(options) {
    super()
    Object.assign(this, { txAck: 'NONE', txAckSocket: 'down', tmst: 0 }, options)
    this.euiBytes = Buffer.from(this.eui, 'hex')
    this.began = process.hrtime.bigint()
    this.up = dgram.createSocket('udp4')
    this.down = dgram.createSocket('udp4')
    this.token = Math.floor(Math.random() * 65_536)
    this.unanswered = new Map() // token of a PUSH_DATA -> when it left, µs
    this.counts = { push_data: 0, push_ack: 0, pull_data: 0, pull_ack: 0, pull_resp: 0, tx_ack: 0 }
    this.pushAckMs = []
    this.errors = []
    this.up.on('message', (datagram) => this.onUp(datagram))
    this.down.on('message', (datagram) => this.onDown(datagram))
    // A port nobody listens on answers ECONNREFUSED on some systems: what a real forwarder ignores too.
    this.up.on('error', () => {})
    this.down.on('error', () => {})
    if (this.local) for (const socket of [this.up, this.down]) socket.bind(0, this.local)
  }

  elapsedUs() { return Number((process.hrtime.bigint() - this.began) / 1000n) }
  now() { return (this.tmst + this.elapsedUs()) % WRAP }

  start(pullS) {
    this.pull()
    this.timer = setInterval(() => this.pull(), pullS * 1000)
  }

  pull() {
    this.counts.pull_data += 1
    this.send(this.down, PULL_DATA, this.nextToken())
  }

  stop() {
    clearInterval(this.timer)
    this.up.close()
    this.down.close()
  }

  nextToken() { return (this.token = (this.token + 1) % 65_536) }

  send(socket, type, token, json) {
    const head = Buffer.from([VERSION, token >> 8, token & 255, type])
    const body = json === undefined ? [] : [Buffer.from(JSON.stringify(json))]
    socket.send(Buffer.concat([head, this.euiBytes, ...body]), this.port, this.host)
  }

  // Sends one PUSH_DATA with these rxpk (and `stat`, if given).
  push(rxpk, stat) {
    const token = this.nextToken()
    this.unanswered.set(token, this.elapsedUs())
    this.counts.push_data += 1
    this.send(this.up, PUSH_DATA, token, { ...(rxpk.length ? { rxpk } : {}), ...(stat ? { stat } : {}) })
  }

  complain(what, facts) { this.errors.push({ what, ...facts }) }

  onUp(datagram) {
    const token = datagram.length === 4 && datagram[0] === VERSION && datagram[3] === PUSH_ACK ? datagram.readUInt16BE(1) : null
    const left = this.unanswered.get(token)
    if (left === undefined) return this.complain('unexpected on the up socket', { hex: datagram.toString('hex') })
    this.unanswered.delete(token)
    this.counts.push_ack += 1
    this.pushAckMs.push((this.elapsedUs() - left) / 1000)
  }

  onDown(datagram) {
    if (datagram.length === 4 && datagram[0] === VERSION && datagram[3] === PULL_ACK) {
      this.counts.pull_ack += 1
      if (this.counts.pull_ack === 1) this.emit('ready')
      return
    }
    if (datagram.length < 4 || datagram[0] !== VERSION || datagram[3] !== PULL_RESP) {
      return this.complain('unexpected on the down socket', { hex: datagram.toString('hex') })
    }
    this.counts.pull_resp += 1
    const token = datagram.readUInt16BE(1)
    const txpk = this.parse(datagram.subarray(4))
    if (!txpk) return // a real forwarder drops a malformed txpk without TX_ACK
    const verdict = this.judge(txpk)
    this.answer(token, verdict)
    this.emit('downlink', { phy: Buffer.from(txpk.data, 'base64'), txpk, verdict })
  }

  parse(bytes) {
    try {
      const { txpk } = JSON.parse(bytes.toString())
      for (const key of ['freq', 'rfch', 'modu', 'datr', 'codr', 'size', 'data']) {
        if (!(key in txpk)) throw new Error(`no ${key}`)
      }
      const timed = Number.isInteger(txpk.tmst) && txpk.tmst >= 0 && txpk.tmst < WRAP
      if (!timed && txpk.imme !== true) throw new Error('tmst')
      return txpk
    } catch (error) {
      this.complain('malformed txpk', { why: error.message, text: bytes.toString().slice(0, 400) })
      return null
    }
  }

  // What the queue of a concentrator would say. A time already past wraps round and reads as too early.
  judge(txpk) {
    if (txpk.imme === true) return 'NONE'
    const ahead = (txpk.tmst - this.now() + WRAP) % WRAP
    if (ahead > AHEAD_US_MAX) return 'TOO_EARLY'
    if (ahead < AHEAD_US_MIN) return 'TOO_LATE'
    const pretend = ['NONE', 'silent', 'empty', 'TX_POWER'].includes(this.txAck) ? 'NONE' : this.txAck
    return pretend !== 'NONE' && this.isFirstWindow(txpk.tmst) ? pretend : 'NONE'
  }

  // lora_device.js replaces this: whether the time is RX1 of an uplink.
  isFirstWindow() { return true }

  answer(token, verdict) {
    if (this.txAck === 'silent') return
    const socket = this.txAckSocket === 'up' ? this.up : this.down
    const told = this.txAck === 'TX_POWER' ? { txpk_ack: { warn: 'TX_POWER', value: 12 } } : { txpk_ack: { error: verdict } }
    this.counts.tx_ack += 1
    this.send(socket, TX_ACK, token, this.txAck === 'empty' && verdict === 'NONE' ? undefined : told)
  }
}

module.exports = { Forwarder, WRAP }
