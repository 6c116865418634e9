import type { RunError } from '../../core/event.ts';
import type { JsonValue } from '../../core/json.ts';
import type { ShapedResult } from '../agents/step-result.ts';
import type { Waiting } from '../waiting.ts';

/**
 * What the work of a step comes to, before it is stored. `soft`: nothing happened, and trying again may help. `again`:
 * a model failed, and the work goes on from what is on record.
 */
export type Performed =
  | Waiting
  | { readonly kind: 'output'; readonly result: ShapedResult; readonly raw?: JsonValue }
  | { readonly kind: 'failed'; readonly error: RunError; readonly soft?: boolean; readonly again?: true };
