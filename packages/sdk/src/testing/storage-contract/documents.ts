import { EndUser, type EndUserField } from '../../core/end-user.ts';
import { PlanRunUUID } from '../../core/ids.ts';
import { LocalDataValue } from '../../core/output.ts';
import { copyOf, spoil, storedRun } from './samples.ts';
import type { Open, TestFunctions } from './subject.ts';

/** Names that have broken out of a folder, a table or a file system before. */
export const oddNames: readonly string[] = [
  '$sales',
  'a/b',
  'a\\b',
  '../../x',
  '..',
  '.',
  '',
  ' ',
  ':',
  'portia:default_user',
  'con',
  'CON',
  'Sales',
  'sales',
  'é',
  'e\u0301',
  '多少 🪙',
  'a%2Fb',
  '%',
  'plan-x',
  'prun-x',
  '.journal',
  'x.json',
  "'; DROP TABLE run; --",
  '"quoted"',
  'a\0b',
  'a\0c',
  'line\nbreak',
  '__proto__',
  'n'.repeat(300),
  `${'n'.repeat(299)}m`,
];

/** Large outputs and end users. */
export function documentTests(open: Open, test: TestFunctions): void {
  outputTests(open, test);
  endUserTests(open, test);
}

function outputTests(open: Open, { describe, it, expect }: TestFunctions): void {
  describe('large outputs', () => {
    it('keeps the value with its type, and the summary', () =>
      open(async ({ storage }) => {
        const { id } = await storedRun(storage);
        const outputs = [
          LocalDataValue({ rows: [1, 2.5, null, true, 'é'] }, 'rows'),
          LocalDataValue(''),
          LocalDataValue(null),
          LocalDataValue('7'),
        ];
        for (const output of outputs) {
          await storage.saveOutput(id, '$sales', output);
          expect(await storage.getOutput(id, '$sales')).toEqual(output);
        }
        expect((await storage.getOutput(id, '$other')) ?? null).toBe(null);
        expect((await storage.getOutput(PlanRunUUID.random(), '$sales')) ?? null).toBe(null);
        const large = LocalDataValue('x'.repeat(2_000_000), 'large');
        await storage.saveOutput(id, '$large', large);
        expect((await storage.getOutput(id, '$large'))?.value === large.value).toBe(true);
      }));

    it('keeps outputs of any name apart', () =>
      open(async ({ storage }) => {
        const { id } = await storedRun(storage);
        const other = await storedRun(storage);
        for (const name of oddNames) await storage.saveOutput(id, name, LocalDataValue(`the value of ${name}`));
        await storage.saveOutput(other.id, '$sales', LocalDataValue('of another run'));
        for (const name of oddNames) expect((await storage.getOutput(id, name))?.value).toBe(`the value of ${name}`);
      }));

    it('shares no live objects of outputs', () =>
      open(async ({ storage }) => {
        const { id } = await storedRun(storage);
        const output = LocalDataValue({ rows: [{ a: 1 }] }, 'rows');
        const given = copyOf(output);
        await storage.saveOutput(id, '$sales', given);
        spoil(given);
        spoil(await storage.getOutput(id, '$sales'));
        expect(await storage.getOutput(id, '$sales')).toEqual(output);
      }));
  });
}

function endUserTests(open: Open, { describe, it, expect }: TestFunctions): void {
  describe('end users', () => {
    it('merges additional data key by key, keeps nulls, and replaces the rest', () =>
      open(async ({ storage }) => {
        const ada = EndUser({
          externalId: 'ada',
          name: 'Ada',
          email: 'ada@example.org',
          additionalData: { team: 'ops', flag: 'on' },
        });
        expect(await storage.saveEndUser(ada)).toEqual(ada);
        const saved = await storage.saveEndUser(
          EndUser({ externalId: 'ada', name: 'Ada L.', additionalData: { flag: null, size: 'M' } }),
        );
        const wanted = EndUser({
          externalId: 'ada',
          name: 'Ada L.',
          additionalData: { team: 'ops', flag: null, size: 'M' },
        });
        expect(saved).toEqual(wanted);
        expect(await storage.getEndUser('ada')).toEqual(wanted);
        expect((await storage.getEndUser('bob')) ?? null).toBe(null);
      }));

    it('replaces only the fields that are named, where some are, also when many save at once', () =>
      open(async ({ storage }) => {
        const externalId = 'ada';
        const saves: readonly [Partial<EndUser>, readonly EndUserField[]][] = [
          [{ name: 'Ada' }, ['name']],
          [{ email: 'ada@example.org' }, ['email']],
          [{ phoneNumber: '1' }, ['phoneNumber']],
          [{ additionalData: { team: 'ops' } }, []],
        ];
        await Promise.all(
          saves.map(async ([fields, only]) => storage.saveEndUser(EndUser({ externalId, ...fields }), only)),
        );
        const wanted = EndUser({ externalId, ...Object.assign({}, ...saves.map(([fields]) => fields)) });
        expect(await storage.getEndUser(externalId)).toEqual(wanted);
        const renamed = await storage.saveEndUser(EndUser({ externalId, name: 'Ada L.', email: 'old' }), ['name']);
        expect(renamed).toEqual({ ...wanted, name: 'Ada L.' });
      }));

    it('loses no update when many save at once', () =>
      open(async ({ storage }) => {
        const keys = Array.from({ length: 12 }, (_, index) => `key_${index}`);
        await Promise.all(
          keys.map(async (key) => storage.saveEndUser(EndUser({ externalId: 'ada', additionalData: { [key]: key } }))),
        );
        const { additionalData = {} } = (await storage.getEndUser('ada')) ?? {};
        expect(Object.keys(additionalData).sort()).toEqual([...keys].sort());
      }));

    it('keeps end users of any id apart', () =>
      open(async ({ storage }) => {
        const ids = oddNames.filter((id) => id !== '');
        for (const externalId of ids)
          await storage.saveEndUser(EndUser({ externalId, name: `the name of ${externalId}` }));
        for (const externalId of ids)
          expect((await storage.getEndUser(externalId))?.name).toBe(`the name of ${externalId}`);
        expect((await storage.listPlans({})).items).toEqual([]);
        expect((await storage.listRuns({})).items).toEqual([]);
      }));

    it('shares no live objects of end users', () =>
      open(async ({ storage }) => {
        const ada = EndUser({ externalId: 'ada', additionalData: { team: 'ops' } });
        const given = copyOf(ada);
        const saved = await storage.saveEndUser(given);
        spoil(given);
        spoil(saved);
        spoil(await storage.getEndUser('ada'));
        expect(await storage.getEndUser('ada')).toEqual(ada);
      }));
  });
}
