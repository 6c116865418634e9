import { describe, expect, it } from 'vitest';
import { EndUser } from '../../../core/end-user.ts';
import { answerBlocks, earlierLimit, endUserBlock, fitEarlier, fitInputs, valueBlocks } from './prompt-data.ts';

describe('fitting inputs', () => {
  const small = { name: '$small', text: 's'.repeat(400) };
  const large = { name: '$large', text: 'l'.repeat(4_000), description: 'a long list', summary: 'ten offers' };
  const larger = { name: '$larger', text: 'x'.repeat(8_000), description: 'a book' };

  it('gives back what fits', () => {
    const inputs = [small, large, larger];
    expect(fitInputs(inputs, 10_000)).toBe(inputs);
  });

  it('replaces the largest first, and no more than needed, by summary or else description', () => {
    expect(fitInputs([small, large, larger], 2_000)).toEqual([
      small,
      large,
      { ...larger, text: 'a book', summarized: true },
    ]);
    expect(fitInputs([small, large, larger], 200)).toEqual([
      small,
      { ...large, text: 'ten offers', summarized: true },
      { ...larger, text: 'a book', summarized: true },
    ]);
  });

  it('counts 90 % of the window as full', () => {
    const [fitting] = fitInputs([{ name: '$a', text: 'a'.repeat(3_596), summary: 's' }], 1_000);
    const [full] = fitInputs([{ name: '$a', text: 'a'.repeat(3_600), summary: 's' }], 1_000);
    expect([fitting?.text.length, full?.text]).toEqual([3_596, 's']);
  });

  it('says how large a value is of which nothing else is known, and never makes one longer', () => {
    expect(fitInputs([{ name: '$a', text: 'a'.repeat(4_000) }], 100)[0]?.text).toBe('a large value of 4000 characters');
    expect(fitInputs([{ name: '$a', text: 'abcdefgh', summary: 'longer than that' }], 1)[0]?.text).toBe('abcdefgh');
  });
});

describe('fitting earlier outputs', () => {
  it('cuts each and keeps the newest that fit into a quarter of the window', () => {
    const earlier = [1, 2, 3, 4].map((n) => ({
      name: `$${n}`,
      text: String(n).repeat(n === 4 ? earlierLimit + 7 : 4_000),
    }));
    const kept = fitEarlier(earlier, 18_500);
    expect(kept.map(({ name }) => name)).toEqual(['$2', '$3', '$4']);
    expect(kept[2]?.text).toBe(`${'4'.repeat(earlierLimit)}\n[cut here: 7 more characters]`);
  });

  it('takes a window of 100,000 tokens when none is given', () => {
    const earlier = Array.from({ length: 20 }, (_, n) => ({ name: `$${n}`, text: 'x'.repeat(10_000) }));
    expect(fitEarlier(earlier, undefined)).toHaveLength(10);
  });
});

describe('blocks of data', () => {
  it('tell the name of a value, what it is, and whether it is only its summary', () => {
    const [block] = valueBlocks(
      'step_input',
      [{ name: '$a', description: 'a "quoted" thing', text: 't'.repeat(40), summary: 'tt' }],
      10,
    );
    expect(block).toBe('<step_input name="$a" description="a \\"quoted\\" thing" shown="summary">\ntt\n</step_input>');
  });

  it('tell all that is known of a person, and nothing that is empty or removed', () => {
    const user = EndUser({
      externalId: 'c1',
      email: 'a@b.example',
      additionalData: { tier: 'gold', gone: null, name: 'X' },
    });
    expect(endUserBlock(user)).toBe('<end_user>\n{"tier":"gold","id":"c1","email":"a@b.example"}\n</end_user>');
  });

  it('tell what was asked and answered, whatever the type of the answer', () => {
    expect(answerBlocks([{ argumentName: 'amount', question: 'How many?', response: 50 }])).toEqual([
      '<person_answer argument="amount" question="How many?">\n50\n</person_answer>',
    ]);
  });
});
