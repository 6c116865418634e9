/**
 * Says what takes long while it is done; on a terminal with a dot every two seconds, and how long it took. To stderr,
 * because stdout belongs to the program that comes after.
 */
export async function tellWhile(words, work, { stream = process.stderr, everyMs = 2_000 } = {}) {
  if (!stream.isTTY) {
    stream.write(`${words} ...\n`);
    return work();
  }
  const begun = Date.now();
  stream.write(`${words} `);
  const timer = setInterval(() => stream.write('.'), everyMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    stream.write(` ${Math.round((Date.now() - begun) / 1_000)} s\n`);
  }
}
