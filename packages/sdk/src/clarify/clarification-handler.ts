import type {
  ActionClarification,
  Clarification,
  CustomClarification,
  InputClarification,
  MultipleChoiceClarification,
  UserVerificationClarification,
  ValueConfirmationClarification,
} from '../core/clarification.ts';

/** Gives the answer; refused answers throw (`CLARIFICATION_RESPONSE_INVALID`) and change nothing. */
export type OnResolution = (clarification: Clarification, response: unknown) => void | Promise<void>;
/** Gives up: the run fails with `CLARIFICATION_FAILED` and this message. */
export type OnError = (clarification: Clarification, error: Error) => void | Promise<void>;

/**
 * Answers clarifications where the run is: in a terminal, a chat, a form. Each method is optional; a kind without its
 * method is left outstanding and the run waits. The callbacks may be called now or later, from any process's answer.
 */
export interface ClarificationHandler {
  handleAction?(clarification: ActionClarification, onResolution: OnResolution, onError: OnError): void | Promise<void>;
  handleInput?(clarification: InputClarification, onResolution: OnResolution, onError: OnError): void | Promise<void>;
  handleMultipleChoice?(
    clarification: MultipleChoiceClarification,
    onResolution: OnResolution,
    onError: OnError,
  ): void | Promise<void>;
  handleValueConfirmation?(
    clarification: ValueConfirmationClarification,
    onResolution: OnResolution,
    onError: OnError,
  ): void | Promise<void>;
  handleUserVerification?(
    clarification: UserVerificationClarification,
    onResolution: OnResolution,
    onError: OnError,
  ): void | Promise<void>;
  handleCustom?(clarification: CustomClarification, onResolution: OnResolution, onError: OnError): void | Promise<void>;
}

/** Passes a clarification to the method for its kind. Gives `false` when the handler has none. */
export async function handleClarification(
  handler: ClarificationHandler,
  clarification: Clarification,
  onResolution: OnResolution,
  onError: OnError,
): Promise<boolean> {
  const given = call(handler, clarification, onResolution, onError);
  if (given === undefined) return false;
  await given();
  return true;
}

function call(
  handler: ClarificationHandler,
  clarification: Clarification,
  onResolution: OnResolution,
  onError: OnError,
): (() => void | Promise<void>) | undefined {
  switch (clarification.category) {
    case 'Action':
      return handler.handleAction && (() => handler.handleAction?.(clarification, onResolution, onError));
    case 'Input':
      return handler.handleInput && (() => handler.handleInput?.(clarification, onResolution, onError));
    case 'Multiple Choice':
      return (
        handler.handleMultipleChoice && (() => handler.handleMultipleChoice?.(clarification, onResolution, onError))
      );
    case 'Value Confirmation':
      return (
        handler.handleValueConfirmation &&
        (() => handler.handleValueConfirmation?.(clarification, onResolution, onError))
      );
    case 'User Verification':
      return (
        handler.handleUserVerification && (() => handler.handleUserVerification?.(clarification, onResolution, onError))
      );
    case 'Custom':
      return handler.handleCustom && (() => handler.handleCustom?.(clarification, onResolution, onError));
  }
}
