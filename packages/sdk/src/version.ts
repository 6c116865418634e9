/** The version of this package, as it stands in the record of every run it drives. */
export const version = '0.1.0';
