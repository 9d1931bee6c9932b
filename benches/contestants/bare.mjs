// Node.js that does nothing, to compare memory with.
export const connect = () => ({ run: () => ({ rss: process.memoryUsage.rss() }) })
