import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readInput } from '../input.ts';
import { demoQuestion, isDemoQuestion } from './recording.ts';
import { answerFile, demoResult, type Stage, stageClient } from './stage.ts';

it('the scripted model plans and answers its question through the engine, with true figures', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'portia-demo-'));
  try {
    const stage: Stage = { dir, storage: 'memory', isReal: false, search: 'recorded', fast: true };
    const written: string[] = [];
    const portia = await stageClient(readInput([], {}, 'demo'), stage, async (callId) => void written.push(callId));
    const run = await portia.run(demoQuestion, { structuredOutputSchema: demoResult });
    expect(run.error).toBeUndefined();
    const answer =
      "Amazon's stock price grew faster in 2024: +44.4 % (151.94 to 219.39 USD), against +35.5 % for Alphabet";
    expect(run.outputs.finalOutput).toMatchObject({
      value: { answer: expect.stringContaining(answer), file: answerFile },
    });
    expect(run.outputs.stepOutputs['$growth']).toMatchObject({
      value: [expect.closeTo(44.39, 2), expect.closeTo(35.51, 2)],
    });
    expect(readFileSync(join(dir, answerFile), 'utf8')).toContain(answer);
    expect(written).toEqual(['4.0.1']);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

it('the question of the recording is recognised however it is written', () => {
  expect(isDemoQuestion('which stock price grew faster in 2024 — Amazon or Google')).toBe(true);
  expect(isDemoQuestion('Which stock price grew faster in 2023, Amazon or Google?')).toBe(false);
});
