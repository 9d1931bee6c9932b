// 1. What a real V2 Handler answered, asked of the authenticator alone: as V2 each verdict, code and text is the recorded one;
// by default whoever was let in is, and whoever was refused is not, but for a few with a reason.
import { join } from 'node:path'

import { root } from '../../scripts/prepare.mjs'
import { cargoRun } from './cargo.mjs'
import { prove } from './proof.mjs'

const FILE = join(root, 'tests', 'vectors', 'v2.json')

/** What the runner printed, in figures. */
function figures(text) {
  const groups = [...text.matchAll(/^(\d+) of (\d+) are about authentication \((.*)\)$/gm)]
  const sum = (of, index) => of.reduce((all, group) => all + Number(group[index]), 0)
  const credentials = groups.filter(([, , , group]) => group.endsWith(' credentials'))
  const [, passed, failed] = text.match(/^(\d+) passed, (\d+) failed$/m) ?? []
  const rules = [...text.matchAll(/^ {2}(\d+) x (.*)$/gm)].map(([, count, rule]) => ({ count, rule }))
  return {
    passed: Number(passed),
    failed: Number(failed),
    credentials: `${sum(credentials, 1)} of ${sum(credentials, 2)}`,
    all: [sum(groups, 1), sum(groups, 2)],
    exceptions: rules.filter(({ rule }) => !rule.startsWith('left out')),
    differences: text.match(/^FAILED .*$/gm) ?? [],
  }
}

await prove(async (t) => {
  const lines = []
  for (const mode of ['v2', 'default']) {
    const { stdout } = await cargoRun('ttn-auth-sandbox', 'vectors', ['--authenticator', mode, FILE])
    t.evidence.line(stdout)
    const found = figures(stdout)
    t.check(found.failed === 0, `${mode}: ${found.differences.join(', ')}`)
    t.check(found.passed === found.all[0] && found.passed > 0, `${mode}: ${found.passed} of ${found.all[0]} passed`)
    t.check(found.credentials.split(' ')[0] > 90, `${mode}: ${found.credentials} vectors of credentials were run`)
    if (lines.length === 0) {
      lines.push(`${found.credentials} vectors of both credentials groups, and ${found.all.join(' of ')} of all, are about authentication;`)
    }
    const others = found.exceptions.reduce((all, { count }) => all + Number(count), 0)
    const listed = found.exceptions.map(({ count, rule }) => `, ${count} x ${rule}`).join('')
    lines.push(`${mode === 'v2' ? 'as V2' : 'by default'} ${found.passed - others} as recorded${listed};`)
  }
  return lines.join(' ')
})
