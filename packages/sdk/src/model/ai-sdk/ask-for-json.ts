import type { JsonObject } from '../../core/json.ts';
import { schemaSupport, type SchemaSupport } from '../provider-data.ts';
import type { CallDefaults } from '../providers.ts';
import type { AiSdkLanguageModel, CallOptions, PromptMessage, ProviderData } from './language-model.ts';
import { schemaFormat, withoutKeywords } from './schema-format.ts';

/**
 * Asks for an answer in a schema by the provider's own way; by a tool call where its own way cannot express this
 * schema; in words where it has neither. What comes back is always validated against the whole schema by the caller.
 */
export function askForJson(
  model: AiSdkLanguageModel,
  options: CallOptions,
  schema: { readonly name: string; readonly jsonSchema: JsonObject },
  defaults: CallDefaults,
): void {
  const format = schemaFormat(schema.jsonSchema);
  const support = supportOf(model);
  const beyond = (format.openMaps && support.openMaps) || (format.recursive && support.recursive);
  if (defaults.schemaInPrompt || model.supportsStructuredOutputs === false || beyond === 'prompt') {
    options.responseFormat = { type: 'json' };
    writeSchema(options.prompt, format.jsonSchema);
    return;
  }
  const jsonSchema = support.without ? withoutKeywords(format.jsonSchema, new Set(support.without)) : format.jsonSchema;
  options.responseFormat = { type: 'json', schema: jsonSchema, name: schema.name };
  if (beyond === 'tool') merge(options, ['anthropic', 'bedrock'], { structuredOutputMode: 'jsonTool' });
  // Strict is what these providers assume, and then refuse most schemas.
  if (!format.strict) merge(options, ['openai', 'openaiCompatible', 'groq'], { strictJsonSchema: false });
}

function supportOf({ provider }: AiSdkLanguageModel): SchemaSupport {
  return schemaSupport.find(({ prefix }) => provider.startsWith(prefix)) ?? { prefix: '' };
}

function merge(options: CallOptions, providers: readonly string[], more: ProviderData): void {
  const all: Record<string, unknown> = { ...options.providerOptions };
  for (const provider of providers) all[provider] = { ...(all[provider] as object), ...more };
  options.providerOptions = all;
}

function writeSchema(prompt: PromptMessage[], schema: JsonObject): void {
  const demand = `Answer with one JSON value that fits this JSON Schema, and with nothing else:\n${JSON.stringify(schema)}`;
  const first = prompt[0];
  if (first?.role === 'system') prompt[0] = { ...first, content: `${first.content}\n\n${demand}` };
  else prompt.unshift({ role: 'system', content: demand });
}
