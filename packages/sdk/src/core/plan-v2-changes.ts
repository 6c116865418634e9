import { isPlainObject, type JsonObject, type JsonValue, sameJson } from './json.ts';

/** One difference between two versions of a builder plan. */
export interface PlanChange {
  readonly change: 'added' | 'removed' | 'moved' | 'changed';
  /** The step, by its name in the version that has it; `null` for what belongs to the plan as a whole. */
  readonly step: string | null;
  /** Where the step stood in the old version. */
  readonly before?: number;
  /** Where it stands in the new version. */
  readonly after?: number;
  /** What changed: names of fields. */
  readonly fields: readonly string[];
}

interface Entry {
  readonly index: number;
  readonly name: string;
  /** What it is matched by: its name, or for a step without one of its own what it is. */
  readonly key: string;
  readonly step: JsonObject;
}

/** What changed from one version of a plan to another, both in the form they are stored in. */
export function planChanges(old: JsonObject, now: JsonObject): readonly PlanChange[] {
  const changes: PlanChange[] = [];
  for (const field of fieldsThatDiffer(old, now, ['kind', 'id', 'steps']))
    changes.push({ change: 'changed', step: null, fields: [field] });
  const before = entriesOf(old);
  const after = entriesOf(now);
  const pairs = matched(before, after);
  const stay = longestInOrder([...pairs.values()].map(({ index }) => index));
  for (const entry of before) {
    const partner = pairs.get(entry);
    if (!partner) {
      changes.push({ change: 'removed', step: entry.name, before: entry.index, fields: [] });
      continue;
    }
    const place = { step: partner.name, before: entry.index, after: partner.index };
    if (!stay.has(partner.index)) changes.push({ change: 'moved', ...place, fields: [] });
    const fields = fieldsThatDiffer(entry.step, partner.step, isUnnamed(entry) ? ['name'] : []);
    if (fields.length > 0) changes.push({ change: 'changed', ...place, fields });
  }
  const kept = new Set(pairs.values());
  for (const entry of after) {
    if (!kept.has(entry)) changes.push({ change: 'added', step: entry.name, after: entry.index, fields: [] });
  }
  return changes;
}

function fieldsThatDiffer(old: JsonObject, now: JsonObject, ignored: readonly string[]): readonly string[] {
  const names = new Set([...Object.keys(old), ...Object.keys(now)]);
  return [...names]
    .filter((field) => !ignored.includes(field) && !sameJson(old[field] ?? null, now[field] ?? null))
    .sort();
}

function entriesOf(shape: JsonObject): readonly Entry[] {
  const counts = new Map<string, number>();
  return (Array.isArray(shape['steps']) ? shape['steps'] : [])
    .filter(isPlainObject)
    .map((step: Record<string, unknown>, index): Entry => {
      const name = String(step['name']);
      // A step that was given no name is called after its place; what it is tells it better.
      const { name: _name, ...rest } = step as JsonObject;
      const base = name === `step_${index}` ? `is ${JSON.stringify(sorted(rest))}` : `named ${name}`;
      const count = counts.get(base) ?? 0;
      counts.set(base, count + 1);
      return { index, name, key: `${count} ${base}`, step: step as JsonObject };
    });
}

function isUnnamed({ name, index }: Entry): boolean {
  return name === `step_${index}`;
}

function sorted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item as JsonValue)]),
  );
}

/** The steps of the old version with what became of them; unnamed steps that changed are paired by kind, in order. */
function matched(before: readonly Entry[], after: readonly Entry[]): ReadonlyMap<Entry, Entry> {
  const byKey = new Map(after.map((entry) => [entry.key, entry]));
  const found = new Map<Entry, Entry>();
  const taken = new Set<Entry>();
  const pair = (entry: Entry, partner: Entry | undefined): void => {
    if (!partner) return;
    found.set(entry, partner);
    taken.add(partner);
  };
  for (const entry of before) pair(entry, byKey.get(entry.key));
  for (const entry of before.filter((candidate) => isUnnamed(candidate) && !found.has(candidate))) {
    pair(
      entry,
      after.find((other) => isUnnamed(other) && !taken.has(other) && other.step['kind'] === entry.step['kind']),
    );
  }
  return new Map(before.flatMap((entry) => (found.has(entry) ? [[entry, found.get(entry) as Entry]] : [])));
}

/** The numbers of a longest rising part of a list: what did not move. */
function longestInOrder(numbers: readonly number[]): ReadonlySet<number> {
  const tails: number[] = [];
  const previous = new Map<number, number | undefined>();
  for (const number of numbers) {
    let low = 0;
    let high = tails.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((tails[middle] as number) < number) low = middle + 1;
      else high = middle;
    }
    previous.set(number, tails[low - 1]);
    tails[low] = number;
  }
  const kept = new Set<number>();
  for (let number = tails.at(-1); number !== undefined; number = previous.get(number)) kept.add(number);
  return kept;
}
