export type { AiSdkLanguageModel } from './language-model.ts';
export { type FromAiSdkOptions, fromAiSdk } from './from-ai-sdk.ts';
export {
  type AiSdkExecutableTool,
  type AiSdkInputSchema,
  type AiSdkToolCall,
  type ToAiSdkOptions,
  toAiSdkTools,
} from '../../tool/to-ai-sdk-tools.ts';
export { type AiSdkTool, type AiSdkToolOptions, fromAiSdkTools } from '../../tool/from-ai-sdk-tools.ts';
