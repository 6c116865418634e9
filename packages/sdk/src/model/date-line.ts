const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** What day it is, for a prompt. `now` is epoch milliseconds; the day is that of UTC. */
export function dateLine(now: number): string {
  const date = new Date(now);
  return `Today: ${weekdays[date.getUTCDay()]} ${date.toISOString().slice(0, 10)} UTC.`;
}
