// The globals of the web that our declarations use, for scripts/check-types.mjs: no more of them than is used, so that
// the check sees when there is more. Readers have them from `lib: ["dom"]` or `@types/node`.
interface AbortSignal {
  readonly aborted: boolean;
}
interface Request {
  readonly method: string;
  readonly url: string;
  text(): Promise<string>;
}
interface Response {
  readonly status: number;
}
interface URL {
  readonly href: string;
}
