import { join } from 'node:path';
import { z } from 'zod';
import { Portia } from '../../client.ts';
import type { Config } from '../../config/config.ts';
import type { AnyTool } from '../../core/tool.ts';
import { calculatorTool } from '../../tool/library/calculator-tool.ts';
import { createFileWriterTool } from '../../tool/library/file-writer-tool.ts';
import { llmTool } from '../../tool/library/llm-tool.ts';
import { createSearchTool } from '../../tool/library/search-tool.ts';
import type { Input } from '../input.ts';
import { configOf } from '../open-client.ts';
import { demoModel } from './demo-model.ts';
import { recordedSearchTool } from './recording.ts';

/** Where and how the demo plays. Both of its processes get the same one. */
export interface Stage {
  /** The folder of its store and of what is written. */
  readonly dir: string;
  /** Its store, as `--storage` takes it. */
  readonly storage: string;
  /** Real models rather than the scripted one. */
  readonly isReal: boolean;
  /** Where search results come from. */
  readonly search: 'tavily' | 'recorded' | 'none';
  /** No pauses for reading. */
  readonly fast: boolean;
}

/** The file the last step writes. */
export const answerFile = 'answer.md';

/** What the run is to give in the end. */
export const demoResult: z.ZodType<{ answer: string; file: string }> = z.object({
  answer: z.string().describe('the answer to the question, in one or two sentences'),
  file: z.string().describe('the file it was written to'),
});

/** Milliseconds the scripted parts take, so that they can be watched. */
function pace({ fast }: Stage): number {
  return fast ? 5 : 600;
}

/** The settings of the demo: those of the command line, with a store of its own. */
function demoConfig(input: Input, stage: Stage): Promise<Config> {
  return configOf(input, { storage: stage.storage, ...(stage.isReal ? {} : { defaultModel: demoModel(pace(stage)) }) });
}

/** A client of the demo. `onWrite` is called inside each call of the file writer, before it writes. */
export async function stageClient(
  input: Input,
  stage: Stage,
  onWrite?: (callId: string, signal: AbortSignal) => Promise<void>,
): Promise<Portia> {
  const config = await demoConfig(input, stage);
  const writer = createFileWriterTool({ root: stage.dir });
  const slow: typeof writer = {
    ...writer,
    async run(args, context) {
      await onWrite?.(context.callId, context.signal);
      return writer.run(args, context);
    },
  };
  const tools: AnyTool[] = [calculatorTool, llmTool, onWrite ? slow : writer];
  if (stage.search === 'tavily')
    tools.push(createSearchTool({ apiKey: config.tavilyApiKey, baseUrl: config.tavilyBaseUrl }));
  if (stage.search === 'recorded') tools.push(recordedSearchTool(pace(stage)));
  return new Portia({ config, tools });
}

/** The folder of the demo in the working directory. */
export const demoDir: string = join('.portia', 'demo');
