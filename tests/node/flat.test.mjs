// Answers on their way to JavaScript: whatever a field holds arrives as V2's documented JSON says it, over both transports.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { test } from 'node:test'

import { connect, withSandbox } from './support.mjs'

const { flat } = createRequire(import.meta.url)('../../node/flat.js')
const sandbox = withSandbox()

/** Texts of every kind: what a string has is not what its UTF-8 has. */
const TEXTS = {
  ascii: 'plain, "quoted", back\\slash, \u0000 and \u007f',
  latin: 'Zürich – no: Zürich ÿ \u0080\u00ff',
  narrow: 'naïve café ÿ',
  wide: 'Łódź, 東京, Ελλάδα',
  emoji: '👩‍🚀🛰️',
  joined: 'e\u0301 is not \u00e9',
  long: 'ab'.repeat(100),
  'long and wide': '漢'.repeat(1500),
  empty: '',
}

const device = (id, more) => ({
  app_id: 'test-app',
  dev_id: id,
  lorawan_device: {
    app_eui: '70B3D57EF000001C',
    // No two devices may have the same.
    dev_eui: createHash('sha256').update(id).digest('hex').slice(0, 16).toUpperCase(),
    app_id: 'test-app',
    dev_id: id,
    dev_addr: '26001ADA',
    nwk_s_key: '00112233445566778899AABBCCDDEEFF',
    app_s_key: 'FFEEDDCCBBAA99887766554433221100',
    app_key: '',
    activation_constraints: 'local',
  },
  ...more,
})

/** `device` as a server tells it. */
async function read(given) {
  const answers = []
  for (const scheme of ['grpc', 'http']) {
    const client = connect(sandbox(), scheme)
    await client.setDevice(given)
    const answer = await client.getDevice({ app_id: given.app_id, dev_id: given.dev_id })
    // In the order of the documentation, which deepEqual does not look at.
    answers.push(answer, JSON.stringify(answer))
    client.close()
  }
  assert.deepEqual(answers[0], answers[2])
  assert.equal(answers[1], answers[3])
  return answers[0]
}

for (const [name, text] of Object.entries(TEXTS)) {
  test(`a text arrives as it was sent: ${name}`, async () => {
    const given = device('texts', { description: text, attributes: { [name]: text, [`${name} ${text.slice(0, 20)}`]: 'its name too' } })
    const { description = '', attributes } = await read(given)
    assert.equal(description, text)
    assert.deepEqual(attributes, given.attributes)
  })
}

test('numbers arrive as they were sent: whole, broken, negative, none', async () => {
  for (const [altitude, latitude, longitude] of [[0, 52.375, 4.5], [-2147483648, -90, 0.1], [2147483647, 1e-7, -179.99], [127, 0, 0], [128, 1, 2]]) {
    const answer = await read(device('numbers', { altitude, latitude, longitude }))
    assert.deepEqual([answer.altitude ?? 0, answer.latitude ?? 0, answer.longitude ?? 0], [altitude, latitude, longitude])
  }
  for (const f_cnt_up of [0, 1, 127, 128, 16383, 16384, 4294967295]) {
    const given = device('counters')
    Object.assign(given.lorawan_device, { f_cnt_up, disable_f_cnt_check: true, uses32_bit_f_cnt: true })
    const { lorawan_device } = await read(given)
    assert.equal(lorawan_device.f_cnt_up ?? 0, f_cnt_up)
    assert.equal(lorawan_device.disable_f_cnt_check, true)
  }
})

test('an attribute named __proto__ is one like any other', async () => {
  const attributes = JSON.parse('{"__proto__":"a","constructor":"b","then":"c"}')
  const answer = await read(device('names', { attributes }))
  assert.deepEqual(Object.entries(answer.attributes).sort(), Object.entries(attributes).sort())
  assert.equal(Object.getPrototypeOf(answer.attributes), Object.prototype)
  assert.equal({}.a, undefined)
})

test('answers are whole whatever their size, and every caller has its own', async () => {
  const client = connect(sandbox(), 'grpc')
  const sizes = [0, 1, 100, 3000, 4000, 4090, 4100, 5000, 70_000]
  for (const size of sizes) {
    await client.setDevice(device(`size-${size}`, { description: 'x'.repeat(size) }))
  }
  const all = Array.from({ length: 300 }, (_, n) => sizes[n % sizes.length])
  const answers = await Promise.all(all.map((size) => client.getDevice({ app_id: 'test-app', dev_id: `size-${size}` })))
  answers.forEach(({ dev_id, description = '' }, n) => {
    assert.equal(dev_id, `size-${all[n]}`)
    assert.equal(description.length, all[n])
  })
  // Nobody's object is anybody else's.
  assert.equal(new Set(answers).size, answers.length)
  answers[0].lorawan_device.dev_addr = 'changed'
  assert.equal(answers[sizes.length].lorawan_device.dev_addr, '26001ADA')
  client.close()
})

test('the reader takes numbers up to 2^53, and each value by itself', () => {
  const number = (value) => {
    let text = ''
    for (; value >= 0x80; value = Math.floor(value / 0x80)) text += String.fromCharCode((value % 0x80) | 0x80)
    return text + String.fromCharCode(value)
  }
  const wholes = [0, 1, 127, 128, 255, 16384, 2 ** 31, 2 ** 32 + 5, 2 ** 53 - 1]
  const read = flat({ shape: () => ['a', 'b'] })
  assert.deepEqual(read(wholes.map((value) => `\u0003${number(value)}`).join(''), wholes.length), wholes)
  const double = String.fromCharCode(...new Uint8Array(new Float64Array([-0.1]).buffer))
  const text = `\u0000\u0001\u0002\u0004${double}\u0005\u0002hi\u0006\u0001\u0001\u0001\u0007\u0002\u0003\u0007\u0002\u000a`
  assert.deepEqual(read(text, 8), [null, false, true, -0.1, 'hi', '\u0101', [7, true], undefined])
  const objects = read('\u0009\u0001\u0000\u0000\u0002\u0001'.repeat(2), 2)
  assert.deepEqual(objects, [{ a: true, b: false }, { a: true, b: false }])
  assert.notEqual(objects[0], objects[1])
})
