import type { Audience } from '../../core/clarification.ts';
import { type RunEventBody, toCommit } from '../../core/event.ts';
import { ClarificationUUID, type PlanRunUUID } from '../../core/ids.ts';
import type { RunHeader } from '../../core/run-state.ts';
import type { ClarificationQuery } from '../../storage/open-clarifications.ts';
import type { RunStatus, StorageBackend } from '../../storage/storage-backend.ts';
import { now, sampleClaim, sampleHeader, samplePlan } from './samples.ts';
import type { Open, TestFunctions } from './subject.ts';

interface Asked {
  readonly id: ClarificationUUID;
  readonly audience: Audience;
  readonly at: number;
}

/** Runs that ask, and a way to say which of their questions a query finds, page after page. */
class Asking {
  readonly #storage: StorageBackend;
  readonly #names = new Map<string, string>();
  readonly #seqs = new Map<PlanRunUUID, number>();
  readonly planId = samplePlan().id;

  constructor(storage: StorageBackend) {
    this.#storage = storage;
  }

  async run(init: Partial<RunHeader> = {}): Promise<PlanRunUUID> {
    await this.#storage.savePlan(samplePlan({ id: this.planId }));
    const { header } = await this.#storage.createRun(sampleHeader(this.planId, init), sampleClaim());
    return header.id;
  }

  named(name: string, audience: Audience, at: number): Asked {
    const id = ClarificationUUID.random();
    this.#names.set(id, name);
    return { id, audience, at: now + at };
  }

  /** Writes what happened, and what waits from then on. */
  async commit(
    run: PlanRunUUID,
    at: number,
    events: readonly RunEventBody[],
    open: readonly Asked[],
    state: RunStatus['state'] = 'NEED_CLARIFICATION',
  ): Promise<void> {
    const seq = this.#seqs.get(run) ?? 1;
    this.#seqs.set(run, seq + events.length);
    const asks = open.map(({ id, audience, at }) => ({ id, audience, raisedAt: at }));
    await this.#storage.append(run, 1, toCommit(seq, now + at, events), { state, updatedAt: now + at, asks });
  }

  async ask(run: PlanRunUUID, ...asked: readonly Asked[]): Promise<void> {
    for (const [index, one] of asked.entries())
      await this.commit(run, one.at - now, [raised(one)], asked.slice(0, index + 1));
  }

