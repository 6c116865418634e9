import type { StorageBackend } from 'portia-ts';

type PlanRecord = Awaited<ReturnType<StorageBackend['listPlans']>>['items'][number];

/** How many plans, the newest first, are compared with a query. */
const mostCompared = 5_000;

/**
 * The plans made for a query like this one, most similar first, newest first among equals. From a threshold of 1 on only
 * those made for exactly this query. What is compared is words and their parts, here and always in the same way; nothing
 * is sent anywhere.
 */
export async function similarPlans(
  storage: StorageBackend,
  query: string,
  threshold: number,
  limit: number,
): Promise<readonly PlanRecord[]> {
  if (threshold >= 1) return (await storage.listPlans({ query, limit })).items;
  const wanted = profileOf(query);
  const found: { readonly plan: PlanRecord; readonly similarity: number }[] = [];
  let cursor: string | undefined;
  let compared = 0;
  do {
    const page = await storage.listPlans({ limit: 500, ...(cursor !== undefined && { cursor }) });
    for (const plan of page.items) {
      if (plan.beside?.['unplanned'] === true) continue;
      const similarity = plan.query === query ? 1 : likeness(wanted, profileOf(plan.query));
      if (similarity >= threshold) found.push({ plan, similarity });
    }
    compared += page.items.length;
    cursor = page.cursor;
  } while (cursor !== undefined && compared < mostCompared);
  // The order of equals stays: newest first.
  return found
    .sort((a, b) => b.similarity - a.similarity)
    .slice(0, limit)
    .map(({ plan }) => plan);
}

type Profile = ReadonlyMap<string, number>;

/** How often each word stands in a text, and each three letters in a row: endings and small mistakes change little. */
function profileOf(text: string): Profile {
  const counts = new Map<string, number>();
  const count = (part: string, weight: number): void => void counts.set(part, (counts.get(part) ?? 0) + weight);
  for (const [word] of text
    .normalize('NFKC')
    .toLowerCase()
    .matchAll(/[\p{L}\p{N}]+/gu)) {
    count(`=${word}`, 2);
    const letters = ` ${word} `;
    for (let at = 0; at + 3 <= letters.length; at += 1) count(letters.slice(at, at + 3), 1);
  }
  return counts;
}

/** The cosine of the angle between two profiles: 0 for nothing in common, 1 for the same words. */
function likeness(a: Profile, b: Profile): number {
  let common = 0;
  for (const [part, weight] of a) common += weight * (b.get(part) ?? 0);
  const size = length(a) * length(b);
  return size === 0 ? 0 : common / size;
}

function length(profile: Profile): number {
  let sum = 0;
  for (const weight of profile.values()) sum += weight * weight;
  return Math.sqrt(sum);
}
