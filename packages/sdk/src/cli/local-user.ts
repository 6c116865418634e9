import { userInfo } from 'node:os';

/** Who sits at this machine, as the record names them. */
export function localUser(): string {
  try {
    return userInfo().username;
  } catch {
    return 'operator';
  }
}
