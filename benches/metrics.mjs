// What the measured figures come to: under plain names, how many times better we are, and how far that has to be.

/** Each ratio, and the few plain figures, by name. */
export function metrics(results) {
  const found = {}
  const against = (name, { us, ...others }) => {
    for (const [rival, { rate, cpu }] of Object.entries(others)) {
      found[`${name}.calls_vs_${rival}`] = us.rate / rate
      found[`${name}.cpu_vs_${rival}`] = cpu / us.cpu
    }
  }
  for (const { name, transport, tls } of TRANSPORTS) {
    for (const [calls, figures] of Object.entries(results[name] ?? {})) against(`${transport}.${calls}${tls ? '.tls' : ''}`, figures)
    const { c64, c256 } = results[name] ?? {}
    if (c64 && c256) found[`${transport}.c256${tls ? '.tls' : ''}.cpu_vs_c64`] = c64.us.cpu / c256.us.cpu
  }
  if (results.verify) verify(found, results.verify)
  if (results.load) load(found, results.load)
  if (results.memory) memory(found, results.memory)
  return found
}

/** What is called how. */
export const TRANSPORTS = ['grpc', 'http'].flatMap((transport) => [
  { name: transport, transport, tls: false },
  { name: `${transport}.tls`, transport, tls: true },
])

function verify(found, { cached, cached_64, ...rounds }) {
  for (const [title, { us, fastjwt, jose, nodecrypto }] of Object.entries(rounds)) {
    for (const [rival, { rate, cpu }] of Object.entries({ fastjwt, jose, nodecrypto })) {
      found[`verify.${title}_vs_${rival}`] = us.rate / rate
      found[`verify.${title}_cpu_vs_${rival}`] = cpu / us.cpu
    }
  }
  found['verify.cached_vs_fastjwt'] = cached.us.rate / cached.fastjwt_cache.rate
  found['verify.cached_64_vs_fastjwt'] = cached_64.us.rate / cached_64.fastjwt_cache.rate
}

function load(found, { us, ...others }) {
  for (const [rival, { ms, mb }] of Object.entries(others)) {
    found[`load.time_vs_${rival}`] = ms / us.ms
    found[`load.memory_vs_${rival}`] = mb / us.mb
  }
  found['load.memory_mb'] = us.mb
}

function memory(found, { bare, ...figures }) {
  for (const [transport, prefix] of [['grpc', ''], ['http', 'http.']]) {
    const us = figures[`${transport}.us`]
    for (const [name, mb] of Object.entries(figures)) {
      const [of, rival] = name.split('.')
      if (of !== transport || rival === 'us') continue
      found[`memory.${prefix}c64_vs_${rival}`] = mb / us
      found[`memory.${prefix}c64_growth_vs_${rival}`] = (mb - bare) / (us - bare)
    }
    found[`memory.${prefix}c64_mb`] = us
  }
  found['memory.bare_mb'] = bare
}

/** A bar: what a figure must be, and what is the goal, where there is one. */
const bar = (upTo) => (name, must, goal) => {
  const meets = (value, limit) => limit === undefined || (upTo ? value <= limit : value >= limit)
  return { name, must, goal, upTo, holds: (value) => meets(value, must), reached: (value) => goal !== undefined && meets(value, goal) }
}
const [least, most] = [bar(false), bar(true)]

/** Over TLS: never behind grpc-js or undici. Of CPU per call, 256 in flight may take a fifth more than 64. */
export const BARS = [
  least('grpc.c64.calls_vs_grpcjs', 6.5, 9),
  least('grpc.c64.cpu_vs_grpcjs', 6.5, 10),
  least('grpc.c64.calls_vs_tonic', 0.65, 0.9),
  least('grpc.c1.calls_vs_grpcjs', 1.5, 2),
  least('grpc.c256.calls_vs_grpcjs', 5, 7),
  least('http.c64.calls_vs_fetch', 4.5, 7),
  least('http.c64.calls_vs_undici', 1.1, 1.8),
  least('http.c1.calls_vs_fetch', 1.5),
  least('http.c1.calls_vs_undici', undefined, 1),
  ...[1, 16, 64, 256].flatMap((calls) => [
    least(`grpc.c${calls}.tls.calls_vs_grpcjs`, 1),
    least(`http.c${calls}.tls.calls_vs_undici`, 1),
  ]),
  least('verify.cold_vs_fastjwt', 1.3, 1.6),
  least('verify.cached_vs_fastjwt', 5, 8),
  least('load.time_vs_grpcjs', 30, 100),
  most('load.memory_mb', 6, 3),
  least('memory.c64_vs_grpcjs', 3, 4),
  least('grpc.c256.cpu_vs_c64', 1 / 1.2),
  least('http.c256.cpu_vs_c64', 1 / 1.2),
]
