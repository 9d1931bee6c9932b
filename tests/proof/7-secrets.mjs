// 7. Nothing that the other proofs' processes printed, threw, told, showed or stored holds a key or a token.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { prove } from './proof.mjs'

/** A part that is shorter stands in other texts by chance. */
const SHORTEST = 8

/** What to search for of a secret: all of it and what stands between its dots, also as a Buffer shows itself. */
function needles({ kind, value }) {
  const parts = kind === 'token' ? value.split('.').slice(1) : value.split('.').slice(-1)
  const texts = [value, ...parts].filter((text) => text.length >= SHORTEST)
  const shown = parts.filter((text) => text.length >= SHORTEST).map((text) => text.slice(0, 40))
  return [
    ...texts,
    ...shown.map((text) => Buffer.from(text).toString('hex')),
    ...shown.map((text) => Buffer.from(text).toString('hex').match(/../g).join(' ')),
  ].map((text) => ({ kind, bytes: Buffer.from(text) }))
}

function readSecrets(file) {
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  return [...new Set(lines)].map((line) => JSON.parse(line))
}

function files(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

/** Where any of them stands: never the secret itself, which would be printed. */
function search(folder, wanted) {
  const found = []
  for (const file of files(folder)) {
    const text = readFileSync(file)
    for (const { kind, bytes } of wanted) {
      const at = text.indexOf(bytes)
      if (at >= 0) found.push({ file, kind, at, bytes })
    }
  }
  return found
}

await prove(async (t) => {
  const numbers = readdirSync(join(t.folder, 'secrets')).map((name) => name.replace('.jsonl', ''))
  t.check(numbers.length > 0, 'there is nothing to search')
  const total = { secrets: 0, tokens: 0, needles: 0, files: 0, bytes: 0, found: 0, planted: 0, plantedFound: 0 }
  for (const number of numbers) {
    const folder = join(t.folder, 'evidence', number)
    const secrets = readSecrets(join(t.folder, 'secrets', `${number}.jsonl`))
    const wanted = secrets.flatMap(needles)
    for (const { file, kind, at } of search(folder, wanted)) {
      total.found += 1
      t.check(false, `number ${number}: ${kind} in ${file.slice(folder.length + 1)} at byte ${at}`)
    }
    total.secrets += secrets.length
    total.tokens += secrets.filter(({ kind }) => kind === 'token').length
    total.needles += wanted.length
    const searched = files(folder).map((file) => readFileSync(file).length)
    total.files += searched.length
    total.bytes += searched.reduce((sum, size) => sum + size, 0)
    t.check(secrets.some(({ kind }) => kind === 'token'), `number ${number} told no token to search for`)
    t.check(searched.some((size) => size > 1000), `number ${number} left no evidence`)

    // A search that cannot find anything proves nothing: each needle, in the middle of a line, beside what is there.
    const planted = join(folder, 'planted.txt')
    writeFileSync(planted, Buffer.concat(wanted.flatMap(({ bytes }) => [Buffer.from('{"text":"x'), bytes, Buffer.from('y"}\n')])))
    const seen = new Set(search(folder, wanted).filter(({ file }) => file === planted).map(({ bytes }) => bytes))
    rmSync(planted)
    total.planted += wanted.length
    total.plantedFound += wanted.filter(({ bytes }) => seen.has(bytes)).length
  }
  t.check(total.plantedFound === total.planted, `${total.planted - total.plantedFound} planted secrets were not found`)
  return [
    `${total.secrets} secrets (${total.tokens} tokens, each with its claims and its signature) searched for in`,
    `${total.files} files, ${Math.round(total.bytes / 1000)} kB, of the numbers ${numbers.join(' ')}: ${total.found} found;`,
    `planted: ${total.plantedFound} of ${total.planted} found`,
  ].join(' ')
})
