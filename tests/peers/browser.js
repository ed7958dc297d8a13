// A reader's browser: Chromium over the DevTools protocol, each page by axe-core, in both languages, light and dark, on a phone and
// on a desk. Nothing here is of Weir's making but the list of paths.
//
//   node browser.js --url http://127.0.0.1:8080 --path / --path /device/cod-1 --pictures DIR
//   node browser.js --broken        a page with every fault that is looked for, served by this script: all must be found
//
// Each view is a line of JSON: what axe calls a violation, requests to elsewhere, whether the page is wider than the screen, bytes
// that were loaded, what the console said. The last line is the sum. Exit status 0 unless the browser itself failed.
'use strict'
const { spawn } = require('node:child_process')
const fs = require('node:fs')
const http = require('node:http')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')

const TOOLS = process.env.WEIR_TOOLS || path.join(__dirname, '..', '.tools')
const AXE = fs.readFileSync(path.join(TOOLS, 'node/node_modules/axe-core/axe.min.js'), 'utf8')
const SIZES = [
  { name: 'phone', width: 360, height: 740, mobile: true, deviceScaleFactor: 2 },
  { name: 'desk', width: 1280, height: 800, mobile: false, deviceScaleFactor: 1 },
]
const BROKEN = port => `<!DOCTYPE html><html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"></head>
<body><img src="http://127.0.0.2:${port}/elsewhere.png"><p style="color:#ddd;background:#fff">pale</p>
<div style="width:2000px">wide</div><script>console.error('fault')</script></body></html>`

// The protocol over a pipe: objects of JSON, each ended by a zero byte.
class Browser {
  constructor(folder) {
    const flags = ['--headless=new', '--remote-debugging-pipe', '--no-first-run', '--no-default-browser-check', '--disable-gpu',
      '--disable-dev-shm-usage', '--disable-background-networking', '--disable-component-update', '--disable-sync',
      '--hide-scrollbars', `--user-data-dir=${folder}`, '--no-sandbox', 'about:blank']
    this.process = spawn('chromium', flags, { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] })
    this.said = ''
    this.process.stderr.on('data', data => { this.said = (this.said + data).slice(-4000) })
    this.waiting = new Map()
    this.listeners = []
    this.next = 1
    let rest = ''
    this.process.stdio[4].setEncoding('utf8')
    this.process.stdio[4].on('data', data => {
      const parts = (rest + data).split('\0')
      rest = parts.pop()
      parts.forEach(part => this.take(JSON.parse(part)))
    })
    this.process.on('exit', () => this.waiting.forEach(({ reject }) => reject(new Error(`chromium ended: ${this.said}`))))
  }

  take(message) {
    const waiting = this.waiting.get(message.id)
    if (!waiting) {
      this.listeners.slice().forEach(listener => listener(message))
      return
    }
    this.waiting.delete(message.id)
    if (message.error) waiting.reject(new Error(`${waiting.method}: ${message.error.message}`))
    else waiting.resolve(message.result)
  }

  ask(method, params = {}, sessionId = undefined) {
    const id = this.next++
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, method })
      this.process.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + '\0')
    })
  }

  // All of its processes end before the first one does, if it is asked.
  async close() {
    const ended = new Promise(resolve => this.process.once('exit', resolve))
    this.ask('Browser.close').catch(() => {})
    await ended
  }
}

