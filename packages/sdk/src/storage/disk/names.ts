import { hashText } from '../../core/hash.ts';

/** Longest file name made from a name, in characters, before the ending. */
const longest = 180;
const plain = /^[A-Za-z0-9_$@+=,~ ()[\]{}^!&'.-]*$/;
const unsafe = /[^A-Za-z0-9_$@+=,~ ()[\]{}^!&'.-]/gu;
/** Names that are devices on Windows, whatever their ending. */
const device = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/**
 * The file name (without its ending) of an output or an end user. Plain names stay as they are, which is how Portia 0.9
 * finds them. Everything else is percent-encoded as UTF-8: `/`, `\`, `:`, control and non-ASCII characters and `%`
 * itself; the first character of names that begin with a dot or a space, are a device on Windows, or (with `reserved`)
 * begin like the file of a plan or a run; the empty name is `%`. Long names are cut and end in `%~` and a hash of the
 * whole. On file systems that do not tell upper from lower case, names that differ only in case share a file.
 */
export function fileName(name: string, reserved?: RegExp): string {
  let safe = plain.test(name) ? name : name.toWellFormed() === name ? name.replace(unsafe, encoded) : malformed(name);
  if (safe === '') return '%';
  if (/^[. ]/.test(safe) || device.test(safe) || reserved?.test(safe)) {
    safe = `${encoded(safe.charAt(0))}${safe.slice(1)}`;
  }
  return safe.length <= longest ? safe : `${safe.slice(0, longest - 60)}%~${hashText(name)}`;
}

/** The name that a file's name was made from; undefined where that cannot be told from it. */
export function nameFrom(file: string): string | undefined {
  let name: string;
  try {
    name = file === '%' ? '' : decodeURIComponent(file);
  } catch {
    return undefined;
  }
  return fileName(name) === file ? name : undefined;
}

/** The file of an end user stands between those of plans and runs, whose readers go by how a name begins. */
export const endUserReserved: RegExp = /^(plan|prun)/i;

/** The name of the file that Portia 0.9 uses, where it differs from {@link fileName} only by colons that are not encoded. */
export function portiaFileName(name: string, reserved?: RegExp): string | undefined {
  const other = name.replaceAll(':', '_');
  return other !== name && fileName(other, reserved) === other ? name : undefined;
}

function encoded(character: string): string {
  return [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

/** Half a surrogate pair has no UTF-8 form; its JSON form has one. */
function malformed(name: string): string {
  return `%~${JSON.stringify(name).slice(1, -1).replace(unsafe, encoded)}`;
}