  async list(query: ClarificationQuery, limit = 50): Promise<string> {
    const names: (string | undefined)[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#storage.listClarifications({ ...query, limit, cursor });
      names.push(...page.items.map(({ id }) => this.#names.get(id)));
      cursor = page.cursor;
    } while (cursor !== undefined);
    return names.join(' ');
  }
}

const raised = ({ id, audience }: Asked): RunEventBody => ({
  type: 'clarification-raised',
  step: 0,
  key: id,
  clarification: { id, category: 'Input', user_guidance: 'Which?', argument_name: 'which' },
  audience,
});
const resolved = ({ id }: Asked): RunEventBody => ({
  type: 'clarification-resolved',
  id,
  response: 'this',
  resolvedBy: null,
  as: null,
  via: 'api',
});

/** Lists of what waits for people. */
export function clarificationTests(open: Open, test: TestFunctions): void {
  test.describe('lists of what waits for people', () => {
    findTests(open, test);
    goneTests(open, test);
  });
}

function findTests(open: Open, { it, expect }: TestFunctions): void {
  it('find it by audience, end user, label and age, alone and together, longest waiting first', () =>
    open(async ({ storage }) => {
      const asking = new Asking(storage);
      expect(await asking.list({})).toBe('');
      const ada = await asking.run({ endUserId: 'ada', labels: { shop: 'eu', batch: 'b' } });
      const bea = await asking.run({ endUserId: 'bea', labels: { shop: 'us', batch: 'b' } });
      const nobody = await asking.run();
      await asking.run({ endUserId: 'ada', labels: { shop: 'eu' } });
      await asking.ask(bea, asking.named('old', 'endUser', 1), asking.named('approve', 'operator', 20));
      await asking.ask(ada, asking.named('why', 'endUser', 10), asking.named('money', 'role:finance', 30));
      await asking.ask(nobody, asking.named('default', 'endUser', 5));
      expect(await asking.list({})).toBe('old default why approve money');
      expect(await asking.list({ audiences: ['endUser'] })).toBe('old default why');
      expect(await asking.list({ audiences: ['role:finance', 'operator'] })).toBe('approve money');
      expect(await asking.list({ audiences: [] })).toBe('');
      expect(await asking.list({ audiences: ['role:legal'] })).toBe('');
      expect(await asking.list({ endUserId: 'ada' })).toBe('why money');
      expect(await asking.list({ endUserId: 'portia:default_user' })).toBe('default');
      expect(await asking.list({ endUserId: 'audience' })).toBe('');
      expect(await asking.list({ labels: { shop: 'eu' } })).toBe('why money');
      expect(await asking.list({ labels: { batch: 'b', shop: 'us' } })).toBe('old approve');
      expect(await asking.list({ labels: { batch: 'b' }, audiences: ['endUser'], raisedBefore: now + 10 })).toBe('old');
      expect(await asking.list({ labels: { audience: 'endUser' } })).toBe('');
      expect(await asking.list({ raisedBefore: now + 10 })).toBe('old default');
    }));

  it('are paged through without repeating or losing any, also of one moment', () =>
    open(async ({ storage }) => {
      const asking = new Asking(storage);
      const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
      for (const name of names)
        await asking.ask(
          await asking.run({ labels: { batch: 'b' } }),
          asking.named(name, name < 'd' ? 'operator' : 'endUser', 7),
        );
      const sorted = async (query: ClarificationQuery): Promise<string> =>
        (await asking.list(query, 2)).split(' ').sort().join(' ');
      expect(await sorted({})).toBe('a b c d e f g');
      expect(await sorted({ labels: { batch: 'b' } })).toBe('a b c d e f g');
      expect(await sorted({ audiences: ['operator', 'endUser'] })).toBe('a b c d e f g');
      expect(await sorted({ audiences: ['endUser'] })).toBe('d e f g');
      const refused = await Promise.resolve()
        .then(() => storage.listClarifications({ cursor: 'nonsense' }))
        .then(
          () => undefined,
          (error: unknown) => error,
        );
      expect((refused as { code?: string } | undefined)?.code).toBe('CONFIG_INVALID');
    }));
}

function goneTests(open: Open, { it, expect }: TestFunctions): void {
  it('lose what was answered, and all of a run that has ended', () =>
    open(async ({ storage }) => {
      const asking = new Asking(storage);
      const run = await asking.run();
      const [first, second] = [asking.named('first', 'endUser', 1), asking.named('second', 'operator', 2)];
      await asking.ask(run, first, second);
      await asking.commit(run, 3, [resolved(first)], [second]);
      expect(await asking.list({})).toBe('second');
      const third = asking.named('third', 'endUser', 4);
      await asking.commit(run, 4, [raised(third)], [second, third]);
      expect(await asking.list({})).toBe('second third');
      await storage.append(run, 1, toCommit(5, now + 5, [{ type: 'run-wait' }]), {
        state: 'NEED_CLARIFICATION',
        updatedAt: now + 5,
      });
      expect(await asking.list({})).toBe('second third');
      const error = { code: 'RUN_CANCELLED', message: 'no' } as const;
      await storage.append(run, 1, toCommit(6, now + 6, [{ type: 'run-end', state: 'FAILED', error }]), {
        state: 'FAILED',
        updatedAt: now + 6,
        error,
        asks: [],
      });
      expect(await asking.list({})).toBe('');
    }));

  it('have what waits in runs that came from elsewhere', () =>
    open(async ({ storage }) => {
      const asking = new Asking(storage);
      await asking.run();
      const [gone, left] = [asking.named('gone', 'endUser', 1), asking.named('left', 'operator', 1)];
      await storage.importRun(
        {
          header: sampleHeader(asking.planId, { endUserId: 'ada', labels: { shop: 'eu' } }),
          status: { state: 'NEED_CLARIFICATION', updatedAt: now + 2 },
          driver: undefined,
          epoch: 1,
          commits: [
            toCommit(1, now + 1, [raised(gone), raised(left)]),
            toCommit(3, now + 2, [resolved(gone), { type: 'run-wait' }]),
          ],
          commands: [],
        },
        [],
      );
      expect(await asking.list({})).toBe('left');
      expect(await asking.list({ labels: { shop: 'eu' }, endUserId: 'ada', audiences: ['operator'] })).toBe('left');
      const [listed] = (await storage.listClarifications({})).items;
      expect([listed?.raisedAt, listed?.audience]).toEqual([now + 1, 'operator']);
    }));
}
