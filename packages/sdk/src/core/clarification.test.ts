import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ActionClarification,
  type Clarification,
  checkResponse,
  clarificationFromWire,
  clarificationToWire,
  CustomClarification,
  InputClarification,
  isApproved,
  isClarification,
  isDecline,
  isRefused,
  MultipleChoiceClarification,
  placed,
  resolved,
  UserVerificationClarification,
  ValueConfirmationClarification,
} from './clarification.ts';
import { ClarificationUUID, PlanRunUUID } from './ids.ts';
import type { JsonObject, JsonValue } from './json.ts';

function fixture(name: string): JsonObject {
  const file = new URL(`../../fixtures/portia-0.9/clarification-${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as JsonObject;
}

const kinds = ['action', 'input', 'multiple-choice', 'value-confirmation', 'user-verification', 'custom'];
const planRunId = 'prun-7d7b7a52-1d2e-4a35-9f56-2f4cdb0c9b01';
const sizes = MultipleChoiceClarification({
  userGuidance: 'Which?',
  argumentName: 'size',
  options: ['S', { cm: 4, name: 'M' }],
});

function refusal(code: string, message: string): object {
  return expect.objectContaining({ code, message: expect.stringContaining(message) });
}

describe('making clarifications', () => {
  it('fills in what every kind has', () => {
    const made = InputClarification({ userGuidance: 'Who?', argumentName: 'to' });
    expect(ClarificationUUID.is(made.id)).toBe(true);
    expect({ ...made, id: '' }).toEqual({
      id: '',
      planRunId: null,
      category: 'Input',
      response: null,
      step: null,
      userGuidance: 'Who?',
      resolved: false,
      source: null,
      argumentName: 'to',
    });
  });

  it('freezes them', () => {
    expect(Object.isFrozen(sizes) && Object.isFrozen(sizes.options)).toBe(true);
    expect(CustomClarification({ userGuidance: 'Q', name: 'n' }).data).toEqual({});
  });

  it('asks for the fields a kind needs', () => {
    const common = { userGuidance: 'Q' };
    expect(() => InputClarification({ ...common, argumentName: '' })).toThrow(
      refusal('CLARIFICATION_INVALID', 'needs argumentName'),
    );
    expect(() => ValueConfirmationClarification({ ...common } as never)).toThrow(
      'a Value Confirmation clarification needs argumentName',
    );
    expect(() => CustomClarification({ ...common } as never)).toThrow('a Custom clarification needs name');
    expect(() => MultipleChoiceClarification({ ...common, argumentName: 'a' } as never)).toThrow('needs options');
    expect(() => UserVerificationClarification({} as never)).toThrow(
      'a User Verification clarification needs userGuidance',
    );
  });

  it('takes only web addresses for actions, in their normal form', () => {
    expect(ActionClarification({ userGuidance: 'Q', actionUrl: 'https://example.com' }).actionUrl).toBe(
      'https://example.com/',
    );
    expect(
      ActionClarification({ userGuidance: 'Q', actionUrl: 'http://a.example/x', requireConfirmation: true })
        .requireConfirmation,
    ).toBe(true);
    for (const actionUrl of ['javascript:alert(1)', 'file:///etc/passwd', 'nowhere', '']) {
      expect(() => ActionClarification({ userGuidance: 'Q', actionUrl })).toThrow(
        refusal('CLARIFICATION_INVALID', 'not a web address'),
      );
    }
  });

  it('refuses a given response that its kind cannot have', () => {
    expect(() => UserVerificationClarification({ userGuidance: 'Q', response: 'yes' })).toThrow(
      'response must be a boolean value or None',
    );
    const init = { userGuidance: 'Q', argumentName: 'a', options: ['S'], response: 'XL' };
    expect(() => MultipleChoiceClarification({ ...init, resolved: true })).toThrow(
      refusal('CLARIFICATION_INVALID', '"XL" is not a supported option'),
    );
    expect(MultipleChoiceClarification(init).response).toBe('XL');
  });

  it('tells its own from data that looks alike', () => {
    expect(isClarification(sizes)).toBe(true);
    for (const value of [clarificationToWire(sizes), { ...sizes }, null, 'Input'])
      expect(isClarification(value)).toBe(false);
  });
});

describe('answers', () => {
  it('to a choice must be one of the options, whatever the order of keys', () => {
    expect(checkResponse(sizes, 'S')).toBe('S');
    expect(checkResponse(sizes, { name: 'M', cm: 4 })).toEqual({ cm: 4, name: 'M' });
    expect(() => checkResponse(sizes, 's')).toThrow(
      expect.objectContaining({
        code: 'CLARIFICATION_RESPONSE_INVALID',
        hint: 'choose one of "S", {"cm":4,"name":"M"}',
      }),
    );
  });

  it('may say that somebody does not want to answer, typed or chosen', () => {
    const declines: JsonValue[] = [{ decline: true }, '{"decline": true}', ' { "decline" : true }\n'];
    const others: JsonValue[] = [
      { decline: false },
      { decline: true, why: 1 },
      'decline',
      '"{\\"decline\\": true}"',
      null,
      true,
    ];
    expect(declines.map(isDecline)).toEqual(declines.map(() => true));
    expect(others.map(isDecline)).toEqual(others.map(() => false));
  });

  it('to a verification are true or false, and only true is a yes', () => {
    const asked = UserVerificationClarification({ userGuidance: 'OK?', planRunId });
    for (const answer of ['true', 1, null]) {
      expect(() => checkResponse(asked, answer)).toThrow(
        expect.objectContaining({ code: 'CLARIFICATION_RESPONSE_INVALID', planRunId }),
      );
    }
    expect(checkResponse(asked, false)).toBe(false);
    expect(isApproved(resolved(asked, true))).toBe(true);
    expect(isApproved(resolved(asked, false))).toBe(false);
    expect(isApproved(UserVerificationClarification({ userGuidance: 'OK?', response: true }))).toBe(false);
    expect([asked, resolved(asked, true), resolved(asked, false), resolved(sizes, 'S')].map(isRefused)).toEqual([
      false,
      false,
      true,
      false,
    ]);
  });

  it('to a question must be something, and something JSON can hold', () => {
    const asked = InputClarification({ userGuidance: 'Who?', argumentName: 'to' });
    expect(checkResponse(asked, '')).toBe('');
    expect(() => checkResponse(asked, undefined)).toThrow(refusal('CLARIFICATION_RESPONSE_INVALID', 'empty answer'));
    expect(() => checkResponse(asked, Number.NaN)).toThrow(
      refusal('CLARIFICATION_RESPONSE_INVALID', 'response is NaN'),
    );
    expect(checkResponse(CustomClarification({ userGuidance: 'Q', name: 'n' }), null)).toBeNull();
  });

  it('and places make a new clarification and leave the old one', () => {
    const answered = resolved(sizes, 'S');
    expect(answered).toMatchObject({ ...sizes, response: 'S', resolved: true });
    expect(placed(sizes, planRunId, 3)).toMatchObject({ planRunId, step: 3, id: sizes.id });
    expect(sizes).toMatchObject({ response: null, resolved: false, planRunId: null, step: null });
    expect(isClarification(answered)).toBe(true);
  });
});

describe('clarifications on the wire', () => {
  it.each(kinds)('read and print the document of Portia 0.9: %s', (kind) => {
    const document = fixture(kind);
    const read = clarificationFromWire(document);
    expect(read.category).toBe(document['category']);
    expect(JSON.stringify(read)).toBe(JSON.stringify(document));
  });

  it('need no more than a category and its own fields', () => {
    const read = clarificationFromWire({ category: 'Custom', user_guidance: 'Q', name: 'n' });
    expect({ ...read, id: '' }).toEqual({ ...CustomClarification({ userGuidance: 'Q', name: 'n' }), id: '' });
    expect(
      clarificationFromWire({ category: 'Action', user_guidance: 'Q', action_url: 'https://a.example/' }),
    ).toMatchObject({ requireConfirmation: false });
  });

  it('are refused with the field that is wrong', () => {
    const good = fixture('custom');
    const wrong: [JsonObject, string][] = [
      [{ ...good, category: 'Poll' }, 'unknown clarification category "Poll"'],
      [{ user_guidance: 'Q' }, 'unknown clarification category null'],
      [{ ...good, user_guidance: null }, 'user_guidance'],
      [{ ...good, step: '1' }, 'step'],
      [{ ...good, resolved: 'yes' }, 'resolved'],
      [{ ...good, source: 5 }, 'source'],
      [{ ...good, data: [] }, 'data'],
      [{ ...fixture('action'), require_confirmation: 1 }, 'require_confirmation'],
      [{ ...fixture('multiple-choice'), options: 'S' }, 'options'],
      [{ ...fixture('multiple-choice'), resolved: true, response: 'XL' }, 'not a supported option'],
    ];
    for (const [wire, what] of wrong)
      expect(() => clarificationFromWire(wire)).toThrow(refusal('CLARIFICATION_INVALID', what));
    for (const key of ['id', 'plan_run_id']) {
      expect(() => clarificationFromWire({ ...good, [key]: 'clar-1' })).toThrow(
        expect.objectContaining({ code: 'ID_INVALID' }),
      );
    }
  });

  it('read back as they were written, whatever the kind', () => {
    const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as JsonValue);
    const common = {
      id: fc.uuid().map((uuid) => ClarificationUUID.fromString(`clar-${uuid}`)),
      planRunId: fc.option(fc.uuid().map((uuid) => PlanRunUUID.fromString(`prun-${uuid}`))),
      step: fc.option(fc.nat()),
      userGuidance: fc.string(),
      resolved: fc.boolean(),
      source: fc.option(fc.string()),
    };
    const open = { ...common, response: json };
    const argumentName = fc.string({ minLength: 1 });
    const options = fc.array(json, { minLength: 1 });
    const any: fc.Arbitrary<Clarification> = fc.oneof(
      fc.record({ ...open, actionUrl: fc.webUrl(), requireConfirmation: fc.boolean() }).map(ActionClarification),
      fc.record({ ...open, argumentName }).map(InputClarification),
      fc.record({ ...open, argumentName }).map(ValueConfirmationClarification),
      fc
        .record({ ...common, argumentName, options })
        .map((init) => MultipleChoiceClarification({ ...init, response: init.options[0] })),
      fc.record({ ...common, response: fc.option(fc.boolean()) }).map(UserVerificationClarification),
      fc.record({ ...open, name: argumentName, data: fc.dictionary(fc.string(), json) }).map(CustomClarification),
    );
    fc.assert(
      fc.property(any, (clarification) => {
        const text = JSON.stringify(clarification);
        const read = clarificationFromWire(JSON.parse(text) as JsonObject);
        expect(read).toEqual(clarification);
        expect(JSON.stringify(read)).toBe(text);
      }),
    );
  });
});
