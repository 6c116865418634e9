export type { AiSdkLanguageModel } from './language-model.ts';
export { type FromAiSdkOptions, fromAiSdk } from './from-ai-sdk.ts';
export { type AiSdkTool, type AiSdkToolOptions, fromAiSdkTools } from '../../tool/from-ai-sdk-tools.ts';