async function view(browser, url, { size, scheme, picture }) {
  const { targetId } = await browser.ask('Target.createTarget', { url: 'about:blank' })
  const { sessionId } = await browser.ask('Target.attachToTarget', { targetId, flatten: true })
  const ask = (method, params) => browser.ask(method, params, sessionId)
  const requests = []
  const said = []
  let bytes = 0
  let loaded
  const done = new Promise(resolve => { loaded = resolve })
  const listener = message => {
    if (message.sessionId !== sessionId) return
    const { method, params } = message
    if (method === 'Network.requestWillBeSent') requests.push(params.request.url)
    if (method === 'Network.loadingFinished') bytes += params.encodedDataLength
    if (method === 'Page.loadEventFired') loaded()
    if (method === 'Runtime.consoleAPICalled' || method === 'Runtime.exceptionThrown') said.push(method)
    if (method === 'Log.entryAdded') said.push(params.entry.text)
  }
  browser.listeners.push(listener)
  for (const domain of ['Network', 'Page', 'Runtime', 'Log']) await ask(`${domain}.enable`)
  await ask('Emulation.setDeviceMetricsOverride', size)
  await ask('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] })
  await ask('Page.navigate', { url })
  await done
  const evaluate = async expression => {
    const { result, exceptionDetails } = await ask('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description || exceptionDetails.text)
    return result.value
  }
  // As a reader leaves it: folded; then with every table open, so that those are judged too.
  if (picture) {
    const { contentSize } = (await ask('Page.getLayoutMetrics')).cssContentSize
      ? { contentSize: (await ask('Page.getLayoutMetrics')).cssContentSize } : { contentSize: { height: size.height } }
    const clip = { x: 0, y: 0, width: size.width, height: Math.min(contentSize.height, 6000), scale: 1 }
    const { data } = await ask('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true, clip })
    fs.writeFileSync(picture, Buffer.from(data, 'base64'))
  }
  await evaluate('document.querySelectorAll("details").forEach(one => { one.open = true })')
  await evaluate(AXE)
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
  const run = `axe.run(document, { runOnly: ${JSON.stringify(tags)} }).then(found => ({
    passes: found.passes.length,
    violations: found.violations.map(one => one.id + ': ' + one.nodes.slice(0, 3).map(node => node.html.slice(0, 120)).join(' | ')),
  }))`
  const { passes, violations } = await evaluate(run)
  const wide = await evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth')
  const lang = await evaluate('document.documentElement.lang')
  browser.listeners.splice(browser.listeners.indexOf(listener), 1)
  await browser.ask('Target.closeTarget', { targetId })
  const origin = new URL(url).origin
  const elsewhere = requests.filter(one => new URL(one).origin !== origin)
  return { url, size: size.name, scheme, lang, passes, violations, elsewhere, wide, bytes, requests: requests.length, said }
}

async function main() {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' }, path: { type: 'string', multiple: true }, pictures: { type: 'string' }, broken: { type: 'boolean' },
    },
  })
  let server
  let views = []
  if (values.broken) {
    server = http.createServer((_, answer) => answer.end(BROKEN(server.address().port))).listen(0, '0.0.0.0')
    await new Promise(resolve => server.once('listening', resolve))
    views = [{ url: `http://127.0.0.1:${server.address().port}/`, size: SIZES[0], scheme: 'light' }]
  } else {
    if (values.pictures) fs.mkdirSync(values.pictures, { recursive: true })
    for (const at of values.path) {
      for (const lang of ['zh', 'en']) {
        for (const scheme of ['light', 'dark']) {
          for (const size of SIZES) {
            const name = `${at.replace(/[^A-Za-z0-9]+/g, '-').replace(/^-|-$/g, '') || 'home'}-${lang}-${scheme}-${size.name}.png`
            const picture = values.pictures && path.join(values.pictures, name)
            views.push({ url: `${values.url}${at}?lang=${lang}`, size, scheme, picture })
          }
        }
      }
    }
  }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weir-browser-'))
  const browser = new Browser(folder)
  const sum = { views: 0, passes: 0, violations: 0, elsewhere: 0, wide: 0, said: 0, bytes_max: 0 }
  try {
    for (const one of views) {
      const seen = await view(browser, one.url, one)
      console.log(JSON.stringify(seen))
      sum.views += 1
      sum.passes += seen.passes
      sum.violations += seen.violations.length
      sum.elsewhere += seen.elsewhere.length
      sum.wide += seen.wide ? 1 : 0
      sum.said += seen.said.length
      sum.bytes_max = Math.max(sum.bytes_max, seen.bytes)
    }
    console.log(JSON.stringify(sum))
  } finally {
    await browser.close()
    server?.close()
    fs.rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }
}

main().then(() => process.exit(0), error => {
  console.error(error.stack)
  process.exit(1)
})
