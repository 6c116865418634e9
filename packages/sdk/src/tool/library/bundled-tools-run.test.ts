import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Portia } from '../../client.ts';
import { Config } from '../../config/config.ts';
import { Plan } from '../../core/plan.ts';
import { clarifyOnToolCalls } from '../../run/approval-hooks.ts';
import type { ExecutionHooks } from '../../run/hooks.ts';
import { memoryStorage } from '../../storage/memory/memory-storage.ts';
import { type ScriptedAnswer, text, toolCall } from '../../testing/script.ts';
import { scriptedModel } from '../../testing/scripted-model.ts';
import { exampleToolRegistry } from './registries.ts';
import { createFileReaderTool } from './file-reader-tool.ts';
import { createFileWriterTool } from './file-writer-tool.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'portia-run-'));
  for (const folder of ['a', 'b']) mkdirSync(join(root, folder));
  writeFileSync(join(root, 'a/poem.txt'), 'roses');
});

afterEach(() => rmSync(root, { recursive: true }));

function client(answers: readonly ScriptedAnswer[], executionHooks: ExecutionHooks = {}) {
  const model = scriptedModel(answers);
  const tools = exampleToolRegistry
    .replaceTool(createFileReaderTool({ root }))
    .replaceTool(createFileWriterTool({ root }));
  const config = new Config({ storage: memoryStorage(), models: { default: model } });
  return { model, portia: new Portia({ config, tools, executionHooks }) };
}

const review = new Plan({
  planContext: { query: 'read poem.txt and review it', toolIds: [] },
  steps: [
    { task: 'Read poem.txt', toolId: 'file_reader_tool', output: '$poem' },
    { task: 'Review it', toolId: null, output: '$review', inputs: [{ name: '$poem' }] },
  ],
});

const readPoem = toolCall('file_reader_tool', { filename: 'poem.txt' });

describe('a run that reads an ambiguous file', () => {
  it('asks which one, goes on with the one chosen, and completes', async () => {
    writeFileSync(join(root, 'b/poem.txt'), 'violets');
    const { portia, model } = client([readPoem, text('a fine poem')]);
    const waiting = await portia.runPlan(review);
    expect(waiting.state).toBe('NEED_CLARIFICATION');
    const [clarification, ...others] = waiting.outputs.clarifications;
    expect(others).toEqual([]);
    expect(clarification).toMatchObject({
      category: 'Multiple Choice',
      argumentName: 'filename',
      options: ['a/poem.txt', 'b/poem.txt'],
      step: 0,
    });
    const ready = await portia.resolveClarification({ planRun: waiting, clarification, response: 'b/poem.txt' });
    expect(ready.state).toBe('READY_TO_RESUME');
    const done = await portia.resume({ planRunId: waiting.id });
    expect(done.error).toBeUndefined();
    expect(done.outputs.stepOutputs).toMatchObject({ $poem: { value: 'violets' }, $review: { value: 'a fine poem' } });
    expect(JSON.stringify(model.requests.at(-1))).toContain('violets');
  });

  it('asks for a yes when there is only one, and reads it', async () => {
    const { portia } = client([readPoem, text('a fine poem')]);
    const waiting = await portia.runPlan(review);
    const [clarification] = waiting.outputs.clarifications;
    expect(clarification).toMatchObject({ category: 'User Verification', step: 0 });
    await portia.resolveClarification({ planRun: waiting, clarification, response: true });
    const done = await portia.resume({ planRunId: waiting.id });
    expect(done.outputs.stepOutputs).toMatchObject({ $poem: { value: 'roses' } });
    expect(done.state).toBe('COMPLETE');
  });

  it('fails in words when there is none, or the person says no', async () => {
    const { portia } = client([readPoem, readPoem]);
    const waiting = await portia.runPlan(review);
    await portia.resolveClarification({
      planRun: waiting,
      clarification: waiting.outputs.clarifications[0],
      response: false,
    });
    const refused = await portia.resume({ planRunId: waiting.id });
    expect(refused.error?.message).toBe('there is no file "poem.txt", and "a/poem.txt" is not the one that is meant');
    rmSync(join(root, 'a/poem.txt'));
    const failed = await portia.runPlan(review);
    expect([failed.state, failed.error?.code]).toEqual(['FAILED', 'TOOL_FAILED']);
    expect(failed.error?.message).toBe('there is no file "poem.txt" here or in the folders below');
  });
});

describe('a run whose tool calls are approved', () => {
  const write = new Plan({
    planContext: { query: 'write', toolIds: [] },
    steps: [{ task: 'Write hello to note.txt', toolId: 'file_writer_tool', output: '$written' }],
  });
  const answers = [toolCall('file_writer_tool', { filename: 'note.txt', content: 'hello' })];
  const hooks = { beforeToolCall: clarifyOnToolCalls('file_writer_tool') };
  const written = (): string => {
    try {
      return readFileSync(join(root, 'note.txt'), 'utf8');
    } catch {
      return 'nothing';
    }
  };

  it('shows the call, does nothing before the yes, and does it then', async () => {
    const { portia } = client(answers, hooks);
    const waiting = await portia.runPlan(write);
    expect([waiting.state, written()]).toEqual(['NEED_CLARIFICATION', 'nothing']);
    const [clarification] = waiting.outputs.clarifications;
    expect(clarification?.category).toBe('User Verification');
    expect(clarification?.userGuidance).toContain('File Writer Tool (file_writer_tool)');
    expect(clarification?.userGuidance).toContain('"content": "hello"');
    await portia.resolveClarification({ planRun: waiting, clarification, response: true });
    const done = await portia.resume({ planRunId: waiting.id });
    expect([done.state, written()]).toEqual(['COMPLETE', 'hello']);
  });

  it('never makes the call after a no', async () => {
    const { portia } = client(answers, hooks);
    const waiting = await portia.runPlan(write);
    await portia.resolveClarification({
      planRun: waiting,
      clarification: waiting.outputs.clarifications[0],
      response: false,
    });
    const refused = await portia.resume({ planRunId: waiting.id });
    expect([refused.state, refused.error?.code, written()]).toEqual(['FAILED', 'APPROVAL_REFUSED', 'nothing']);
  });
});
