export type { AiSdkLanguageModel } from './language-model.ts';
export { type FromAiSdkOptions, fromAiSdk } from './from-ai-sdk.ts';
