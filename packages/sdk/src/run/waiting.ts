/** Says that a step cannot go on until somebody answers. A value that is passed up, never thrown. */
export const waiting: unique symbol = Symbol('waiting');
/** Says that a step cannot go on until somebody answers. */
export type Waiting = typeof waiting;
