import type { JsonObject } from '../../core/json.ts';
import { schemaSupport, type SchemaSupport } from '../provider-data.ts';
import type { CallDefaults, ProviderOptions } from '../providers.ts';
import type { AiSdkLanguageModel, CallOptions, PromptMessage } from './language-model.ts';
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
  const asTool = { structuredOutputMode: 'jsonTool' };
  if (beyond === 'tool') addProviderOptions(options, { anthropic: asTool, bedrock: asTool });
  // Strict is what these providers assume, and then refuse most schemas.
  const loose = { strictJsonSchema: false };
  if (!format.strict) addProviderOptions(options, { openai: loose, openaiCompatible: loose, groq: loose });
}

function supportOf({ provider }: AiSdkLanguageModel): SchemaSupport {
  return schemaSupport.find(({ prefix }) => provider.startsWith(prefix)) ?? { prefix: '' };
}

/** Adds to what the providers' packages are given beside the request. */
export function addProviderOptions(options: CallOptions, more: ProviderOptions): void {
  const all: Record<string, unknown> = { ...options.providerOptions };
  for (const [provider, own] of Object.entries(more)) all[provider] = { ...(all[provider] as object), ...own };
  options.providerOptions = all;
}

function writeSchema(prompt: PromptMessage[], schema: JsonObject): void {
  const demand = `Answer with one JSON value that fits this JSON Schema, and with nothing else:\n${JSON.stringify(schema)}`;
  const first = prompt[0];
  if (first?.role === 'system') prompt[0] = { ...first, content: `${first.content}\n\n${demand}` };
  else prompt.unshift({ role: 'system', content: demand });
}
